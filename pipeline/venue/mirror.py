"""The gateway's copy of every book as the feed tells it, unchecked: only to answer a book builder that starts again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from pipeline.base.errors import BadFrame
from pipeline.market.book import OrderBook
from pipeline.market.compare import compare
from pipeline.market.venue_time import time_ms
from pipeline.messages import Message
from pipeline.messages.market import BookDelta, TickSizeChange, VenueBook, VenuePriceChange, VenueTrade

ABOUT_BOOKS = (VenueBook, VenuePriceChange, BookDelta, TickSizeChange, VenueTrade)


class _Copy:
    """One token's book, and the changes since it was last put together: only the latest of each price and side counts.

    ``vouched_ns`` is when the venue last said something of the levels, or agreed with them.
    """

    __slots__ = ("book", "changes", "last", "vouched_ns")

    def __init__(self, book: OrderBook, vouched_ns: int) -> None:
        self.book = book
        self.vouched_ns = vouched_ns
        self.changes: dict[tuple[str, str], tuple[str, str, str]] = {}
        self.last: VenuePriceChange | None = None

    @property
    def venue_ts(self) -> str | None:
        return self.book.venue_ts if self.last is None else self.last.venue_ts

    def put_together(self) -> OrderBook:
        """The book as it is after all changes. Raises BadFrame if they do not fit."""
        if self.last is not None:
            self.book.apply(msgspec.structs.replace(self.last, changes=tuple(self.changes.values())))
            self.changes, self.last = {}, None
        return self.book


class Mirror:
    """One book a token. What does not fit drops it, until a whole book comes.

    Changes are only kept as they come, as nearly every copy is thrown away without having been asked for.
    """

    def __init__(self) -> None:
        self._copies: dict[str, _Copy] = {}
        self._heard_ns = 0

    def take(self, msg: Message) -> None:
        """Follow a message of the feed, or an answer to a request; one that is older than the copy changes nothing."""
        if not isinstance(msg, ABOUT_BOOKS):
            return
        self._heard_ns = msg.ts_ns
        copy = self._copies.get(msg.token_id)
        if type(msg) is VenuePriceChange:
            if copy is not None:
                for change in msg.changes:
                    copy.changes[change[0], change[2]] = change
                copy.last, copy.vouched_ns = msg, msg.ts_ns
            return
        try:
            if isinstance(msg, VenueBook):
                if msg.source == "ws" or copy is None or time_ms(msg.venue_ts) >= time_ms(copy.venue_ts):
                    previous = None if copy is None else copy.put_together()
                    self._copies[msg.token_id] = _Copy(OrderBook.from_message(msg, previous), msg.told_ns)
            elif copy is not None:
                copy.put_together().follow(msg)
                if isinstance(msg, BookDelta):
                    copy.vouched_ns = msg.ts_ns
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
        return "" if copy is None else copy.book.market

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
