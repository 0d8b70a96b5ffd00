"""What the venue checks when an order arrives, as the paper venue checks it; and how long it holds an order that would trade at once."""

from __future__ import annotations

from pipeline.base.units import NS_PER_S, format_e6, parse_e6
from pipeline.messages.market import Market
from pipeline.trading.paper.order import PaperOrder
from pipeline.trading.policy import market_refusal

GTD_LEAST_NS = 180 * NS_PER_S
"""A GTD order must be good for at least so long (order types page, seen 2026-11-22)."""
GTD_EARLY_NS = 60 * NS_PER_S
"""A GTD order dies so long before its expiration (order types page, seen 2026-11-22)."""

CROSSES = "invalid post-only order: order crosses book"
NOT_WHOLE = "order couldn't be fully filled: FOK orders are filled whole or not at all"
NOTHING_TO_MATCH = "no orders found to match: FAK orders trade at once or not at all"


def arrival_refusal(order: PaperOrder, market: Market | None, tick_e6: int, good_till_ns: int, now_ns: int) -> str:
    """Why the venue takes no such order; "" if it does. ``tick_e6`` is the book's price grid, 0 where it is unknown."""
    if market is None:
        return "the token is in no known market"
    closed = market_refusal(market)
    if closed:
        return closed
    tick_e6 = tick_e6 or (parse_e6(market.tick_size) if market.tick_size else 0)
    if tick_e6 and (order.price_e6 % tick_e6 or not tick_e6 <= order.price_e6 <= 1_000_000 - tick_e6):
        return f"price {format_e6(order.price_e6)} breaks the minimum tick size rule: {format_e6(tick_e6)}"
    if market.min_order_size and order.size_e6 < parse_e6(market.min_order_size):
        return f"size {format_e6(order.size_e6)} is lower than the minimum {market.min_order_size}"
    if order.post_only and order.order_type in ("FOK", "FAK"):
        return f"post-only does not go with {order.order_type}"
    if order.order_type == "GTD" and good_till_ns < now_ns + GTD_LEAST_NS:
        return "invalid expiration: a GTD order must be good for three minutes at least"
    return ""


def taker_delay_ns(market: Market, short_delay_ns: int) -> int:
    """How long an order that would trade at once is held: a sports market's own seconds, or the short delay of crypto markets."""
    if market.seconds_delay:
        return market.seconds_delay * NS_PER_S
    return short_delay_ns if market.taker_delay else 0
