"""The level-2 changes of a recording, one level or trade a row, as a reader of any file of frames gets them; and as CSV.

A whole book becomes the changes that lead to it from the book before. Sizes are totals: 0 is a level that went away.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.base.errors import BadFrame
from pipeline.base.units import NS_PER_MS, format_e6, parse_price_e6, parse_size_e6
from pipeline.market.book import OrderBook
from pipeline.market.venue_time import time_ms
from pipeline.messages import Message
from pipeline.messages.edges import RawFrame
from pipeline.messages.market import BookDelta, VenueBook, VenuePriceChange, VenueTrade
from pipeline.recording.source import FrameSource
from processes.gateway import Gateway

CSV_COLUMNS = ("ts_ms", "event_type", "asset_id", "side", "price", "size", "best_bid", "best_ask", "market", "hash")


class Change(NamedTuple):
    """``event`` is book, change or trade; ``side`` bid or ask, of a trade buy or sell; ``venue_ms`` the venue's own time.

    ``best_bid_e6`` and ``best_ask_e6`` are what the venue says of the book after the whole batch; None where it says nothing.
    """

    ts_ns: int
    venue_ms: int | None
    event: str
    market: str
    token_id: str
    side: str
    price_e6: int
    size_e6: int
    best_bid_e6: int | None
    best_ask_e6: int | None
    hash: str


def changes_of(source: FrameSource, market: str, shown: Callable[[int], None] = lambda done: None) -> Iterator[Change]:
    """Every change in order. ``market`` is what generic frames are about that name none. What cannot be understood is left out."""
    generic = "generic" in (source.kind, source.venue)
    gateway = Gateway(market=market if generic and not _names_market(source) else "", mirror=False)
    books: dict[str, OrderBook] = {}
    for number, msg in enumerate(source.messages()):
        if not number & 0xFFF:
            shown(number)
        for heard in gateway.handle(msg, msg.ts_ns):
            yield from _rows(heard, books)


def write_csv(changes: Iterator[Change], path: Path) -> int:
    """Write rows that ``polybot replay`` reads again; the time is in milliseconds, exact to the nanosecond. Returns how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for row in changes:
            count += 1
            writer.writerow(csv_row(row))
    return count


def csv_row(row: Change) -> list[str]:
    """A change in texts, as ``CSV_COLUMNS`` names them."""
    return [
        _ms(row.ts_ns),
        "LAST_TRADE" if row.event == "trade" else "PRICE_CHANGE",
        row.token_id,
        "BID" if row.side in ("bid", "buy") else "ASK",
        format_e6(row.price_e6),
        format_e6(row.size_e6),
        "" if row.best_bid_e6 is None else format_e6(row.best_bid_e6),
        "" if row.best_ask_e6 is None else format_e6(row.best_ask_e6),
        row.market,
        row.hash,
    ]


def _ms(ts_ns: int) -> str:
    whole, part = divmod(ts_ns, NS_PER_MS)
    return f"{whole}.{part:06d}".rstrip("0") if part else str(whole)


def _names_market(source: FrameSource) -> bool:
    first = next((msg for msg in source.messages() if isinstance(msg, RawFrame)), None)
    return first is not None and b'"market"' in first.data


def _rows(msg: Message, books: dict[str, OrderBook]) -> Iterator[Change]:
    try:
        match msg:
            case VenueBook():
                yield from _book_rows(msg, books)
            case VenuePriceChange():
                book = books.setdefault(msg.token_id, OrderBook(msg.token_id, msg.market))
                bests = _price(msg.best_bid), _price(msg.best_ask)
                for event in book.apply(msg):
                    yield Change(
                        msg.ts_ns, time_ms(msg.venue_ts) or None, "change", msg.market, msg.token_id, event.side, event.price_e6,
                        event.size_e6, *bests, msg.hash,
                    )  # fmt: skip
            case BookDelta():
                book = books.setdefault(msg.token_id, OrderBook(msg.token_id, msg.market))
                for event in book.apply_delta(msg):
                    yield Change(
                        msg.ts_ns, None, "change", msg.market, msg.token_id, event.side, event.price_e6, event.size_e6, None, None, ""
                    )  # fmt: skip
            case VenueTrade():
                side = "buy" if msg.side == "BUY" else "sell"
                yield Change(
                    msg.ts_ns, time_ms(msg.venue_ts) or None, "trade", msg.market, msg.token_id, side, parse_price_e6(msg.price),
                    parse_size_e6(msg.size), None, None, "",
                )  # fmt: skip
    except (BadFrame, ValueError):
        return


def _book_rows(msg: VenueBook, books: dict[str, OrderBook]) -> Iterator[Change]:
    """The differences that a whole book makes; an answer that is older than the book makes none."""
    old = books.get(msg.token_id)
    if msg.source == "spot" or (old is not None and msg.source != "ws" and time_ms(msg.venue_ts) < time_ms(old.venue_ts)):
        return
    new = OrderBook.from_message(msg, old)
    books[msg.token_id] = new
    before = old or OrderBook(msg.token_id, msg.market)
    for side, was, now in (("bid", before.bids.sizes, new.bids.sizes), ("ask", before.asks.sizes, new.asks.sizes)):
        for price_e6 in sorted(was.keys() | now.keys()):
            if was.get(price_e6) != now.get(price_e6):
                yield Change(
                    msg.ts_ns, time_ms(msg.venue_ts) or None, "book", msg.market, msg.token_id, side, price_e6, now.get(price_e6, 0),
                    None, None, msg.hash or "",
                )  # fmt: skip


def _price(text: str | None) -> int | None:
    try:
        return parse_price_e6(text) if text else None
    except ValueError:
        return None
