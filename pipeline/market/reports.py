"""What is told about the feeds besides their books: each market's totals within a second, each token's hash checks by the minute."""

from __future__ import annotations

from pipeline.base.units import NS_PER_S
from pipeline.market.market_feed import MarketFeed
from pipeline.market.shelf import Shelf
from pipeline.market.token_book import TokenBook
from pipeline.messages import Message

STATUS_EVERY_NS = NS_PER_S
CHECKS_EVERY_NS = 60 * NS_PER_S


class Reports:
    """Which reports are due, and their making."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._unsaid: list[MarketFeed[TokenBook]] = []
        self._status_due_ns: int | None = None
        self._checks_due_ns: int | None = None

    @property
    def due_ns(self) -> int | None:
        """When ``due`` has something next; None: never."""
        status, checks = self._status_due_ns, self._checks_due_ns
        return checks if status is None or (checks is not None and checks < status) else status

    def say_later(self, feed: MarketFeed[TokenBook], now_ns: int) -> None:
        """Have a market's totals said within a second, and its tokens' hash checks with the minute."""
        if feed.unsaid:
            return
        feed.unsaid = True
        if not self._shelf.rules.rows:
            return
        self._unsaid.append(feed)
        if self._status_due_ns is None:
            self._status_due_ns = now_ns + STATUS_EVERY_NS
        if self._checks_due_ns is None:
            self._checks_due_ns = _minute_of(now_ns) + CHECKS_EVERY_NS

    def due(self, now_ns: int) -> list[Message]:
        """What is to be told by now."""
        out: list[Message] = []
        if self._checks_due_ns is not None and now_ns >= self._checks_due_ns:
            out += self._checks(now_ns)
        if self._status_due_ns is not None and now_ns >= self._status_due_ns:
            out += self.statuses(now_ns)
        return out

    def statuses(self, now_ns: int) -> list[Message]:
        """The totals of all markets that changed since they were last told."""
        feeds, self._unsaid = self._unsaid, []
        self._status_due_ns = None
        for feed in feeds:
            feed.unsaid = False
        return [feed.status(now_ns) for feed in feeds]

    def checks_of(self, book: TokenBook, now_ns: int) -> list[Message]:
        """The hash checks of a token since they were last told."""
        minute_ns = _minute_of(now_ns) if self._checks_due_ns is None else self._checks_due_ns - CHECKS_EVERY_NS
        told = book.told_checks(minute_ns, now_ns)
        return [] if told is None else [told]

    def _checks(self, now_ns: int) -> list[Message]:
        """The hash checks of the minute that has ended, of every token that had any; again a minute later while something goes on."""
        out = [told for book in self._shelf.all() for told in self.checks_of(book, now_ns)]
        self._checks_due_ns = _minute_of(now_ns) + CHECKS_EVERY_NS if out or self._unsaid else None
        return out


def _minute_of(now_ns: int) -> int:
    """When the minute of a time began."""
    return now_ns - now_ns % CHECKS_EVERY_NS
