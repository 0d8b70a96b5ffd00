"""What the book hash of a token is made with besides its levels, and the search for the part of it that is not yet told.

min_order_size and neg_risk come from the catalogue or a REST book, tick_size and last_trade_price from the first book. After a trade
the hash uses the new last trade price before the trade is told; after a change of tick size the same may hold. What fits is learned:
a match of 160 bits is proof of everything that went into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.base.units import ONE_E6, parse_price_e6
from pipeline.market.book import BookSide, OrderBook
from pipeline.market.catalogue import TICK_SIZES
from pipeline.market.market_feed import MarketFeed
from pipeline.market.venue_time import time_ms
from pipeline.market.verify import digest, fitting_price, tail_end, tail_head, trade_price_text, trade_price_texts
from pipeline.messages.market import VenueBook

PROVEN_KEPT = 32
"""How many proven batches are remembered, to know a repeat: the venue repeats within 120 ms."""
SHRUNK_TRIED = 32
"""How many prices at which size went away are tried as last trade prices."""

Key = tuple[str, str]
"""(timestamp, hash): what names a batch of a token."""


class HashProof:
    """The hashed fields of one token, and the batches that were proved last. ``why`` says which field is unknown; "" is none."""

    __slots__ = ("_end", "_head", "feed", "newest_ts", "proven", "why")

    def __init__(self, feed: MarketFeed[Any]) -> None:
        self.feed = feed
        self.proven: dict[Key, None] = {}
        self.why = "no book"
        self._head: str | None = None
        self.newest_ts = ""
        self._end = ""

    @property
    def is_ready(self) -> bool:
        """Whether all fields are known that cannot be searched for."""
        return self._head is not None

    def learn(self, book: OrderBook) -> None:
        """Put the fields together, from the book, the market's other books and the catalogue."""
        feed, market = self.feed, self.feed.market
        min_size = book.min_order_size if book.min_order_size is not None else feed.min_order_size
        neg_risk = book.neg_risk if book.neg_risk is not None else feed.neg_risk
        tick_size = book.tick_size or (market.tick_size if market else None)
        version = book.version or ("v2" if market is not None and market.version == "v2" else None)
        self._head = None
        if min_size is None or neg_risk is None or tick_size is None:
            named = (("min_order_size", min_size), ("neg_risk", neg_risk), ("tick_size", tick_size))
            self.why = ", ".join(name for name, value in named if value is None) + " unknown"
            return
        self._head, self._end, self.why = tail_head(min_size, tick_size, neg_risk), tail_end(version), ""

    def learn_trade_price(self, msg: VenueBook, book: OrderBook) -> None:
        """Take the last trade price that a whole book brings; a copy's may be older than what is known."""
        if msg.last_trade_price is None:
            return
        if msg.source == "mirror" and self.feed.last_trade_price is not None:
            self._keep(msg.last_trade_price)
        else:
            self._set(msg.last_trade_price, book)

    def fits(self, book: OrderBook, key: Key, shrunk: Sequence[int] = (), widely: bool = False) -> bool:
        """Whether the book has the hash, with the last trade price known or one that a trade may have made it.

        ``shrunk`` are prices at which size went away. The price that fits is learned. ``widely``: other price grids are tried too.
        """
        head, known = self._head, self.feed.last_trade_price
        if head is None:
            return False
        venue_ts, wanted = key
        state = book.levels_state(venue_ts)
        if known is not None and digest(state, head, known, self._end) == wanted:
            return True
        found = fitting_price(state, head, self._end, self._candidates(shrunk[-SHRUNK_TRIED:]), wanted)
        if found is None and widely:
            prices = [known or "", *self._candidates(())]
            for tick_size in TICK_SIZES:
                found = fitting_price(state, _with_tick(head, tick_size), self._end, prices, wanted)
                if found is not None:
                    book.tick_size = tick_size
                    self.learn(book)
                    break
        if found is None:
            return False
        self._set(found, book)
        return True

    def is_repeat(self, key: Key, book: OrderBook) -> bool:
        """Whether a batch of this key was proven before and says nothing further, or is older than what was proven since.

        A change and its reversal in one millisecond lead back to an earlier key: such a batch of the book's own millisecond counts.
        """
        if key in self.proven:
            return key[0] != book.venue_ts or key == next(reversed(self.proven))
        return key[0] < self.newest_ts and time_ms(key[0]) < time_ms(self.newest_ts)

    def add(self, key: Key) -> None:
        """Remember a proven batch."""
        self.proven.pop(key, None)
        self.proven[key] = None
        self.newest_ts = key[0]
        if len(self.proven) > PROVEN_KEPT:
            del self.proven[next(iter(self.proven))]

    def _candidates(self, shrunk: Sequence[int]) -> Iterator[str]:
        if self.feed.last_trade_price is None:
            yield ""
        yield from trade_price_texts(self.feed.trade_prices)
        yield from trade_price_texts(shrunk)

    def _set(self, text: str, book: OrderBook) -> None:
        if text != self.feed.last_trade_price:
            if self.feed.last_trade_price:
                self._keep(self.feed.last_trade_price)
            self.feed.last_trade_price = text
        book.last_trade_price = text

    def _keep(self, text: str) -> None:
        """Keep an earlier last trade price as a candidate, in case what replaced it was older."""
        try:
            price_e6 = parse_price_e6(text)
        except ValueError:
            return
        prices = self.feed.trade_prices
        if text == trade_price_text(price_e6) and price_e6 not in prices and ONE_E6 - price_e6 not in prices:
            self.feed.keep_price(price_e6)


def shrunk_prices(old: OrderBook, new: OrderBook) -> list[int]:
    """The prices nearest the top where a new book has less than an old one: a trade may have happened at one of them."""

    def less(before: BookSide, after: BookSide) -> list[int]:
        return sorted(price for price, size in before.sizes.items() if after.sizes.get(price, 0) < size)

    return less(old.bids, new.bids)[-SHRUNK_TRIED // 2 :] + less(old.asks, new.asks)[: SHRUNK_TRIED // 2]


def _with_tick(head: str, tick_size: str) -> str:
    """The hashed tail with another price grid."""
    before, _, after = head.partition('"tick_size":"')
    return f'{before}"tick_size":"{tick_size}"{after.partition(chr(34))[2]}'
