"""What earlier lives recorded of intents, orders and trades, folded into an empty ledger of intents."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.records import FillRecord, OrderIntent, OrderRecord
from pipeline.trading.intents import IntentLedger
from pipeline.trading.orders import TERMINAL


def recover(intents: IntentLedger, records: Iterable[Message]) -> int:
    """Fold records in their order, a checkpoint first if there is one; returns the time of the last, 0 without any."""
    heard_ns = 0
    for record in records:
        heard_ns = max(heard_ns, record.ts_ns)
        match record:
            case OrderIntent():
                intents.prepare(record)
            case OrderRecord():
                _status(intents, record.client_order_id, record.status)
            case FillRecord():
                _fill(intents, record)
            case Checkpoint():
                for known in record.intents:
                    intents.prepare(known)
                for fill in record.fills:
                    _fill(intents, fill)
                for order in (*record.open, *record.ended):
                    _status(intents, order.client_order_id, order.status)
    return heard_ns


def _status(intents: IntentLedger, name: str, status: str) -> None:
    """An order stood so: what was not answered by then may have left all the same."""
    intent = intents.named(name)
    if intent is None:
        return
    intent.sends = 1
    if status == "rejected":
        intent.on("refuse")
    elif status != "submitted":
        intent.on("lose")
        if status != "unknown":
            intent.on("acknowledge")
    intent.told_end = intent.told_end or status in TERMINAL


def _fill(intents: IntentLedger, record: FillRecord) -> None:
    intent = intents.named(record.client_order_id)
    if intent is not None:
        intents.trade(intent, record.reverses or record.trade_id, record.size_e6, record.status, record.ts_ns)
