"""Two runs side by side: the first parting of each kind is found, and what explains it is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.base.units import NS_PER_MS, NS_PER_S
from polybot.backtest.result import BacktestFill, BacktestOrder, Parts
from polybot.compare import Side, compare

FACTS = {"recording": "abc", "fill model": "pessimistic", "[spread_capture] edge": "0.01"}


def seen(bid: str = "0.4", inventory: str = "0") -> str:
    return json.dumps({"books": [{"bid": [bid, "10"], "ask": ["0.5", "10"]}], "inventory": inventory})


def order(at_s: float, price_e6: int = 410_000, **more) -> BacktestOrder:
    given = BacktestOrder(f"o{at_s}", "s", "m", "t", "BUY", price_e6, 10_000_000, "GTC", True, int(at_s * NS_PER_S))
    given.live_ns, given.ended_ns, given.status = given.placed_ns + 1, given.placed_ns + NS_PER_S, "cancelled"
    given.seen, given.ahead_e6 = seen(), 0
    for name, value in more.items():
        setattr(given, name, value)
    return given


def fill(at_s: float, size_e6: int = 5_000_000, price_e6: int = 410_000) -> BacktestFill:
    return BacktestFill(int(at_s * NS_PER_S), f"t{at_s}", f"o{at_s}", "s", "m", "t", "BUY", price_e6, size_e6, 0, 0, "maker", {})


def side(*orders: BacktestOrder, fills: tuple[BacktestFill, ...] = (), pnl_e6: int = 0, **facts: str) -> Side:
    told = FACTS | {name.replace("_", " "): value for name, value in facts.items()}
    return Side("run", told, orders, fills, Parts(pnl_e6=pnl_e6), {"m": pnl_e6})


def test_equal_runs_part_nowhere() -> None:
    found = compare(side(order(1), order(2), fills=(fill(1),)), side(order(1), order(2), fills=(fill(1),)))
    assert found.same and found.partings == [] and (found.orders.both, found.fills.both) == (2, 1)


def test_the_first_order_that_only_one_placed_is_shown_beside_the_nearest_of_the_other() -> None:
    a = side(order(1), order(2), order(3, 420_000))
    b = side(order(1), order(2, 400_000, seen=seen("0.39")), order(3, 420_000), **{"fill model": "optimistic"})
    found = compare(a, b)
    (parting,) = found.partings
    assert (parting.what, parting.ts_ns) == ("an order that only one placed", 2 * NS_PER_S)
    assert "at 0.41" in parting.a and parting.b.startswith("nearest:") and "at 0.4 " in parting.b
    assert parting.why[0] == "they saw other books: 0.4 x 10/0.5 x 10 against 0.39 x 10/0.5 x 10"
    assert found.reasons[0] == "fill model: pessimistic against optimistic"
    assert (found.orders.both, found.orders.only_a, found.orders.only_b) == (2, 1, 1)


def test_decisions_on_other_books_tell_how_far_apart_they_were() -> None:
    found = compare(side(order(1), order(2)), side(order(1), order(2.072, 400_000, seen=seen("0.39"))))
    assert found.partings[0].why[0] == "they saw other books, 72 ms apart: 0.4 x 10/0.5 x 10 against 0.39 x 10/0.5 x 10"


def test_other_shares_held_explain_another_decision_on_the_same_books() -> None:
    found = compare(side(order(1, seen=seen(inventory="5"))), side(order(1, 420_000, seen=seen(inventory="8"))))
    assert found.partings[0].why == ("they saw the same best prices and decided differently", "they held 5 against 8 shares")


def test_an_order_that_traded_otherwise_tells_its_place_in_the_queue() -> None:
    found = compare(side(order(1, filled_e6=0, ahead_e6=7_000_000)), side(order(1, filled_e6=3_000_000, ahead_e6=2_000_000)))
    assert found.partings[0].what == "an order that traded otherwise"
    assert found.partings[0].why[0] == "7 against 2 shares stood ahead when they joined"


def test_a_trade_that_only_one_had_tells_whether_the_other_had_the_order() -> None:
    found = compare(side(order(1), fills=(fill(1),)), side(order(1)))
    assert [parting.what for parting in found.partings] == ["a trade that only one had"]
    assert found.partings[0].why == ("the other one had such an order then, which did not trade",)
    assert found.partings[0].b == ""


def test_alike_trades_of_another_size_are_told_and_equal_times_keep_their_order() -> None:
    two = (fill(1, 5_000_000), fill(1, 2_000_000))
    assert compare(side(fills=two), side(fills=two)).same
    found = compare(side(fills=two), side(fills=(two[0], fill(1, 1_000_000))))
    assert [parting.what for parting in found.partings] == ["a trade that both had, not alike"]


@pytest.mark.parametrize(("tolerance_ms", "partners"), [(None, 1), (100, 0), (300, 1)])
def test_a_session_that_ran_by_a_clock_has_partners_within_the_tolerance(tolerance_ms, partners) -> None:
    session = replace(side(order(1.2)), exact=False)
    found = compare(session, side(order(1)), None if tolerance_ms is None else tolerance_ms * NS_PER_MS)
    assert found.orders.both == partners


def test_a_run_that_began_later_says_so() -> None:
    found = compare(replace(side(order(2.5), order(4)), exact=False), side(order(1), order(4)), 0)
    assert "A placed its first order 1.5 s after B, and so stood elsewhere in the queues" in found.reasons


def test_the_markets_with_the_largest_difference_come_first() -> None:
    a, b = side(pnl_e6=1), side(pnl_e6=5)
    a, b = replace(a, by_market={"m": 1, "n": 0, "o": 3}), replace(b, by_market={"m": 5, "n": 90, "o": 3})
    assert [name for name, _, _ in compare(a, b).markets] == ["n", "m"]
    assert not compare(a, b).same
