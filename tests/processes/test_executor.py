"""The executor: the record before the relayer, risk before the record, and nothing before the writer was heard."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.halt_file import HaltWord
from pipeline.bus.stage import Gap
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome, State
from pipeline.messages.orders import (
    CancelAll,
    CancelEverything,
    CancelOrder,
    Decision,
    ExecSnapshot,
    Halt,
    OrderUpdate,
    PlaceOrder,
    Resume,
)
from pipeline.messages.records import AuditRecord, FillRecord, HaltRecord, OrderRecord
from pipeline.trading.limits import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from pipeline.venue.relayer import Relayer
from processes.executor import Executor

MS = 1_000_000
T = 1_000 * MS
LIMITS = Limits(max_order_e6=200_000_000, max_open_orders=4, max_total_e6=40_000_000)
DURABLE = (OrderRecord, FillRecord, AuditRecord, HaltRecord)
MARKET = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")


def book(state: State = "VERIFIED") -> BookSnapshot:
    return BookSnapshot(
        ts_ns=T,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=(Level(400_000, 100_000_000),),
        asks=(Level(470_000, 100_000_000),),
        seq=1,
        venue_ns=T,
        state=state,
        basis="hash",
    )


def decision(plan: str = "p", intents: int = 1, strategy: str = "s") -> Decision:
    return Decision(plan_id=plan, strategy=strategy, reason="why", decided_ns=T, intents=intents)


def place(counter: int, *, token: str = "yes", side: str = "BUY", price_e6: int = 410_000, **values: object) -> PlaceOrder:
    known: dict[str, object] = {
        "ts_ns": T,
        "client_order_id": f"x-s-{counter}",
        "token_id": token,
        "market": "m",
        "side": side,
        "price_e6": price_e6,
        "size_e6": 10_000_000,
        "order_type": "GTC",
        "post_only": True,
        "expires_ns": T + 2_000 * MS,
        "decision": decision(f"p{counter}"),
    }
    return PlaceOrder(**{**known, **values})  # type: ignore[arg-type]


def cancel(counter: int, **values: object) -> CancelOrder:
    known = {"ts_ns": T, "client_order_id": f"x-s-{counter}", "expires_ns": T + 2_000 * MS, "decision": decision(f"c{counter}")}
    return CancelOrder(**{**known, **values})  # type: ignore[arg-type]


def ready(
    ratio: str = "0", limits: Limits = LIMITS, relayer: Relayer | None = None, records: Iterable[Message] = (), **options: Any
) -> Executor:
    executor = Executor(relayer or FakeRelayer(Decimal(ratio)), limits, "fake", **options)
    executor.recover(records)
    list(executor.start(T))
    for msg in (MarketUniverse(ts_ns=T, markets=(MARKET,)), book(), Committed(ts_ns=T, producer="executor@1f", seq=0)):
        list(executor.handle(msg, T))
    return executor


def tell(messages: Iterable[Message]) -> list[tuple[str, str]]:
    """(kind, status or reason) of what was said."""
    told = []
    for msg in messages:
        what = getattr(msg, "status", "") or getattr(msg, "outcome", "") or getattr(msg, "reason", "")
        told.append((type(msg).__name__, str(what)))
    return told


def test_a_book_of_which_something_was_lost_is_not_traded_on_until_it_comes_again() -> None:
    executor = ready()
    list(executor.missed(Gap("book", "book.yes", "book_builder", 3, 5), T))
    (refused,) = [msg for msg in executor.handle(place(1), T) if isinstance(msg, OrderUpdate)]
    assert refused.reason == "no book of yes is known"
    list(executor.handle(book(), T))
    assert ("OrderRecord", "live") in tell(executor.handle(place(2), T))


def test_the_record_is_out_before_the_relayer_sees_the_order() -> None:
    class Watched(FakeRelayer):
        seen = 0

        def submit(self, order: PlaceOrder, now_ns: int) -> Iterable[RelayerEvent]:
            self.seen += 1
            return super().submit(order, now_ns)

    relayer = Watched("0")
    executor = ready(relayer=relayer)
    said = iter(executor.handle(place(1), T))
    record = next(said)
    assert isinstance(record, OrderRecord) and record.status == "submitted"
    assert relayer.seen == 0
    next(said)
    assert relayer.seen == 1


def test_an_order_that_fills_in_part_tells_its_whole_story() -> None:
    said = list(ready("0.4").handle(place(1), T + 3 * MS))
    assert tell(said) == [
        ("OrderRecord", "submitted"),
        ("OrderRecord", "live"),
        ("OrderUpdate", "live"),
        ("FillRecord", "confirmed"),
        ("OrderRecord", "partially_filled"),
        ("Fill", "confirmed"),
        ("OrderUpdate", "partially_filled"),
        ("AuditRecord", "complete"),
    ]
    audit = said[-1]
    assert isinstance(audit, AuditRecord)
    assert (audit.plan_id, audit.duration_ms, audit.mode) == ("p1", 3, "fake")
    assert [ack["status"] for ack in json.loads(audit.acks)] == ["partially_filled"]


def test_a_plan_of_two_commands_is_audited_once() -> None:
    executor = ready()
    both = decision("p", intents=2)
    assert "AuditRecord" not in [kind for kind, _ in tell(executor.handle(place(1, decision=both), T))]
    audits = [
        msg for msg in executor.handle(place(2, token="no", price_e6=540_000, decision=both), T) if isinstance(msg, AuditRecord)
    ]
    assert [len(json.loads(audit.intents)) for audit in audits] == [2]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (place(1, price_e6=470_000), "post-only BUY at 0.47 crosses the ask 0.47"),
        (place(1, token="other"), "token other is in no known market"),
        (place(1, expires_ns=T - 1), "command expired"),
        (place(1, size_e6=100_000_000), "total at stake 41 is over max_total_notional_usdc 40"),
    ],
)
def test_a_refused_order_is_recorded_with_its_reason_and_never_sent(order: PlaceOrder, reason: str) -> None:
    executor = ready("1")
    said = list(executor.handle(order, T))
    assert tell(said) == [("OrderRecord", "rejected"), ("OrderUpdate", "rejected"), ("AuditRecord", "rejected")]
    assert [msg.reason for msg in said if isinstance(msg, (OrderRecord, OrderUpdate))] == [reason, reason]
    assert executor.counts()["submitted"] == 0


def test_the_other_outcomes_book_serves_where_a_token_has_none() -> None:
    said = list(ready().handle(place(1, token="no", price_e6=600_000), T))
    assert [msg.reason for msg in said if isinstance(msg, OrderUpdate)] == ["post-only BUY at 0.6 crosses the ask 0.6"]


def test_an_order_id_is_taken_once() -> None:
    executor = ready()
    list(executor.handle(place(1), T))
    assert tell(executor.handle(place(1, size_e6=5_000_000), T)) == [("OrderUpdate", "live")]
    assert executor.counts()["duplicates"] == 1


def test_a_cancel_is_carried_out_and_a_second_one_told_how_it_stands() -> None:
    executor = ready()
    list(executor.handle(place(1), T))
    assert tell(executor.handle(cancel(1), T)) == [
        ("OrderRecord", "cancelled"),
        ("OrderUpdate", "cancelled"),
        ("AuditRecord", "complete"),
    ]
    assert tell(executor.handle(cancel(1, decision=decision("c2")), T)) == [
        ("OrderUpdate", "cancelled"),
        ("AuditRecord", "complete"),
    ]


def test_a_cancel_of_an_unknown_order_is_answered_with_all_that_is_held() -> None:
    assert tell(ready().handle(cancel(9), T)) == [("AuditRecord", "rejected"), ("ExecSnapshot", "")]


def test_cancel_all_ends_the_orders_of_one_strategy() -> None:
    executor = ready()
    list(executor.handle(place(1), T))
    list(executor.handle(place(2, decision=decision("q", strategy="other"), price_e6=420_000), T))
    said = list(executor.handle(CancelAll(ts_ns=T, strategy="s", expires_ns=T, decision=decision("c")), T))
    assert [msg.client_order_id for msg in said if isinstance(msg, OrderUpdate)] == ["x-s-1"]
    assert list(executor.ledger.open) == ["x-s-2"]


def test_a_halt_is_recorded_before_it_is_said_and_refuses_orders_until_resumed() -> None:
    executor = ready()
    list(executor.handle(place(1), T))
    said = tell(executor.handle(Halt(ts_ns=T, reason="news", cancel=True), T))
    assert said[:2] == [("HaltRecord", "news"), ("TradingHalted", "news")]
    assert said[2:] == [("OrderRecord", "cancelled"), ("OrderUpdate", "cancelled")]
    refused = list(executor.handle(place(2), T))
    assert [msg.reason for msg in refused if isinstance(msg, OrderRecord)] == ["trading is halted: news"]
    assert tell(executor.handle(Resume(ts_ns=T, reason="over"), T)) == [("HaltRecord", "over"), ("TradingResumed", "over")]
    assert ("OrderRecord", "submitted") in tell(executor.handle(place(3), T))


def test_a_halt_without_cancel_leaves_orders_resting_and_cancels_go_through() -> None:
    executor = ready()
    list(executor.handle(place(1), T))
    list(executor.handle(Halt(ts_ns=T, reason="news"), T))
    assert len(executor.ledger.open) == 1
    assert ("OrderUpdate", "cancelled") in tell(executor.handle(cancel(1), T))


def test_cancel_everything_reaches_every_strategy() -> None:
    executor = ready()
    list(executor.handle(place(1), T))
    list(executor.handle(place(2, price_e6=420_000, decision=decision("q", strategy="other")), T))
    assert len([1 for kind, _ in tell(executor.handle(CancelEverything(ts_ns=T, reason="x"), T)) if kind == "OrderUpdate"]) == 2
    assert not executor.ledger.open


def test_stopping_refuses_commands_and_cancels_what_rests() -> None:
    executor = ready()
    list(executor.handle(place(1), T))
    said = list(executor.stop(T))
    assert isinstance(said[0], ExecSnapshot) and not said[0].accepts
    assert tell(said[1:]) == [("OrderRecord", "cancelled"), ("OrderUpdate", "cancelled")]


def test_a_word_left_on_disk_is_obeyed_at_the_start_on_record_first() -> None:
    executor = Executor(FakeRelayer("1"), LIMITS, "fake", standing=lambda: HaltWord(True, "news", T - 5))
    said = list(executor.start(T))
    assert tell(said) == [("HaltRecord", "news"), ("TradingHalted", "news"), ("ExecSnapshot", "news")]
    assert executor.desk.halt.reason == "news"
    again = Executor(FakeRelayer("1"), LIMITS, "fake", standing=lambda: HaltWord(True, "news", T - 5))
    again.recover([said[0], HaltRecord(ts_ns=T + 1, halted=False, reason="over")])
    assert [type(msg) for msg in again.start(T + 2)] == [ExecSnapshot]
    assert again.desk.halt.reason is None


def test_a_halt_refuses_the_orders_that_wait_to_leave() -> None:
    executor = ready(batch_wait_ns=5 * MS)
    assert not list(executor.handle(place(1, decision=decision("p", intents=2)), T))
    said = list(executor.handle(Halt(ts_ns=T, reason="news"), T))
    assert [(msg.status, msg.reason) for msg in said if isinstance(msg, OrderRecord)] == [
        ("cancelled", "trading is halted: news")
    ]


def test_the_days_loss_survives_a_restart_and_a_new_day_forgets_it() -> None:
    day = 86_400_000 * MS
    limits = Limits(max_order_e6=200_000_000, max_open_orders=9, max_total_e6=400_000_000, max_daily_loss_e6=500_000)
    executor = ready("1", limits)
    bought = place(1, price_e6=460_000, post_only=False)
    sold = place(2, side="SELL", price_e6=400_000, post_only=False)
    records = [msg for order in (bought, sold) for msg in executor.handle(order, T) if isinstance(msg, DURABLE)]
    assert executor.desk.gate.day_e6(T) == -600_000
    again = ready("1", limits, records=records)
    (refused,) = [msg for msg in again.handle(place(3), T) if isinstance(msg, OrderUpdate)]
    assert refused.reason == "lost 0.6 today; max_daily_loss_usdc is 0.5"
    tomorrow = place(4, expires_ns=2 * day)
    assert ("OrderRecord", "live") in tell(again.handle(tomorrow, day))


def test_a_plan_that_waits_for_lost_commands_is_audited_at_their_expiry() -> None:
    executor = ready()
    list(executor.handle(place(1, decision=decision("p", intents=2)), T))
    assert executor.next_timer_ns() == T + 2_000 * MS
    assert tell(executor.on_timer(T + 2_000 * MS)) == [("AuditRecord", "expired")]
    assert executor.next_timer_ns() is None


def test_after_a_restart_orders_are_cancelled_and_positions_counters_and_the_halt_stand() -> None:
    executor = ready("0.4")
    records = [
        msg for order in (place(1), place(2, price_e6=420_000)) for msg in executor.handle(order, T) if isinstance(msg, DURABLE)
    ]
    records += [msg for msg in executor.handle(Halt(ts_ns=T, reason="news"), T) if isinstance(msg, DURABLE)]
    again = Executor(FakeRelayer("0.4"), LIMITS, "fake")
    again.recover(records)
    said = list(again.start(T + 1))
    ends = [(msg.client_order_id, msg.status, msg.filled_e6, msg.reason) for msg in said if isinstance(msg, OrderRecord)]
    assert ends == [
        ("x-s-1", "cancelled", 4_000_000, "relayer restarted"),
        ("x-s-2", "cancelled", 4_000_000, "relayer restarted"),
    ]
    snapshot = said[-1]
    assert isinstance(snapshot, ExecSnapshot)
    assert (snapshot.orders, snapshot.halted, snapshot.next_counters) == ((), True, {"s": 3})
    assert [position.inventory_e6 for position in snapshot.positions] == [8_000_000]
    assert again.ledger.at_stake_e6 == 3_320_000


commands = st.lists(
    st.one_of(
        st.builds(
            lambda token, side, price, size: ("place", token, side, price * 10_000, size * 1_000_000),
            st.sampled_from(["yes", "no"]),
            st.sampled_from(["BUY", "SELL"]),
            st.integers(1, 99),
            st.integers(1, 60),
        ),
        st.tuples(st.just("cancel"), st.integers(1, 20)),
        st.tuples(st.sampled_from(["cancel_all", "halt", "resume"])),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(commands, st.sampled_from(["0", "0.5", "1"]))
def test_limits_hold_and_a_restart_finds_the_same_positions_after_any_commands(
    script: list[tuple[object, ...]], ratio: str
) -> None:
    executor = ready(ratio)
    said: list[Message] = []
    counter = 0
    for step in script:
        match step:
            case ("place", token, side, price, size):
                counter += 1
                msg: Message = place(counter, token=str(token), side=str(side), price_e6=price, size_e6=size, post_only=False)  # type: ignore[arg-type]
            case ("cancel", which):
                msg = cancel(which, decision=decision(f"c{len(said)}"))  # type: ignore[arg-type]
            case ("cancel_all",):
                msg = CancelAll(ts_ns=T, strategy="s", expires_ns=T, decision=decision(f"c{len(said)}"))
            case ("halt",):
                msg = Halt(ts_ns=T, reason="x")
            case _:
                msg = Resume(ts_ns=T)
        said.extend(executor.handle(msg, T))
        assert len(executor.ledger.open) <= LIMITS.max_open_orders
        assert executor.ledger.at_stake_e6 <= LIMITS.max_total_e6 + 100  # fills round by a millionth each
    placed = sum(step[0] == "place" for step in script)
    audited = [msg.plan_id for msg in said if isinstance(msg, AuditRecord)]
    assert len([plan for plan in audited if plan.startswith("p")]) == placed
    assert len(audited) == len(set(audited))
    again = Executor(FakeRelayer(ratio), LIMITS, "fake")
    again.recover([msg for msg in said if isinstance(msg, DURABLE)])
    assert again.ledger.portfolio.shown() == executor.ledger.portfolio.shown()
    assert again.ledger.shown() == executor.ledger.shown()
    assert again.desk.halt.reason == executor.desk.halt.reason
