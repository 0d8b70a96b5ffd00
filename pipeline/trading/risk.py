"""Checks before every order: each a small pure function that returns its reason for a refusal, or "" to let it pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline.base.settings import RiskSection
from pipeline.base.units import ONE_E6, complement_e6, e6_of_decimal, format_e6, notional_ceil_e6, parse_e6
from pipeline.messages.market import BookSnapshot, Market, Side
from pipeline.messages.orders import Mode, PlaceOrder
from pipeline.trading.orders import Order
from pipeline.trading.policy import allowed_states, market_refusal


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of ``[risk]``, money in millionths of a dollar. They hold for the account, not for each strategy."""

    max_order_e6: int
    max_open_orders: int
    max_total_e6: int

    @classmethod
    def from_settings(cls, section: RiskSection) -> Limits:
        """The limits that ``[risk]`` sets."""
        return cls(
            max_order_e6=e6_of_decimal(section.max_order_usdc),
            max_open_orders=section.max_open_orders,
            max_total_e6=e6_of_decimal(section.max_total_notional_usdc),
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """What the checks may know.

    ``book`` is the asked token's, or the other outcome's seen from this side; None if neither is known. ``at_stake_e6`` is what
    positions and open orders could lose together; ``free_e6`` the shares of the token that are held and not yet offered;
    ``rivals`` the account's open orders in this market.
    """

    mode: Mode
    market: Market | None
    book: BookSnapshot | None
    open_orders: int = 0
    at_stake_e6: int = 0
    free_e6: int = 0
    rivals: Sequence[Order] = ()


Check = Callable[[PlaceOrder, Situation, Limits], str]


def stake_e6(side: Side, price_e6: int, size_e6: int) -> int:
    """The most an order can lose, in millionths of a dollar: what is paid, or for shares sold short what they may cost beyond it."""
    return notional_ceil_e6(price_e6 if side == "BUY" else ONE_E6 - price_e6, max(0, size_e6))


def holding_stake_e6(inventory_e6: int, cost_e6: int) -> int:
    """The most a position can lose: its cost, or for a short one a dollar a share less what was received."""
    return cost_e6 if inventory_e6 >= 0 else cost_e6 - inventory_e6


def check_shape(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The price is between 0 and 1, there is something to trade, and the order type fits."""
    if not 0 < asked.price_e6 < ONE_E6:
        return f"price {format_e6(asked.price_e6)} is not between 0 and 1"
    if asked.size_e6 <= 0:
        return f"size {format_e6(asked.size_e6)} is not positive"
    if asked.post_only and asked.order_type in ("FOK", "FAK"):
        return f"post-only does not go with {asked.order_type}"
    return ""


def check_market(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The market is known and takes orders of this size."""
    market = situation.market
    if market is None:
        return f"token {asked.token_id} is in no known market"
    reason = market_refusal(market)
    if reason:
        return reason
    if market.min_order_size and asked.size_e6 < parse_e6(market.min_order_size):
        return f"size {format_e6(asked.size_e6)} is below the market's minimum {market.min_order_size}"
    return ""


def check_book(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The book is known, trusted enough for this mode, and the price is on its grid."""
    book = situation.book
    if book is None:
        return f"no book of {asked.token_id} is known"
    if book.state not in allowed_states(situation.mode):
        return f"book of {asked.token_id} is {book.state}"
    if book.tick_size_e6 and asked.price_e6 % book.tick_size_e6:
        return f"price {format_e6(asked.price_e6)} is off the tick {format_e6(book.tick_size_e6)}"
    return ""


def check_post_only(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """A post-only order does not cross the book as it is known here; the venue would refuse it."""
    book = situation.book
    if not asked.post_only or book is None:
        return ""
    if asked.side == "BUY" and book.asks and asked.price_e6 >= book.asks[0].price_e6:
        return f"post-only BUY at {format_e6(asked.price_e6)} crosses the ask {format_e6(book.asks[0].price_e6)}"
    if asked.side == "SELL" and book.bids and asked.price_e6 <= book.bids[0].price_e6:
        return f"post-only SELL at {format_e6(asked.price_e6)} crosses the bid {format_e6(book.bids[0].price_e6)}"
    return ""


def check_order_size(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """One order does not move more than its limit."""
    notional = notional_ceil_e6(asked.price_e6, asked.size_e6)
    if notional > limits.max_order_e6:
        return f"notional {format_e6(notional)} is over max_order_usdc {format_e6(limits.max_order_e6)}"
    return ""


def check_inventory(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """Live, nobody sells what is not held and free."""
    if situation.mode == "live" and asked.side == "SELL" and asked.size_e6 > situation.free_e6:
        return f"only {format_e6(situation.free_e6)} shares of {asked.token_id} are free to sell"
    return ""


def check_open_orders(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The number of open orders stays within its limit."""
    if situation.open_orders >= limits.max_open_orders:
        return f"{situation.open_orders} orders are open; max_open_orders is {limits.max_open_orders}"
    return ""


def check_total(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """All that positions and open orders could lose, this order included, stays within its limit. Selling what is held passes."""
    size = asked.size_e6 if asked.side == "BUY" else asked.size_e6 - max(0, situation.free_e6)
    if size <= 0:
        return ""
    total = situation.at_stake_e6 + stake_e6(asked.side, asked.price_e6, size)
    if total > limits.max_total_e6:
        return f"total at stake {format_e6(total)} is over max_total_notional_usdc {format_e6(limits.max_total_e6)}"
    return ""


def check_self_trade(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The order does not meet one of our own: on the other side of its token, or on its own side of the other outcome's token."""
    for rival in situation.rivals:
        mirror = rival.token_id != asked.token_id
        if (rival.side == asked.side) != mirror:
            continue
        price = complement_e6(rival.price_e6) if mirror else rival.price_e6
        if (asked.side == "BUY" and asked.price_e6 >= price) or (asked.side == "SELL" and asked.price_e6 <= price):
            return f"would trade with our own order {rival.client_order_id} at {format_e6(rival.price_e6)}"
    return ""


CHECKS: tuple[Check, ...] = (
    check_shape,
    check_market,
    check_book,
    check_post_only,
    check_order_size,
    check_inventory,
    check_open_orders,
    check_total,
    check_self_trade,
)
"""In the order in which they are asked: the first that refuses gives the reason."""


def refusal(asked: PlaceOrder, situation: Situation, limits: Limits, checks: Iterable[Check] = CHECKS) -> str:
    """The first reason against an order; "" if there is none."""
    for check in checks:
        reason = check(asked, situation, limits)
        if reason:
            return reason
    return ""
