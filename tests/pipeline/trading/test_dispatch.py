"""Orders on their way out and answers on their way back: batches, rates, repeats."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from pipeline.messages import Message
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import BookSnapshot, Level, Market, Outcome
from pipeline.messages.orders import CancelAll, CancelOrder, Decision, OrderUpdate, PlaceOrder
from pipeline.messages.records import AuditRecord, OrderRecord
from pipeline.trading.dispatch import Dispatcher
from pipeline.trading.followed import Followed
from pipeline.trading.limits import Limits
from pipeline.trading.rate_limits import Bucket, RateLimits

MS = 1_000_000
S = 1_000_000_000
ONE = 1_000_000
T = 1_000 * S
EVENT = tuple(
    Market(
        market_id=name,
        outcomes=(Outcome(f"{name}/y", "Yes"), Outcome(f"{name}/n", "No")),
        neg_risk=True,
        neg_risk_market_id="e",
    )
    for name in ("a", "b")
)
LOOSE = Limits(max_order_e6=200 * ONE, max_open_orders=100, max_total_e6=1_000 * ONE)


class Wire:
    """A relayer that answers nothing by itself and keeps what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.cancelled: list[str] = []
        self.answer: RelayerEvent | None = None

    def submit_many(self, orders: Sequence[PlaceOrder], now_ns: int) -> Iterable[RelayerEvent]:
        self.batches.append([order.client_order_id for order in orders])
        return ()

    def cancel(self, client_order_id: str, now_ns: int) -> Iterable[RelayerEvent]:
        self.cancelled.append(client_order_id)
        return () if self.answer is None else (self.answer,)

    def cancel_all(self, now_ns: int) -> Iterable[RelayerEvent]:
        return ()


def desk(limits: Limits = LOOSE, rates: RateLimits | None = None, batch_wait_ns: int = 5 * MS) -> tuple[Dispatcher, Wire]:
    followed = Followed()
    followed.on_universe(EVENT)
    for market in EVENT:
        followed.on_book(
            BookSnapshot(
                ts_ns=T,
                token_id=f"{market.market_id}/y",
                market=market.market_id,
                tick_size_e6=10_000,
                bids=(Level(400_000, 100 * ONE),),
                asks=(Level(470_000, 100 * ONE),),
                seq=1,
                venue_ns=T,
                state="VERIFIED",
                basis="hash",
            )
        )
    wire = Wire()
    return Dispatcher(wire, limits, "fake", followed, rates or RateLimits(Bucket(40, 60), Bucket(80, 120)), batch_wait_ns), wire


def place(counter: int, token: str = "a/y", intents: int = 1, plan: str = "", **values: object) -> PlaceOrder:
    known: dict[str, object] = {
        "ts_ns": T,
        "client_order_id": f"x-s-{counter}",
        "token_id": token,
        "market": token.partition("/")[0],
        "side": "BUY",
        "price_e6": 410_000,
        "size_e6": 10 * ONE,
        "order_type": "GTC",
        "post_only": True,
        "expires_ns": T + 2 * S,
        "decision": Decision(plan_id=plan or f"p{counter}", strategy="s", reason="", decided_ns=T, intents=intents),
    }
    return PlaceOrder(**{**known, **values})  # type: ignore[arg-type]


def cancel(counter: int, plan: str = "") -> CancelOrder:
    decision = Decision(plan_id=plan or f"c{counter}", strategy="s", reason="", decided_ns=T)
    return CancelOrder(ts_ns=T, client_order_id=f"x-s-{counter}", expires_ns=T + 2 * S, decision=decision)


def event(kind: str, counter: int, **values: object) -> RelayerEvent:
    return RelayerEvent(ts_ns=T, kind=kind, client_order_id=f"x-s-{counter}", **values)  # type: ignore[arg-type]


def statuses(messages: Iterable[Message]) -> list[tuple[str, str]]:
    return [(msg.client_order_id, msg.status) for msg in messages if isinstance(msg, OrderRecord)]


def test_the_orders_of_a_decision_leave_in_one_batch_all_recorded_before() -> None:
    dispatcher, wire = desk()
    assert not list(dispatcher.place(place(1, intents=3, plan="p"), T))
    assert not list(dispatcher.place(place(2, "b/y", intents=3, plan="p"), T + MS))
    said = []
    for msg in dispatcher.place(place(3, "a/n", price_e6=540_000, intents=3, plan="p"), T + 2 * MS):
        assert not wire.batches
        said.append(msg)
    assert [status for _, status in statuses(said)] == ["submitted"] * 3
    assert wire.batches == [["x-s-1", "x-s-2", "x-s-3"]]


def test_a_decision_that_comes_in_part_is_not_waited_for_longer_than_told() -> None:
    dispatcher, wire = desk()
    list(dispatcher.place(place(1, intents=2, plan="p"), T))
    assert dispatcher.next_ns() == T + 5 * MS
    list(dispatcher.tick(T + 5 * MS))
    assert wire.batches == [["x-s-1"]]


def test_no_batch_is_larger_than_the_venue_takes() -> None:
    dispatcher, wire = desk()
    for counter in range(1, 21):
        list(dispatcher.place(place(counter, "a/y", price_e6=410_000, intents=20, plan="p"), T))
    assert [len(batch) for batch in wire.batches] == [15, 5]


def test_an_order_that_takes_leaves_at_once() -> None:
    dispatcher, wire = desk()
    list(dispatcher.place(place(1, intents=2, plan="p"), T))
    list(dispatcher.place(place(2, "b/y", post_only=False, order_type="FAK", price_e6=470_000, intents=0, plan="q"), T))
    assert wire.batches == [["x-s-2"]]


def test_orders_beyond_the_rate_leave_later_or_expire_with_a_reason() -> None:
    dispatcher, wire = desk(rates=RateLimits(Bucket(per_s=1, burst=2), Bucket(80, 120)))
    for counter in range(1, 6):
        list(dispatcher.place(place(counter), T))
    assert wire.batches == [["x-s-1"], ["x-s-2"]]
    assert dispatcher.next_ns() == T + S
    list(dispatcher.tick(T + S))
    list(dispatcher.tick(T + 2 * S))
    assert wire.batches[2:] == [["x-s-3"], ["x-s-4"]]
    said = list(dispatcher.tick(T + 2 * S + 1))
    assert [(msg.status, msg.reason) for msg in said if isinstance(msg, OrderRecord)] == [("rejected", "command expired")]


def test_a_taker_beyond_the_rate_is_refused_as_it_would_come_too_late() -> None:
    dispatcher, wire = desk(rates=RateLimits(Bucket(per_s=1, burst=1), Bucket(80, 120)))
    takers = [place(n, post_only=False, order_type="FAK", price_e6=470_000) for n in (1, 2)]
    said = [msg for order in takers for msg in dispatcher.place(order, T) if isinstance(msg, OrderUpdate)]
    assert [msg.reason for msg in said] == ["order rate is over [rate_limits] orders_per_s"]
    assert wire.batches == [["x-s-1"]]


def test_an_order_that_waits_can_be_cancelled_and_is_on_record() -> None:
    dispatcher, wire = desk()
    list(dispatcher.place(place(1, intents=2, plan="p"), T))
    said = list(dispatcher.cancel(cancel(1), T))
    assert statuses(said) == [("x-s-1", "cancelled")]
    list(dispatcher.place(place(2, intents=2, plan="q"), T))
    everything = CancelAll(ts_ns=T, strategy="s", expires_ns=T, decision=Decision("z", "s", "", decided_ns=T))
    assert statuses(dispatcher.cancel_all(everything, T)) == [("x-s-2", "cancelled")]
    assert not wire.batches and not wire.cancelled
    assert dispatcher.next_ns() == T + 2 * S  # the first plan still lacks a command


def test_a_cancel_that_met_a_restart_is_asked_for_again_until_it_is_answered() -> None:
    dispatcher, wire = desk()
    list(dispatcher.place(place(1), T))
    list(dispatcher.apply([event("accepted", 1)], T))
    wire.answer = event("cancel_refused", 1, code="restarting", reason="engine restarts")
    assert not list(dispatcher.cancel(cancel(1), T))
    assert dispatcher.venue.state == "restarting"
    assert dispatcher.next_ns() == T + S
    wire.answer = event("cancelled", 1)
    said = list(dispatcher.tick(T + S))
    assert wire.cancelled == ["x-s-1", "x-s-1"]
    (audit,) = [msg for msg in said if isinstance(msg, AuditRecord)]
    (ack,) = json.loads(audit.acks)
    assert (ack["action"], ack["status"], ack["after_ms"], audit.outcome) == ("cancel", "cancelled", 1_000, "complete")
    assert dispatcher.next_ns() == T + 121 * S  # the end of post-only


def test_a_cancel_that_is_refused_for_good_is_answered() -> None:
    dispatcher, wire = desk()
    list(dispatcher.place(place(1), T))
    wire.answer = event("cancel_refused", 1, reason="already matched")
    audits = [msg for msg in dispatcher.cancel(cancel(1), T) if isinstance(msg, AuditRecord)]
    assert [(audit.outcome, json.loads(audit.acks)[0]["reason"]) for audit in audits] == [("rejected", "already matched")]
    assert wire.cancelled == ["x-s-1"]


def test_an_operators_cancel_does_not_wait_for_the_rate_but_those_after_it_do() -> None:
    dispatcher, wire = desk(rates=RateLimits(Bucket(40, 60), Bucket(per_s=1, burst=2)))
    for counter in (1, 2, 3):
        list(dispatcher.place(place(counter), T))
    list(dispatcher.cancel_everything(T))
    list(dispatcher.cancel(cancel(1), T))
    assert not wire.cancelled
    assert dispatcher.next_ns() == T + 2 * S  # the plans' deadline comes first
    list(dispatcher.tick(T + 3 * S))
    assert wire.cancelled == ["x-s-1"]


def test_refusals_that_are_faults_are_counted_and_stop_orders_for_a_minute() -> None:
    dispatcher, _ = desk(Limits(max_order_e6=200 * ONE, max_open_orders=100, max_total_e6=1_000 * ONE, max_errors=2))
    for counter, told in ((1, event("rejected", 1, code="invalid")), (2, event("rejected", 2, code="crosses"))):
        list(dispatcher.place(place(counter), T))
        list(dispatcher.apply([told], T))
    assert dispatcher.counts["errors"] == 1
    list(dispatcher.place(place(3), T))
    list(dispatcher.apply([event("lost", 3)], T))
    assert ("x-s-4", "rejected") in statuses(dispatcher.place(place(4), T))
    late = place(5, expires_ns=T + 100 * S)
    assert ("x-s-5", "submitted") in statuses(dispatcher.place(late, T + 60 * S))


def test_a_plan_that_takes_starts_in_normal_only_and_goes_on_where_orders_are_taken() -> None:
    dispatcher, _ = desk()

    def leg(counter: int, plan: str) -> PlaceOrder:
        decision = Decision(plan_id=plan, strategy="dutch_book", reason="", decided_ns=T, intents=0)
        return place(counter, order_type="FAK", post_only=True, decision=decision)

    dispatcher.venue.on_refusal("post_only", 0, T)
    reasons = [msg.reason for msg in dispatcher.place(place(1), T) if isinstance(msg, OrderUpdate)]
    assert not reasons
    said = list(dispatcher.place(leg(2, "new"), T)) + list(dispatcher.tick(T + 5 * MS))
    assert "venue is post_only: dutch_book starts nothing" in [msg.reason for msg in said if isinstance(msg, OrderUpdate)]
