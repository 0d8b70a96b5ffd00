"""Every book that is kept, by token, with the feeds and the numbering of their markets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.market.catalogue import Catalogue
from pipeline.market.hashed import HashedBook
from pipeline.market.market_feed import MarketFeed
from pipeline.market.sequenced import SeqLine, SequencedBook
from pipeline.market.token_book import BookRules, TokenBook
from pipeline.messages.market import Market


class Shelf:
    """The kept books. A token gets its book the first time it is asked for."""

    def __init__(self, rules: BookRules) -> None:
        self.rules = rules
        self.catalogue = Catalogue()
        self.feeds: dict[str, MarketFeed[TokenBook]] = {}
        self.hashed: dict[str, HashedBook] = {}
        self.sequenced: dict[str, SequencedBook] = {}
        self._lines: dict[str, SeqLine] = {}

    def __len__(self) -> int:
        return len(self.hashed) + len(self.sequenced)

    def counts(self) -> dict[str, int]:
        """Totals over all books and feeds, those that the feeds count by name included."""
        feeds = self.feeds.values()
        found = {
            "tokens": len(self),
            "batches": sum(book.seq for book in self.hashed.values()),
            "snapshots": sum(feed.snapshots for feed in feeds),
            "deltas": sum(feed.deltas for feed in feeds),
            "trades": sum(feed.trades for feed in feeds),
        }
        for feed in feeds:
            for name, number in feed.counts.items():
                found[name] = found.get(name, 0) + number
        return found

    def state(self, turn: int) -> dict[str, Any]:
        """One book, another one each turn: its levels and how far it is trusted."""
        books = self.all()
        if not books:
            return {}
        kept = books[turn % len(books)]
        levels = None if kept.book is None else kept.book.levels()
        return {"token_id": kept.token_id, "confidence": kept.confidence.state, "seq": kept.seq, "levels": levels}

    def all(self) -> list[TokenBook]:
        """Every book, those of the venue first."""
        return [*self.hashed.values(), *self.sequenced.values()]

    def find(self, token_id: str) -> TokenBook | None:
        """The book of a token; None if there is none yet."""
        return self.hashed.get(token_id) or self.sequenced.get(token_id)

    def known(self, token_ids: Iterable[str]) -> list[TokenBook]:
        """The books of those tokens that have one."""
        found = (self.find(token_id) for token_id in token_ids)
        return [book for book in found if book is not None]

    def feed(self, market_id: str) -> MarketFeed[TokenBook]:
        """The feed of a market."""
        feed = self.feeds.get(market_id)
        if feed is None:
            market = self.catalogue.market(market_id)
            feed = self.feeds[market_id] = MarketFeed(market_id if market is None else market.market_id)
            if market is not None:
                feed.set_market(market)
        return feed

    def of_venue(self, token_id: str, market_id: str) -> HashedBook:
        """The book of a token on the venue's market channel."""
        book = self.hashed.get(token_id)
        if book is None:
            book = self.hashed[token_id] = HashedBook(token_id, self.feed(market_id), self.rules)
        return book

    def of_stream(self, token_id: str, market_id: str) -> SequencedBook:
        """The book of an outcome on the generic stream."""
        book = self.sequenced.get(token_id)
        if book is None:
            line = self._lines.setdefault(market_id, SeqLine())
            book = self.sequenced[token_id] = SequencedBook(token_id, self.feed(market_id), self.rules, line)
        return book

    def follow(self, markets: Iterable[Market]) -> list[MarketFeed[TokenBook]]:
        """Learn the markets that are followed; returns the feeds of those that are followed no longer, taken off the shelf.

        What never was in the catalogue stays: the generic stream needs none.
        """
        old, self.catalogue = self.catalogue, Catalogue(markets)
        for market_id, market in self.catalogue.markets.items():
            feed = self.feeds.get(market_id)
            if feed is not None:
                feed.set_market(market)
                for book in feed.tokens:
                    book.learn_statics()
        gone = [market_id for market_id in old.markets if market_id not in self.catalogue.markets and market_id in self.feeds]
        return [self._take_off(market_id) for market_id in gone]

    def _take_off(self, market_id: str) -> MarketFeed[TokenBook]:
        feed = self.feeds.pop(market_id)
        for book in feed.tokens:
            self.hashed.pop(book.token_id, None)
            self.sequenced.pop(book.token_id, None)
        self._lines.pop(market_id, None)
        return feed
