"""The gateway's copy of every book as the feed tells it, unchecked: only to answer a book builder that starts again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from pipeline.base.errors import BadFrame
from pipeline.market.book import OrderBook
from pipeline.market.token_book import time_ms
from pipeline.messages import Message
from pipeline.messages.market import BookDelta, TickSizeChange, VenueBook, VenuePriceChange, VenueTrade

ABOUT_BOOKS = (VenueBook, VenuePriceChange, BookDelta, TickSizeChange, VenueTrade)


class Mirror:
    """One book a token. What does not fit drops it, until a whole book comes."""

    def __init__(self) -> None:
        self._books: dict[str, OrderBook] = {}
        self._heard_ns = 0

    def take(self, msg: Message) -> None:
        """Follow a message of the feed, or an answer to a request; one that is older than the copy changes nothing."""
        if not isinstance(msg, ABOUT_BOOKS):
            return
        book = self._books.get(msg.token_id)
        try:
            if isinstance(msg, VenueBook):
                if msg.source == "ws" or book is None or time_ms(msg.venue_ts) >= time_ms(book.venue_ts):
                    self._books[msg.token_id] = OrderBook.from_message(msg, book)
            elif book is not None:
                book.follow(msg)
        except BadFrame:
            self._books.pop(msg.token_id, None)  # the book builder refuses and counts the same message
        self._heard_ns = msg.ts_ns

    def drop(self, token_id: str) -> str:
        """Forget a token's book; its market, "" if there was no book."""
        book = self._books.pop(token_id, None)
        return "" if book is None else book.market

    def drop_all(self, token_ids: Iterable[str]) -> None:
        """Forget the books of these tokens."""
        for token_id in token_ids:
            self._books.pop(token_id, None)

    def keep_only(self, token_ids: Collection[str]) -> None:
        """Forget the books of all other tokens."""
        wanted = frozenset(token_ids)
        self._books = {token_id: book for token_id, book in self._books.items() if token_id in wanted}

    def current(self, topic: str) -> Iterator[VenueBook]:
        """The books of every topic of ``feed`` that begins so."""
        for token_id, book in list(self._books.items()):
            if f"feed.{token_id}\0".startswith(topic):
                yield book.to_venue_book(self._heard_ns)
