"""When changes of resting orders may be made: not while an order is too young to move, and never so that our own orders would meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.base.units import ONE_E6
from pipeline.messages.market import Side
from pipeline.messages.orders import Fill, OpenOrder
from pipeline.trading.diff import Changes, Quote


@dataclass(frozen=True, slots=True)
class Paced:
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
    replaced = {in_terms_of(token_id, quote)[0] for quote in changes.places}
    young = [
        order
        for order in changes.cancels
        if order.placed_ns + min_lifetime_ns > now_ns and in_terms_of(token_id, order)[0] in replaced
    ]
    held = {in_terms_of(token_id, order)[0] for order in young}
    cancels = tuple(order for order in changes.cancels if order not in young)
    gone = {order.client_order_id for order in cancels}
    standing = [order for order in orders if order.client_order_id not in gone]
    in_the_way = [in_terms_of(token_id, order) for order in (*standing, *leaving, *cancels)]
    places: list[Quote] = []
    for quote in changes.places:
        side, price = in_terms_of(token_id, quote)
        if side in held or any(_meets(side, price, *other) for other in in_the_way):
            continue
        going = any(order.side == "SELL" == quote.side and order.token_id == quote.token_id for order in (*leaving, *cancels))
        if going and free_e6 is not None and quote.size_e6 > free_e6(quote.token_id):
            continue
        places.append(quote)
        in_the_way.append((side, price))
    later_ns = min((order.placed_ns + min_lifetime_ns for order in young), default=0)
    return Paced(Changes(cancels, tuple(places)), later_ns)


def _meets(side: Side, price_e6: int, other_side: Side, other_price_e6: int) -> bool:
    if side == other_side:
        return False
    return price_e6 >= other_price_e6 if side == "BUY" else price_e6 <= other_price_e6
