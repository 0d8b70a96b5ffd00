"""One token's order book: exact integers to decide with, and the venue's own texts to hash.

A side is a dict of sizes by price beside a sorted list of its prices, so the best price is an end of the list. Levels of a venue
book also keep the hashed form of their texts; books of the generic stream have none, as nothing there is hashed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from pipeline.base.errors import BadFrame
from pipeline.base.units import ONE_E6, format_e6, parse_e6, parse_price_e6, parse_size_e6
from pipeline.market.verify import HashState, level_json, level_texts, levels_state, trade_price_text
from pipeline.messages.market import (
    BookDelta,
    BookSource,
    Level,
    TextLevel,
    TickSizeChange,
    VenueBook,
    VenuePriceChange,
    VenueTrade,
)
from pipeline.messages.records import LevelEvent

MAX_SIZE_E6 = 10**18
"""The largest size a level may have (a trillion shares): what is above it is an error, and would not fit the database."""

STALE = -1
"""The depth of best levels that are not known."""

Entry = tuple[bool, int, int, str]
"""One parsed change: whether it is a bid, price, size or signed change, and the level's hashed form ("" on the generic stream)."""


class CrossedBook(BadFrame):
    """What was given would leave the best bid at or above the best ask; the book is unchanged."""


@lru_cache(maxsize=65_536)
def parse_change_e6(text: str) -> int:
    """A signed size change in millionths of a share. Raises ValueError."""
    return parse_e6(text)


class BookSide:
    """The levels of one side. ``prices`` rise; ``sizes`` has the same keys.

    The best levels that were asked for last are kept, until one of them, or a better one, changes: most changes are elsewhere. Of a side
    that keeps the venue's texts there is the hashed form of all levels, and from its first change on that of each.
    """

    __slots__ = ("_fragments", "_high", "_is_bid", "_joined", "_low", "depth", "nearest", "prices", "sizes")

    def __init__(self, is_bid: bool) -> None:
        self._is_bid = is_bid
        self.nearest: tuple[Level, ...] = ()
        self.depth = STALE
        self._low, self._high = 0, -1
        """A change of a price from ``_low`` to ``_high`` changes ``nearest``, the best ``depth`` levels (``STALE``: not known)."""
        self.prices: list[int] = []
        self.sizes: dict[int, int] = {}
        self._fragments: list[str] | None = None
        """The hashed forms of the levels, in the order of ``prices``; None while nobody needs each of them."""
        self._joined: str | None = ""
        """The hashed form of all levels, in hash order; None where it is to be joined anew."""

    def fill(self, levels: Iterable[TextLevel], keep_text: bool) -> None:
        """Take all levels of a new side; those of size 0 are none. Raises ValueError for a bad number or a price given twice."""
        sizes = self.sizes
        texts: dict[int, str] = {}
        for price, size in levels:
            price_e6, size_e6 = parse_price_e6(price), parse_size_e6(size)
            if price_e6 in sizes:
                raise ValueError(f"price {price} is given twice")
            if size_e6 > MAX_SIZE_E6:
                raise ValueError(f"size {size} is too large")
            if size_e6:
                sizes[price_e6] = size_e6
                if keep_text:
                    texts[price_e6] = level_json(price, size)
        self.prices = sorted(sizes)
        if keep_text:
            self._joined = ",".join([texts[at] for at in (self.prices if self._is_bid else reversed(self.prices))])

    def put(self, price_e6: int, size_e6: int, text: str) -> int:
        """Give a level its total size, 0 for none; returns the change of its size."""
        old = self.sizes.get(price_e6)
        if self._low <= price_e6 <= self._high:
            self._changes_best(price_e6, size_e6 if old else 0)
        prices = self.prices
        if size_e6:
            at = bisect_left(prices, price_e6)
            if old is None:
                prices.insert(at, price_e6)
                if text:
                    (self._fragments or self._split()).insert(at, text)
                old = 0
            elif text:
                (self._fragments or self._split())[at] = text
            self.sizes[price_e6] = size_e6
            self._joined = None
            return size_e6 - old
        if old is None:
            return 0
        del self.sizes[price_e6]
        at = bisect_left(prices, price_e6)
        del prices[at]
        if text:
            del (self._fragments or self._split())[at]
        self._joined = None
        return -old

    def fragments(self) -> list[str]:
        """The hashed forms of the levels, in the order of ``prices``; only for a side that keeps texts."""
        return list(self._fragments or self._split())

    def joined(self) -> str:
        """The hashed form of all levels; only for a side that keeps texts. Most batches change one level of one side."""
        if self._joined is None:
            fragments = self._fragments or []
            self._joined = ",".join(fragments if self._is_bid else fragments[::-1])
        return self._joined

    def _split(self) -> list[str]:
        """Have the hashed form of each level beside that of all."""
        joined = self._joined
        self._fragments = [f"{{{each}}}" for each in joined[1:-1].split("},{")] if joined else []
        if not self._is_bid:
            self._fragments.reverse()
        return self._fragments

    def add(self, side: Literal["bid", "ask"], price_e6: int, change_e6: int) -> LevelEvent:
        """Add a signed change to a level whose text is not kept; at or below 0 it is gone. Raises ValueError if it grows too large."""
        sizes = self.sizes
        old = sizes.get(price_e6)
        if old is None:
            if change_e6 <= 0:
                return LevelEvent(side, price_e6, 0, 0)
            insort(self.prices, price_e6)
            old = 0
        size_e6 = old + change_e6
        if size_e6 > 0:
            if self._low <= price_e6 <= self._high:
                self._changes_best(price_e6, size_e6 if old else 0)
            sizes[price_e6] = size_e6
            if size_e6 > MAX_SIZE_E6:
                self.put(price_e6, old, "")
                raise ValueError(f"size {size_e6} at {price_e6} is too large")
            return LevelEvent(side, price_e6, size_e6, change_e6)
        return LevelEvent(side, price_e6, 0, self.put(price_e6, 0, ""))

    def _changes_best(self, price_e6: int, size_e6: int) -> None:
        """A price among the best levels, or better, changes: to a new size if it stays a level, else (0) the levels shift."""
        if not size_e6 or self.depth == STALE:
            self.depth = STALE
            return
        at = bisect_left(self.prices, price_e6)
        rank = len(self.prices) - 1 - at if self._is_bid else at
        known = self.nearest
        self.nearest = (*known[:rank], Level(price_e6, size_e6), *known[rank + 1 :])

    def best(self, depth: int) -> tuple[Level, ...]:
        """The best ``depth`` levels, best first."""
        if depth == self.depth:
            return self.nearest
        prices, sizes = self.prices, self.sizes
        picked = prices[: -depth - 1 : -1] if self._is_bid else prices[:depth]
        self.nearest = tuple([Level(price, sizes[price]) for price in picked])
        self.depth = depth
        worst = picked[-1] if 0 < len(picked) == depth else None
        if self._is_bid:
            self._low, self._high = (0 if worst is None else worst), ONE_E6
        else:
            self._low, self._high = 0, (ONE_E6 if worst is None else worst)
        return self.nearest

    def all_levels(self) -> tuple[Level, ...]:
        """All levels, best first."""
        sizes = self.sizes
        return tuple([Level(price, sizes[price]) for price in (reversed(self.prices) if self._is_bid else self.prices)])

    def text_levels(self, rising: bool) -> tuple[TextLevel, ...]:
        """All levels as texts: the venue's where they are kept, else the shortest decimal ones."""
        if self._fragments or self._joined:
            texts = [level_texts(fragment) for fragment in self.fragments()]
        else:
            texts = [(format_e6(price), format_e6(self.sizes[price])) for price in self.prices]
        return tuple(texts if rising else texts[::-1])


class OrderBook:
    """One token's book with what its hash needs besides the levels; those fields are None while they are unknown.

    ``venue_ts`` and ``hash`` are those of the last thing applied. Every method that takes a message either applies it whole or
    raises BadFrame and leaves the book as it was.
    """

    __slots__ = (
        "asks",
        "bids",
        "hash",
        "last_trade_price",
        "market",
        "min_order_size",
        "neg_risk",
        "seq",
        "tick_size",
        "token_id",
        "venue_ts",
        "version",
    )

    def __init__(self, token_id: str, market: str) -> None:
        self.token_id = token_id
        self.market = market
        self.bids = BookSide(is_bid=True)
        self.asks = BookSide(is_bid=False)
        self.venue_ts: str | None = None
        self.hash: str | None = None
        self.tick_size: str | None = None
        self.last_trade_price: str | None = None
        self.min_order_size: str | None = None
        self.neg_risk: bool | None = None
        self.version: str | None = None
        self.seq: int | None = None

    @classmethod
    def from_message(cls, msg: VenueBook, previous: OrderBook | None = None) -> OrderBook:
        """The book of a whole-book message. Fields it lacks (a later ``book`` frame has no tick size) are taken from ``previous``.

        Levels of size 0 are none. Raises BadFrame for a bad number or a price given twice; a crossed book is not refused here.
        """
        book = cls(msg.token_id, msg.market)
        keep_text = msg.seq is None
        try:
            book.bids.fill(msg.bids, keep_text)
            book.asks.fill(msg.asks, keep_text)
        except ValueError as error:
            raise BadFrame(f"book of token {msg.token_id} at {msg.venue_ts or msg.seq}: {error}") from None
        book.venue_ts, book.hash, book.seq = msg.venue_ts, msg.hash, msg.seq
        book.tick_size, book.last_trade_price = msg.tick_size, msg.last_trade_price
        book.min_order_size, book.neg_risk, book.version = msg.min_order_size, msg.neg_risk, msg.version
        if previous is not None:
            book.token_id = previous.token_id
            if book.tick_size is None:
                book.tick_size = previous.tick_size
            if book.last_trade_price is None:
                book.last_trade_price = previous.last_trade_price
            if book.min_order_size is None:
                book.min_order_size = previous.min_order_size
            if book.neg_risk is None:
                book.neg_risk = previous.neg_risk
            if book.version is None:
                book.version = previous.version
        return book

    @property
    def best_bid(self) -> int | None:
        """The highest bid in millionths of a dollar; None without one."""
        prices = self.bids.prices
        return prices[-1] if prices else None

    @property
    def best_ask(self) -> int | None:
        """The lowest ask in millionths of a dollar; None without one."""
        prices = self.asks.prices
        return prices[0] if prices else None

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is at or above the best ask, which no matching engine leaves behind."""
        bids, asks = self.bids.prices, self.asks.prices
        return bool(bids) and bool(asks) and bids[-1] >= asks[0]

    def apply(self, msg: VenuePriceChange) -> tuple[LevelEvent, ...]:
        """Set the total sizes of a venue change; one event an entry, in order, also where it changes nothing.

        The book may be crossed afterwards: a batch can take several frames.
        """
        entries = parse_changes(msg)
        events = tuple([self._put(*entry) for entry in entries])
        self.venue_ts, self.hash = msg.venue_ts, msg.hash
        return events

    def apply_delta(self, msg: BookDelta) -> tuple[LevelEvent, ...]:
        """Add the signed changes of a generic delta; a level at or below 0 is gone, and its event's change is what was there.

        Raises CrossedBook if the book would be crossed, BadFrame for a bad number.
        """
        bids, asks = self.bids, self.asks
        events: list[LevelEvent] = []
        try:
            for price, change in msg.bids:
                events.append(bids.add("bid", parse_price_e6(price), parse_change_e6(change)))
            for price, change in msg.asks:
                events.append(asks.add("ask", parse_price_e6(price), parse_change_e6(change)))
        except ValueError as error:
            self._undo(events)
            raise BadFrame(f"delta {msg.seq} of token {msg.token_id}: {error}") from None
        if bids.prices and asks.prices and bids.prices[-1] >= asks.prices[0]:
            bid, ask = self.best_bid, self.best_ask
            self._undo(events)
            raise CrossedBook(f"delta {msg.seq} of token {msg.token_id} crosses the book: bid {bid} at or above ask {ask}")
        self.seq, self.hash = msg.seq, None
        return tuple(events)

    def follow(self, msg: VenuePriceChange | BookDelta | TickSizeChange | VenueTrade) -> None:
        """Apply whatever changes the book or the fields its hash needs: what an unchecked copy of a book wants. Raises BadFrame."""
        match msg:
            case VenuePriceChange():
                self.apply(msg)
            case BookDelta():
                self.apply_delta(msg)
            case TickSizeChange():
                self.tick_size = msg.new_tick_size
            case VenueTrade():
                self.last_trade_price = hashed_trade_price(msg)

    def top(self, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best ``depth`` levels a side: bids falling, asks rising."""
        bids, asks = self.bids, self.asks
        return (
            bids.nearest if bids.depth == depth else bids.best(depth),
            asks.nearest if asks.depth == depth else asks.best(depth),
        )

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """All levels: bids falling, asks rising."""
        return self.bids.all_levels(), self.asks.all_levels()

    def levels_state(self, venue_ts: str) -> HashState:
        """The hash state of all levels at the venue's timestamp; only for a book that keeps texts."""
        return levels_state(self.market, self.token_id, venue_ts, self.bids.joined(), self.asks.joined())

    def to_venue_book(self, ts_ns: int, source: BookSource = "mirror", vouched_ns: int = 0) -> VenueBook:
        """The book as a message that ``from_message`` turns back into the same book: levels in hash order, all fields known."""
        return VenueBook(
            ts_ns=ts_ns,
            token_id=self.token_id,
            market=self.market,
            bids=self.bids.text_levels(rising=True),
            asks=self.asks.text_levels(rising=False),
            source=source,
            venue_ts=self.venue_ts,
            hash=self.hash,
            tick_size=self.tick_size,
            last_trade_price=self.last_trade_price,
            min_order_size=self.min_order_size,
            neg_risk=self.neg_risk,
            version=self.version,
            seq=self.seq,
            vouched_ns=vouched_ns,
        )

    def _put(self, is_bid: bool, price_e6: int, size_e6: int, text: str) -> LevelEvent:
        if is_bid:
            return LevelEvent("bid", price_e6, size_e6, self.bids.put(price_e6, size_e6, text))
        return LevelEvent("ask", price_e6, size_e6, self.asks.put(price_e6, size_e6, text))

    def _undo(self, events: list[LevelEvent]) -> None:
        """Take back changes of a delta, the last first."""
        for event in reversed(events):
            side = self.bids if event.side == "bid" else self.asks
            side.put(event.price_e6, event.size_e6 - event.change_e6, "")


def hashed_trade_price(msg: VenueTrade) -> str:
    """The price of a trade as the hash writes it. Raises BadFrame."""
    try:
        return trade_price_text(parse_price_e6(msg.price))
    except ValueError as error:
        raise BadFrame(f"trade of token {msg.token_id}: {error}") from None


def parse_changes(msg: VenuePriceChange) -> list[Entry]:
    """The entries of a venue change, checked. Raises BadFrame."""
    entries: list[Entry] = []
    for price, size, side in msg.changes:
        try:
            price_e6, size_e6 = parse_price_e6(price), parse_size_e6(size)
            if size_e6 > MAX_SIZE_E6:
                raise ValueError(f"size {size} is too large")
            if side != "BUY" and side != "SELL":
                raise ValueError(f"side {side!r} is neither BUY nor SELL")
        except ValueError as error:
            raise BadFrame(f"price_change of token {msg.token_id} at {msg.venue_ts}: {error}") from None
        entries.append((side == "BUY", price_e6, size_e6, level_json(price, size)))
    return entries


def changed_prices(old: BookSide, new: BookSide) -> set[int]:
    """The prices at which two sides differ in size."""
    return {price for price, _ in old.sizes.items() ^ new.sizes.items()}
