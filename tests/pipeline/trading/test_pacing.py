"""Changes of resting orders: young ones keep their place, and our own orders never meet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.units import ONE_E6
from pipeline.messages.market import Side
from pipeline.messages.orders import OpenOrder
from pipeline.trading.diff import Changes, Quote, diff_quotes
from pipeline.trading.pacing import in_terms_of, pace

MS = 1_000_000
T = 1_000_000 * MS


def order(name: str, token: str, side: Side, cents: int, size: int = 10, placed_ms: int = 0) -> OpenOrder:
    return OpenOrder(name, "s", token, "m", side, cents * 10_000, size * ONE_E6, 0, "live", T + placed_ms * MS)


def quote(token: str, side: Side, cents: int, size: int = 10) -> Quote:
    return Quote(token, side, cents * 10_000, size * ONE_E6)


def test_an_order_of_the_other_outcome_is_mirrored() -> None:
    assert in_terms_of("yes", quote("yes", "BUY", 40)) == ("BUY", 400_000)
    assert in_terms_of("yes", quote("no", "BUY", 55)) == ("SELL", 450_000)
    assert in_terms_of("yes", order("a", "no", "SELL", 55)) == ("BUY", 450_000)


def test_a_young_order_is_not_replaced_before_its_time() -> None:
    young, old = order("a", "yes", "BUY", 40, placed_ms=500), order("b", "no", "BUY", 50)
    changes = Changes((young, old), (quote("yes", "BUY", 41), quote("no", "BUY", 51)))
    paced = pace("yes", changes, (young, old), (), 1_000 * MS, T + 1_200 * MS)
    assert paced.changes == Changes((old,), (quote("no", "BUY", 51),))
    assert paced.later_ns == T + 1_500 * MS
    assert pace("yes", changes, (young, old), (), 1_000 * MS, T + 1_500 * MS).changes == changes


def test_a_side_that_is_given_up_is_cancelled_however_young_it_is() -> None:
    young = order("a", "yes", "BUY", 40, placed_ms=500)
    changes = Changes((young,), ())
    assert pace("yes", changes, (young,), (), 10_000 * MS, T + 600 * MS).changes == changes


def test_a_quote_waits_for_the_order_that_it_would_meet() -> None:
    bid = order("a", "yes", "BUY", 45)
    changes = Changes((bid,), (quote("yes", "BUY", 40), quote("no", "BUY", 56)))
    paced = pace("yes", changes, (bid,), (), 0, T)
    assert paced.changes == Changes((bid,), (quote("yes", "BUY", 40),))
    leaving = pace("yes", Changes((), (quote("no", "BUY", 56),)), (), (bid,), 0, T)
    assert leaving.changes == Changes()


def test_a_sale_waits_for_the_shares_that_an_order_which_goes_still_holds() -> None:
    ask, more = order("a", "yes", "SELL", 60), quote("yes", "SELL", 61)
    changes = Changes((ask,), (more,))
    assert pace("yes", changes, (ask,), (), 0, T).changes == changes
    assert pace("yes", changes, (ask,), (), 0, T, lambda token: 10 * ONE_E6).changes == changes
    assert pace("yes", changes, (ask,), (), 0, T, lambda token: 0).changes == Changes((ask,))
    assert pace("yes", Changes((), (more,)), (), (ask,), 0, T, lambda token: 0).changes == Changes()
    assert pace("yes", Changes((), (more,)), (), (), 0, T, lambda token: 10 * ONE_E6).changes.places == (more,)


orders = st.lists(
    st.tuples(st.sampled_from(["yes", "no"]), st.sampled_from(["BUY", "SELL"]), st.integers(1, 99), st.integers(0, 3_000)),
    max_size=4,
)
quotes = st.lists(st.tuples(st.sampled_from(["yes", "no"]), st.sampled_from(["BUY", "SELL"]), st.integers(1, 99)), max_size=3)


@given(orders, orders, quotes, st.integers(0, 3_000), st.integers(0, 3_000))
def test_nothing_is_placed_that_meets_our_own(
    known: list[tuple[str, Side, int, int]],
    going: list[tuple[str, Side, int, int]],
    wanted: list[tuple[str, Side, int]],
    lifetime_ms: int,
    now_ms: int,
) -> None:
    open_orders = [order(f"o{i}", token, side, cents, placed_ms=at) for i, (token, side, cents, at) in enumerate(known)]
    leaving = [order(f"l{i}", token, side, cents, placed_ms=at) for i, (token, side, cents, at) in enumerate(going)]
    changes = diff_quotes([quote(*each) for each in wanted], open_orders, 10_000)
    paced = pace("yes", changes, open_orders, leaving, lifetime_ms * MS, T + now_ms * MS).changes
    assert set(paced.cancels) <= set(changes.cancels) and set(paced.places) <= set(changes.places)
    placed = [in_terms_of("yes", each) for each in paced.places]
    around = [in_terms_of("yes", each) for each in (*open_orders, *leaving)] + placed
    for side, price in placed:
        for other, at in around:
            assert side == other or (price < at if side == "BUY" else price > at)


@given(quotes, orders, st.integers(0, 20_000))
def test_diff_applied_twice_asks_for_nothing(
    wanted: list[tuple[str, Side, int]], known: list[tuple[str, Side, int, int]], tolerance: int
) -> None:
    open_orders = [order(f"o{i}", token, side, cents, placed_ms=at) for i, (token, side, cents, at) in enumerate(known)]
    asked = [quote(*each) for each in wanted]
    changes = diff_quotes(asked, open_orders, tolerance, 10_000)
    gone = {each.client_order_id for each in changes.cancels}
    after = [each for each in open_orders if each.client_order_id not in gone]
    after += [order(f"n{i}", each.token_id, each.side, each.price_e6 // 10_000) for i, each in enumerate(changes.places)]
    assert not diff_quotes(asked, after, tolerance, 10_000)


def test_an_order_off_the_price_grid_is_replaced_though_it_is_near() -> None:
    fine = OpenOrder("a", "s", "yes", "m", "BUY", 405_000, 10 * ONE_E6, 0, "live", T)
    wanted = [quote("yes", "BUY", 40)]
    assert not diff_quotes(wanted, [fine], 10_000)
    assert len(diff_quotes(wanted, [fine], 10_000, 10_000)) == 2
