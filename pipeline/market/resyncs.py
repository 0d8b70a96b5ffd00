"""Fresh books that tokens need, asked for within their budget."""

from __future__ import annotations

from pipeline.market.budget import ResyncBudget
from pipeline.market.market_feed import MarketFeed
from pipeline.market.shelf import Shelf
from pipeline.market.token_book import TokenBook
from pipeline.messages import Message
from pipeline.messages.control import BookWanted


class Resyncs:
    """Who waits for a fresh book, and the asking when its turn comes."""

    def __init__(self, shelf: Shelf, per_minute: int) -> None:
        self._shelf = shelf
        self._budget = ResyncBudget(per_minute)

    @property
    def due_ns(self) -> int | None:
        """When ``ask`` has something next; None while nobody waits."""
        return self._budget.due_ns

    def settled(self, token_id: str) -> None:
        """The token waits no more."""
        self._budget.settled(token_id)

    def with_wants(self, feed: MarketFeed[TokenBook], out: list[Message], now_ns: int) -> list[Message]:
        """``out`` and the requests of those tokens of a market that have come to need a fresh book."""
        for book in feed.wanting:
            self._budget.want(book.token_id, now_ns)
        feed.wanting.clear()
        return [*out, *self.ask(now_ns)]

    def ask(self, now_ns: int) -> list[Message]:
        """Ask for the fresh books whose turn it is; a token whose tries are spent is given up."""
        out: list[Message] = []
        while (turn := self._budget.take(now_ns)) is not None:
            token_id, spent = turn
            book = self._shelf.find(token_id)
            if book is None or not book.awaiting:
                self._budget.settled(token_id)
            elif spent:
                out += book.give_up(now_ns)
            else:
                out += book.asked(now_ns)
                book.count("books_wanted")
                out.append(
                    BookWanted(
                        ts_ns=now_ns, token_id=token_id, market=book.feed.market_id, cause=book.wanted, last_seq=book.last_seq
                    )
                )
        return out
