"""Profit adds up, whatever was traded: spread, adverse selection, inventory and fees are all of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.units import ONE_E6
from pipeline.messages.market import FeeSchedule, Side
from pipeline.messages.orders import Liquidity
from pipeline.trading.pnl import Attribution, Trade, attribute, rebate_floor_e6

POLITICS = FeeSchedule(rate_e6=40_000, rebate_rate_e6=250_000)


def trade(side: Side, cents: int, shares: int, liquidity: Liquidity = "maker", **mids: int) -> Trade:
    return Trade(
        token_id="yes",
        market="m",
        side=side,
        price_e6=cents * 10_000,
        size_e6=shares * ONE_E6,
        notional_e6=cents * 10_000 * shares,
        fee_e6=0,
        liquidity=liquidity,
        mids={int(name[1:]): mid for name, mid in mids.items()},
    )


def test_a_round_trip_splits_into_what_each_part_brought() -> None:
    found = Attribution()
    found.add(trade("BUY", 40, 10, _0=415_000, _1000=414_000, _60000=405_000))
    found.add(trade("SELL", 44, 10, _0=430_000, _1000=430_000, _60000=435_000))
    assert (found.spread_e6, found.adverse_e6[1_000], found.adverse_e6[60_000]) == (250_000, -10_000, -150_000)
    assert found.pnl_e6({}) == found.realised_e6 == 400_000
    assert found.inventory_e6({}) == 300_000
    assert found.measured == {0: 2, 1_000: 2, 10_000: 0, 60_000: 2}


def test_what_a_resolution_pays_is_told_apart() -> None:
    found = Attribution()
    found.add(trade("BUY", 40, 10))
    found.add(trade("SELL", 100, 10, "settlement"))
    assert (found.settlement_e6, found.trades, found.pnl_e6({})) == (6 * ONE_E6, 1, 6 * ONE_E6)


def test_a_held_share_without_a_mark_leaves_the_profit_unknown() -> None:
    found = Attribution()
    found.add(trade("BUY", 40, 10))
    assert found.pnl_e6({}) is None
    assert found.unrealised_e6({("m", "yes"): 450_000}) == found.pnl_e6({("m", "yes"): 450_000}) == 500_000


def test_makers_get_their_part_of_the_fee_their_takers_paid() -> None:
    assert rebate_floor_e6(POLITICS, 300_000, 100 * ONE_E6) == 210_000  # a quarter of 0.84
    assert rebate_floor_e6(None, 300_000, 100 * ONE_E6) == 0
    found = attribute([trade("BUY", 30, 100), trade("SELL", 30, 100, "taker")], {"m": POLITICS})
    assert found.rebates_e6 == 210_000


TRADES = st.lists(
    st.builds(
        lambda token, side, price, size, fee, liquidity, mids: Trade(
            token, token, side, price, size, price * size // ONE_E6, fee, liquidity, mids
        ),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 999_999),
        st.integers(1, 10**9),
        st.integers(0, 10**5),
        st.sampled_from(["maker", "taker"]),
        st.dictionaries(st.sampled_from([0, 1_000, 10_000, 60_000]), st.integers(1, 999_999)),
    ),
    max_size=30,
)


@given(TRADES, st.integers(1, 999_999), st.integers(1, 999_999))
def test_the_parts_are_the_whole(trades: list[Trade], a: int, b: int) -> None:
    found = attribute(trades, {})
    marks = {("a", "a"): a, ("b", "b"): b}
    pnl, inventory, unrealised = found.pnl_e6(marks), found.inventory_e6(marks), found.unrealised_e6(marks)
    assert pnl is not None
    assert inventory is not None
    assert unrealised is not None
    assert pnl == found.spread_e6 + found.adverse_e6[60_000] + inventory - found.fees_e6
    assert pnl == found.realised_e6 + unrealised - found.fees_e6
