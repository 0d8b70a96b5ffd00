"""The life of an order: nothing leads on from its end, and it is never filled beyond its size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages.orders import Decision, PlaceOrder
from pipeline.trading.orders import (
    STATUSES,
    TERMINAL,
    TRADE_TRANSITIONS,
    TRANSITIONS,
    Order,
    client_order_id,
    counter_of,
    next_status,
)

EVENTS = sorted({event for _, event in TRANSITIONS})


def make_order(size_e6: int = 1_000_000) -> Order:
    decision = Decision(plan_id="p", strategy="s", reason="")
    command = PlaceOrder(
        ts_ns=1,
        client_order_id="x-s-1",
        token_id="yes",
        market="m",
        side="BUY",
        price_e6=400_000,
        size_e6=size_e6,
        order_type="GTC",
        post_only=True,
        expires_ns=2,
        decision=decision,
    )
    return Order.from_command(command, 1)


def test_every_status_but_the_terminal_ones_can_end() -> None:
    for status in STATUSES:
        ends = {next_status(status, event) for event in EVENTS} & TERMINAL
        assert bool(ends) == (status not in TERMINAL)


def test_nothing_leads_on_from_a_terminal_status() -> None:
    assert {"matched", "cancelled", "rejected", "expired"} == TERMINAL
    assert not [key for key in TRANSITIONS if key[0] in TERMINAL]


@given(st.lists(st.sampled_from(EVENTS)))
def test_an_order_never_leaves_a_terminal_status(events: list[str]) -> None:
    order = make_order()
    order.on("submit")
    ended = ""
    for event in events:
        order.on(event)  # type: ignore[arg-type]
        if ended:
            assert order.status == ended
        elif not order.is_open:
            ended = order.status


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["t1", "t2", "t3", "t4"]), st.integers(-5, 12)),
            st.sampled_from(["accept", "cancel", "delay", "lose"]),
        )
    )
)
def test_fills_never_exceed_the_size_and_each_trade_counts_once(steps: list[tuple[str, int] | str]) -> None:
    order = make_order(size_e6=10)
    order.on("submit")
    booked: dict[str, int] = {}
    for step in steps:
        if isinstance(step, str):
            order.on(step)  # type: ignore[arg-type]
        elif order.fill(*step):
            assert step[0] not in booked and step[1] > 0
            booked[step[0]] = step[1]
        assert order.filled_e6 == sum(booked.values()) <= order.size_e6
        assert (order.filled_e6 == order.size_e6) <= (order.status in ("matched", "cancelled"))


def test_a_trade_told_before_the_reply_is_not_undone_by_it() -> None:
    order = make_order()
    order.on("submit")
    assert order.fill("t1", 400_000)
    assert order.on("accept")
    assert order.status == "partially_filled"


def test_a_trade_told_after_the_cancel_counts_and_the_order_stays_cancelled() -> None:
    order = make_order()
    for event in ("submit", "accept", "cancel"):
        assert order.on(event)
    assert order.fill("t1", 1_000_000)
    assert (order.status, order.filled_e6) == ("cancelled", 1_000_000)


def test_a_failed_trade_is_taken_back_once() -> None:
    order = make_order()
    order.on("submit")
    order.fill("t1", 1_000_000)
    assert order.unfill("t1", 1_000_000)
    assert not order.unfill("t1", 1_000_000)
    assert (order.status, order.filled_e6) == ("matched", 0)


def test_a_confirmed_trade_and_a_failed_one_are_final() -> None:
    assert not TRADE_TRANSITIONS["confirmed"]
    assert not TRADE_TRANSITIONS["failed"]


@pytest.mark.parametrize(("name", "counter"), [("20261122-1a-spread_capture-17", 17), ("mine", 0), ("x-", 0), ("x-1b", 0)])
def test_the_counter_is_the_number_at_the_end_of_an_id(name: str, counter: int) -> None:
    assert counter_of(name) == counter


def test_an_id_gives_its_counter_back() -> None:
    assert client_order_id("s1", "spread_capture", 7) == "s1-spread_capture-7"
    assert counter_of(client_order_id("s1", "spread_capture", 7)) == 7
