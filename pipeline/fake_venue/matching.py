"""The fake venue's matching engine: one market's resting orders in price-time order, in exact integers.

YES and NO are one book. Everything here is told in YES terms: to sell NO at p is to buy YES at 1 - p.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

BID = 0
ASK = 1


@dataclass(slots=True)
class RestingOrder:
    """An order as the book holds it. ``size_e6`` is what remains of it."""

    order_id: int
    owner: str
    side: int
    price_e6: int
    size_e6: int


class Match(NamedTuple):
    """A resting order met a taker: at the resting order's price, for ``size_e6`` shares."""

    order_id: int
    owner: str
    price_e6: int
    size_e6: int


class LevelChange(NamedTuple):
    """One price of one side has a different total than before; 0 when nobody rests there any more."""

    side: int
    price_e6: int
    total_e6: int


class MatchingBook:
    """Resting orders of one market. Prices in millionths of a dollar a share, sizes in millionths of a share."""

    def __init__(self) -> None:
        self.orders: dict[int, RestingOrder] = {}
        self._queues: tuple[dict[int, dict[int, RestingOrder]], ...] = ({}, {})
        self._totals: tuple[dict[int, int], ...] = ({}, {})
        self._prices: tuple[list[int], ...] = ([], [])
        self._touched: dict[tuple[int, int], None] = {}

    def best(self, side: int) -> int | None:
        """The best price of a side; None while it is empty."""
        prices = self._prices[side]
        if not prices:
            return None
        return prices[-1] if side == BID else prices[0]

    def prices(self, side: int) -> Iterator[int]:
        """The prices of a side, best first."""
        return reversed(self._prices[side]) if side == BID else iter(self._prices[side])

    def total(self, side: int, price_e6: int) -> int:
        """Shares resting at a price; 0 if none."""
        return self._totals[side].get(price_e6, 0)

    def at(self, side: int, price_e6: int) -> list[RestingOrder]:
        """The orders of one price, oldest first."""
        return list(self._queues[side].get(price_e6, {}).values())

    def depth(self) -> int:
        """The number of prices of both sides."""
        return len(self._prices[BID]) + len(self._prices[ASK])

    def match(self, side: int, limit_e6: int, size_e6: int) -> list[Match]:
        """Fill a taker of ``side`` against the other side, best price first and oldest order first, up to its limit."""
        other = ASK if side == BID else BID
        queues, totals = self._queues[other], self._totals[other]
        matches: list[Match] = []
        while size_e6:
            price = self.best(other)
            if price is None or (price > limit_e6 if side == BID else price < limit_e6):
                break
            queue = queues[price]
            while size_e6 and queue:
                order = next(iter(queue.values()))
                taken = min(size_e6, order.size_e6)
                size_e6 -= taken
                order.size_e6 -= taken
                totals[price] -= taken
                matches.append(Match(order.order_id, order.owner, price, taken))
                if not order.size_e6:
                    del queue[order.order_id], self.orders[order.order_id]
            self._touched[other, price] = None
            if not queue:
                self._drop(other, price)
        return matches

    def reach(self, side: int, limit_e6: int) -> list[tuple[int, int]]:
        """What a taker of ``side`` would meet up to its limit: each price with its total, best first."""
        other = ASK if side == BID else BID
        found: list[tuple[int, int]] = []
        for price in self.prices(other):
            if price > limit_e6 if side == BID else price < limit_e6:
                break
            found.append((price, self._totals[other][price]))
        return found

    def take_one(self, order_id: int, size_e6: int) -> Match | None:
        """Fill one resting order out of turn, whatever rests before it; None if it is not there."""
        order = self.orders.get(order_id)
        if order is None:
            return None
        taken = min(size_e6, order.size_e6)
        if taken == order.size_e6:
            self.cancel(order_id)
        else:
            self._totals[order.side][order.price_e6] -= taken
            self._touched[order.side, order.price_e6] = None
        order.size_e6 -= taken
        return Match(order_id, order.owner, order.price_e6, taken)

    def rest(self, order: RestingOrder) -> None:
        """Put an order behind all others of its price. It must not cross the other side: match it first."""
        queue = self._queues[order.side].get(order.price_e6)
        if queue is None:
            queue = self._queues[order.side][order.price_e6] = {}
            self._totals[order.side][order.price_e6] = 0
            insort(self._prices[order.side], order.price_e6)
        queue[order.order_id] = order
        self.orders[order.order_id] = order
        self._totals[order.side][order.price_e6] += order.size_e6
        self._touched[order.side, order.price_e6] = None

    def cancel(self, order_id: int) -> RestingOrder | None:
        """Take an order out of the book; None if it is not there (any more)."""
        order = self.orders.pop(order_id, None)
        if order is None:
            return None
        queue = self._queues[order.side][order.price_e6]
        del queue[order_id]
        self._totals[order.side][order.price_e6] -= order.size_e6
        self._touched[order.side, order.price_e6] = None
        if not queue:
            self._drop(order.side, order.price_e6)
        return order

    def cancel_all(self, order_ids: Iterable[int]) -> list[RestingOrder]:
        """Cancel several; those that were there, in the order given."""
        found = (self.cancel(order_id) for order_id in order_ids)
        return [order for order in found if order is not None]

    def drain_changes(self) -> list[LevelChange]:
        """The prices touched since the last call, in the order of the first touch, with their totals."""
        changes = [LevelChange(side, price, self._totals[side].get(price, 0)) for side, price in self._touched]
        self._touched.clear()
        return changes

    def _drop(self, side: int, price_e6: int) -> None:
        del self._queues[side][price_e6], self._totals[side][price_e6]
        prices = self._prices[side]
        del prices[bisect_left(prices, price_e6)]
