"""Which markets are followed: named first, then by volume, steady, never more tokens than allowed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipeline.base.settings import UniverseSection
from pipeline.messages.market import FeeSchedule, Market, Outcome
from pipeline.venue.universe import Query, choose, obstacle, queries


def market(name: str, volume: int = 0, **changed) -> Market:
    fields = {"slug": name, "volume_24h_e6": volume * 1_000_000, "fees": FeeSchedule(), **changed}
    return Market(name, (Outcome(f"{name}-yes", "Yes"), Outcome(f"{name}-no", "No")), **fields)


def names(choice) -> list[str]:
    return [each.market_id for each in choice.markets]


def test_without_names_the_busiest_markets_are_listed():
    volume = (("closed", "false"), ("order", "volume24hr"), ("ascending", "false"))
    assert queries(UniverseSection()) == (Query("markets", volume, enough_tokens=400),)


def test_names_are_looked_up_by_slug_and_tags_by_event():
    found = queries(UniverseSection(events=("e",), markets=("m",), tags=("t",)))
    assert [(query.kind, query.filters[0], query.named) for query in found] == [
        ("events", ("slug", "e"), "e"),
        ("markets", ("slug", "m"), "m"),
        ("events", ("tag_slug", "t"), ""),
    ]


def test_named_markets_come_first_then_the_busiest_until_the_tokens_are_used_up():
    found = [market("small", 1), market("big", 9), market("middle", 5)]
    choice = choose([market("named")], found, UniverseSection(max_tokens=6))
    assert names(choice) == ["named", "big", "middle"]
    assert choice.left_out == (("1 markets", "max_tokens = 6 is reached"),)


def test_a_market_is_never_halved():
    assert names(choose([market("a"), market("b")], [], UniverseSection(max_tokens=3))) == ["a"]


def test_the_least_volume_applies_to_found_markets_only():
    universe = UniverseSection(min_volume_24h=Decimal("4.5"))
    assert names(choose([market("named", 0)], [market("a", 4), market("b", 5)], universe)) == ["named", "b"]


def test_a_followed_market_keeps_its_place_while_it_is_among_the_best_twice_as_many():
    found = [market("a", 4), market("b", 3), market("c", 2), market("d", 1), market("e", 0)]
    universe = UniverseSection(max_tokens=4)
    assert names(choose([], found, universe)) == ["a", "b"]
    assert names(choose([], found, universe, followed={"b", "d"})) == ["b", "d"]
    assert names(choose([], found, universe, followed={"e"})) == ["a", "b"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"closed": True}, "it is closed"),
        ({"active": False}, "it is not active"),
        ({"accepting_orders": False}, "it takes no orders"),
        ({"enable_order_book": False}, "it takes no orders"),
        ({"fees": None}, "it charges fees and does not say which"),
    ],
)
def test_a_market_that_cannot_be_traded_is_left_out_with_the_reason(changed, reason):
    assert obstacle(market("m", **changed)) == reason
    choice = choose([market("m", **changed)], [market("n", 3, **changed)], UniverseSection())
    assert choice.markets == ()
    assert choice.left_out == (("m", reason),)
