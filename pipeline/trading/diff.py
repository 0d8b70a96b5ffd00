"""Orders wanted against orders open: the fewest cancels and placements that lead from one to the other."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.messages.market import Side
from pipeline.messages.orders import OpenOrder, OrderType


class Quote(msgspec.Struct, frozen=True, gc=False):
    """One resting order wanted: price in millionths of a dollar a share, size in millionths of a share."""

    token_id: str
    side: Side
    price_e6: int
    size_e6: int
    order_type: OrderType = "GTC"
    post_only: bool = True


class Changes(msgspec.Struct, frozen=True):
    """What to do, cancels first: an order must not meet the one that it replaces."""

    cancels: tuple[OpenOrder, ...] = ()
    places: tuple[Quote, ...] = ()

    def __len__(self) -> int:
        return len(self.cancels) + len(self.places)


def diff_quotes(wanted: Sequence[Quote], orders: Sequence[OpenOrder], tolerance_e6: int, tick_e6: int = 0) -> Changes:
    """The changes that make ``orders`` match ``wanted``. Applied to their own result they are empty.

    An open order serves a quote of its token and side, and keeps its place in the queue, if its price is less than
    ``tolerance_e6`` away (equal prices always serve) and what remains of it is at most the quote's size and at least half of it.
    Nearest price first, then nearest size, then the oldest order. With ``tick_e6`` an order whose price is no multiple of it serves
    nothing: the market's price grid has changed since it was placed.
    """
    if not orders:
        return Changes(places=tuple(wanted))
    pairs = []
    for at, quote in enumerate(wanted):
        token_id, side, price_e6, size_e6 = quote.token_id, quote.side, quote.price_e6, quote.size_e6
        for index, order in enumerate(orders):
            if order.token_id != token_id or order.side != side or (tick_e6 and order.price_e6 % tick_e6):
                continue
            distance = abs(order.price_e6 - price_e6)
            remaining = order.size_e6 - order.filled_e6
            if (distance < tolerance_e6 or not distance) and remaining <= size_e6 <= 2 * remaining:
                pairs.append((distance, size_e6 - remaining, order.placed_ns, index, at))
    pairs.sort()
    served: set[int] = set()
    kept: set[int] = set()
    for _, _, _, index, at in pairs:
        if at not in served and index not in kept:
            served.add(at)
            kept.add(index)
    if len(kept) == len(orders) and len(served) == len(wanted):
        return Changes()
    return Changes(
        cancels=tuple([order for index, order in enumerate(orders) if index not in kept]),
        places=tuple([quote for at, quote in enumerate(wanted) if at not in served]),
    )
