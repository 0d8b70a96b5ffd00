"""Dutch Book: the best equal share count, and no loss at any resolution that it claims to cover."""

from __future__ import annotations

from itertools import combinations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.units import ONE_E6
from pipeline.messages.market import BookSnapshot, FeeSchedule, Level, Market, Outcome
from pipeline.strategy.dutch_book import Costs, Leg, event_refusal, payout_per_set_e6, plan_no_set, plan_set
from pipeline.trading.amounts import SIZE_STEP_E6
from pipeline.trading.multileg_value import Form

MANY = 10**12


def leg(name: str, *asks: tuple[int, int], fees: FeeSchedule | None = None, least: int = 0) -> Leg:
    """Asks in cents and shares."""
    levels = tuple(Level(cents * 10_000, shares * ONE_E6) for cents, shares in asks)
    return Leg(name, f"m-{name}", levels, fees, least * ONE_E6)


def member(name: str, **values: object) -> Market:
    outcomes = (Outcome(f"{name}-yes", "Yes"), Outcome(f"{name}-no", "No"))
    market = Market(market_id=name, outcomes=outcomes, event_id="e", group_item_title=name, neg_risk=True, neg_risk_market_id="n")
    return msgspec.structs.replace(market, **values)


def test_it_walks_as_deep_as_every_further_set_still_earns() -> None:
    plan = plan_set("YES", [leg("a", (30, 10), (32, 50)), leg("b", (60, 25), (69, 50))], MANY)
    assert plan.size_e6 == 25 * ONE_E6
    assert [(order.price_e6, order.cost_e6) for order in plan.orders] == [(320_000, 7_800_000), (600_000, 15_000_000)]
    assert (plan.payout_e6, plan.profit_e6) == (25_000_000, 2_200_000)


def test_two_no_legs_pay_one() -> None:
    plan = plan_set("NO", [leg("a", (45, 10)), leg("b", (50, 20))], MANY)
    assert (plan.size_e6, plan.profit_e6) == (10 * ONE_E6, 500_000)


def test_fees_of_each_market_can_take_all_the_profit() -> None:
    fees = FeeSchedule(rate_e6=70_000)
    assert plan_set("YES", [leg("a", (48, 10)), leg("b", (49, 10))], MANY).profit_e6 == 300_000
    charged = plan_set("YES", [leg("a", (48, 10), fees=fees), leg("b", (49, 10), fees=fees)], MANY)
    assert charged.reason == "no share count earns more than it costs"


@pytest.mark.parametrize(
    ("legs", "costs", "reason"),
    [
        ([leg("a", (30, 10))], Costs(), "a set needs at least two legs"),
        ([leg("a", (30, 10)), leg("b")], Costs(), "no share count earns more than it costs"),
        ([leg("a", (50, 10)), leg("b", (50, 10))], Costs(), "no share count earns more than it costs"),
        ([leg("a", (30, 4)), leg("b", (40, 10), least=5)], Costs(), "too small for the minimum size of a leg"),
        (
            [leg("a", (49, 5)), leg("b", (50, 5))],
            Costs(min_profit_e6=40_000, safety_margin_e6=10_001),
            "profit is below the minimum and its safety margin",
        ),
        ([leg("a", (30, 5)), leg("b", (40, 5))], Costs(fixed_e6=2_000_000), "profit is below the minimum and its safety margin"),
    ],
)
def test_what_is_not_worth_it_is_refused_with_its_reason(legs: list[Leg], costs: Costs, reason: str) -> None:
    plan = plan_set("YES", legs, MANY, costs)
    assert (plan.reason, plan.orders) == (reason, ())


def test_the_limit_of_sets_is_kept() -> None:
    assert plan_set("YES", [leg("a", (30, 10)), leg("b", (40, 10))], 3 * ONE_E6).size_e6 == 3 * ONE_E6


books = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 30)), min_size=1, max_size=4, unique_by=lambda ask: ask[0]).map(
    sorted
)
schedules = st.sampled_from(
    [None, FeeSchedule(rate_e6=40_000), FeeSchedule(rate_e6=70_000), FeeSchedule(rate_e6=20_000, exponent=2)]
)


@st.composite
def sets(draw: st.DrawFn) -> tuple[Form, list[Leg]]:
    form: Form = "YES" if draw(st.booleans()) else "NO"
    count = draw(st.integers(2, 4))
    return form, [leg(str(i), *draw(books), fees=draw(schedules)) for i in range(count)]


@settings(deadline=None)
@given(sets())
def test_a_plan_never_loses_on_any_resolution_that_it_covers(drawn: tuple[Form, list[Leg]]) -> None:
    form, legs = drawn
    plan = plan_set(form, legs, MANY)
    if plan.reason:
        return
    winners: list[int | None] = [*range(len(legs))]
    if form == "NO":
        winners.append(None)
    for winner in winners:
        won = (1 if form == "YES" else len(legs) - 1) if winner is not None else len(legs)
        assert won * plan.size_e6 - plan.cost_e6 >= plan.profit_e6 >= 0
    for order, source in zip(plan.orders, legs, strict=True):
        assert order.size_e6 == plan.size_e6 <= sum(level.size_e6 for level in source.asks if level.price_e6 <= order.price_e6)


@settings(deadline=None, max_examples=60)
@given(sets())
def test_no_other_share_count_earns_more(drawn: tuple[Form, list[Leg]]) -> None:
    form, legs = drawn
    plan = plan_set(form, legs, MANY)
    best = 0
    for shares in range(1, 121):
        if all(sum(level.size_e6 for level in one.asks) >= shares * ONE_E6 for one in legs):
            limited = [_exactly(one, shares * ONE_E6) for one in legs]
            best = max(best, payout_per_set_e6(form, len(legs)) * shares - sum(limited))
    # Rounding of fees and of costs: a step of a fee and a millionth for each level of each leg.
    assert plan.profit_e6 >= best - 11 * 4 * len(legs)
    assert plan.size_e6 % SIZE_STEP_E6 == 0


def _exactly(source: Leg, size_e6: int) -> int:
    """Cost and fee of exactly so many shares, exact up to rounding down."""
    total = 0
    for level in source.asks:
        part = min(size_e6, level.size_e6)
        total += level.price_e6 * part // ONE_E6
        if source.fees is not None:
            curve = (level.price_e6 * (ONE_E6 - level.price_e6)) ** source.fees.exponent
            total += part * source.fees.rate_e6 * curve // (ONE_E6 * (ONE_E6 * ONE_E6) ** source.fees.exponent)
        size_e6 -= part
    return total


def test_the_no_form_needs_a_neg_risk_event_and_any_two_of_its_markets() -> None:
    assert event_refusal("NO", [member("a"), member("b")], complete=False) == ""
    assert "several may resolve Yes" in event_refusal("NO", [member("a"), member("b", neg_risk=False)], complete=True)
    assert "not of one neg-risk event" in event_refusal("NO", [member("a"), member("b", neg_risk_market_id="x")], complete=True)


@pytest.mark.parametrize(
    ("changes", "complete", "reason"),
    [
        ({}, True, ""),
        ({}, False, "not all markets of the event are followed"),
        ({"neg_risk_augmented": True}, True, "the event is augmented"),
        ({"group_item_title": "Other"}, True, "stands for others"),
        ({"group_item_title": "Person C"}, True, "stands for others"),
        ({"closed": True}, True, "takes no orders"),
        ({"accepting_orders": False}, True, "takes no orders"),
        ({"neg_risk": False}, True, "several may resolve Yes"),
    ],
)
def test_the_yes_form_needs_a_complete_and_exhaustive_event(changes: dict[str, object], complete: bool, reason: str) -> None:
    told = event_refusal("YES", [member("a"), member("b", **changes)], complete)
    assert reason in told and bool(told) == bool(reason)


def test_a_leg_takes_its_terms_from_its_market_and_its_asks_from_the_book() -> None:
    fees = FeeSchedule(rate_e6=40_000)
    book = BookSnapshot(
        ts_ns=1,
        token_id="a-no",
        market="a",
        tick_size_e6=10_000,
        bids=(),
        asks=(Level(300_000, ONE_E6),),
        seq=1,
        venue_ns=1,
        state="VERIFIED",
        basis="hash",
    )
    made = Leg.from_book(member("a", min_order_size="5", fees=fees), book)
    assert made == Leg("a-no", "a", (Level(300_000, ONE_E6),), fees, 5 * ONE_E6)


@settings(deadline=None, max_examples=60)
@given(st.lists(books, min_size=2, max_size=4), schedules)
def test_no_other_choice_of_no_legs_earns_more(asks: list[list[tuple[int, int]]], fees: FeeSchedule | None) -> None:
    legs = [leg(str(i), *levels, fees=fees) for i, levels in enumerate(asks)]
    best = plan_no_set(legs, MANY)
    for count in range(2, len(legs) + 1):
        for chosen in combinations(legs, count):
            other = plan_set("NO", chosen, MANY)
            assert best.profit_e6 >= other.profit_e6 - 11 * 4 * len(legs)


def test_a_no_leg_that_adds_too_little_is_left_out() -> None:
    legs = [leg("a", (45, 10)), leg("b", (45, 10)), leg("c", (99, 10))]
    assert len(plan_no_set(legs, MANY).orders) == 3
    assert [order.token_id for order in plan_no_set(legs, MANY, Costs(leg_gain_e6=10_000)).orders] == ["a", "b"]


def test_converting_a_no_set_back_costs_part_of_its_payout() -> None:
    legs = [leg("a", (45, 10)), leg("b", (50, 10))]
    assert plan_no_set(legs, MANY, Costs(conversion_e6=10_000)).profit_e6 == 400_000
    assert plan_set("YES", legs, MANY, Costs(conversion_e6=10_000)).profit_e6 == 500_000
