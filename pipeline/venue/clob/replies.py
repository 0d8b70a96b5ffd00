"""What the venue's answers to orders, cancels and heartbeats mean. Pure; an answer that tells nothing for certain is ``unknown``.

Source: post-order, cancel and heartbeat pages, seen 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from pipeline.base.nesting import nests_too_deeply
from pipeline.venue.refusals import Refusal, refusal_of

Placed = Literal["live", "matched", "delayed", "unmatched"]
"""Rests; traded at least partly; is held back; was to trade, waited, and rests."""
_PLACED: tuple[Placed, ...] = ("live", "matched", "delayed", "unmatched")
_TEXT_LENGTH = 500


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of one order: taken (``status``), refused (``refusal``), or neither is certain (``unknown`` says why).

    An unknown order is looked up by its hash; a refusal with code ``duplicate`` says that the venue has taken it before.
    """

    status: Placed | None = None
    venue_order_id: str = ""
    trade_ids: tuple[str, ...] = ()
    refusal: Refusal | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class CancelOutcome:
    """Which orders were cancelled and which not, and why; or a ``refusal`` of all; or nothing is certain (``unknown`` says why)."""

    cancelled: tuple[str, ...] = ()
    not_cancelled: Mapping[str, str] = field(default_factory=dict)
    refusal: Refusal | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class HeartbeatOutcome:
    """The id for the next heartbeat. ``accepted`` False with an id: the venue expects that one, so send it at once."""

    accepted: bool
    heartbeat_id: str = ""
    refusal: Refusal | None = None


def decode_order_reply(status: int, body: bytes, count: int, retry_after_s: str = "") -> list[OrderOutcome]:
    """One outcome for each of ``count`` orders, in their order, from the answer to ``POST /order`` or ``/orders``.

    ``status`` 0: no answer came. An error of the server (5xx but 503) may have come after the order was taken, unless its words say
    that it was refused. In a batch an entry with a message and without an order id is a refusal, whatever ``success`` says.
    """
    if not 200 <= status < 300:
        doubt = _doubt(status, body, retry_after_s)
        return [doubt] * count
    told = parsed(body)
    entries = told if isinstance(told, list) else [told]
    if len(entries) != count:
        return [OrderOutcome(unknown=f"the answer tells of {len(entries)} orders, not of {count}")] * count
    return [_outcome(entry) for entry in entries]


def decode_cancel_reply(status: int, body: bytes, retry_after_s: str = "") -> CancelOutcome:
    """The answer to any of the four cancels. It is 200 also where nothing was cancelled."""
    if not 200 <= status < 300:
        if _is_uncertain(status):
            return CancelOutcome(unknown=_no_answer(status, body))
        return CancelOutcome(refusal=_refusal(status, body, retry_after_s))
    told = parsed(body)
    if not isinstance(told, dict):
        return CancelOutcome(unknown="the answer is no JSON object")
    cancelled = told.get("canceled") or ()
    refused = told.get("not_canceled") or {}
    if not isinstance(cancelled, (list, tuple)) or not isinstance(refused, dict):
        return CancelOutcome(unknown="the answer has no lists of orders")
    return CancelOutcome(tuple(map(str, cancelled)), {str(key): str(why)[:_TEXT_LENGTH] for key, why in refused.items()})


def decode_heartbeat_reply(status: int, body: bytes, retry_after_s: str = "") -> HeartbeatOutcome:
    """The answer to ``POST /v1/heartbeats``. After a wrong id the venue tells the one it expects."""
    told = parsed(body)
    heartbeat_id = str(told.get("heartbeat_id") or "") if isinstance(told, dict) else ""
    if 200 <= status < 300:
        return HeartbeatOutcome(True, heartbeat_id)
    return HeartbeatOutcome(False, heartbeat_id if status == 400 else "", _refusal(status, body, retry_after_s))


def _outcome(entry: Any) -> OrderOutcome:
    """One entry of an answer with status 200."""
    if not isinstance(entry, dict):
        return OrderOutcome(unknown="the answer is no JSON object")
    order_id, message = str(entry.get("orderID") or ""), str(entry.get("errorMsg") or entry.get("error") or "")[:_TEXT_LENGTH]
    if (message and not order_id) or entry.get("success") is False:
        words = msgspec.json.encode({"error": message or "refused without a word"}).decode()
        return OrderOutcome(refusal=refusal_of(400, words), venue_order_id=order_id)
    status = str(entry.get("status") or "").lower()
    placed = next((word for word in _PLACED if word == status), None)
    if not order_id or placed is None:
        return OrderOutcome(venue_order_id=order_id, unknown=f"the answer's status is {status[:40]!r}")
    trades = entry.get("tradeIDs") or ()
    return OrderOutcome(placed, order_id, tuple(map(str, trades)) if isinstance(trades, list) else ())


def _doubt(status: int, body: bytes, retry_after_s: str) -> OrderOutcome:
    """An answer that is no success: a refusal, unless the order may have been taken all the same."""
    if not _is_uncertain(status):
        return OrderOutcome(refusal=_refusal(status, body, retry_after_s))
    refusal = _refusal(status, body, retry_after_s)
    if status and refusal.code != "internal":
        return OrderOutcome(refusal=refusal)
    return OrderOutcome(unknown=_no_answer(status, body))


def _is_uncertain(status: int) -> bool:
    """Whether what was asked may have happened although the answer is no success."""
    return status < 200 or 300 <= status < 400 or status == 408 or (status >= 500 and status != 503)


def _no_answer(status: int, body: bytes) -> str:
    return f"HTTP {status}: {body.decode(errors='replace')[:200]}".strip(": ") if status else "no answer"


def _refusal(status: int, body: bytes, retry_after_s: str) -> Refusal:
    text = "" if nests_too_deeply(body) else body.decode(errors="replace")
    told = refusal_of(status, text, retry_after_s)
    return told if len(told.text) <= _TEXT_LENGTH else Refusal(told.code, told.text[:_TEXT_LENGTH], told.retry_after_ms)


def parsed(body: bytes) -> Any:
    """The parsed body; None for anything that is no JSON."""
    if nests_too_deeply(body):
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
