"""What the venue checks when an order arrives, as the paper venue checks it; and how long it holds an order that would trade at once."""

from __future__ import annotations

from pipeline.base.units import NS_PER_S, ONE_E6, format_e6, parse_e6, parse_size_e6
from pipeline.messages.edges import RefusalCode
from pipeline.messages.market import Market
from pipeline.messages.orders import VenueState
from pipeline.trading.paper.order import PaperOrder
from pipeline.trading.policy import market_refusal

GTD_LEAST_NS = 180 * NS_PER_S
"""A GTD order must be good for at least so long (order types page, seen 2026-11-22)."""
GTD_EARLY_NS = 60 * NS_PER_S
"""A GTD order dies so long before its expiration (order types page, seen 2026-11-22)."""

Refusal = tuple[RefusalCode, str]
"""What kind of refusal it is, and its words."""
CROSSES: Refusal = ("crosses", "invalid post-only order: order crosses book")
NOT_WHOLE: Refusal = ("no_match", "order couldn't be fully filled: FOK orders are filled whole or not at all")
NOTHING_TO_MATCH: Refusal = ("no_match", "no orders found to match: FAK orders trade at once or not at all")
POST_ONLY: Refusal = ("post_only", "the venue takes only orders that rest at present")
RESOLVED: Refusal = ("unknown_market", "the market has resolved")

_SHUT: dict[VenueState, Refusal] = {
    "restarting": ("restarting", "the matching engine is restarting"),
    "cancel_only": ("cancel_only", "the venue takes only cancels at present"),
    "disabled": ("disabled", "trading is disabled"),
}


def order_refusal(state: VenueState) -> Refusal | None:
    """Why the venue takes no order of any kind in this state; None if it takes some."""
    return _SHUT.get(state)


def cancel_refusal(state: VenueState) -> Refusal | None:
    """Why the venue takes no cancels in this state; None if it does."""
    return None if state == "cancel_only" else _SHUT.get(state)


def arrival_refusal(order: PaperOrder, market: Market | None, tick_e6: int, good_till_ns: int, now_ns: int) -> Refusal | None:
    """Why the venue takes no such order; None if it does. ``tick_e6`` is the book's price grid, 0 where it is unknown."""
    if market is None:
        return "unknown_market", "the token is in no known market"
    closed = market_refusal(market)
    if closed:
        return "unknown_market", closed
    tick_e6 = tick_e6 or (parse_e6(market.tick_size) if market.tick_size else 1)
    if order.price_e6 % tick_e6 or not tick_e6 <= order.price_e6 <= ONE_E6 - tick_e6:
        return "invalid", f"price {format_e6(order.price_e6)} breaks the minimum tick size rule: {format_e6(tick_e6)}"
    least_e6 = parse_size_e6(market.min_order_size) if market.min_order_size else 1
    if order.size_e6 < least_e6:
        return "invalid", f"size {format_e6(order.size_e6)} is lower than the minimum {format_e6(least_e6)}"
    if order.post_only and order.order_type in ("FOK", "FAK"):
        return "invalid", f"post-only does not go with {order.order_type}"
    if order.order_type == "GTD" and good_till_ns < now_ns + GTD_LEAST_NS:
        return "invalid", "invalid expiration: a GTD order must be good for three minutes at least"
    return None


def taker_delay_ns(market: Market | None, short_delay_ns: int) -> int:
    """How long an order that would trade at once is held: a sports market's own seconds, or the short delay of crypto markets."""
    if market is None:
        return 0
    if market.seconds_delay:
        return market.seconds_delay * NS_PER_S
    return short_delay_ns if market.taker_delay else 0
