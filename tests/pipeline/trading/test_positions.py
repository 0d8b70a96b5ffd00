"""Complete sets cannot lose, and an event's worst case knows that at most one of its markets resolves Yes."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages.market import Market, Outcome
from pipeline.trading.positions import event_risks


def market(name: str, neg_risk: bool = True) -> Market:
    return Market(
        name,
        (Outcome(f"{name}y", "Yes"), Outcome(f"{name}n", "No")),
        event_title="Cup",
        neg_risk=neg_risk,
        neg_risk_market_id="0xcup" if neg_risk else "",
    )


def test_a_complete_set_bought_below_a_dollar_loses_nothing() -> None:
    (risk,) = event_risks([market("a", neg_risk=False)], [("ay", 10, 4), ("an", 10, 5)])
    assert (risk.sets_e6, risk.worst_e6, risk.exclusive) == ({"a": 10}, 0, False)


def test_shares_of_no_in_every_market_of_an_event_lose_at_most_one_of_them() -> None:
    markets = [market("a"), market("b"), market("c")]
    (risk,) = event_risks(markets, [("an", 10, 6), ("bn", 10, 7), ("cn", 10, 6)])
    assert (risk.markets, risk.exclusive, risk.worst_e6) == (3, True, 0)
    (risk,) = event_risks(markets, [("an", 10, 9), ("bn", 10, 9), ("cn", 10, 9)])
    assert risk.worst_e6 == 7


def test_shares_of_yes_in_every_market_lose_only_if_none_resolves_yes() -> None:
    markets = [market("a"), market("b")]
    (risk,) = event_risks(markets, [("ay", 10, 4), ("by", 10, 5)])
    assert (risk.worst_e6, risk.worst_if_one_e6) == (9, 0)
    (risk,) = event_risks([*markets, market("c")], [("ay", 10, 4), ("by", 10, 5)])
    assert (risk.markets, risk.worst_e6, risk.worst_if_one_e6) == (2, 9, 9)
    augmented = [msgspec.structs.replace(known, neg_risk_augmented=True) for known in markets]
    (risk,) = event_risks(augmented, [("ay", 10, 4), ("by", 10, 5)])
    assert risk.worst_if_one_e6 is None


def test_what_is_no_longer_held_is_no_risk() -> None:
    assert event_risks([market("a")], [("ay", 0, 0), ("unknown", 5, 5)]) == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=4), st.integers(0, 100))
def test_the_worst_case_is_the_worst_of_all_resolutions(shares: list[tuple[int, int]], cost: int) -> None:
    markets = [market(f"m{number}") for number in range(len(shares))]
    held = [
        entry
        for number, (yes, no) in enumerate(shares)
        for entry in ((f"m{number}y", yes, cost if yes else 0), (f"m{number}n", no, cost if no else 0))
    ]
    paid = sum(entry[2] for entry in held)
    none = sum(no for _, no in shares)
    outcomes = [none, *(none - no + yes for yes, no in shares)]
    risks = event_risks(markets, held)
    worst = max(0, -min(value - paid for value in outcomes))
    assert (risks[0].worst_e6 if risks else 0) == worst
