"""The book as it is without our own orders: where they are displayed, a strategy must not take them for somebody else's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pipeline.base.units import complement_e6
from pipeline.messages.market import BookSnapshot, Level
from pipeline.messages.orders import OpenOrder

DISPLAYED = frozenset({"new", "submitted", "live", "partially_filled", "unknown"})
"""Orders in one of these may stand in the venue's book: the feed can be faster than the answer."""


def without_own(book: BookSnapshot, orders: Iterable[OpenOrder]) -> BookSnapshot:
    """The book of a token less what ``orders`` of its market display in it; the same object if that is nothing.

    An order of the market's other outcome stands here mirrored: a bid at p is an ask at 1 - p. Where the feed does not show an order
    yet, or no more, somebody else's shares at its price are left out instead: the quote that follows is the more careful one.
    """
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for order in orders:
        left = order.size_e6 - order.filled_e6
        if order.status not in DISPLAYED or left <= 0:
            continue
        own = order.token_id == book.token_id
        price: int = order.price_e6 if own else complement_e6(order.price_e6)
        mine = bids if own == (order.side == "BUY") else asks
        mine[price] = mine.get(price, 0) + left
    if not bids and not asks:
        return book
    return msgspec.structs.replace(book, bids=_less(book.bids, bids), asks=_less(book.asks, asks))


def _less(levels: Sequence[Level], mine: dict[int, int]) -> tuple[Level, ...]:
    if not mine:
        return tuple(levels)
    left = (Level(level.price_e6, level.size_e6 - mine.get(level.price_e6, 0)) for level in levels)
    return tuple(level for level in left if level.size_e6 > 0)
