"""When changes of resting orders may be made: not while an order is too young to move, and never so that our own orders would meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipeline.base.units import ONE_E6
from pipeline.messages.market import Side
from pipeline.messages.orders import Fill, OpenOrder
from pipeline.trading.diff import Changes, Quote


class Paced(NamedTuple):
    """The changes that may be made at once; ``later_ns`` is when the others may be, 0 if none wait for time."""

    changes: Changes
    later_ns: int = 0


def in_terms_of(token_id: str, order: Quote | OpenOrder | Fill) -> tuple[Side, int]:
    """(side, price) of an order or a trade as the book of ``token_id`` shows it: one of the other outcome is mirrored."""
    if order.token_id == token_id:
        return order.side, order.price_e6
    return ("SELL" if order.side == "BUY" else "BUY"), ONE_E6 - order.price_e6


def pace(
    token_id: str,
    changes: Changes,
    orders: Sequence[OpenOrder],
    leaving: Sequence[OpenOrder],
    min_lifetime_ns: int,
    now_ns: int,
    free_e6: Callable[[str], int] | None = None,
) -> Paced:
    """Keep orders that are younger than ``min_lifetime_ns`` where they would only be replaced, and leave out what would meet our own.

    ``orders`` are the open ones, ``leaving`` those whose cancel is not confirmed. A side that is given up is cancelled at once. A quote
    that an order of ours stands in the way of waits until that is gone, and so does a sale of shares that an order which goes still holds:
    ``free_e6`` tells how many shares of a token no order holds; without it shares need not be held to be sold.
    """
    if not changes:
        return Paced(changes)
    wanted = [(quote, *in_terms_of(token_id, quote)) for quote in changes.places]
    young = _young(token_id, changes.cancels, {side for _, side, _ in wanted}, now_ns - min_lifetime_ns)
    held = {in_terms_of(token_id, order)[0] for order in young}
    cancels = tuple([order for order in changes.cancels if order not in young]) if young else changes.cancels
    going = (*leaving, *cancels)
    # What is to be cancelled is in the way until it is gone, like everything else that is open.
    in_the_way = [in_terms_of(token_id, order) for order in (*orders, *going)]
    places: list[Quote] = []
    for quote, side, price in wanted:
        if side in held or _meets(side, price, in_the_way):
            continue
        if free_e6 is not None and _sells_what_goes(quote, going) and quote.size_e6 > free_e6(quote.token_id):
            continue
        places.append(quote)
        in_the_way.append((side, price))
    later_ns = min([order.placed_ns + min_lifetime_ns for order in young]) if young else 0
    return Paced(Changes(cancels, tuple(places)), later_ns)


def _young(token_id: str, cancels: Sequence[OpenOrder], replaced: set[Side], since_ns: int) -> list[OpenOrder]:
    """Of the orders to be cancelled those that were placed after ``since_ns``, on a side that is not given up."""
    return [order for order in cancels if order.placed_ns > since_ns and in_terms_of(token_id, order)[0] in replaced]


def _sells_what_goes(quote: Quote, going: Sequence[OpenOrder]) -> bool:
    """It sells a token of which an order that goes holds shares for sale."""
    if quote.side != "SELL":
        return False
    return any(order.side == "SELL" and order.token_id == quote.token_id for order in going)


def _meets(side: Side, price_e6: int, others: Sequence[tuple[Side, int]]) -> bool:
    if side == "BUY":
        return any(other == "SELL" and price_e6 >= other_e6 for other, other_e6 in others)
    return any(other == "BUY" and price_e6 <= other_e6 for other, other_e6 in others)
