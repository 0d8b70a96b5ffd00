"""Results as rows for a terminal and as objects for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.base.units import format_e6
from polybot.backtest.result import Parts, RunResult
from polybot.cli.output import Cell, Styled, show_dollars

SPARE = ("profit", "spread", "1 s", "10 s", "60 s", "inventory", "fees", "rebates", "rewards", "settled", "drawdown")


def parts_object(parts: Parts) -> dict[str, Any]:
    """The parts of a profit as decimals."""
    return {
        "pnl": format_e6(parts.pnl_e6),
        "spread": format_e6(parts.spread_e6),
        "adverse_selection": {
            f"{horizon // 1_000}s": {"amount": format_e6(amount), "trades": parts.measured.get(horizon, 0)}
            for horizon, amount in sorted(parts.adverse_e6.items())
        },
        "inventory": format_e6(parts.inventory_e6),
        "fees": format_e6(parts.fees_e6),
        "estimated_rebates": format_e6(parts.rebates_e6),
        "estimated_rewards": format_e6(parts.rewards_e6),
        "settlement": format_e6(parts.settlement_e6),
        "volume": format_e6(parts.volume_e6),
        "trades": parts.trades,
    }


def as_object(result: RunResult) -> dict[str, Any]:
    """The figures of a run, without its orders, fills and series. The same run gives the same object."""
    played = result.played
    return {
        "run": result.number,
        "source": played.source,
        "digest": played.digest,
        "kind": played.kind,
        "strategy": played.strategy,
        "parameters": played.parameters,
        "fill_model": played.fill_model,
        "seed": played.seed,
        "code": played.code,
        "config": played.config,
        "start_ns": played.start_ns,
        "end_ns": played.end_ns,
        "messages": played.messages,
        "profit": parts_object(result.parts),
        "max_drawdown": format_e6(result.max_drawdown_e6),
        "orders": len(result.orders),
        "rested": result.rested,
        "rejected": result.rejected,
        "fills": len(result.fills),
        "fill_rate": share(result.fill_rate),
        "coverage": share(result.covered),
        "markets": [
            {
                "market_id": each.market,
                "title": each.title,
                "orders": each.orders,
                "fills": each.fills,
                "profit": parts_object(each.parts),
            }
            for each in result.markets
        ],
        "run_hash": result.run_hash,
    }


def table(results: Sequence[RunResult]) -> tuple[tuple[str, ...], list[list[Cell]], tuple[str, ...]]:
    """(columns, rows, columns of numbers): a line for each run. Columns that would be the same for all, or empty, are left out."""
    several = len({result.played.source for result in results}) > 1
    names = list(dict.fromkeys(name for result in results for name in result.played.parameters))
    columns = [
        "run",
        *(["recording"] if several else []),
        *names,
        "fills by",
        *SPARE,
        "orders",
        "fills",
        "fill rate",
        "covered",
        "hash",
    ]
    rows: list[list[Cell]] = []
    for result in results:
        parts, played = result.parts, result.played
        first: list[Cell] = [str(result.number)]
        if several:
            first.append(Path(played.source).name)
        first += [played.parameters.get(name) for name in names]
        amounts = (
            parts.pnl_e6,
            parts.spread_e6,
            *(parts.adverse_e6.get(horizon, 0) for horizon in (1_000, 10_000, 60_000)),
            parts.inventory_e6,
            -parts.fees_e6,
            parts.rebates_e6,
            parts.rewards_e6,
            parts.settlement_e6,
            -result.max_drawdown_e6,
        )
        rows.append(
            [
                *first,
                played.fill_model,
                *(_amount(amount) for amount in amounts),
                f"{len(result.orders):,}",
                f"{len(result.fills):,}",
                percent(result.fill_rate),
                percent(result.covered),
                result.run_hash[:8],
            ]
        )
    empty = [
        name
        for name in ("fees", "rebates", "rewards", "settled")
        if all(_plain(row[columns.index(name)]) in ("$0.00", "") for row in rows)
    ]
    kept = [index for index, name in enumerate(columns) if name not in empty]
    numbers = (*SPARE, "orders", "fills", "fill rate", "covered", "run", *names)
    return tuple(columns[index] for index in kept), [[row[index] for index in kept] for row in rows], numbers


def percent(part: float | None) -> str:
    """A share with one decimal; a dash for none."""
    return "-" if part is None else f"{part * 100:.1f} %"


def share(part: float | None) -> str | None:
    """A share to the millionth, as text."""
    return None if part is None else f"{part:.6f}"


def _amount(value_e6: int) -> Cell:
    return Styled(show_dollars(value_e6), "red") if value_e6 < 0 else show_dollars(value_e6)


def _plain(cell: Cell) -> str:
    return cell.text if isinstance(cell, Styled) else str(cell or "")
