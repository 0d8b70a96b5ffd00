"""Faults that happen in the market itself, and the invented bodies that other faults need."""

from __future__ import annotations

from typing import Any

from pipeline.fake_venue.catalogue import digest
from pipeline.fake_venue.exchange import FakeExchange
from pipeline.fake_venue.flow import USER, Action, Cancel, Take
from pipeline.fake_venue.market import FakeMarket
from pipeline.fake_venue.matching import ASK, BID
from pipeline.fake_venue.source import Source
from pipeline.fake_venue.wire import Frame

FAULTS = {
    "crossing-burst": "a taker clears three prices of a token and rests what is left: locally crossed until its last frame",
    "mass-cancel-batch": "one batch of many frames under one hash",
    "tick-change": "the price grid of a token becomes ten times finer, or ten times coarser",
    "market-resolved": "a market ends",
    "market-split": "a market ends 50/50: the frame names no winner, the catalogue tells that each share pays half a dollar",
    "market-resolved-unheard": "a market ends, and the frame that says so is lost: only the catalogue tells it",
    "new-market-flood": "announcements of markets that nobody follows (count=50)",
}
FLOOD = 50
BATCH = 12
GHOST_AGE_MS = 3_600_000


def frames_of(name: str, source: Source, token_id: str | None, count: int | None = None) -> tuple[list[Frame], str]:
    """Make it happen in the market of a token (default: the busiest one); its frames, and the token. Raises ValueError.

    ``count`` is how many markets a flood announces (default: 50).
    """
    if not isinstance(source, FakeExchange):
        raise ValueError(f"{name} needs the fake market; a recording cannot be changed")
    token_id = token_id or busiest_token(source)
    found = source.market_of(token_id)
    if found is None or found[0].closed:
        raise ValueError(f"token {token_id} is not one that trades here")
    market, outcome = found
    now_ns = source.now_ns
    if name == "new-market-flood":
        return [source.announce(now_ns) for _ in range(FLOOD if count is None else count)], token_id
    if name in ("market-resolved", "market-split", "market-resolved-unheard"):
        frames = list(source.resolve(market, None if name == "market-split" else outcome, now_ns))
        return [] if name == "market-resolved-unheard" else frames, token_id
    if name == "tick-change":
        return list(market.change_tick(10_000 if market.tick_e6 == 1_000 else 1_000, now_ns)), token_id
    action = _crossing(market) if name == "crossing-burst" else _mass_cancel(market)
    return list(source.perform(market, [action], now_ns)), token_id


def busiest_token(source: Source) -> str:
    """The first token of the first market that is open. Raises ValueError if none is."""
    for listing in source.listings():
        if listing.winner is None and not listing.market.closed:
            return listing.market.token_ids[0]
    raise ValueError("no market is open")


def ghost(book: dict[str, Any]) -> dict[str, Any]:
    """A book as the live ``/book`` sometimes gives it: 0.01 against 0.99, an hour old."""
    level = {"size": "100"}
    return {
        **book,
        "timestamp": str(int(book["timestamp"]) - GHOST_AGE_MS),
        "hash": digest("ghost", book["asset_id"])[:40],
        "bids": [{"price": "0.01", **level}],
        "asks": [{"price": "0.99", **level}],
    }


def lengthened(list_frame: str, length: int) -> str:
    """A list frame with books of unknown tokens behind its own, at least ``length`` characters long."""
    books = [list_frame.rstrip("\n")[1:-1]]
    size, n = len(list_frame), 0
    levels = ",".join(f'{{"price":"0.{cents:02d}","size":"{cents * 10}"}}' for cents in range(1, 50))
    while size < length:
        n += 1
        book = (
            f'{{"market":"0x{digest("padding", str(n))}","asset_id":"{int(digest("padding-token", str(n)), 16)}",'
            f'"timestamp":"1780000000000","hash":"{digest("padding-hash", str(n))[:40]}","bids":[{levels}],"asks":[],'
            f'"tick_size":"0.01","event_type":"book","last_trade_price":""}}'
        )
        books.append(book)
        size += len(book) + 1
    return "[" + ",".join(book for book in books if book) + "]\n"


def _crossing(market: FakeMarket) -> Action:
    """A seller through the three best bids, with something left."""
    taken = [price for _, price in zip(range(3), market.book.prices(BID), strict=False)]
    size = sum(market.book.total(BID, price) for price in taken)
    return Take(ASK, taken[-1] if taken else market.tick_e6, size + 25_000_000, True)


def _mass_cancel(market: FakeMarket) -> Action:
    """Every order of the prices next to the best."""
    prices = [(side, price) for side in (BID, ASK) for _, price in zip(range(BATCH // 2), market.book.prices(side), strict=False)]
    found = (order for side, price in prices for order in market.book.at(side, price))
    return Cancel(tuple(order.order_id for order in found if order.owner != USER))
