"""The worst loss is right for every resolution, and no filling of the open orders makes it larger."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.units import notional_ceil_e6, notional_floor_e6
from pipeline.messages.market import Market, Outcome, Side
from pipeline.trading.exposure import Asked, Held, event_loss_e6, market_loss_e6, market_values_e6

ONE = 1_000_000
A = Market(market_id="a", outcomes=(Outcome("a/y", "Yes"), Outcome("a/n", "No")))
B = Market(market_id="b", outcomes=(Outcome("b/y", "Yes"), Outcome("b/n", "No")))


def test_a_position_loses_its_cost_and_a_matched_pair_nothing() -> None:
    one_side: list[Held] = [("a/y", 10 * ONE, 4 * ONE)]
    assert market_values_e6(A, one_side, ()) == (6 * ONE, -4 * ONE)
    pair: list[Held] = [*one_side, ("a/n", 10 * ONE, 5 * ONE)]
    assert market_loss_e6(market_values_e6(A, pair, ())) == 0


def test_a_short_position_loses_what_the_share_pays_beyond_what_was_received() -> None:
    assert market_values_e6(A, [("a/y", -10 * ONE, -4 * ONE)], ()) == (-6 * ONE, 4 * ONE)


def test_an_order_counts_where_it_hurts_and_never_where_it_helps() -> None:
    asked: list[Asked] = [("a/y", "BUY", 400_000, 10 * ONE, 0), ("a/y", "SELL", 450_000, 10 * ONE, 0)]
    assert market_values_e6(A, (), asked) == (-5_500_000, -4 * ONE)


def test_no_shares_of_exclusive_markets_cover_each_other() -> None:
    values = [market_values_e6(m, [(f"{m.market_id}/n", 10 * ONE, 6 * ONE)], ()) for m in (A, B)]
    assert event_loss_e6(values, exclusive=True) == 2 * ONE
    assert event_loss_e6(values, exclusive=False) == 12 * ONE


def test_yes_shares_of_exclusive_markets_may_all_lose() -> None:
    values = [market_values_e6(m, [(f"{m.market_id}/y", 10 * ONE, 3 * ONE)], ()) for m in (A, B)]
    assert event_loss_e6(values, exclusive=True) == 6 * ONE


sides: st.SearchStrategy[Side] = st.sampled_from(["BUY", "SELL"])
tokens = st.sampled_from(["a/y", "a/n", "b/y", "b/n"])
orders = st.lists(
    st.tuples(tokens, sides, st.integers(1, 99).map(lambda p: p * 10_000), st.integers(1, 50 * ONE), st.integers(0, ONE)),
    max_size=5,
)


def paid(side: Side, price: int, size: int) -> int:
    return notional_ceil_e6(price, size) if side == "BUY" else -notional_floor_e6(price, size)


@given(orders, orders)
def test_whatever_fills_and_whoever_wins_the_loss_is_not_larger(filled: list[Asked], asked: list[Asked]) -> None:
    held: list[Held] = [(t, s if side == "BUY" else -s, paid(side, p, s) + fee) for t, side, p, s, fee in filled]
    mine = {m: [h for h in held if h[0] in m.token_ids] for m in (A, B)}
    worst = event_loss_e6(
        [market_values_e6(m, mine[m], [o for o in asked if o[0] in m.token_ids]) for m in (A, B)], exclusive=True
    )
    resolutions = [{"a/y", "b/n"}, {"a/n", "b/y"}, {"a/n", "b/n"}]
    for subset in chain.from_iterable(combinations(asked, n) for n in range(len(asked) + 1)):
        book = [*held, *((t, s if side == "BUY" else -s, paid(side, p, s) + fee) for t, side, p, s, fee in subset)]
        for winners in resolutions:
            result = sum((shares if token in winners else 0) - cost for token, shares, cost in book)
            assert -result <= worst
