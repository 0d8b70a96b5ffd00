"""Plans under way: kept by the commands that begin them and by the records, until their end is on record, and never opened again."""

from __future__ import annotations

import msgspec

from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.market import Side
from pipeline.messages.orders import Decision, OrderStatus, OrderType, PlaceOrder, PlanOrder
from pipeline.messages.records import AuditRecord, FillRecord, OrderRecord
from pipeline.trading.open_plans import REMEMBERED, OpenPlans

ONE = 1_000_000


def command(name: str, plan_id: str = "p", intents: int = 0) -> PlaceOrder:
    return PlaceOrder(
        ts_ns=1,
        client_order_id=name,
        token_id="a",
        market="m",
        side="BUY",
        price_e6=300_000,
        size_e6=10 * ONE,
        order_type="FAK",
        post_only=False,
        expires_ns=9,
        decision=Decision(plan_id, "dutch_book", "cheap", intents=intents),
    )


def record(name: str, status: OrderStatus, plan_id: str = "p", kind: OrderType = "FAK") -> OrderRecord:
    return OrderRecord(
        ts_ns=1,
        client_order_id=name,
        venue_order_id="",
        strategy="dutch_book",
        mode="paper",
        token_id="a",
        market="m",
        side="BUY",
        price_e6=300_000,
        size_e6=10 * ONE,
        filled_e6=0,
        order_type=kind,
        post_only=False,
        status=status,
        plan_id=plan_id,
    )


def trade(name: str, trade_id: str = "t", side: Side = "BUY", **values: object) -> FillRecord:
    known = FillRecord(
        ts_ns=1,
        trade_id=trade_id,
        client_order_id=name,
        strategy="dutch_book",
        mode="paper",
        token_id="a",
        market="m",
        side=side,
        price_e6=300_000,
        size_e6=10 * ONE,
        notional_e6=3 * ONE,
        fee_e6=5,
        liquidity="taker",
        status="matched",
    )
    return msgspec.structs.replace(known, **values)


def audit(plan_id: str = "p") -> AuditRecord:
    return AuditRecord(
        ts_ns=2,
        plan_id=plan_id,
        strategy="dutch_book",
        mode="paper",
        market="m",
        intents="[]",
        acks="[]",
        duration_ms=1,
        outcome="complete",
    )


BOUGHT = PlanOrder("o1", "a", "m", "BUY", 300_000, 10 * ONE, "matched", 10 * ONE, 3 * ONE, 5)


def test_a_plan_of_several_steps_is_shown_with_what_its_orders_traded_until_its_end_is_on_record() -> None:
    plans = OpenPlans()
    plans.begin(command("o1"))
    plans.begin(command("q1", "quotes", intents=2))
    for each in (record("o1", "submitted"), trade("o1"), record("o1", "matched"), record("q1", "live", "quotes")):
        plans.take(each)
    (state,) = plans.shown()
    assert (state.plan_id, state.strategy, state.orders) == ("p", "dutch_book", (BOUGHT,))
    assert state.decision is not None and state.decision.reason == "cheap"
    plans.take(audit())
    plans.take(record("o1", "matched"))
    plans.begin(command("o2"))
    assert plans.shown() == ()


def test_a_later_status_of_a_trade_counts_once_and_a_failed_one_is_counted_back() -> None:
    plans = OpenPlans()
    plans.begin(command("o1"))
    plans.take(record("o1", "submitted"))
    plans.take(trade("o1"))
    plans.take(trade("o1", status="confirmed"))
    assert plans.shown()[0].orders[0].filled_e6 == 10 * ONE
    plans.take(trade("o1", "t-failed", "SELL", status="failed", fee_e6=-5, reverses="t"))
    (order,) = plans.shown()[0].orders
    assert (order.filled_e6, order.notional_e6, order.fee_e6) == (0, 0, 0)


def test_the_journal_gives_the_plans_that_had_no_end() -> None:
    plans = OpenPlans()
    records = [record("o1", "submitted"), trade("o1"), record("o1", "matched"), record("x1", "live", "q", "GTC")]
    for each in [*records, record("o2", "matched", "ended"), audit("ended"), record("o2", "matched", "ended")]:
        plans.recover(each)
    (state,) = plans.shown()
    assert (state.plan_id, state.orders, state.decision) == ("p", (BOUGHT,), None)
    again = OpenPlans()
    again.recover(Checkpoint(ts_ns=0, plans=plans.shown()))
    assert again.shown() == plans.shown()


def test_no_more_plans_are_remembered_than_are_worth_it() -> None:
    plans = OpenPlans()
    for n in range(REMEMBERED + 5):
        plans.recover(record(f"o{n}", "matched", f"p{n}"))
    assert len(plans.shown()) == REMEMBERED
