"""``polybot opportunities``: what strategies saw, what they took, and what they refused and why."""

from __future__ import annotations

import dataclasses
import json

import click

from pipeline.base.units import format_e6
from pipeline.store.open import open_store
from pipeline.store.rows import OpportunityRow
from pipeline.store.trading import count_opportunities, list_opportunities
from polybot.cli.options import config_option, json_option, stored_db_url_option
from polybot.cli.output import Cell, Styled, print_json, print_table
from polybot.cli.trading_words import short_id, show_time, with_short_ids

_COLUMNS = ("time", "plan_id", "strategy", "kind", "market", "taken", "profit", "size", "legs", "reason")
_COLOURS = {
    "complete": "green",
    "refused": "yellow",
    "unwound": "yellow",
    "partial-held": "red",
    "expired": "red",
    "rejected": "red",
}
_COUNTS = ("strategy", "kind", "", "count", "reason")


@click.command()
@click.option("--strategy", metavar="NAME", help="Only this strategy, e.g. dutch_book.")
@click.option("--market", "market_id", metavar="MARKET_ID", help="Only this market; of a set its first one.")
@click.option("--taken", "wanted", flag_value="taken", help="Only what was taken.")
@click.option("--refused", "wanted", flag_value="refused", help="Only what was refused.")
@click.option("--summary", is_flag=True, help="Count them by strategy and reason.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many, the newest first.")
@json_option
@config_option
@stored_db_url_option
def command(
    strategy: str | None,
    market_id: str | None,
    wanted: str | None,
    summary: bool,
    limit: int,
    as_json: bool,
    config_path: object,
    db_url: str,
) -> None:
    """List what strategies saw, the newest first: taken and how it ended, or refused and why.

    Expected profit is after fees and what a missed leg would cost. `polybot audit show PLAN_ID` tells what was taken in full.

    \b
    Example:
      polybot opportunities --strategy dutch_book --db-url sqlite:///./polybot-fake.db
    """
    taken = None if wanted is None else wanted == "taken"
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        if summary:
            counts = count_opportunities(conn, strategy=strategy)
            rows = []
        else:
            counts = []
            rows = list_opportunities(conn, limit, strategy=strategy, market_id=market_id, taken=taken)
    if as_json:
        names = ("strategy", "kind", "taken", "reason", "count")
        print_json([dict(zip(names, each, strict=True)) for each in counts] if summary else [_as_object(row) for row in rows])
        return
    empty = f"No opportunities in {db_url}. `polybot up` brings some."
    if summary:
        cells: list[list[Cell]] = [
            [name, kind, "taken" if got else "refused", count, with_short_ids(why)] for name, kind, got, why, count in counts
        ]
        print_table(_COUNTS, cells, empty=empty)
        return
    print_table(_COLUMNS, [_as_cells(row) for row in rows], right=("profit", "size"), empty=empty)


def _as_cells(row: OpportunityRow) -> list[Cell]:
    told = (row.outcome or "taken") if row.taken else "refused"
    amounts: list[Cell] = [format_e6(row.expected_profit_e6), format_e6(row.size_e6), len(json.loads(row.legs or "[]"))]
    names: list[Cell] = [show_time(row.ts_ms), row.plan_id, row.strategy, row.kind, short_id(row.market_id)]
    return [*names, Styled(told, _COLOURS.get(told, "")), *amounts, with_short_ids(row.reason)]


def _as_object(row: OpportunityRow) -> dict[str, object]:
    shown: dict[str, object] = dataclasses.asdict(row)
    shown |= {"taken": bool(row.taken), "legs": json.loads(row.legs or "[]")}
    for name in ("expected_profit", "size"):
        shown[name] = format_e6(getattr(row, f"{name}_e6"))
        del shown[f"{name}_e6"]
    return shown
