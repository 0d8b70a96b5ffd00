"""One backtest: repeatable, complete in its accounts, and bounded by its window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_S
from polybot.backtest.plan import RunPlan, make_plans
from polybot.backtest.result import RunResult
from polybot.backtest.run import backtest
from polybot.backtest.source import look


def test_a_run_trades_and_its_last_equity_is_its_profit(result: RunResult) -> None:
    assert len(result.orders) > 10 and result.fills and result.rested
    assert result.equity[-1].equity_e6 == result.parts.pnl_e6
    parts = result.parts
    assert parts.pnl_e6 == parts.spread_e6 + parts.adverse_e6[60_000] + parts.inventory_e6 - parts.fees_e6
    assert result.max_drawdown_e6 >= max(point.drawdown_e6 for point in result.equity)
    assert sum(market.parts.trades for market in result.markets) == parts.trades


def test_the_same_run_again_is_equal_in_everything_but_the_time_it_took(plans: list[RunPlan], result: RunResult) -> None:
    again = backtest(plans[0])
    again.seconds = result.seconds
    assert again == result


def test_another_parameter_gives_another_hash(other: RunResult, result: RunResult) -> None:
    assert other.played.parameters == {"size": "20"}
    assert other.run_hash != result.run_hash


def test_each_order_that_rested_knows_what_stood_ahead_and_each_decision_what_was_seen(result: RunResult) -> None:
    assert all((order.ahead_e6 is not None) == bool(order.live_ns) for order in result.orders)
    assert all(order.seen.startswith('{"books":') for order in result.orders)
    assert all(order.ended_ns for order in result.orders)


def test_nothing_is_traded_outside_the_window_and_books_are_built_before_it(plans: list[RunPlan], result: RunResult) -> None:
    start_ns = result.played.start_ns
    part = backtest(replace(plans[0], from_ns=start_ns + 8 * NS_PER_S, to_ns=start_ns + 14 * NS_PER_S))
    assert part.orders
    assert min(order.placed_ns for order in part.orders) >= start_ns + 8 * NS_PER_S
    assert max(order.ended_ns for order in part.orders) <= start_ns + 14 * NS_PER_S
    assert min(order.placed_ns for order in part.orders) < start_ns + 9 * NS_PER_S
    assert part.played.end_ns - part.played.start_ns <= 6 * NS_PER_S


def test_a_window_after_the_end_is_refused(plans: list[RunPlan], result: RunResult) -> None:
    with pytest.raises(BadInput, match="nothing between --from and --to"):
        backtest(replace(plans[0], from_ns=result.played.end_ns + 60 * NS_PER_S))


def test_the_dutch_book_desk_is_played_too(recording: Path, config: Config) -> None:
    (plan,) = make_plans([look(str(recording))], config, "dutch_book", [], ["pessimistic"])
    done = backtest(plan)
    assert {order.strategy for order in done.orders} <= {"dutch_book"}
    assert done.coverage and done.covered == 1.0
