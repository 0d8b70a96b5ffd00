"""A plan's audit row: what was intended, what was answered, how long it took."""

from __future__ import annotations

import json

import pytest

from pipeline.messages.orders import CancelOrder, Decision, PlaceOrder
from pipeline.trading.plans import PlanLog

MS = 1_000_000
DECISION = Decision(plan_id="p", strategy="s", reason="why", seen="{}", decided_ns=100 * MS, expected_profit_e6=5, intents=2)


def place(name: str) -> PlaceOrder:
    return PlaceOrder(
        ts_ns=100 * MS,
        client_order_id=name,
        token_id="yes",
        market="m",
        side="BUY",
        price_e6=410_000,
        size_e6=20_000_000,
        order_type="GTC",
        post_only=True,
        expires_ns=2_100 * MS,
        decision=DECISION,
    )


CANCEL = CancelOrder(ts_ns=100 * MS, client_order_id="a", expires_ns=2_100 * MS, decision=DECISION)


def test_a_plan_closes_when_all_its_commands_came_and_are_answered() -> None:
    plans = PlanLog("fake")
    cancel = plans.intend(CANCEL, "m", 100 * MS)
    plans.sent(cancel, 101 * MS)
    plans.acknowledge(cancel, "cancelled", 101 * MS)
    assert not list(plans.closed(101 * MS))
    assert not plans.has_all("p")
    order = plans.intend(place("b"), "m", 102 * MS)
    assert plans.has_all("p")
    plans.sent(order, 104 * MS)
    assert not list(plans.closed(104 * MS))
    plans.acknowledge(order, "live", 107 * MS)
    (audit,) = plans.closed(107 * MS)
    assert (audit.plan_id, audit.duration_ms, audit.outcome, audit.reason) == ("p", 7, "complete", "why")
    assert json.loads(audit.intents) == [
        {"action": "cancel", "client_order_id": "a", "after_ms": 0},
        {
            "action": "place",
            "client_order_id": "b",
            "token_id": "yes",
            "side": "BUY",
            "price": "0.41",
            "size": "20",
            "order_type": "GTC",
            "post_only": True,
            "after_ms": 2,
        },
    ]
    assert json.loads(audit.acks) == [
        {"action": "cancel", "status": "cancelled", "after_ms": 1, "sent_after_ms": 1, "client_order_id": "a"},
        {"action": "place", "status": "live", "after_ms": 7, "sent_after_ms": 4, "client_order_id": "b"},
    ]
    assert not list(plans.closed(10**12))


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [("cancelled", "refused", "partial"), ("refused", "rejected", "rejected"), ("cancelled", "matched", "complete")],
)
def test_the_outcome_says_how_much_was_taken(first: str, second: str, outcome: str) -> None:
    plans = PlanLog("fake")
    plans.acknowledge(plans.intend(CANCEL, "m"), first, 101 * MS)
    plans.acknowledge(plans.intend(place("b"), "m"), second, 101 * MS, "because")
    assert [audit.outcome for audit in plans.closed(101 * MS)] == [outcome]


def test_a_plan_whose_commands_were_lost_closes_at_their_expiry() -> None:
    plans = PlanLog("fake")
    plans.acknowledge(plans.intend(place("b"), "m"), "live", 103 * MS)
    assert plans.next_deadline_ns() == 2_100 * MS
    (audit,) = plans.closed(2_100 * MS)
    assert (audit.outcome, audit.duration_ms) == ("expired", 3)
    assert plans.next_deadline_ns() is None


def test_only_the_first_answer_to_a_command_counts() -> None:
    plans = PlanLog("fake")
    key = plans.intend(place("b"), "m")
    plans.acknowledge(key, "live", 103 * MS)
    assert not plans.is_waiting(key)
    plans.acknowledge(key, "matched", 104 * MS)
    (audit,) = plans.closed(104 * MS, everything=True)
    assert [ack["status"] for ack in json.loads(audit.acks)] == ["live"]
