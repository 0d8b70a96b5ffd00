"""Fees agree with every reference vector, exactly."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.units import ONE_E6
from pipeline.messages.market import FeeSchedule
from pipeline.trading.fees import (
    fee_ceil_e6,
    fee_exact,
    fee_floor_e6,
    fee_per_share_e6,
    round_fee_down,
    spend_within_budget,
)


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[dict[str, object]]:
    found = json.loads((shared / "reference" / "vectors" / "fees.json").read_text(encoding="utf-8"))["cases"]
    assert len(found) == 553
    return list(found)


def test_the_documented_table_is_met_exactly_and_rounded_down(cases: list[dict[str, str]]) -> None:
    table = [case for case in cases if case["kind"] == "documented_fee_table"]
    assert len(table) == 63
    for case in table:
        rate, price, shares = Decimal(case["fee_rate"]), Decimal(case["price"]), Decimal(case["shares"])
        exponent = int(case["fee_exponent"])
        fee = fee_exact(rate, exponent, price, shares)
        assert fee == Decimal(case["fee_unrounded"])
        assert round_fee_down(fee) == Decimal(case["fee_floor_5dp"])
        schedule = FeeSchedule(rate_e6=int(rate * ONE_E6), exponent=exponent)
        assert fee_floor_e6(schedule, int(price * ONE_E6), int(shares * ONE_E6)) == int(Decimal(case["fee_floor_5dp"]) * ONE_E6)


def test_a_market_buy_is_cut_so_that_amount_and_fees_fit(cases: list[dict[str, str]]) -> None:
    adjusted = [case for case in cases if case["kind"] == "buy_amount_adjustment"]
    assert len(adjusted) == 490
    for case in adjusted:
        rate, price, exponent = Decimal(case["fee_rate"]), Decimal(case["price"]), int(case["fee_exponent"])
        unrounded = fee_exact(rate, exponent, price, Decimal(case["shares"]))
        # The vectors carry 28 digits.
        assert abs(unrounded - Decimal(case["platform_fee_unrounded"])) < Decimal("1e-24")
        builder = Decimal(case["builder_taker_fee_rate"])
        spent = spend_within_budget(Decimal(case["amount"]), Decimal(case["limit"]), price, rate, exponent, builder)
        assert spent == Decimal(case["adjusted_amount_polymarket_client"])


def test_examples_of_the_fee_page() -> None:
    crypto, politics = FeeSchedule(rate_e6=70_000), FeeSchedule(rate_e6=40_000)
    assert fee_floor_e6(crypto, 500_000, 100_000_000) == 1_750_000
    assert fee_floor_e6(politics, 300_000, 100_000_000) == 840_000


def test_makers_pay_only_where_the_schedule_is_not_for_takers_alone() -> None:
    assert fee_floor_e6(FeeSchedule(rate_e6=50_000), 500_000, ONE_E6, "maker") == 0
    assert fee_floor_e6(FeeSchedule(rate_e6=50_000, taker_only=False), 500_000, ONE_E6, "maker") == 12_500


def test_no_schedule_is_no_fee() -> None:
    assert fee_floor_e6(None, 500_000, ONE_E6) == fee_ceil_e6(None, 500_000, ONE_E6) == fee_per_share_e6(None, 500_000) == 0


schedules = st.builds(FeeSchedule, rate_e6=st.integers(0, 100_000), exponent=st.integers(0, 2))


@given(schedules, st.integers(1, ONE_E6 - 1), st.integers(1, 10**12))
def test_both_roundings_enclose_the_exact_fee_within_one_step(schedule: FeeSchedule, price: int, size: int) -> None:
    exact = fee_exact(Decimal(schedule.rate_e6) / ONE_E6, schedule.exponent, Decimal(price) / ONE_E6, Decimal(size) / ONE_E6)
    low, high = fee_floor_e6(schedule, price, size), fee_ceil_e6(schedule, price, size)
    assert low <= exact * ONE_E6 <= high
    assert high - low in (0, 10)


@given(schedules, st.integers(1, ONE_E6 - 1))
def test_the_fee_a_share_is_never_below_the_fee_of_one_share(schedule: FeeSchedule, price: int) -> None:
    assert fee_per_share_e6(schedule, price) >= fee_floor_e6(schedule, price, ONE_E6)
