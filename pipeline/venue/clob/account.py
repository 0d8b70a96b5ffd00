"""Orders and trades of one's own account as the venue tells them: pages of ``GET /data/…``, and frames of the user channel. Pure.

The two write the same things differently (prefixes, times, empty texts for numbers); here they are one. Source: order-lifecycle and
user-channel pages, nautilus test data, seen 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pipeline.base.errors import BadFrame
from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.messages.market import Side
from pipeline.messages.orders import TradeStatus
from pipeline.venue.clob.replies import parsed
from pipeline.venue.numbers import LATEST_MS, number_e6
from pipeline.venue.refusals import Refusal, refusal_of

FIRST_PAGE = "MA=="
"""The cursor of a first page."""
_LAST_PAGE = ("LTE=", "")

OrderState = Literal["live", "matched", "delayed", "unmatched", "cancelled", "invalid"]
_TRADE_STATES: dict[str, TradeStatus] = {
    "MATCHED": "matched",
    "MATCHED_NOT_BROADCASTED": "matched",
    "MINED": "mined",
    "CONFIRMED": "confirmed",
    "RETRYING": "retrying",
    "FAILED": "failed",
}
_ORDER_STATES: dict[str, OrderState] = {
    "LIVE": "live",
    "MATCHED": "matched",
    "DELAYED": "delayed",
    "UNMATCHED": "unmatched",
    "INVALID": "invalid",
}


@dataclass(frozen=True, slots=True)
class OrderReport:
    """One order as the venue holds it. ``original_e6`` of a FOK or FAK that buys is money, not shares. ``reason`` of a cancel, or ""."""

    venue_order_id: str
    state: OrderState
    token_id: str
    market: str
    side: Side
    price_e6: int
    original_e6: int
    matched_e6: int
    order_type: str = ""
    owner: str = ""
    reason: str = ""
    trade_ids: tuple[str, ...] = ()
    venue_ns: int = 0


@dataclass(frozen=True, slots=True)
class MakerLeg:
    """One resting order that a trade met. ``side`` is None where the venue leaves it out."""

    venue_order_id: str
    owner: str
    token_id: str
    size_e6: int
    price: str
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class TradeReport:
    """One trade in one stage of its life. Price, side and token are the taker's; ``price`` is text, for an average may have many digits."""

    trade_id: str
    status: TradeStatus
    taker_order_id: str
    token_id: str
    market: str
    side: Side
    size_e6: int
    price: str
    owner: str
    trader_side: Literal["TAKER", "MAKER", ""]
    legs: tuple[MakerLeg, ...]
    transaction_hash: str = ""
    venue_ns: int = 0


Report = TypeVar("Report", OrderReport, TradeReport)


@dataclass(frozen=True, slots=True)
class Page(Generic[Report]):
    """Part of a list. ``next_cursor`` is "" after the last; ``refusal`` or ``unknown`` where there is no page."""

    items: tuple[Report, ...] = ()
    next_cursor: str = ""
    refusal: Refusal | None = None
    unknown: str = ""


def decode_open_orders(status: int, body: bytes, retry_after_s: str = "") -> Page[OrderReport]:
    """An answer to ``GET /data/orders``."""
    return _page(status, body, retry_after_s, order_report)


def decode_trades(status: int, body: bytes, retry_after_s: str = "") -> Page[TradeReport]:
    """An answer to ``GET /data/trades``."""
    return _page(status, body, retry_after_s, trade_report)


def decode_order(status: int, body: bytes, retry_after_s: str = "") -> Page[OrderReport]:
    """An answer to ``GET /data/order/{id}``: no item, and neither refusal nor doubt, means that the venue has no such order."""
    told = parsed(body)
    if status == 404 or (status == 200 and body.strip() in (b"", b"null")):
        return Page()
    if status != 200:
        return _failed(status, body, retry_after_s)
    try:
        return Page((order_report(told),))
    except BadFrame as error:
        return Page(unknown=str(error))


def decode_user_frame(data: bytes) -> list[OrderReport | TradeReport]:
    """A frame of the user channel. Heartbeats and events of other names tell nothing. Raises BadFrame."""
    if data.strip() in (b"PONG", b"PING", b""):
        return []
    told = parsed(data)
    if told is None:
        raise BadFrame("a frame of the user channel is no JSON")
    found: list[OrderReport | TradeReport] = []
    for event in told if isinstance(told, list) else [told]:
        kind = event.get("event_type") if isinstance(event, dict) else None
        if kind == "order":
            found.append(order_report(event))
        elif kind == "trade" or (kind is None and isinstance(event, dict) and event.get("type") == "TRADE"):
            found.append(trade_report(event))
    return found


def order_report(told: Any) -> OrderReport:
    """One order. Raises BadFrame for what is none."""
    if not isinstance(told, dict):
        raise BadFrame("an order is no JSON object")
    state, reason = _order_state(_text(told, "status"), _text(told, "type"))
    trades = told.get("associate_trades") or ()
    return OrderReport(
        venue_order_id=_needed(told, "id"),
        state=state,
        token_id=_text(told, "asset_id"),
        market=_text(told, "market"),
        side=_side(_needed(told, "side")),
        price_e6=number_e6(_text(told, "price") or "0"),
        original_e6=number_e6(_text(told, "original_size") or "0"),
        matched_e6=number_e6(_text(told, "size_matched") or "0"),
        order_type=_text(told, "order_type"),
        owner=_text(told, "owner"),
        reason=reason,
        trade_ids=tuple(map(str, trades)) if isinstance(trades, list) else (),
        venue_ns=time_ns(_text(told, "timestamp") or _text(told, "created_at")),
    )


def trade_report(told: Any) -> TradeReport:
    """One trade. Raises BadFrame for what is none."""
    if not isinstance(told, dict):
        raise BadFrame("a trade is no JSON object")
    status = _needed(told, "status").upper().removeprefix("TRADE_STATUS_")
    if status not in _TRADE_STATES:
        raise BadFrame(f"trade status {status[:60]!r} is unknown")
    side = _text(told, "trader_side").upper()
    legs = told.get("maker_orders") or []
    if not isinstance(legs, list):
        raise BadFrame("maker_orders is no list")
    return TradeReport(
        trade_id=_needed(told, "id"),
        status=_TRADE_STATES[status],
        taker_order_id=_text(told, "taker_order_id"),
        token_id=_text(told, "asset_id"),
        market=_text(told, "market"),
        side=_side(_needed(told, "side")),
        size_e6=number_e6(_text(told, "size") or "0"),
        price=_text(told, "price") or "0",
        owner=_text(told, "trade_owner") or _text(told, "owner"),
        trader_side="TAKER" if side == "TAKER" else "MAKER" if side == "MAKER" else "",
        legs=tuple(map(_leg, legs)),
        transaction_hash=_text(told, "transaction_hash"),
        venue_ns=time_ns(_text(told, "match_time") or _text(told, "matchtime") or _text(told, "timestamp")),
    )


def time_ns(text: str) -> int:
    """A time in seconds or milliseconds since 1970; 0 for an empty text, an ISO time or anything else."""
    if not (text.isascii() and text.isdigit()) or len(text) > 13 or int(text) > LATEST_MS:
        return 0
    return int(text) * (NS_PER_MS if len(text) > 11 else NS_PER_S)


def _leg(told: Any) -> MakerLeg:
    if not isinstance(told, dict):
        raise BadFrame("a maker order is no JSON object")
    side = _text(told, "side")
    return MakerLeg(
        venue_order_id=_needed(told, "order_id"),
        owner=_text(told, "owner"),
        token_id=_text(told, "asset_id"),
        size_e6=number_e6(_needed(told, "matched_amount")),
        price=_needed(told, "price"),
        side=_side(side) if side else None,
    )


def _page(status: int, body: bytes, retry_after_s: str, read: Callable[[Any], Report]) -> Page[Report]:
    if status != 200:
        return _failed(status, body, retry_after_s)
    told = parsed(body)
    items = told.get("data") if isinstance(told, dict) else told
    if not isinstance(items, list):
        return Page(unknown="the answer has no list")
    cursor = str(told.get("next_cursor") or "") if isinstance(told, dict) else ""
    try:
        return Page(tuple(read(item) for item in items), "" if cursor in _LAST_PAGE else cursor)
    except BadFrame as error:
        return Page(unknown=str(error))


def _failed(status: int, body: bytes, retry_after_s: str) -> Page[Any]:
    if not status:
        return Page(unknown="no answer")
    return Page(refusal=refusal_of(status, body.decode(errors="replace")[:2_000], retry_after_s))


def _order_state(status: str, kind: str) -> tuple[OrderState, str]:
    """(state, reason): a cancel may carry its reason within the status, and an INVALID order of type CANCELLATION is a cancel."""
    word = status.upper().removeprefix("ORDER_STATUS_")
    if word.startswith("CANCELED") or word.startswith("CANCELLED"):
        return "cancelled", status[status.find("_", 7) + 1 :][:500] if "_" in status[7:] else ""
    if kind.upper() == "CANCELLATION":
        return "cancelled", status[:500] if word in _ORDER_STATES else ""
    if word not in _ORDER_STATES:
        raise BadFrame(f"order status {status[:60]!r} is unknown")
    return _ORDER_STATES[word], ""


def _text(told: dict[str, Any], name: str) -> str:
    """A field as text: "" where it is absent, null or no plain value."""
    value = told.get(name)
    return value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else ""


def _needed(told: dict[str, Any], name: str) -> str:
    text = _text(told, name)
    if not text:
        raise BadFrame(f"{name} is missing")
    return text


def _side(text: str) -> Side:
    word = text.upper()
    if word == "BUY":
        return "BUY"
    if word == "SELL":
        return "SELL"
    raise BadFrame(f"side {text[:40]!r} is neither BUY nor SELL")
