"""``polybot compare``: where two runs part, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from polybot.cli.options import json_option
from polybot.cli.output import Cell, Styled, print_json, print_line, print_table, show_dollars

if TYPE_CHECKING:
    from polybot.compare import Comparison

_SHOWN_MARKETS = 8


@click.command()
@click.argument("run_a")
@click.argument("run_b")
@click.option(
    "--strategy", default="", metavar="NAME", help="Of a database only this strategy; of a backtest's run it is the only one."
)
@click.option(
    "--tolerance-ms",
    type=click.IntRange(min=0, max=3_600_000),
    help="How far apart alike orders may be. Default: 0 between backtests, 2000 with a session that ran by a clock.",
)
@json_option
def command(run_a: str, run_b: str, strategy: str, tolerance_ms: int | None, as_json: bool) -> None:
    """Show where the orders, trades and profit of RUN_A and RUN_B part first, and why.

    A run is a folder that `polybot backtest --out` wrote (of a grid: one run in it), or the database of a session, which is compared
    with a backtest of its recording. Orders are partners if they are alike and were placed at the same time, within the tolerance.

    \b
    Example:
      polybot compare results/001 results/002
      polybot compare sqlite:///./polybot-fake.db results/001 --strategy spread_capture
    """
    from pipeline.base.units import NS_PER_MS
    from polybot.compare import compare
    from polybot.compare_sources import open_side

    found = compare(
        open_side(run_a, strategy), open_side(run_b, strategy), None if tolerance_ms is None else tolerance_ms * NS_PER_MS
    )
    if as_json:
        print_json(_object(found))
    else:
        _print(found)


def _print(found: Comparison) -> None:
    from polybot.cli.trading_words import short_id
    from polybot.coverage.told import show_moment

    print_line(f"A: {found.a.label}")
    print_line(f"B: {found.b.label}")
    click.echo()
    print_table(("", "A", "B", "B - A"), _rows(found), right=("A", "B", "B - A"))
    if found.same:
        click.echo("\nNothing parts: the orders, the trades and the profit are the same.")
        return
    for parting in found.partings:
        click.echo()
        print_line(f"First at {show_moment(parting.ts_ns)} UTC, {parting.what} (market {short_id(parting.market)})")
        print_line(f"  A: {parting.a or 'none'}")
        print_line(f"  B: {parting.b or 'none'}")
        for word in parting.why:
            print_line(f"  {word}")
    click.echo("\nWhy:")
    for reason in found.reasons:
        print_line(f"  {reason}")
    if found.markets:
        click.echo()
        rows: list[list[Cell]] = [
            [short_id(name), show_dollars(one), show_dollars(two), _difference(two - one)]
            for name, one, two in found.markets[:_SHOWN_MARKETS]
        ]
        print_table(("market", "A", "B", "B - A"), rows, right=("A", "B", "B - A"))


def _rows(found: Comparison) -> list[list[Cell]]:
    a, b = found.a, found.b
    rows: list[list[Cell]] = [
        ["orders", f"{len(a.orders):,}", f"{len(b.orders):,}", f"{len(b.orders) - len(a.orders):+,}"],
        ["  without a partner", f"{found.orders.only_a:,}", f"{found.orders.only_b:,}", ""],
        ["trades", f"{len(a.fills):,}", f"{len(b.fills):,}", f"{len(b.fills) - len(a.fills):+,}"],
        ["  without a partner", f"{found.fills.only_a:,}", f"{found.fills.only_b:,}", ""],
    ]
    for name, one, two in _amounts(found):
        rows.append([name, show_dollars(one), show_dollars(two), _difference(two - one)])
    return rows


def _amounts(found: Comparison) -> list[tuple[str, int, int]]:
    a, b = found.a.parts, found.b.parts
    horizons = sorted({*a.adverse_e6, *b.adverse_e6})
    return [
        ("profit", a.pnl_e6, b.pnl_e6),
        ("  spread", a.spread_e6, b.spread_e6),
        *((f"  adverse {each // 1_000} s", a.adverse_e6.get(each, 0), b.adverse_e6.get(each, 0)) for each in horizons),
        ("  inventory", a.inventory_e6, b.inventory_e6),
        ("  fees", -a.fees_e6, -b.fees_e6),
        ("estimated rebates", a.rebates_e6, b.rebates_e6),
        ("estimated rewards", a.rewards_e6, b.rewards_e6),
        ("of it settled", a.settlement_e6, b.settlement_e6),
    ]


def _difference(value_e6: int) -> Cell:
    text = show_dollars(value_e6)
    return Styled(text if text.startswith("-") else f"+{text}", "red" if value_e6 < 0 else "")


def _object(found: Comparison) -> dict[str, Any]:
    from pipeline.base.units import format_e6
    from polybot.backtest.told import parts_object

    return {
        "same": found.same,
        "a": {
            "run": found.a.label,
            "orders": len(found.a.orders),
            "fills": len(found.a.fills),
            "profit": parts_object(found.a.parts),
        },
        "b": {
            "run": found.b.label,
            "orders": len(found.b.orders),
            "fills": len(found.b.fills),
            "profit": parts_object(found.b.parts),
        },
        "made_differently": [{"what": name, "a": one, "b": two} for name, one, two in found.facts],
        "orders": {"both": found.orders.both, "only_a": found.orders.only_a, "only_b": found.orders.only_b},
        "fills": {"both": found.fills.both, "only_a": found.fills.only_a, "only_b": found.fills.only_b},
        "partings": [
            {"what": each.what, "ts_ns": each.ts_ns, "market_id": each.market, "a": each.a, "b": each.b, "why": list(each.why)}
            for each in found.partings
        ],
        "why": found.reasons,
        "markets": [{"market_id": name, "a": format_e6(one), "b": format_e6(two)} for name, one, two in found.markets],
    }
