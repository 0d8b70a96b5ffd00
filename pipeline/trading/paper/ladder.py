"""The displayed sizes of one token, at every depth that was ever told, in the orientation of the market's first token."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.base.units import ONE_E6
from pipeline.messages.market import BookSnapshot, Level
from pipeline.trading.paper.order import BID

Change = tuple[int, int, int, int]
"""(side, price, size before, size after): one level of a book that changed."""


class Ladder:
    """Sizes by price, a dict a side. Whole with the first full book, then kept by the changed levels of each snapshot.

    The top that each snapshot states is compared only when somebody asks (``settle``): it differs only where a message was lost.
    """

    __slots__ = ("_last", "outcome", "sizes", "tick_e6", "tops", "venue_ns")

    def __init__(self, outcome: int = 0) -> None:
        self.outcome = outcome
        self.sizes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.tops = (0, ONE_E6)
        """The best bid and the best ask that the last snapshot stated; 0 and 1 for an empty side."""
        self.tick_e6 = 0
        self.venue_ns = 0
        self._last: BookSnapshot | None = None

    def take(self, book: BookSnapshot) -> list[Change]:
        """Follow a snapshot; the levels that are different now."""
        self._last = book
        self.tick_e6, self.venue_ns = book.tick_size_e6, book.venue_ns
        outcome = self.outcome
        bid_e6 = book.bids[0].price_e6 if book.bids else 0
        ask_e6 = book.asks[0].price_e6 if book.asks else ONE_E6
        self.tops = (ONE_E6 - ask_e6, ONE_E6 - bid_e6) if outcome else (bid_e6, ask_e6)
        changes: list[Change] = []
        if book.full_depth:
            self._replace(outcome, book.bids, changes)
            self._replace(1 - outcome, book.asks, changes)
            self._last = None
            return changes
        if book.changed_bids:
            self._apply(outcome, book.changed_bids, changes)
        if book.changed_asks:
            self._apply(1 - outcome, book.changed_asks, changes)
        return changes

    def settle(self) -> list[Change]:
        """Agree with the top that the last snapshot stated; the levels that were different."""
        book, self._last = self._last, None
        changes: list[Change] = []
        if book is not None:
            self._agree(self.outcome, book.bids, changes)
            self._agree(1 - self.outcome, book.asks, changes)
        return changes

    def size(self, side: int, price_e6: int) -> int:
        """Shares displayed at a price; 0 if none."""
        return self.sizes[side].get(price_e6, 0)

    def prices(self, side: int) -> list[int]:
        """The prices of a side, best first."""
        return sorted(self.sizes[side], reverse=side == BID)

    def mirrored(self) -> Ladder:
        """The same token's levels, now that it is known to be the other one of its market."""
        self.settle()
        other = Ladder(1 - self.outcome)
        bids, asks = self.sizes
        other.sizes = (
            {ONE_E6 - price: size for price, size in asks.items()},
            {ONE_E6 - price: size for price, size in bids.items()},
        )
        bid_e6, ask_e6 = self.tops
        other.tops = (ONE_E6 - ask_e6, ONE_E6 - bid_e6)
        other.tick_e6, other.venue_ns = self.tick_e6, self.venue_ns
        return other

    def _apply(self, side: int, levels: Iterable[Level], changes: list[Change]) -> None:
        sizes = self.sizes[side]
        for level in levels:
            price = ONE_E6 - level.price_e6 if self.outcome else level.price_e6
            new = level.size_e6
            old = sizes.get(price, 0)
            if new == old:
                continue
            if new:
                sizes[price] = new
            else:
                del sizes[price]
            changes.append((side, price, old, new))

    def _replace(self, side: int, levels: Iterable[Level], changes: list[Change]) -> None:
        stated = {ONE_E6 - level.price_e6 if self.outcome else level.price_e6 for level in levels}
        self._apply(side, levels, changes)
        self._remove(side, [price for price in self.sizes[side] if price not in stated], changes)

    def _agree(self, side: int, levels: tuple[Level, ...], changes: list[Change]) -> None:
        """A stated top is exact down to its last level."""
        self._apply(side, levels, changes)
        if not levels:
            return
        stated = {ONE_E6 - level.price_e6 if self.outcome else level.price_e6 for level in levels}
        worst = min(stated) if side == BID else max(stated)
        beyond = [
            price for price in self.sizes[side] if price not in stated and (price > worst if side == BID else price < worst)
        ]
        self._remove(side, beyond, changes)

    def _remove(self, side: int, prices: Iterable[int], changes: list[Change]) -> None:
        sizes = self.sizes[side]
        for price in prices:
            changes.append((side, price, sizes.pop(price), 0))
