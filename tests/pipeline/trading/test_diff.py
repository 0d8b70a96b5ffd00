"""Targets against open orders: the fewest changes, and none the second time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages.orders import OpenOrder
from pipeline.trading.diff import Changes, Quote, diff_quotes

TICK = 10_000


def open_order(name: str, quote: Quote, filled_e6: int = 0, placed_ns: int = 1) -> OpenOrder:
    return OpenOrder(
        client_order_id=name,
        strategy="s",
        token_id=quote.token_id,
        market="m",
        side=quote.side,
        price_e6=quote.price_e6,
        size_e6=quote.size_e6,
        filled_e6=filled_e6,
        status="live",
        placed_ns=placed_ns,
    )


def applied(changes: Changes, orders: list[OpenOrder]) -> list[OpenOrder]:
    gone = {order.client_order_id for order in changes.cancels}
    kept = [order for order in orders if order.client_order_id not in gone]
    return kept + [open_order(f"new-{at}", quote, placed_ns=99) for at, quote in enumerate(changes.places)]


BID = Quote("yes", "BUY", 400_000, 20_000_000)
ASK = Quote("no", "BUY", 550_000, 20_000_000)

quotes = st.builds(
    Quote,
    token_id=st.sampled_from(["yes", "no"]),
    side=st.sampled_from(["BUY", "SELL"]),
    price_e6=st.integers(40, 44).map(lambda ticks: ticks * TICK),
    size_e6=st.integers(1, 30).map(lambda shares: shares * 1_000_000),
)


@st.composite
def resting(draw: st.DrawFn) -> list[OpenOrder]:
    orders = []
    for at, quote in enumerate(draw(st.lists(quotes, max_size=6))):
        filled = draw(st.integers(0, quote.size_e6 - 1))
        orders.append(open_order(f"old-{at}", quote, filled, placed_ns=draw(st.integers(1, 5))))
    return orders


@given(st.lists(quotes, max_size=5), resting(), st.sampled_from([1, TICK, 3 * TICK]))
def test_applied_twice_asks_for_nothing(wanted: list[Quote], orders: list[OpenOrder], tolerance: int) -> None:
    after = applied(diff_quotes(wanted, orders, tolerance), orders)
    assert not diff_quotes(wanted, after, tolerance)


@given(st.lists(quotes, max_size=5), resting(), st.sampled_from([1, TICK, 3 * TICK]))
def test_what_rests_afterwards_serves_each_quote_once(wanted: list[Quote], orders: list[OpenOrder], tolerance: int) -> None:
    after = applied(diff_quotes(wanted, orders, tolerance), orders)
    assert sorted((q.token_id, q.side) for q in wanted) == sorted((o.token_id, o.side) for o in after)
    shown = sum(order.size_e6 - order.filled_e6 for order in after)
    assert shown <= sum(quote.size_e6 for quote in wanted)


def test_nothing_open_places_all() -> None:
    assert diff_quotes([BID, ASK], [], TICK) == Changes(places=(BID, ASK))


def test_nothing_wanted_cancels_all() -> None:
    order = open_order("a", BID)
    assert diff_quotes([], [order], TICK) == Changes(cancels=(order,))


def test_a_change_below_the_tolerance_keeps_the_place_in_the_queue() -> None:
    order = open_order("a", Quote("yes", "BUY", 390_000, 20_000_000))
    assert not diff_quotes([BID], [order], 2 * TICK)
    assert diff_quotes([BID], [order], TICK) == Changes(cancels=(order,), places=(BID,))


def test_an_order_too_large_for_its_target_is_replaced() -> None:
    order = open_order("a", Quote("yes", "BUY", 400_000, 21_000_000))
    assert diff_quotes([BID], [order], TICK) == Changes(cancels=(order,), places=(BID,))


def test_an_order_half_filled_stays_and_one_more_than_half_filled_is_replaced() -> None:
    assert not diff_quotes([BID], [open_order("a", BID, filled_e6=10_000_000)], TICK)
    order = open_order("a", BID, filled_e6=10_000_001)
    assert diff_quotes([BID], [order], TICK) == Changes(cancels=(order,), places=(BID,))


def test_one_side_changes_without_the_other() -> None:
    bid, ask = open_order("a", BID), open_order("b", Quote("no", "BUY", 530_000, 20_000_000))
    assert diff_quotes([BID, ASK], [bid, ask], TICK) == Changes(cancels=(ask,), places=(ASK,))


def test_of_two_orders_that_serve_the_older_one_stays() -> None:
    young, old = open_order("a", BID, placed_ns=2), open_order("b", BID, placed_ns=1)
    assert diff_quotes([BID], [young, old], TICK) == Changes(cancels=(young,))
