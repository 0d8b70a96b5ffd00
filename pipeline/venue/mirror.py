"""The gateway's copy of every book as the feed tells it, unchecked: only to answer a book builder that starts again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from pipeline.base.errors import BadFrame
from pipeline.market.book import OrderBook, hashed_trade_price
from pipeline.market.compare import compare
from pipeline.market.venue_time import time_ms
from pipeline.messages import Message
from pipeline.messages.market import BookDelta, TextLevel, TickSizeChange, VenueBook, VenuePriceChange, VenueTrade

LASTING = ("tick_size", "last_trade_price", "min_order_size", "neg_risk", "version")
"""What holds of a token until it is told anew; later books leave some of it out."""

Sides = tuple[tuple[TextLevel, ...], tuple[TextLevel, ...]]
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Sides).decode


class _Copy:
    """One token's book, packed, and the changes since it was last put together: only the latest of each price and side counts.

    ``fields`` is the book without its levels; ``vouched_ns`` is when the venue last said something of the levels, or agreed with them.
    A book of the generic stream is kept ``opened``, as each of its changes needs the size that was there before.
    """

    __slots__ = ("changes", "fields", "hash", "levels", "opened", "venue_ts", "vouched_ns")

    def __init__(self, msg: VenueBook, previous: _Copy | None) -> None:
        """Raises BadFrame for levels of the generic stream that do not fit; others are looked at when they are put together."""
        self.vouched_ns = msg.told_ns
        self.venue_ts, self.hash = msg.venue_ts, msg.hash
        self.changes: dict[tuple[str, str], tuple[str, str, str]] = {}
        known = (
            {} if previous is None else {name: getattr(previous.fields, name) for name in LASTING if getattr(msg, name) is None}
        )
        self.fields: VenueBook = msgspec.structs.replace(msg, bids=(), asks=(), **known)
        self.opened: OrderBook | None = None
        self.levels = _pack((msg.bids, msg.asks))
        if msg.seq is not None:
            self.opened, self.levels = self.put_together(), b""

    def put_together(self) -> OrderBook:
        """The book as it is after all changes. Raises BadFrame if they do not fit."""
        fields, book = self.fields, self.opened
        if book is None:
            bids, asks = _unpack(self.levels)
            book = OrderBook.from_message(msgspec.structs.replace(fields, bids=bids, asks=asks))
        if self.changes:
            changes = tuple(self.changes.values())
            book.apply(VenuePriceChange(fields.ts_ns, fields.token_id, fields.market, "", "", changes))
            self.changes = {}
            if self.opened is None:
                self.levels = _pack((book.bids.text_levels(rising=True), book.asks.text_levels(rising=False)))
        book.tick_size, book.last_trade_price = fields.tick_size, fields.last_trade_price
        book.venue_ts, book.hash = self.venue_ts, self.hash
        return book

    def follow(self, msg: BookDelta | TickSizeChange | VenueTrade) -> None:
        """What changes a book of the generic stream, or something that a book is hashed with. Raises BadFrame."""
        match msg:
            case BookDelta():
                self.opened = self.put_together()
                self.opened.follow(msg)
                self.levels, self.hash, self.vouched_ns = b"", None, msg.ts_ns
            case TickSizeChange():
                self.fields = msgspec.structs.replace(self.fields, tick_size=msg.new_tick_size)
            case VenueTrade():
                self.fields = msgspec.structs.replace(self.fields, last_trade_price=hashed_trade_price(msg))


class Mirror:
    """One book a token. What does not fit drops it, until a whole book comes.

    Books and changes are only kept as they come, as nearly every copy is thrown away without having been asked for.
    """

    def __init__(self) -> None:
        self._copies: dict[str, _Copy] = {}
        self._heard_ns = 0

    def take(self, msg: Message) -> None:
        """Follow a message of the feed, or an answer to a request; one that is older than the copy changes nothing."""
        if isinstance(msg, VenuePriceChange):
            self._heard_ns = msg.ts_ns
            copy = self._copies.get(msg.token_id)
            if copy is not None:
                for change in msg.changes:
                    copy.changes[change[0], change[2]] = change
                copy.venue_ts, copy.hash, copy.vouched_ns = msg.venue_ts, msg.hash, msg.ts_ns
            return
        if not isinstance(msg, VenueBook | BookDelta | TickSizeChange | VenueTrade):
            return
        self._heard_ns = msg.ts_ns
        copy = self._copies.get(msg.token_id)
        try:
            if isinstance(msg, VenueBook):
                if msg.source == "ws" or copy is None or time_ms(msg.venue_ts) >= time_ms(copy.venue_ts):
                    self._copies[msg.token_id] = _Copy(msg, copy)
            elif copy is not None:
                copy.follow(msg)
        except BadFrame:
            self._copies.pop(msg.token_id, None)  # the book builder refuses and counts the same message

    def spot_checked(self, answer: VenueBook) -> None:
        """The venue was asked for a book that is kept: if it has the same levels, it vouches for them anew."""
        copy = self._copies.get(answer.token_id)
        if copy is None:
            return
        try:
            book = copy.put_together()
        except BadFrame:
            self._copies.pop(answer.token_id, None)
            return
        try:
            told = OrderBook.from_message(answer, book)
        except BadFrame:
            return  # the book builder refuses and counts the same answer
        if compare(book, (), told) == "same":
            copy.vouched_ns = max(copy.vouched_ns, answer.told_ns)

    def drop(self, token_id: str) -> str:
        """Forget a token's book; its market, "" if there was no book."""
        copy = self._copies.pop(token_id, None)
        return "" if copy is None else copy.fields.market

    def drop_all(self, token_ids: Iterable[str]) -> None:
        """Forget the books of these tokens."""
        for token_id in token_ids:
            self._copies.pop(token_id, None)

    def keep_only(self, token_ids: Collection[str]) -> None:
        """Forget the books of all other tokens."""
        wanted = frozenset(token_ids)
        self._copies = {token_id: copy for token_id, copy in self._copies.items() if token_id in wanted}

    def current(self, topic: str) -> Iterator[VenueBook]:
        """The books of every topic of ``feed`` that begins so."""
        for token_id, copy in list(self._copies.items()):
            if not f"feed.{token_id}\0".startswith(topic):
                continue
            try:
                book = copy.put_together()
            except BadFrame:
                self._copies.pop(token_id, None)
                continue
            yield book.to_venue_book(self._heard_ns, vouched_ns=copy.vouched_ns)
