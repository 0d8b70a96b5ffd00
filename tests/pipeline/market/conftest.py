"""A venue in miniature: one token's true book, told in frames whose hashes are right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.market.book import OrderBook
from pipeline.market.hashed import HashedBook
from pipeline.market.market_feed import MarketFeed
from pipeline.market.token_book import BookRules
from pipeline.market.verify import digest, tail_end, tail_head
from pipeline.messages.market import BookSource, Level, Market, VenueBook, VenuePriceChange

MS = 1_000_000
Levels = tuple[tuple[Level, ...], tuple[Level, ...]]
Change = tuple[str, str, str]


class TrueToken:
    """The generator's book: it makes frames, and remembers what the book was at each (timestamp, hash)."""

    def __init__(
        self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], token_id: str = "t", last: str = "0.490"
    ) -> None:
        self.time_ms = 1_000
        self.last = last
        self.tick = "0.01"
        self.at: dict[tuple[str, str], Levels] = {}
        changes = [(p, s, "BUY") for p, s in bids] + [(p, s, "SELL") for p, s in asks]
        self.book = OrderBook(token_id, "0xm")
        self.book.apply(self._message(tuple(changes), ""))
        self.remember()

    def remember(self) -> tuple[str, str]:
        """The hash of the book as it is now, at the present time."""
        state = self.book.levels_state(str(self.time_ms))
        key = str(self.time_ms), digest(state, tail_head("5", self.tick, False), self.last, tail_end(None))
        self.book.venue_ts, self.book.hash = key
        self.at[key] = self.book.levels()
        return key

    def whole(self, source: BookSource = "ws", first: bool = True) -> VenueBook:
        """A whole book as the venue sends it; later ``book`` frames have neither tick size nor last trade price."""
        msg = self.book.to_venue_book(self.time_ms * MS, source)
        return VenueBook(
            ts_ns=msg.ts_ns,
            token_id=msg.token_id,
            market=msg.market,
            bids=msg.bids,
            asks=msg.asks,
            source=source,
            venue_ts=msg.venue_ts,
            hash=msg.hash,
            tick_size=self.tick if first else None,
            last_trade_price=self.last if first else None,
        )

    def batch(self, *changes: Change, frames: int = 1, after_ms: int = 1) -> list[VenuePriceChange]:
        """One atomic change, told in that many frames (at most one a change)."""
        self.time_ms += after_ms
        self.book.apply(self._message(changes, ""))
        _, hash_ = self.remember()
        size = -(-len(changes) // frames)
        parts = [changes[i : i + size] for i in range(0, len(changes), size)]
        return [self._message(part, hash_) for part in parts]

    def _message(self, changes: tuple[Change, ...], hash_: str) -> VenuePriceChange:
        book = getattr(self, "book", None)
        return VenuePriceChange(
            ts_ns=self.time_ms * MS,
            token_id=book.token_id if book else "t",
            market="0xm",
            venue_ts=str(self.time_ms),
            hash=hash_,
            changes=changes,
            best_bid=str((book.best_bid or 0) / 1e6) if book and hash_ else None,
            best_ask=str((book.best_ask or 0) / 1e6) if book and hash_ else None,
        )


@pytest.fixture
def true_token() -> Callable[..., TrueToken]:
    """Makes a venue's true token from bids, asks."""
    return TrueToken


@pytest.fixture
def kept() -> Callable[..., HashedBook]:
    """Makes the book that is kept of a token: hashed fields known unless ``known`` is False."""

    def make(known: bool = True, **rules: object) -> HashedBook:
        feed = MarketFeed("0xm")
        if known:
            feed.set_market(Market(market_id="0xm", outcomes=(), min_order_size="5", neg_risk=False))
        return HashedBook("t", feed, BookRules(**rules))  # type: ignore[arg-type]

    return make
