"""What the executor knows of the market: the followed markets, the latest book of each token, and whether any book is heard of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.base.units import complement_e6
from pipeline.market.confidence import SHOWN
from pipeline.messages.market import BookSnapshot, FeeSchedule, Market, State
from pipeline.trading.policy import mirrored, other_token


@dataclass(slots=True)
class Seen:
    """The state and the top of a token's latest book: no bid and no ask are 0 and 1."""

    state: State
    bid_e6: int
    ask_e6: int


class Followed:
    """Books and markets by token. A market that left the universe is remembered, as something of it may still be held.

    ``missing`` are the tokens of the universe of which no book has come yet, nor of their market's other token; it is None before a
    universe has come. ``seen`` is what whoever looks at the books has noted of each: gone where a book is forgotten. ``link_up`` is
    False from when every book is stale until one of them is heard of again.
    """

    def __init__(self, depth: int | None = None) -> None:
        """``depth``: how many levels a side are kept of a book that comes whole; None is all."""
        self.books: dict[str, BookSnapshot] = {}
        self.seen: dict[str, Seen] = {}
        self.missing: set[str] | None = None
        self.link_up = True
        self._markets: dict[str, Market] = {}
        self._known: dict[str, Market] = {}
        self._events: dict[str, dict[str, None]] = {}
        self._depth = depth
        self._heard = 0
        self._stale = 0

    def on_universe(self, markets: Iterable[Market]) -> None:
        """The followed markets, whole."""
        self._markets = {token_id: market for market in markets for token_id in market.token_ids}
        for market in self._markets.values():
            self._known[market.market_id] = market
            if event_of(market):
                self._events.setdefault(event_of(market), {})[market.market_id] = None
        self.missing = {token_id for token_id in self._markets if self.book(token_id) is None}

    def on_book(self, book: BookSnapshot) -> bool:
        """A token's latest book; whether it is the first one, or under another state than the one before."""
        token_id = book.token_id
        before = self.books.get(token_id)
        self.books[token_id] = book.cut_to(self._depth) if book.full_depth else book
        if before is not None and before.state == book.state:
            return False
        if before is None and self.missing:
            self.missing.discard(token_id)
            market = self._markets.get(token_id)
            if market is not None:
                self.missing.discard(other_token(market, token_id))
        self._count(before, -1)
        self._count(book, 1)
        if self._heard:
            self.link_up = True
        elif self._stale:
            self.link_up = False
        return True

    def trusted_mid_e6(self, token_id: str, allowed: frozenset[State]) -> int | None:
        """The mid of a token's book; None where the book is not in one of the ``allowed`` states."""
        book = self.book(token_id)
        return None if book is None or book.state not in allowed else book.mid_e6

    def forget_books(self) -> None:
        """Who makes the books has started again: what it said before is history."""
        self.books.clear()
        self.seen.clear()
        self._heard = self._stale = 0
        self.missing = None if self.missing is None else set(self._markets)

    def forget_book(self, token_id: str) -> None:
        """Something of this token's book was lost."""
        before = self.books.pop(token_id, None)
        self.seen.pop(token_id, None)
        self._count(before, -1)

    @property
    def is_complete(self) -> bool:
        """Every followed token has a book, its own or the other outcome's."""
        return self.missing is not None and not self.missing

    def market(self, token_id: str) -> Market | None:
        """The followed market of a token."""
        return self._markets.get(token_id)

    def fees_of(self, token_id: str) -> FeeSchedule | None:
        """The fee schedule of a token's market; None if it has none, or is not followed."""
        market = self._markets.get(token_id)
        return None if market is None else market.fees

    def book(self, token_id: str) -> BookSnapshot | None:
        """The token's book; without one, the other outcome's seen from this side."""
        book = self.books.get(token_id)
        market = self._markets.get(token_id)
        if book is not None or market is None:
            return book
        other = self.books.get(other_token(market, token_id))
        return mirrored(other, token_id) if other is not None else None

    def mid_e6(self, token_id: str) -> int | None:
        """The mid of the token's book, or one minus the other outcome's; None without either."""
        book = self.books.get(token_id)
        if book is not None and book.mid_e6 is not None:
            return book.mid_e6
        market = self._markets.get(token_id)
        other = self.books.get(other_token(market, token_id)) if market is not None else None
        mid = other.mid_e6 if other is not None else None
        return None if mid is None else complement_e6(mid)

    def event(self, market: Market) -> tuple[Market, ...]:
        """All markets ever followed of this one's event, itself included."""
        names = self._events.get(event_of(market), {})
        return tuple(self._known[name] for name in names) or (market,)

    def exclusive(self, neg_risk_market_id: str) -> tuple[Market, ...]:
        """All markets ever followed of a neg-risk event."""
        return tuple(self._known[name] for name in self._events.get(neg_risk_market_id, ()) if neg_risk_market_id)

    def _count(self, book: BookSnapshot | None, change: int) -> None:
        if book is not None:
            self._heard += change * (book.state in SHOWN)
            self._stale += change * (book.state == "STALE")


def event_of(market: Market) -> str:
    """The name of the group of markets that resolve together: its neg-risk market's, else its event's; "" if it stands alone."""
    return market.neg_risk_market_id or market.event_id
