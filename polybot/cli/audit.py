"""``polybot audit``: executed decisions: what was seen, intended and answered, and how long it took."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from pipeline.base.errors import BadInput
from pipeline.base.units import format_e6
from pipeline.store.open import open_store
from pipeline.store.rows import AuditRow
from pipeline.store.trading import list_audits
from polybot.cli.options import config_option, json_option, stored_db_url_option
from polybot.cli.output import Cell, Styled, print_json, print_line, print_table
from polybot.cli.trading_words import is_simulated, money_of, short_id, show_time

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
    """Tell one decision as a page.

    \b
    Example:
      polybot audit show 0fdb964e8225e0a1 --db-url sqlite:///./polybot-fake.db
    """
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        audits = list_audits(conn, plan_id=plan_id)
    if not audits:
        raise BadInput(f"plan {plan_id}: not in {db_url}; `polybot audit list` shows those that are")
    if as_json:
        print_json([_as_object(audit) for audit in audits])
        return
    for audit in audits:
        for line in page(audit):
            print_line(line)


def page(audit: AuditRow) -> list[str]:
    """The lines that tell one decision: when, why, what was seen, what was done, what came back, and how a plan of several legs ended."""
    label = f" ({money_of(audit.mode)})"
    acks = json.loads(audit.acks)
    ends = [ack for ack in acks if ack["action"] == "end"]
    return [
        f"Plan {audit.plan_id} of {audit.strategy}, mode {audit.mode}, market {audit.market_id or '-'}",
        f"  at        {show_time(audit.ts_ms)} UTC, {audit.duration_ms} ms from the decision to the last answer",
        f"  why       {audit.reason or '-'}",
        f"  expected  {format_e6(audit.expected_profit_e6)} USDC{label}",
        f"  outcome   {audit.outcome}",
        "  seen",
        *(f"    {line}" for line in _seen(audit.seen)),
        "  intended",
        *(f"    {_intent(intent)}{_after(intent)}" for intent in json.loads(audit.intents)),
        "  answered",
        *(f"    {_ack(ack)}" for ack in acks if ack["action"] != "end"),
        *(f"  {line}" for end in ends for line in _ended(end, label)),
    ]


def _seen(text: str) -> list[str]:
    """One line a book, then what was held."""
    if not text:
        return ["-"]
    seen: dict[str, Any] = json.loads(text)
    lines = []
    for book in seen.get("books", []):
        bid, ask = (" x ".join(book[side]) or "none" for side in ("bid", "ask"))
        proof = f", hash {book['hash']}" if book["hash"] else ""
        lines.append(f"{short_id(book['token_id'])}: bid {bid}, ask {ask}, {book['state']}, book {book['seq']}{proof}")
    if "form" in seen:
        lines += _set_seen(seen)
    elif "inventory" in seen:
        lines.append(f"held: {seen['inventory']}, of the other outcome {seen.get('other_inventory', '0')}")
    lately = [f"{name} {seen[name]}" for name in ("jump", "volatility", "markout") if name in seen]
    if lately:
        lines.append(f"lately: {', '.join(lately)} a share")
    if "reward_shares" in seen:
        lines.append(f"estimated part of the reward score: {', '.join(seen['reward_shares'])}")
    return lines


def _set_seen(seen: dict[str, Any]) -> list[str]:
    """The money of a set of several legs."""
    lines = [
        f"event: {seen['event']}, venue {seen['venue']}",
        f"{seen['sets']} sets cost {seen['cost']} with fees and pay at least {seen['pays_at_least']}",
        f"profit {seen['profit']}, less {seen['cost_of_a_missed_leg']} for a leg that may be missed",
    ]
    if seen["annual_return"] is not None:
        lines.append(f"return a year until the event ends: {seen['annual_return']}")
    return lines


def _ended(end: dict[str, Any], label: str) -> list[str]:
    """How a plan of several legs ended, and what is left of each."""
    lines = [
        f"ended       {end['status']} after {end['after_ms']} ms: {end['reason']}",
        f"  worth     {end['result']} USDC at worst{label}",
    ]
    for leg in end["legs"]:
        money = f"spent {leg['spent']}, earned {leg['earned']}"
        lines.append(
            f"  {short_id(leg['token_id'])} of {short_id(leg['market'])}: {leg['held']} of {leg['planned']} held, {money}"
        )
    return lines


def _intent(intent: dict[str, Any]) -> str:
    if intent["action"] == "place":
        post_only = ", post-only" if intent["post_only"] else ""
        what = f"{intent['side']} {intent['size']} of {short_id(intent['token_id'])} at {intent['price']}"
        return f"place {intent['client_order_id']}: {what}, {intent['order_type']}{post_only}"
    if intent["action"] == "cancel":
        return f"cancel {intent['client_order_id']}"
    if intent["action"] == "merge":
        return f"merge {intent['size']} pairs of {short_id(intent['market'])}"
    if intent["action"] == "convert":
        return f"convert {intent['size']} NO shares of each of {intent['legs']} markets, which costs {intent['cost']}"
    return f"cancel all of {intent['market'] or 'every market'}"


def _after(intent: dict[str, Any]) -> str:
    """When the executor had it, counted from the decision."""
    return f" (at the executor after {intent['after_ms']} ms)" if "after_ms" in intent else ""


def _ack(ack: dict[str, Any]) -> str:
    sent = f" sent after {ack['sent_after_ms']} ms," if "sent_after_ms" in ack else ""
    filled = f", {ack['filled']} filled" if "filled" in ack else ""
    reason = f": {ack['reason']}" if "reason" in ack else ""
    name = f" {ack['client_order_id']}" if "client_order_id" in ack else ""
    return f"{ack['action']}{name}{sent} {ack['status']} after {ack['after_ms']} ms{filled}{reason}"


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
