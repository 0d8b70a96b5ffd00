"""The executor places nothing while what it records would not reach the database; cancels go on."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipeline.messages import Message
from pipeline.messages.control import Committed, WriterState
from pipeline.messages.edges import JournalSeen
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome
from pipeline.messages.orders import (
    CancelOrder,
    Decision,
    ExecSnapshot,
    Halt,
    OrderUpdate,
    PlaceOrder,
    Resume,
    TradingHalted,
    TradingResumed,
)
from pipeline.messages.records import HaltRecord, OrderRecord
from pipeline.trading.limits import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from processes.executor import Executor

T = 1_000_000_000
DEGRADED = WriterState(ts_ns=T, state="degraded", reason="disk full; make room")
WELL = WriterState(ts_ns=T, state="ok")
WHY = "persistence degraded: disk full; make room"


def place(counter: int) -> PlaceOrder:
    return PlaceOrder(
        ts_ns=T,
        client_order_id=f"x-s-{counter}",
        token_id="yes",
        market="m",
        side="BUY",
        price_e6=410_000,
        size_e6=10_000_000,
        order_type="GTC",
        post_only=True,
        expires_ns=2 * T,
        decision=Decision(plan_id=f"p{counter}", strategy="s", reason="why", decided_ns=T, intents=1),
    )


def cancel(counter: int) -> CancelOrder:
    told = Decision(plan_id=f"c{counter}", strategy="s", reason="why", decided_ns=T, intents=1)
    return CancelOrder(ts_ns=T, client_order_id=f"x-s-{counter}", expires_ns=2 * T, decision=told)


@pytest.fixture
def executor() -> Executor:
    made = Executor(FakeRelayer(Decimal(0)), Limits(max_order_e6=200_000_000, max_open_orders=4, max_total_e6=40_000_000), "fake")
    list(made.start(T))
    market = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")
    book = BookSnapshot(
        ts_ns=T,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=(Level(400_000, 100_000_000),),
        asks=(Level(470_000, 100_000_000),),
        seq=1,
        venue_ns=T,
        state="VERIFIED",
        basis="hash",
    )
    for msg in (MarketUniverse(ts_ns=T, markets=(market,)), book, Committed(ts_ns=T, producer="executor@1f", seq=0)):
        said(made, msg)
    return made


def said(executor: Executor, msg: Message) -> list[Message]:
    return list(executor.handle(msg, T))


def test_a_degraded_writer_stops_new_orders_without_a_record_and_lets_cancels_pass(executor: Executor) -> None:
    assert [msg.status for msg in said(executor, place(1)) if isinstance(msg, OrderUpdate)][-1] == "live"
    halted, snapshot = said(executor, DEGRADED)
    assert isinstance(halted, TradingHalted) and halted.reason == WHY
    assert isinstance(snapshot, ExecSnapshot) and (snapshot.halted, snapshot.reason) == (True, WHY)
    (refused,) = said(executor, place(2))
    assert isinstance(refused, ExecSnapshot) and refused.halted
    cancelled = said(executor, cancel(1))
    assert any(isinstance(msg, OrderRecord) and msg.status == "cancelled" for msg in cancelled)
    assert not any(isinstance(msg, HaltRecord) for msg in cancelled)


def test_it_says_so_once_and_goes_on_when_the_writer_is_well(executor: Executor) -> None:
    said(executor, DEGRADED)
    assert said(executor, DEGRADED) == []
    resumed, snapshot = said(executor, WELL)
    assert isinstance(resumed, TradingResumed) and isinstance(snapshot, ExecSnapshot)
    assert not snapshot.halted
    assert any(isinstance(msg, OrderUpdate) and msg.status == "live" for msg in said(executor, place(2)))


def test_an_operators_halt_outlives_the_writers_trouble(executor: Executor) -> None:
    said(executor, Halt(ts_ns=T, reason="election night"))
    assert [type(msg) for msg in said(executor, DEGRADED)] == [ExecSnapshot]
    (snapshot,) = said(executor, WELL)
    assert isinstance(snapshot, ExecSnapshot) and (snapshot.halted, snapshot.reason) == (True, "election night")


def test_an_operators_word_does_not_end_the_writers_trouble(executor: Executor) -> None:
    said(executor, DEGRADED)
    answers = said(executor, Resume(ts_ns=T, reason="go"))
    assert [type(msg) for msg in answers][-2:] == [TradingHalted, ExecSnapshot]
    assert [type(msg) for msg in said(executor, place(2))] == [ExecSnapshot]


def test_a_journal_far_ahead_of_the_database_stops_new_orders(executor: Executor) -> None:
    def seen(backlog: int) -> JournalSeen:
        return JournalSeen(ts_ns=T, backlog=backlog, limit=10, free_bytes=1, min_free_bytes=0)

    assert said(executor, seen(10)) == []
    said(executor, seen(11))
    assert [type(msg) for msg in said(executor, place(1))] == [ExecSnapshot]
    assert said(executor, seen(6)) == []
    said(executor, seen(5))
    assert any(isinstance(msg, OrderUpdate) for msg in said(executor, place(1)))
