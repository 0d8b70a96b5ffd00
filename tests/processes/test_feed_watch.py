"""The watch over the feed, with the fake venue's faults on the way: gateway and book builder in lockstep, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from pipeline.base.clock import EventClock
from pipeline.base.units import NS_PER_S
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, StagePlan
from pipeline.bus.topology import SCHEDULER
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.scenarios import Faults
from pipeline.fake_venue.simulated_link import LinkRules, SimulatedVenue
from pipeline.market.liveness import LivenessRules
from pipeline.market.watch import FeedWatch
from pipeline.messages.control import JobDue
from pipeline.messages.market import FeedStatus, MarketUniverse
from pipeline.messages.records import BookStateChanged
from processes.book_builder import BookBuilder
from processes.gateway import Gateway

START_NS = 1_780_000_000 * NS_PER_S
SPOT_CHECK_S = 10


class Trial:
    """A fake exchange, its faults, a gateway that watches and a book builder."""

    def __init__(
        self, rate_per_s: int = 100, per_socket: int = 200, spot_check_s: int = SPOT_CHECK_S, redundant: bool = False
    ) -> None:
        plan = ExchangePlan(rate_per_s=rate_per_s, binary_markets=3, event_markets=3)
        self.exchange = FakeExchange(plan, START_NS)
        self.faults = Faults(self.exchange)
        venue = SimulatedVenue(
            self.exchange, self.faults, Random(1), LinkRules(tokens_per_socket=per_socket, redundant=redundant)
        )
        self.watch = FeedWatch(LivenessRules(spot_check_ns=spot_check_s * NS_PER_S))
        self.gateway = Gateway(watch=self.watch)
        self.builder = BookBuilder(unvouched_ms=3_000 * spot_check_s)
        self.states: list[BookStateChanged] = []
        self.statuses: list[FeedStatus] = []
        self.lockstep = Lockstep([StagePlan(self.gateway, [venue]), self.builder], EventClock(START_NS), tap=self._on_message)
        self.lockstep.start()
        markets = tuple(listing.market for listing in self.exchange.listings())
        self.lockstep.inject(SCHEDULER, MarketUniverse(ts_ns=START_NS, markets=markets))

    def _on_message(self, arrival: Arrival) -> None:
        if isinstance(arrival.message, BookStateChanged):
            self.states.append(arrival.message)
        elif isinstance(arrival.message, FeedStatus):
            self.statuses.append(arrival.message)

    def run(self, seconds: int) -> list[BookStateChanged]:
        """Let so much time pass, with the staleness job every second; the states that changed meanwhile."""
        before, clock = len(self.states), self.lockstep.clock
        start_ns = clock.now_ns()
        for step in range(1, int(seconds) + 1):
            self.lockstep.run(to_ns=start_ns + step * NS_PER_S)
            clock.advance(start_ns + step * NS_PER_S)
            self.lockstep.inject(SCHEDULER, JobDue(ts_ns=clock.now_ns(), job="staleness"))
            self.lockstep.run_until_idle()
        return self.states[before:]

    def fault(self, name: str, **options: str) -> str:
        """Start a fault; the token it strikes."""
        return str(self.faults.start(name, self.lockstep.clock.now_ns(), options).get("token", ""))

    def state(self, token_id: str) -> str:
        book = self.builder.shelf.find(token_id)
        assert book is not None and book.confidence.state is not None
        return book.confidence.state


@pytest.fixture(scope="module")
def trial() -> Callable[..., Trial]:
    return Trial


def bad(states: list[BookStateChanged]) -> list[BookStateChanged]:
    return [state for state in states if state.new in ("SUSPECT", "STALE", "RESYNCING", "DEAD")]


def test_without_a_fault_spot_checks_agree_and_raise_no_alarm(trial: Callable[..., Trial]) -> None:
    run = trial()
    assert not bad(run.run(60))
    counts = run.builder.counts()
    assert counts["spot_same"] >= 12
    assert run.watch.counts()["tokens_resubscribed"] == run.watch.counts()["links_reopened"] == 0
    asked = run.watch.counts()["spot_checks_asked"] - run.watch.counts()["tokens_doubted"]
    assert asked >= 12 * 60 // SPOT_CHECK_S - 12


def test_a_frozen_token_among_live_ones_is_found_and_subscribed_to_afresh(trial: Callable[..., Trial]) -> None:
    run = trial()
    run.run(15)
    token_id = run.fault("freeze-one-token", seconds="30")
    struck_ns = run.lockstep.clock.now_ns()
    first, *others = bad(run.run(30))
    assert (first.token_id, first.old, first.new) == (token_id, "VERIFIED", "SUSPECT")
    assert "the feed did not deliver it" in first.reason
    assert first.ts_ns - struck_ns <= SPOT_CHECK_S * NS_PER_S
    assert [(state.token_id, state.new, state.reason) for state in others] == [(token_id, "RESYNCING", "frozen")]
    assert run.watch.counts()["tokens_resubscribed"] == 1
    assert run.watch.counts()["links_reopened"] == 0
    assert run.state(token_id) == "VERIFIED"


def test_a_socket_that_only_answers_pings_is_found_by_asking_and_opened_again(trial: Callable[..., Trial]) -> None:
    run = trial(per_socket=6)
    run.run(15)
    run.fault("silent-socket", link="1", seconds="60")
    struck_ns = run.lockstep.clock.now_ns()
    states = run.run(20)
    down = [status for status in run.statuses if status.state == "down"]
    assert {state.token_id for state in bad(states)} == set(down[0].token_ids)
    assert [status.link_id for status in down] == ["ws-1"]
    assert down[0].ts_ns - struck_ns <= SPOT_CHECK_S * NS_PER_S
    assert all(book.confidence.state == "VERIFIED" for book in run.builder.shelf.all())


def test_links_that_are_alive_say_so_every_five_seconds_with_totals(trial: Callable[..., Trial]) -> None:
    run = trial()
    run.run(30)
    up = [status for status in run.statuses if status.state == "up"]
    assert len(up) == 7
    assert up[-1].ts_ns - up[-2].ts_ns == 5 * NS_PER_S
    assert up[-1].counts["frames"] > up[-2].counts["frames"] > 0


def test_with_two_sockets_a_lost_link_and_lost_frames_cost_no_trust(trial: Callable[..., Trial]) -> None:
    run = trial(redundant=True)
    run.run(10)
    assert run.gateway.counts()["told_twice"] > 500
    for link in ("1", "2"):
        run.fault("drop-frame", link=link, count="3")
        run.run(5)
    run.fault("slow-consumer-close", link="2")
    states = run.run(15)
    down = [status for status in run.statuses if status.state == "down"]
    assert [(status.link_id, status.token_ids) for status in down] == [("ws-1b", ())]
    assert not bad(states)
    assert all(book.confidence.state == "VERIFIED" for book in run.builder.shelf.all())
    assert run.builder.counts()["deltas"] < run.gateway.counts()["messages"] * 0.6


def test_of_two_sockets_the_one_that_says_nothing_is_opened_again(trial: Callable[..., Trial]) -> None:
    run = trial(redundant=True)
    run.run(10)
    run.fault("silent-socket", link="1", seconds="60")
    states = run.run(15)
    down = [status for status in run.statuses if status.state == "down"]
    assert [(status.link_id, status.token_ids) for status in down] == [("ws-1", ())]
    assert "another link tells of the same tokens" in down[0].reason
    assert not bad(states)
