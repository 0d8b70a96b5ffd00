"""One decision as a page that a trader reads: what, when, why, what was seen, each step with its times, and how a plan of legs ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pipeline.base.units import format_e6
from pipeline.store.rows import AuditRow
from polybot.cli.trading_words import money_of, short_id, show_time, with_short_ids

Names = Mapping[str, str]
"""Market id or token id -> what a person calls it."""


def page(audit: AuditRow, names: Names) -> list[str]:
    """The lines that tell one decision. Times are milliseconds after it was made."""
    label = f" ({money_of(audit.mode)})"
    acks = json.loads(audit.acks)
    ends = [ack for ack in acks if ack["action"] == "end"]
    why = audit.reason
    for end in ends:
        why = why.removesuffix(f"; {end['reason']}")
    expected = f"{format_e6(audit.expected_profit_e6)} USDC{label}" if audit.expected_profit_e6 else "-"
    event = json.loads(audit.seen).get("event") if audit.seen else None
    where = f"event     {event}" if event else f"market    {_called(audit.market_id, names) if audit.market_id else 'all'}"
    return [
        f"Plan {audit.plan_id} of {audit.strategy}, mode {audit.mode}",
        f"  {where}",
        f"  at        {show_time(audit.ts_ms)} UTC, {audit.duration_ms} ms from the decision to the last answer",
        f"  why       {with_short_ids(why) or '-'}",
        f"  expected  {expected}",
        f"  outcome   {audit.outcome}",
        "  seen",
        *(f"    {line}" for line in _seen(audit.seen, names)),
        "  steps, with ms after the decision",
        *(f"    {line}" for line in _steps(json.loads(audit.intents), [ack for ack in acks if ack["action"] != "end"], names)),
        *(f"  {line}" for end in ends for line in _ended(end, names, label)),
    ]


def ids_in(audit: AuditRow) -> set[str]:
    """Every market and token that the page names."""
    seen: dict[str, Any] = json.loads(audit.seen) if audit.seen else {}
    found = {audit.market_id, *(book["token_id"] for book in seen.get("books", []))}
    for said in (*json.loads(audit.intents), *json.loads(audit.acks)):
        legs = said.get("legs")
        for each in (said, *(legs if isinstance(legs, list) else ())):
            found |= {each[key] for key in ("token_id", "market") if key in each}
    return found - {""}


def _called(name: str, names: Names) -> str:
    """What a person calls it, with the id cut short."""
    return f"{names[name]} ({short_id(name)})" if name in names else short_id(name)


def _seen(text: str, names: Names) -> list[str]:
    """One line a book, then what was held."""
    seen: dict[str, Any] = json.loads(text) if text else {}
    lines = []
    for book in seen.get("books", []):
        bid, ask = (" x ".join(book[side]) or "none" for side in ("bid", "ask"))
        proof = f", hash {book['hash']}" if book["hash"] else ""
        lines.append(f"{_called(book['token_id'], names)}: bid {bid}, ask {ask}, {book['state']}, book {book['seq']}{proof}")
    if "form" in seen:
        lines += _set_seen(seen)
    elif "inventory" in seen:
        lines.append(f"held: {seen['inventory']}, of the other outcome {seen.get('other_inventory', '0')}")
    elif "pairs" in seen:
        lines.append(f"held and not offered: {seen['pairs']} pairs of both outcomes")
    lately = [f"{name} {seen[name]}" for name in ("jump", "volatility", "markout") if name in seen]
    if lately:
        lines.append(f"lately: {', '.join(lately)} a share")
    if "reward_shares" in seen:
        lines.append(f"estimated part of the reward score: {', '.join(seen['reward_shares'])}")
    return lines or ["-"]


def _set_seen(seen: dict[str, Any]) -> list[str]:
    """The money of a set of several legs."""
    lines = [
        f"the venue was {seen['venue']}",
        f"{seen['sets']} sets cost {seen['cost']} with fees and pay at least {seen['pays_at_least']}",
        f"profit {seen['profit']}, less {seen['cost_of_a_missed_leg']} for a leg that may be missed",
    ]
    if seen["annual_return"] is not None:
        lines.append(f"return until the event ends: {format_percent(Decimal(seen['annual_return']))} a year")
    return lines


def format_percent(part: Decimal) -> str:
    """A part as percent, to a hundredth of one."""
    return f"{(part * 100).quantize(Decimal('0.01'))} %"


def _steps(intents: list[dict[str, Any]], acks: list[dict[str, Any]], names: Names) -> Iterator[str]:
    """Each command with its way: what was asked for, then when it was here, when it left, and what was answered."""
    left = list(acks)
    for intent in intents:
        key = (intent["action"], intent.get("client_order_id"))
        ack = next((ack for ack in left if (ack["action"], ack.get("client_order_id")) == key), None)
        if ack is not None:
            left.remove(ack)
        yield _intent(intent, names)
        yield f"  {_way(intent, ack)}"
    for ack in left:
        yield f"{ack['action']} {ack.get('client_order_id', '')}: {_answer(ack)}"


def _intent(intent: dict[str, Any], names: Names) -> str:
    match intent["action"]:
        case "place":
            post_only = ", post-only" if intent["post_only"] else ""
            what = f"{intent['side']} {intent['size']} of {_called(intent['token_id'], names)} at {intent['price']}"
            return f"{what}, {intent['order_type']}{post_only}: order {intent['client_order_id']}"
        case "cancel":
            return f"cancel order {intent['client_order_id']}"
        case "merge":
            return f"merge {intent['size']} pairs of {_called(intent['market'], names)} into dollars"
        case "convert":
            return f"convert {intent['size']} NO shares of each of {intent['legs']} markets into dollars, for {intent['cost']}"
        case _:
            return f"cancel all orders {'of ' + _called(intent['market'], names) if intent['market'] else 'in every market'}"


def _way(intent: dict[str, Any], ack: dict[str, Any] | None) -> str:
    parts = [f"at the executor {intent['after_ms']}"] if "after_ms" in intent else []
    if ack is None:
        return ", ".join([*parts, "no answer"])
    if "sent_after_ms" in ack:
        parts.append(f"sent {ack['sent_after_ms']}")
    return ", ".join([*parts, _answer(ack)])


def _answer(ack: dict[str, Any]) -> str:
    word = ack["status"].replace("_", " ")
    if ack["action"] == "cancel" and ack["status"] == "matched":
        word = "too late, matched"
    filled = f" ({ack['filled']} filled)" if "filled" in ack else ""
    reason = f": {with_short_ids(ack['reason'])}" if "reason" in ack else ""
    return f"{word} {ack['after_ms']}{filled}{reason}"


def _ended(end: dict[str, Any], names: Names, label: str) -> list[str]:
    """How a plan of several legs ended, and what is left of each."""
    lines = [
        f"ended       {end['status']} after {end['after_ms']} ms: {with_short_ids(end['reason'])}",
        f"  result    {end['result']} USDC at the worst resolution covered{label}",
    ]
    for leg in end["legs"]:
        money = f"spent {leg['spent']}, earned {leg['earned']}"
        lines.append(f"  {_called(leg['token_id'], names)}: {leg['held']} of {leg['planned']} held, {money}")
    return lines
