"""Orders leave in batches and in their order, cancels are tried again, and neither overtakes its rate limit."""

from __future__ import annotations

import pytest

from pipeline.messages.orders import Decision, PlaceOrder
from pipeline.trading.outgoing import WaitingCancels, WaitingOrders, repeat_wait_ns
from pipeline.trading.rate_limits import Bucket

S = 1_000_000_000
MS = 1_000_000


def order(name: str, plan: str = "p", expires_ns: int = 10 * S, market: str = "m") -> PlaceOrder:
    return PlaceOrder(
        ts_ns=0,
        client_order_id=name,
        token_id="yes",
        market=market,
        side="BUY",
        price_e6=400_000,
        size_e6=10_000_000,
        order_type="GTC",
        post_only=True,
        expires_ns=expires_ns,
        decision=Decision(plan_id=plan, strategy="s", reason="", intents=2),
    )


def names(orders: list[PlaceOrder]) -> list[str]:
    return [waiting.client_order_id for waiting in orders]


def test_an_order_waits_for_its_time_or_for_the_rest_of_its_plan() -> None:
    waiting = WaitingOrders(Bucket(40, 60))
    waiting.hold(order("a", "p"), 5 * MS)
    waiting.hold(order("b", "q"), 6 * MS)
    assert not waiting.take_due(15, 4 * MS)
    assert waiting.next_ns() == 5 * MS
    waiting.release("q")
    assert names(waiting.take_due(15, 4 * MS)) == ["b"]
    assert names(waiting.take_due(15, 5 * MS)) == ["a"]
    assert waiting.next_ns() is None


def test_batches_are_no_larger_than_asked_and_keep_the_order() -> None:
    waiting = WaitingOrders(Bucket(40, 60))
    for number in range(20):
        waiting.hold(order(str(number)), 0)
    assert names(waiting.take_due(15, 0)) == [str(number) for number in range(15)]
    assert len(waiting.take_due(15, 0)) == 5


def test_orders_beyond_the_rate_wait_until_they_expire() -> None:
    bucket = Bucket(per_s=1, burst=2)
    waiting = WaitingOrders(bucket)
    for name in ("a", "b", "c", "d"):
        waiting.hold(order(name, expires_ns=S + S // 2), 0)
    assert names(waiting.take_due(15, 0)) == ["a", "b"]
    bucket.charge(2, 0)
    assert not waiting.take_due(15, 0)
    assert waiting.next_ns() == S
    assert names(waiting.take_due(15, S)) == ["c"]
    bucket.charge(1, S)
    assert waiting.next_ns() == S + S // 2 + 1
    assert names(waiting.take_due(15, S + S // 2 + 1)) == ["d"]


def test_waiting_orders_can_be_withdrawn() -> None:
    waiting = WaitingOrders(Bucket(40, 60))
    for name, market in (("a", "m"), ("b", "n"), ("c", "m")):
        waiting.hold(order(name, market=market), S)
    assert waiting.of("s", "m") == ["a", "c"] and waiting.of("s", "") == ["a", "b", "c"] and not waiting.of("other", "")
    dropped = waiting.drop("a")
    assert dropped is not None and dropped.client_order_id == "a" and "a" not in waiting
    assert waiting.drop("a") is None
    assert names(waiting.drop_all()) == ["b", "c"] and not len(waiting)


@pytest.mark.parametrize(
    ("code", "waits_s"),
    [
        ("restarting", [1, 2, 4, 8, 16, 30, 30]),
        ("rate_limited", [1, 2]),
        ("", [None]),
        ("invalid", [None]),
        ("cancel_only", [None]),
    ],
)
def test_only_a_cancel_that_may_work_later_is_repeated_ever_more_slowly(code: str, waits_s: list[int | None]) -> None:
    waits = [repeat_wait_ns(code, tries) for tries in range(len(waits_s))]  # type: ignore[arg-type]
    assert waits == [None if seconds is None else seconds * S for seconds in waits_s]


def test_the_venue_may_ask_for_a_longer_wait() -> None:
    assert repeat_wait_ns("restarting", 0, 7_000) == 7 * S


def test_a_refused_cancel_comes_again_and_a_settled_one_does_not() -> None:
    cancels = WaitingCancels(Bucket(80, 120))
    cancels.hold("a")
    cancels.hold("b")
    assert cancels.take_due(0) == ["a", "b"]
    assert cancels.put_off("a", "restarting", 0, 0)
    cancels.hold("a")
    assert not cancels.take_due(S - 1)
    assert cancels.next_ns() == S
    assert cancels.take_due(S) == ["a"]
    assert cancels.put_off("a", "restarting", 0, S)
    assert cancels.next_ns() == 3 * S
    cancels.settle("a")
    assert cancels.next_ns() is None
    assert not cancels.put_off("b", "", 0, S)
    assert not len(cancels)


def test_cancels_beyond_the_rate_wait() -> None:
    cancels = WaitingCancels(Bucket(per_s=1, burst=1))
    for name in ("a", "b"):
        cancels.hold(name)
    assert cancels.take_due(5 * S) == ["a"]
    assert cancels.next_ns() == 6 * S
    assert cancels.take_due(6 * S) == ["b"]
