"""The venue changes how it hashes, without notice: every book becomes unverified, and nobody asks for books for ever."""

from __future__ import annotations

from random import Random

from pipeline.base.clock import EventClock
from pipeline.base.units import NS_PER_S
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, StagePlan
from pipeline.bus.topology import SCHEDULER
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.scenarios import Faults
from pipeline.fake_venue.simulated_link import SimulatedVenue
from pipeline.fake_venue.wire import TokenText
from pipeline.market.liveness import LivenessRules
from pipeline.market.watch import FeedWatch
from pipeline.messages.control import BookWanted
from pipeline.messages.market import MarketUniverse
from pipeline.messages.records import BookStateChanged
from processes.book_builder import BookBuilder
from processes.gateway import Gateway

START_NS = 1_780_000_000 * NS_PER_S


class OtherRecipe(TokenText):
    """A token whose hash has something in it that nobody knows of."""

    def rehash(self, timestamp: str, tail: str) -> str:
        return super().rehash(timestamp, f"{tail}2")


def test_every_book_becomes_unverified_and_asking_ends() -> None:
    exchange = FakeExchange(ExchangePlan(rate_per_s=100, binary_markets=4, event_markets=4), START_NS)
    wanted: list[BookWanted] = []
    states: list[BookStateChanged] = []

    def on_message(arrival: Arrival) -> None:
        if isinstance(arrival.message, BookWanted):
            wanted.append(arrival.message)
        elif isinstance(arrival.message, BookStateChanged):
            states.append(arrival.message)

    gateway = Gateway(watch=FeedWatch(LivenessRules(spot_check_ns=10 * NS_PER_S)))
    builder = BookBuilder(unvouched_ms=30_000)
    venue = SimulatedVenue(exchange, Faults(exchange), Random(1))
    run = Lockstep([StagePlan(gateway, [venue]), builder], EventClock(START_NS), tap=on_message)
    run.start()
    markets = tuple(listing.market for listing in exchange.listings())
    run.inject(SCHEDULER, MarketUniverse(ts_ns=START_NS, markets=markets))
    run.run(to_ns=START_NS + 5 * NS_PER_S)
    books = builder.shelf.all()
    assert {book.confidence.state for book in books} == {"VERIFIED"}
    assert not wanted

    for market in exchange.markets:
        yes, no = (OtherRecipe(t.condition_id, t.token_id, t.bids, t.asks) for t in market.tokens)
        market.tokens = (yes, no)
    run.run(to_ns=START_NS + 40 * NS_PER_S)
    assert {book.confidence.state for book in books} == {"UNVERIFIED"}
    assert {book.confidence.reason for book in books} <= {"hash does not compute", "hash of the whole book does not compute"}
    assert len(wanted) <= 3 * len(books)

    asked, changed = len(wanted), len(states)
    run.run(to_ns=START_NS + 80 * NS_PER_S)
    assert len(wanted) == asked
    assert len(states) == changed
    assert gateway.counts()["tokens_resubscribed"] == 0
    assert builder.counts()["undecided"] > 1_000
