"""The NO set that frees most is asked for, once, and only where that is more than it costs."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from pipeline.base.settings import DutchBookSection, RiskSection, ThresholdsSection
from pipeline.base.units import ONE_E6
from pipeline.messages.market import Market, Outcome
from pipeline.messages.orders import ExecSnapshot, Mode, Position
from pipeline.strategy.account import Account
from pipeline.strategy.converting import best_set, conversion
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.strategy.event_sets import EventSet, sets_of


def event(**values: object) -> EventSet:
    markets = [
        Market(
            market_id=name,
            outcomes=(Outcome(f"{name}-yes", "Yes"), Outcome(f"{name}-no", "No")),
            event_id="e",
            neg_risk=True,
            neg_risk_market_id="n",
        )
        for name in "abc"
    ]
    (found,) = sets_of([msgspec.structs.replace(market, **values) for market in markets], {}, False)
    return found


def account(mode: Mode = "paper", **held: int) -> Account:
    mine = Account("dutch_book", "s1", 2_000)
    positions = tuple(Position("dutch_book", f"{name}-no", name, shares * ONE_E6, 0) for name, shares in held.items())
    mine.load(ExecSnapshot(ts_ns=1, accepts=True, halted=False, mode=mode, orders=(), positions=positions), 1)
    return mine


def rules(fee: str = "0", gas: str = "0") -> DutchRules:
    section = DutchBookSection(conversion_fee=Decimal(fee), gas_usdc=Decimal(gas))
    return DutchRules.from_settings(section, ThresholdsSection(), RiskSection())


@pytest.mark.parametrize(
    ("held", "tokens", "size"),
    [
        ({}, (), 0),
        ({"a": 5}, (), 0),
        ({"a": 5, "b": 3}, ("a", "b"), 3),
        ({"a": 5, "b": 5, "c": 3}, ("a", "b", "c"), 3),
        ({"a": 5, "b": 5, "c": 2}, ("a", "b"), 5),
    ],
)
def test_the_set_that_frees_most_dollars_is_chosen(held: dict[str, int], tokens: tuple[str, ...], size: int) -> None:
    assert best_set({name: shares * ONE_E6 for name, shares in held.items()}) == (tokens, size * ONE_E6)


def test_the_command_names_the_event_the_legs_and_the_cost_from_the_settings() -> None:
    (asked,) = conversion(event(), account(a=10, b=10, c=10), rules(fee="0.01", gas="0.25"), 1)
    assert (asked.event, asked.token_ids, asked.size_e6) == ("n", ("a-no", "b-no", "c-no"), 10 * ONE_E6)
    assert asked.cost_e6 == 450_000
    assert asked.decision.reason == "convert 10 NO sets of 3 legs into 20 less 0.45"


def test_what_is_asked_for_is_not_asked_for_again_while_the_answer_may_come() -> None:
    mine = account(a=10, b=10)
    assert conversion(event(), mine, rules(), 1)
    assert not conversion(event(), mine, rules(), 2)
    assert conversion(event(), mine, rules(), 1 + 2 * 2_000)


def test_nothing_is_asked_for_that_costs_what_it_frees_or_cannot_be_done() -> None:
    assert not conversion(event(), account(a=10, b=10), rules(gas="10"), 1)
    assert not conversion(event(neg_risk=False), account(a=10, b=10), rules(), 1)
    assert not conversion(event(), account("live", a=10, b=10), rules(), 1)
