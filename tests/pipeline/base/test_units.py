"""Exact millionths: text in, text out, and rounding whose direction is named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.units import (
    ONE_E6,
    ceil_to,
    complement_e6,
    decimal_of_e6,
    e6_of_decimal,
    floor_to,
    format_e6,
    notional_ceil_e6,
    notional_floor_e6,
    parse_e6,
    parse_price_e6,
    parse_size_e6,
)

amounts = st.integers(-(10**18), 10**18)
prices = st.integers(0, ONE_E6)
sizes = st.integers(0, 10**15)


@given(amounts)
def test_text_and_back_is_the_same_number(value):
    assert parse_e6(format_e6(value)) == value
    assert e6_of_decimal(decimal_of_e6(value)) == value
    assert Decimal(format_e6(value)) == decimal_of_e6(value)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=6))
def test_every_way_to_write_a_decimal_gives_the_same_number(value):
    exact = int(value.scaleb(6))
    assert parse_e6(str(value)) == exact
    assert parse_e6(f"{value:f}") == exact
    assert parse_e6(f"{value}000") == exact if "E" not in str(value) else True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.41", 410_000),
        ("1", 1_000_000),
        (".5", 500_000),
        ("5.", 5_000_000),
        ("-10", -10_000_000),
        ("-0.000001", -1),
        ("+2", 2_000_000),
        ("1e-3", 1_000),
        ("1E2", 100_000_000),
        ("0.10000000", 100_000),
        ("007", 7_000_000),
    ],
)
def test_texts_of_numbers_are_read_exactly(text, value):
    assert parse_e6(text) == value


@pytest.mark.parametrize("text", ["", ".", "-", "abc", "1.2.3", "0.0000001", "NaN", "Infinity", "1,5", "--1", "+-1", "0x10", "½"])
def test_what_is_no_number_of_six_places_is_refused(text):
    with pytest.raises(ValueError, match="is not a"):
        parse_e6(text)


def test_a_price_is_from_zero_to_one_and_a_size_is_not_negative():
    assert (parse_price_e6("0"), parse_price_e6("1"), parse_price_e6("0.999")) == (0, ONE_E6, 999_000)
    for text in ("1.000001", "-0.01"):
        with pytest.raises(ValueError, match="outside 0 to 1"):
            parse_price_e6(text)
    with pytest.raises(ValueError, match="is negative"):
        parse_size_e6("-1")


def test_the_shortest_text_is_written():
    assert [format_e6(value) for value in (410_000, 5_000_000, 0, -1, 1_500_000)] == ["0.41", "5", "0", "-0.000001", "1.5"]


@given(prices, sizes)
def test_a_notional_is_between_its_floor_and_its_ceiling(price, size):
    low, high = notional_floor_e6(price, size), notional_ceil_e6(price, size)
    assert low * ONE_E6 <= price * size <= high * ONE_E6
    assert high - low in (0, 1)


@given(amounts, st.integers(1, 10**6))
def test_rounding_to_a_grid_goes_the_named_way(value, step):
    low, high = floor_to(value, step), ceil_to(value, step)
    assert low % step == high % step == 0
    assert value - step < low <= value <= high < value + step


@given(prices)
def test_a_complement_is_what_is_left_of_one(price):
    assert complement_e6(price) + price == ONE_E6
    assert complement_e6(complement_e6(price)) == price


@pytest.mark.parametrize("text", ["1." + "0" * 37 + "1", "1e999999", "-1e-999999", "٣", "1" * 500, "0x10", "1_000"])
def test_a_number_that_would_be_rounded_or_guessed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal|sensible"):
        parse_e6(text)


@pytest.mark.parametrize(
    ("text", "value"), [("1e2", 100_000_000), ("1.5e-6", None), ("1.20000000000", 1_200_000), ("-2E-1", -200_000)]
)
def test_exponents_and_long_tails_of_zeros_are_exact(text: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(ValueError, match="six decimal places"):
            parse_e6(text)
    else:
        assert parse_e6(text) == value
