"""The events of the venue's market channel: their shape on the wire, and the message each becomes.

Every value is a text unless noted; what the protocol lets a frame leave out has a default here. Field names:
https://docs.polymarket.com/developers/CLOB/websocket/market-channel (seen 2026-10-05).
"""

from __future__ import annotations

from sys import intern
from typing import Any

import msgspec

from pipeline.base.errors import BadFrame
from pipeline.messages import Message
from pipeline.messages.market import (
    BestBidAsk,
    BookSource,
    MarketResolved,
    NewMarket,
    Side,
    TextLevel,
    TickSizeChange,
    VenueBook,
    VenuePriceChange,
    VenueTrade,
)
from pipeline.venue.numbers import check_price, check_size, check_time, number_e6

INCOMPLETE_NEW_MARKET = "incomplete_new_market"


class _Level(msgspec.Struct, gc=False):
    price: str
    size: str


class _Entry(msgspec.Struct, gc=False):
    asset_id: str
    price: str
    size: str
    side: Side
    hash: str = ""
    best_bid: str | None = None
    best_ask: str | None = None


class _Event(msgspec.Struct, gc=False, tag_field="event_type"):
    """The base of the venue's events; the tag of each is its ``event_type``."""


class _PriceChange(_Event, gc=False, tag="price_change"):
    market: str
    timestamp: str
    price_changes: list[_Entry]


class _Book(_Event, gc=False, tag="book"):
    asset_id: str
    market: str
    bids: list[_Level]
    asks: list[_Level]
    timestamp: str | None = None
    hash: str | None = None
    tick_size: str | None = None
    last_trade_price: str | None = None
    min_order_size: str | None = None
    neg_risk: bool | None = None
    version: str | None = None


class _Trade(_Event, gc=False, tag="last_trade_price"):
    asset_id: str
    market: str
    timestamp: str
    price: str
    size: str
    side: Side
    fee_rate_bps: str | None = None
    transaction_hash: str | None = None


class _TickSizeChange(_Event, gc=False, tag="tick_size_change"):
    asset_id: str
    market: str
    timestamp: str
    new_tick_size: str
    old_tick_size: str = ""


class _BestBidAsk(_Event, gc=False, tag="best_bid_ask"):
    asset_id: str
    market: str
    timestamp: str
    best_bid: str = ""
    best_ask: str = ""


class _NewMarket(_Event, gc=False, tag="new_market"):
    """Global and about markets that nobody may follow, so anything may be missing or odd."""

    market: Any = None
    condition_id: Any = None
    timestamp: Any = None
    assets_ids: Any = None
    clob_token_ids: Any = None
    slug: Any = None
    question: Any = None


class _MarketResolved(_Event, gc=False, tag="market_resolved"):
    market: str
    timestamp: str
    winning_asset_id: str
    assets_ids: list[str] = []
    winning_outcome: str | None = None


VenueEvent = _PriceChange | _Book | _Trade | _BestBidAsk | _TickSizeChange | _NewMarket | _MarketResolved
EVENT_TYPES = frozenset(
    {"price_change", "book", "last_trade_price", "best_bid_ask", "tick_size_change", "new_market", "market_resolved"}
)


def event_of(tree: dict[str, Any], name: str) -> Any:
    """One known event from its decoded JSON. Raises BadFrame with the field that is wrong."""
    if name == "price_change" and "price_changes" not in tree:
        raise BadFrame(
            "price_change: the flat form from before 2025-09-15 (asset_id, changes) is not read; its sizes have no batch"
        )
    try:
        return msgspec.convert(tree, VenueEvent)
    except msgspec.ValidationError as error:
        raise BadFrame(f"{name}: {error}") from None
    except RecursionError:
        raise BadFrame("nested too deeply") from None


def _price_changes(event: _PriceChange, ts_ns: int) -> list[Message]:
    """One message for each run of a token's entries with the same hash; the order within a token is kept."""
    check_time(event.timestamp)
    groups: dict[str, list[_Entry]] = {}
    runs: list[list[_Entry]] = []
    for entry in event.price_changes:
        check_price(entry.price)
        check_size(entry.size)
        run = groups.get(entry.asset_id)
        if run is not None and run[0].hash == entry.hash:
            run.append(entry)
        else:
            if not entry.asset_id:
                raise BadFrame("price_change: asset_id is empty")
            groups[entry.asset_id] = run = [entry]
            runs.append(run)
    market, venue_ts = event.market, event.timestamp
    return [
        VenuePriceChange(
            ts_ns=ts_ns,
            token_id=run[0].asset_id,
            market=market,
            venue_ts=venue_ts,
            hash=run[0].hash,
            changes=tuple([(entry.price, entry.size, entry.side) for entry in run]),
            best_bid=_price_or_none(run[-1].best_bid),
            best_ask=_price_or_none(run[-1].best_ask),
        )
        for run in runs
    ]


def to_messages(event: Any, ts_ns: int, skipped: list[str]) -> list[Message]:
    """The messages of one event; a name is appended to ``skipped`` where there is none to give. Raises BadFrame."""
    if type(event) is _PriceChange:
        return _price_changes(event, ts_ns)
    if type(event) is _Book:
        return [to_book(event, ts_ns, "ws")]
    if type(event) is _NewMarket:
        return _new_market(event, ts_ns, skipped)
    check_time(event.timestamp)
    if type(event) is _MarketResolved:
        return [
            MarketResolved(
                ts_ns=ts_ns,
                market=event.market,
                venue_ts=event.timestamp,
                token_ids=tuple(event.assets_ids),
                winning_token_id=event.winning_asset_id,
                winning_outcome=event.winning_outcome or "",
            )
        ]
    about: dict[str, Any] = {
        "ts_ns": ts_ns,
        "token_id": event.asset_id,
        "market": event.market,
        "venue_ts": event.timestamp,
    }
    if not event.asset_id:
        raise BadFrame(f"{event.__struct_config__.tag}: asset_id is empty")
    if type(event) is _Trade:
        check_price(event.price)
        check_size(event.size)
        return [
            VenueTrade(
                **about,
                price=event.price,
                size=event.size,
                side=event.side,
                fee_rate_bps=event.fee_rate_bps,
                transaction_hash=event.transaction_hash,
            )
        ]
    if type(event) is _TickSizeChange:
        _check_tick(event.new_tick_size)
        return [TickSizeChange(**about, old_tick_size=event.old_tick_size, new_tick_size=event.new_tick_size)]
    _price_or_none(event.best_bid)
    _price_or_none(event.best_ask)
    return [BestBidAsk(**about, best_bid=event.best_bid, best_ask=event.best_ask)]


def to_book(event: _Book, ts_ns: int, source: BookSource) -> VenueBook:
    """A whole book, from the stream or from REST. Raises BadFrame."""
    if not event.asset_id:
        raise BadFrame("book: asset_id is empty")
    if event.timestamp is not None:
        check_time(event.timestamp)
    if event.tick_size is not None:
        _check_tick(event.tick_size)
    _price_or_none(event.last_trade_price)
    return VenueBook(
        ts_ns=ts_ns,
        token_id=event.asset_id,
        market=event.market,
        bids=_side(event.bids),
        asks=_side(event.asks),
        source=source,
        venue_ts=event.timestamp,
        hash=event.hash,
        tick_size=_shared(event.tick_size),
        last_trade_price=_shared(event.last_trade_price),
        min_order_size=_shared(event.min_order_size),
        neg_risk=event.neg_risk,
        version=_shared(event.version),
    )


def _shared(text: str | None) -> str | None:
    """A text that many books have, and have for long: one object for all of them."""
    return text if text is None else intern(text)


def _side(levels: list[_Level]) -> tuple[TextLevel, ...]:
    for level in levels:
        check_price(level.price)
        check_size(level.size)
    return tuple([(level.price, level.size) for level in levels])


def _new_market(event: _NewMarket, ts_ns: int, skipped: list[str]) -> list[Message]:
    market = event.market or event.condition_id
    tokens = event.assets_ids or event.clob_token_ids or []
    if not isinstance(market, str) or not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        skipped.append(INCOMPLETE_NEW_MARKET)
        return []
    return [
        NewMarket(
            ts_ns=ts_ns,
            market=market,
            venue_ts=_text(event.timestamp),
            token_ids=tuple(tokens),
            slug=_text(event.slug),
            question=_text(event.question),
        )
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _price_or_none(text: str | None) -> str | None:
    """A best price; the venue writes "" for an empty side in some events."""
    if not text:
        return None
    check_price(text)
    return text


def _check_tick(text: str) -> None:
    if number_e6(text) <= 0:
        raise BadFrame(f"tick size {text} is not above 0")
