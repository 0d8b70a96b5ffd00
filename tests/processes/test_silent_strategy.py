"""A strategy that stands still: the executor cancels what it has open, says so in the audit, and takes its orders again once it is back."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from pipeline.base.clock import EventClock
from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.settings import RiskSection, Settings
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, PeerStarted
from pipeline.bus.topology import STREAM
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome
from pipeline.messages.orders import StrategyAlive
from pipeline.messages.records import AuditRecord
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.limits import Limits
from pipeline.trading.policy import allowed_states
from pipeline.venue.fake_relayer import FakeRelayer
from pipeline.venue.paper_latency import ConstantLatency
from pipeline.venue.paper_relayer import PaperRelayer
from processes.executor import Executor
from processes.strategy import StrategyEngine

MS = 1_000_000
S = 1_000 * MS
T = 1_780_000_000 * S
ONE = 1_000_000
MARKET = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")
SILENCE_NS, ALIVE_NS = 3 * S, S


def quoter(name: str = "spread_capture") -> SpreadCapture:
    return SpreadCapture(
        edge_e6=10_000, size_e6=20 * ONE, max_inventory_e6=200 * ONE, max_exposure_e6=500 * ONE, lean_e6=10_000, name=name
    )


def book(seq: int, ts_ns: int, bid_e6: int = 400_000) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=ts_ns,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=(Level(bid_e6, 100 * ONE),),
        asks=(Level(bid_e6 + 100_000, 100 * ONE),),
        seq=seq,
        venue_ns=ts_ns,
        state="VERIFIED",
        basis="hash",
    )


class Stoppable(StrategyEngine):
    """A strategy that SIGSTOP may meet: what comes meanwhile waits."""

    stopped = False
    waiting: list[Message]

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        if self.stopped:
            self.waiting = [*getattr(self, "waiting", []), msg]
            return ()
        return super().handle(msg, now_ns)

    def next_timer_ns(self) -> int | None:
        return None if self.stopped else super().next_timer_ns()

    def go_on(self, now_ns: int) -> None:
        self.stopped = False
        for msg in self.waiting:
            list(self.handle(msg, now_ns))


class Bench:
    """A strategy and the executor in lockstep, and all that was said."""

    def __init__(self, silence_ns: int = SILENCE_NS) -> None:
        self.said: list[Arrival] = []
        self.executor = Executor(FakeRelayer("0"), Limits.from_settings(RiskSection()), "fake", silence_ns=silence_ns)
        self.engine = Stoppable([quoter()], "s1", 2 * S, alive_ns=ALIVE_NS)
        self.run = Lockstep([self.executor, self.engine], EventClock(T), tap=self.said.append)
        self.run.start()
        self.run.inject("scheduler", MarketUniverse(ts_ns=T, markets=(MARKET,)))
        self.run.inject("writer", Committed(ts_ns=T, producer="executor", seq=0))
        self.run.inject("book_builder", book(1, T))
        self.run.run_until_idle()

    def to(self, seconds: int) -> None:
        self.run.run(to_ns=T + seconds * S)

    @property
    def open(self) -> int:
        return len(self.executor.ledger.open)

    def audits(self) -> list[AuditRecord]:
        told = [arrival.message for arrival in self.said]
        return [msg for msg in told if isinstance(msg, AuditRecord) and "not heard of" in msg.reason]


def test_the_quotes_of_a_strategy_that_stands_still_are_pulled_counted_and_audited() -> None:
    bench = Bench()
    bench.to(10)
    assert (bench.open, bench.executor.counts()["silences"]) == (2, 0)
    bench.engine.stopped = True
    bench.to(12)
    assert bench.open == 2
    bench.to(14)
    assert (bench.open, bench.executor.counts()["silences"]) == (0, 1)
    (audit,) = bench.audits()
    assert (audit.strategy, audit.outcome) == ("spread_capture", "complete")
    assert audit.reason == "the strategy was not heard of for 3000 ms, so its orders are cancelled"
    assert [intent["action"] for intent in json.loads(audit.intents)] == ["cancel_all"]
    assert 12 * S <= audit.ts_ns - T <= 13 * S + MS
    bench.to(60)
    assert bench.executor.counts()["silences"] == 1


def test_a_strategy_that_goes_on_quotes_again() -> None:
    bench = Bench()
    bench.engine.stopped = True
    bench.to(5)
    assert bench.open == 0
    bench.engine.go_on(T + 5 * S)
    bench.run.inject("book_builder", book(2, T + 6 * S, bid_e6=420_000))
    bench.to(8)
    assert bench.open == 2
    bench.to(20)
    assert (bench.open, bench.executor.counts()["silences"]) == (2, 1)


def test_who_lives_and_has_nothing_to_say_keeps_its_quotes() -> None:
    bench = Bench()
    bench.to(50)
    assert (bench.open, bench.executor.counts()["silences"], bench.audits()) == (2, 0, [])


def test_nobody_is_judged_where_it_is_switched_off() -> None:
    bench = Bench(silence_ns=0)
    bench.engine.stopped = True
    bench.to(60)
    assert bench.open == 2


def test_orders_of_an_earlier_life_whose_strategy_never_speaks_are_pulled_too() -> None:
    first = Bench()
    told = [arrival.message for arrival in first.said if arrival.stream == "persist.durable"]
    relayer = PaperRelayer("pessimistic", ConstantLatency(100 * MS), allowed_states("paper"))
    executor = Executor(relayer, Limits.from_settings(RiskSection()), "paper", silence_ns=SILENCE_NS)
    executor.recover(told)
    run = Lockstep([executor], EventClock(T + 10 * S))
    run.start()
    run.inject("scheduler", MarketUniverse(ts_ns=T + 10 * S, markets=(MARKET,)))
    run.inject("writer", Committed(ts_ns=T + 10 * S, producer="executor", seq=9))
    run.inject("book_builder", book(1, T + 10 * S))
    run.run(to_ns=T + 12 * S)
    assert len(executor.ledger.open) == 2
    run.run(to_ns=T + 14 * S)
    assert (len(executor.ledger.open), executor.counts()["silences"]) == (0, 1)


def test_a_sign_of_life_is_no_record_and_nothing_but_a_sign_of_life() -> None:
    bench = Bench()
    before = bench.executor.counts()
    said = list(bench.executor.handle(StrategyAlive(ts_ns=T + S, strategies=("spread_capture",)), T + S))
    assert (said, bench.executor.counts()) == ([], before)
    assert StrategyAlive in STREAM["command"].carries
    assert StrategyAlive not in STREAM["persist.durable"].carries


def test_nobody_is_judged_while_the_executor_takes_no_commands() -> None:
    bench = Bench()
    list(bench.executor.peer_started(PeerStarted("book", "book_builder", "run-2"), T + S))
    list(bench.executor.on_timer(T + 1_900 * MS))
    assert bench.executor.desk.silence.next_ns() is None
    list(bench.executor.on_timer(T + 4 * S))  # the wait for books is over
    assert bench.executor.desk.silence.next_ns() == T + 7 * S


def test_a_silence_that_is_too_short_to_tell_is_refused() -> None:
    with pytest.raises(BadInput, match="strategy_silence_ms = 100: must be at least 500, or 0"):
        Config(Settings()).with_values({"execution": {"strategy_silence_ms": 100}}, "local.toml")
