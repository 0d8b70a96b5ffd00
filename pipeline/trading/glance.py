"""A look at each book by whoever holds orders: most change nothing but levels behind the top, and are only kept."""

from __future__ import annotations

from pipeline.messages.market import BookSnapshot
from pipeline.trading.followed import Followed, Seen
from pipeline.trading.markouts import Markouts
from pipeline.trading.policy import tops_of


class Glance:
    """Keeps the followed books, and tells of those whose state or top is another one than before."""

    def __init__(self, followed: Followed, markouts: Markouts) -> None:
        self._followed, self._markouts = followed, markouts
        self._books, self._seen = followed.books, followed.seen

    def at(self, book: BookSnapshot, now_ns: int) -> bool:
        """Take a book; True if what is known of all books changed with it: one more, one less, or the link."""
        token_id = book.token_id
        seen = self._seen.get(token_id)
        if seen is None or book.state != seen.state or book.full_depth:
            return self._look_at(book, now_ns)
        self._books[token_id] = book
        for level in book.changed_bids:
            if level.price_e6 >= seen.bid_e6:
                return self._look_at(book, now_ns)
        for level in book.changed_asks:
            if level.price_e6 <= seen.ask_e6:
                return self._look_at(book, now_ns)
        return False

    def _look_at(self, book: BookSnapshot, now_ns: int) -> bool:
        """Look at a book whose state or top may be another one than before."""
        changed = self._followed.on_book(book)
        bid_e6, ask_e6 = tops_of(book)
        seen = self._seen.get(book.token_id)
        if seen is None or book.state != seen.state:
            self._seen[book.token_id] = Seen(book.state, bid_e6, ask_e6)
        elif bid_e6 == seen.bid_e6 and ask_e6 == seen.ask_e6:
            return changed
        else:
            seen.bid_e6, seen.ask_e6 = bid_e6, ask_e6
        self._markouts.on_book(book, now_ns)
        return changed
