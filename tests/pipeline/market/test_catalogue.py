"""Tokens, their markets, their events and their price grids."""

from __future__ import annotations

import pytest

from pipeline.market.catalogue import Catalogue, is_on_grid, tick_size_e6, tradable
from pipeline.messages.market import Market, Outcome


def market(name: str, event: str = "", **more: object) -> Market:
    outcomes = (Outcome(f"{name}-yes", "Yes"), Outcome(f"{name}-no", "No"))
    return Market(market_id=name, outcomes=outcomes, event_id=event, tick_size="0.01", **more)  # type: ignore[arg-type]


def test_a_token_knows_its_market_and_its_other_outcome() -> None:
    catalogue = Catalogue([market("a"), market("b")])
    found = catalogue.market_of("b-no")
    assert found is not None and found.market_id == "b"
    assert catalogue.complement("b-no") == "b-yes"
    assert catalogue.outcome_index("b-no") == 1
    assert catalogue.token_ids == ("a-yes", "a-no", "b-yes", "b-no")


def test_the_siblings_of_a_token_are_all_others_of_its_event() -> None:
    catalogue = Catalogue([market("a", "cup"), market("b", "cup"), market("c")])
    assert catalogue.siblings("a-yes") == ("a-no", "b-yes", "b-no")
    assert catalogue.siblings("c-yes") == ("c-no",)
    assert [each.market_id for each in catalogue.event_markets("cup")] == ["a", "b"]


def test_an_unknown_token_is_nobodys() -> None:
    catalogue = Catalogue()
    assert catalogue.market_of("x") is None
    assert catalogue.complement("x") is None
    assert catalogue.siblings("x") == ()
    assert catalogue.tick_size_e6("x") is None


@pytest.mark.parametrize(
    "field", [{"active": False}, {"closed": True}, {"accepting_orders": False}, {"enable_order_book": False}]
)
def test_a_market_is_tradable_only_if_nothing_stands_against_it(field: dict[str, bool]) -> None:
    assert tradable(market("a"))
    assert not tradable(market("a", **field))


@pytest.mark.parametrize("text", ["0", "-0.01", "0.6", "tick"])
def test_a_senseless_tick_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        tick_size_e6(text)


def test_a_quotable_price_is_a_multiple_of_the_tick_inside_the_book() -> None:
    assert is_on_grid(490_000, 10_000)
    assert not is_on_grid(495_000, 10_000)
    assert not is_on_grid(0, 10_000)
    assert not is_on_grid(1_000_000, 10_000)
