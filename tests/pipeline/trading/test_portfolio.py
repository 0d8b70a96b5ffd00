"""Positions from fills: cash, cost and profit reconcile after any sequence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages.market import Side
from pipeline.trading.portfolio import Holding, Portfolio, complete_sets_e6, worst_case_e6

trades = st.lists(
    st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**6))
)


def holding() -> Holding:
    return Holding("s", "yes", "m")


@given(trades)
def test_inventory_and_cash_reconcile_with_fills_after_any_sequence(fills: list[tuple[Side, int, int, int]]) -> None:
    held = holding()
    inventory = cash = fees = 0
    for side, size, notional, fee in fills:
        held.trade(side, size, notional, fee)
        sign = 1 if side == "BUY" else -1
        inventory += sign * size
        cash -= sign * notional + fee
        fees += fee
        assert (held.inventory_e6, held.cash_e6, held.fees_e6) == (inventory, cash, fees)
        assert held.cash_e6 + held.cost_e6 == held.realised_e6 - held.fees_e6
        assert held.inventory_e6 or not held.cost_e6


@given(trades)
def test_a_trade_taken_back_leaves_inventory_cash_and_fees_as_before(fills: list[tuple[Side, int, int, int]]) -> None:
    held = holding()
    for side, size, notional, fee in fills:
        before = (held.inventory_e6, held.cash_e6, held.fees_e6)
        held.trade(side, size, notional, fee)
        held.trade("SELL" if side == "BUY" else "BUY", size, notional, -fee)
        assert (held.inventory_e6, held.cash_e6, held.fees_e6) == before
        assert held.cash_e6 + held.cost_e6 == held.realised_e6 - held.fees_e6
        held.trade(side, size, notional, fee)


@given(trades)
def test_positions_loaded_from_a_snapshot_are_the_same(fills: list[tuple[Side, int, int, int]]) -> None:
    portfolio, loaded = Portfolio(), Portfolio()
    for side, size, notional, fee in fills:
        portfolio.holding("s", "yes", "m").trade(side, size, notional, fee)
    loaded.load(portfolio.shown())
    assert list(loaded) == list(portfolio)


def test_selling_half_realises_against_average_cost() -> None:
    held = holding()
    held.trade("BUY", 10_000_000, 4_000_000)
    held.trade("BUY", 10_000_000, 5_000_000)
    held.trade("SELL", 10_000_000, 4_700_000)
    assert (held.inventory_e6, held.cost_e6, held.realised_e6) == (10_000_000, 4_500_000, 200_000)
    assert held.average_price_e6 == 450_000
    assert held.unrealised_e6(460_000) == 100_000


def test_a_fill_across_zero_closes_first_and_opens_the_rest() -> None:
    held = holding()
    held.trade("BUY", 10_000_000, 4_000_000)
    held.trade("SELL", 30_000_000, 15_000_000)
    assert (held.inventory_e6, held.cost_e6, held.realised_e6) == (-20_000_000, -10_000_000, 1_000_000)
    assert held.unrealised_e6(400_000) == 2_000_000


def test_settlement_pays_the_winner_and_nothing_to_the_loser() -> None:
    won, lost = holding(), holding()
    for held, payout in ((won, 1_000_000), (lost, 0)):
        held.trade("BUY", 10_000_000, 4_000_000)
        held.settle(payout)
    assert (won.realised_e6, lost.realised_e6) == (6_000_000, -4_000_000)
    assert won.inventory_e6 == lost.inventory_e6 == 0


def test_a_position_without_a_mark_has_no_unrealised_profit_to_show() -> None:
    held = holding()
    assert held.unrealised_e6(None) == 0
    held.trade("BUY", 1_000_000, 400_000)
    assert held.unrealised_e6(None) is None


def test_complete_sets_are_limited_by_the_scarcest_outcome() -> None:
    assert complete_sets_e6([5, 3, 9]) == 3
    assert complete_sets_e6([5, -3]) == 0
    assert complete_sets_e6([]) == 0


def test_the_worst_case_of_no_legs_is_that_one_of_them_loses() -> None:
    legs = {"a": (0, 10), "b": (0, 10), "c": (0, 10)}
    assert worst_case_e6(legs, cost_e6=19, exhaustive=True) == 1


def test_yes_legs_cover_an_event_only_if_it_is_exhaustive() -> None:
    legs = {"a": (10, 0), "b": (10, 0)}
    assert worst_case_e6(legs, cost_e6=9, exhaustive=True) == 1
    assert worst_case_e6(legs, cost_e6=9, exhaustive=False) == -9
