"""Order amounts agree with every reference vector, where the official clients do not lose digits to binary floats."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.trading.amounts import Amounts, is_on_grid, limit_amounts, market_amounts


def test_every_vector_is_met_and_the_price_off_the_grid_is_refused(shared: Path) -> None:
    cases = json.loads((shared / "reference" / "vectors" / "amounts.json").read_text(encoding="utf-8"))["cases"]
    assert len(cases) == 191
    refused = 0
    for case in cases:
        amounts = limit_amounts if case["kind"] == "limit" else market_amounts
        wanted = case["unified_client"]
        if case["kind"] == "limit" and not is_on_grid(Decimal(case["price"]), Decimal(case["tick_size"])):
            refused += 1
            with pytest.raises(ValueError, match="is not on the grid"):
                amounts(case["side"], Decimal(case["price"]), Decimal(case["quantity"]), case["tick_size"])
            continue
        got = amounts(case["side"], Decimal(case["price"]), Decimal(case["quantity"]), case["tick_size"])
        assert got == Amounts(int(wanted["makerAmount"]), int(wanted["takerAmount"])), case
    assert refused == 1


def test_a_binary_float_does_not_eat_a_cent() -> None:
    assert limit_amounts("BUY", Decimal("0.56"), Decimal("1.13"), "0.01") == Amounts(632_800, 1_130_000)
    assert market_amounts("SELL", Decimal("0.29"), Decimal(5), "0.01") == Amounts(5_000_000, 1_450_000)


def test_a_long_division_is_floored_at_the_places_of_the_tick() -> None:
    assert market_amounts("BUY", Decimal("0.52"), Decimal(10), "0.01") == Amounts(10_000_000, 19_230_700)


def test_an_unknown_tick_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tick size 0\.02 is unknown"):
        limit_amounts("BUY", Decimal("0.52"), Decimal(10), "0.02")


@pytest.mark.parametrize(
    ("price", "tick", "good"),
    [("0.01", "0.01", True), ("0.99", "0.01", True), ("1", "0.01", False), ("0.005", "0.005", True), ("0.0025", "0.005", False)],
)
def test_the_grid_goes_from_one_tick_to_one_minus_a_tick(price: str, tick: str, good: bool) -> None:
    assert is_on_grid(Decimal(price), Decimal(tick)) == good
