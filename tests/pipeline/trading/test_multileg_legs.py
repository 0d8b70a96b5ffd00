"""The legs of a plan: which comes first, and what is to be expected of a leg that stays unfilled."""

from __future__ import annotations

from pipeline.base.units import ONE_E6
from pipeline.trading.multileg_legs import LegRun, expected_miss_cost_e6, legs_in_order

LEGS = [LegRun(name, f"m-{name}", 300_000, 10 * ONE_E6) for name in "abc"]


def test_the_thinnest_leg_goes_first() -> None:
    assert [leg.token_id for leg in legs_in_order(LEGS, [30, 10, 20])] == ["b", "c", "a"]


def test_a_missed_leg_costs_what_selling_those_before_it_loses() -> None:
    assert expected_miss_cost_e6(LEGS, [100_000, 200_000, 900_000], 20_000) == (100_000 + 300_000) // 50
    assert expected_miss_cost_e6(LEGS, [100_000, 200_000, 900_000], 0) == 0


def test_a_leg_that_is_sold_again_keeps_what_it_cost_and_earned() -> None:
    leg = LegRun("a", "m-a", 300_000, 10 * ONE_E6)
    leg.book("BUY", 10 * ONE_E6, 3 * ONE_E6, 10_000)
    leg.book("SELL", 4 * ONE_E6, ONE_E6, 5_000)
    assert (leg.held_e6, leg.spent_e6, leg.earned_e6) == (6 * ONE_E6, 3_010_000, 995_000)
