"""A journal's records as lines that a person reads, and as objects: dollars and shares as decimals, one line a record."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.base.units import NS_PER_MS, format_e6
from pipeline.bus.journal_reading import Line
from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.records import AuditRecord, FillRecord, HaltRecord, OrderIntent, OrderRecord
from polybot.cli.trading_words import short_id, show_time

KINDS: dict[str, type[Message]] = {
    "order": OrderRecord,
    "intent": OrderIntent,
    "fill": FillRecord,
    "audit": AuditRecord,
    "halt": HaltRecord,
    "checkpoint": Checkpoint,
}
_NAMES = {kind: name for name, kind in KINDS.items()}


def kind_of(message: Message) -> str:
    """What a record is called here."""
    return _NAMES.get(type(message), type(message).__name__)


def text_line(line: Line, committed: bool | None) -> str:
    """Time, number, kind, what it says, whether the database has it, and its segment."""
    number = f"#{line.seq}" if line.is_record else f"after #{line.seq}"
    known = (
        {True: "committed", False: "not committed", None: "commit unknown"}[committed]
        if line.is_record
        else "stays in the journal"
    )
    time = show_time(line.message.ts_ns // NS_PER_MS)
    return f"{time}  {number:<9} {kind_of(line.message):<10}  {described(line.message)}  [{known}, segment {line.segment.number}]"


def object_of(line: Line, committed: bool | None) -> dict[str, Any]:
    """The same with every field of the record; ``_e6`` are millionths."""
    told = {"seq": line.seq, "kind": kind_of(line.message), "committed": committed if line.is_record else None}
    told |= {"segment": line.segment.number, "file": str(line.segment.path), "journal": line.segment.journal_id}
    if isinstance(line.message, Checkpoint):
        return told | {"ts_ns": line.message.ts_ns, "holds": counts_of(line.message)}
    return told | {name: getattr(line.message, name) for name in line.message.__struct_fields__}


def counts_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """How much of what a checkpoint holds."""
    sized = ("open", "ended", "holdings", "fills", "unconfirmed", "intents", "plans")
    told: dict[str, Any] = {name: len(getattr(checkpoint, name)) for name in sized}
    return told | {"day_result_e6": checkpoint.day_result_e6, "halt": checkpoint.halt, "counters": checkpoint.counters}


def described(message: Message) -> str:
    """What a record says, in words."""
    match message:
        case OrderRecord():
            told = f"{message.client_order_id} {message.status}: {_order(message)}, filled {format_e6(message.filled_e6)}"
            return told + _given(plan=message.plan_id, venue=short_id(message.venue_order_id), reason=message.reason)
        case OrderIntent():
            told = f"{message.client_order_id}: {_order(message)}, signed as {short_id(message.venue_order_id)}"
            return told + ("" if message.body else ", body no longer kept")
        case FillRecord():
            told = f"{message.trade_id} of {message.client_order_id} {message.status}: {_traded(message)}"
            told += f" = {_dollars(message.notional_e6)}, fee {_dollars(message.fee_e6)}, {message.liquidity}"
            return told + _given(reverses=message.reverses)
        case AuditRecord():
            told = f"{message.plan_id} of {message.strategy} {message.outcome} in {message.duration_ms} ms"
            return told + _given(market=short_id(message.market), reason=message.reason)
        case HaltRecord():
            return f"trading {'halted' if message.halted else 'resumed'}" + _given(reason=message.reason)
        case Checkpoint():
            counts = counts_of(message)
            names = {
                "open": "open orders",
                "ended": "ended orders",
                "holdings": "positions",
                "fills": "fills",
                "intents": "intents",
            }
            told = ", ".join(f"{counts[name]:,} {word}" for name, word in names.items())
            cash = sum(holding.cash_e6 for holding in message.holdings)
            halt = "" if message.halt is None else f", halted: {message.halt}"
            return f"{told}; cash {_dollars(cash)}, day {_dollars(message.day_result_e6)}{halt}"
    return msgspec.json.encode(message).decode()


def _order(record: OrderRecord | OrderIntent) -> str:
    return f"{_traded(record)} {record.order_type}{' post-only' if record.post_only else ''}"


def _traded(record: OrderRecord | OrderIntent | FillRecord) -> str:
    shares = f"{record.side} {format_e6(record.size_e6)} shares at {_dollars(record.price_e6)}"
    return f"{shares} of {short_id(record.token_id)}"


def _dollars(amount_e6: int) -> str:
    return f"{'-' if amount_e6 < 0 else ''}${format_e6(abs(amount_e6))}"


def _given(**words: str) -> str:
    return "".join(f"; {name.replace('_', ' ')} {word}" for name, word in words.items() if word)
