"""``polybot audit``: executed decisions: what was seen, intended and answered, and how long it took."""

from __future__ import annotations

import dataclasses
import json

import click

from pipeline.base.errors import BadInput
from pipeline.base.units import format_e6
from pipeline.store.markets import names_of
from pipeline.store.open import open_store
from pipeline.store.rows import AuditRow
from pipeline.store.trading import list_audits
from polybot.cli.audit_page import ids_in, page
from polybot.cli.options import config_option, json_option, stored_db_url_option
from polybot.cli.output import Cell, Styled, print_json, print_line, print_table
from polybot.cli.trading_words import is_simulated, short_id, show_time

_COLUMNS = ("time", "plan_id", "strategy", "mode", "market", "intents", "acks", "duration_ms", "outcome", "reason")
_COLOURS = {
    "complete": "green",
    "partial": "yellow",
    "unwound": "yellow",
    "expired": "yellow",
    "partial-held": "red",
    "rejected": "red",
}


@click.group()
def command() -> None:
    """Show executed decisions: what was seen, intended and answered, and how long it took.

    \b
    Example:
      polybot audit list --db-url sqlite:///./polybot-fake.db
      polybot audit show 0fdb964e8225e0a1
    """


@command.command("list")
@click.option("--market", "market_id", metavar="MARKET_ID", help="Only this market.")
@click.option("--strategy", metavar="NAME", help="Only this strategy.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many, the newest first.")
@json_option
@config_option
@stored_db_url_option
def list_command(
    market_id: str | None, strategy: str | None, limit: int, as_json: bool, config_path: object, db_url: str
) -> None:
    """List executed decisions, the newest first.

    \b
    Example:
      polybot audit list --strategy spread_capture --limit 10
    """
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        audits = list_audits(conn, limit, strategy=strategy, market_id=market_id)
    if as_json:
        print_json([_as_object(audit) for audit in audits])
        return
    print_table(_COLUMNS, [_as_cells(audit) for audit in audits], empty=f"No decisions in {db_url}. `polybot up` makes some.")


@command.command("show")
@click.argument("plan_id")
@json_option
@config_option
@stored_db_url_option
def show_command(plan_id: str, as_json: bool, config_path: object, db_url: str) -> None:
    """Tell one decision as a page: why, what was seen, and each command with its times, in milliseconds after the decision.

    "at the executor" is when a command came there, "sent" when it left for the venue, and the last is the venue's answer.

    \b
    Example:
      polybot audit show 0fdb964e8225e0a1 --db-url sqlite:///./polybot-fake.db
    """
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        audits = list_audits(conn, plan_id=plan_id)
        names = names_of(conn, {name for audit in audits for name in ids_in(audit)})
    if not audits:
        raise BadInput(f"plan {plan_id}: not in {db_url}; `polybot audit list` shows those that are")
    if as_json:
        print_json([_as_object(audit) for audit in audits])
        return
    for audit in audits:
        for line in page(audit, names):
            print_line(line)


def _as_object(audit: AuditRow) -> dict[str, object]:
    shown: dict[str, object] = dataclasses.asdict(audit)
    shown |= {"intents": json.loads(audit.intents), "acks": json.loads(audit.acks)}
    shown |= {"seen": json.loads(audit.seen) if audit.seen else {}, "simulated": is_simulated(audit.mode)}
    shown["expected_profit"] = format_e6(audit.expected_profit_e6)
    del shown["expected_profit_e6"]
    return shown


def _as_cells(audit: AuditRow) -> list[Cell]:
    outcome = Styled(audit.outcome, _COLOURS.get(audit.outcome, ""))
    names: list[Cell] = [show_time(audit.ts_ms), audit.plan_id, audit.strategy, audit.mode, short_id(audit.market_id)]
    return [*names, len(json.loads(audit.intents)), len(json.loads(audit.acks)), audit.duration_ms, outcome, audit.reason]
