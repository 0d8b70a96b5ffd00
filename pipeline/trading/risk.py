"""Checks before every order: each a small pure function that returns its reason for a refusal, or "" to let it pass.

Limits hold for everything that may still happen of what was let through: fills, also late ones, fees and trades that fail. Only the venue
can exceed them: by a trade told long after its order ended, and by a purchase that fails after its shares were sold on, which leaves a
short position. From then on every check refuses what would add to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipeline.base.units import ONE_E6, complement_e6, format_e6, notional_ceil_e6, parse_size_e6
from pipeline.messages.market import Side
from pipeline.messages.orders import VENUE_MODES, PlaceOrder
from pipeline.trading.limits import Limits as Limits
from pipeline.trading.limits import Situation as Situation
from pipeline.trading.policy import is_generic, market_refusal
from pipeline.trading.venue_state import refusal_in

Check = Callable[[PlaceOrder, Situation, Limits], str]


def stake_e6(side: Side, price_e6: int, size_e6: int) -> int:
    """The most an order can lose, in millionths of a dollar: what is paid, or for shares sold short what they may cost beyond it."""
    return notional_ceil_e6(price_e6 if side == "BUY" else ONE_E6 - price_e6, max(0, size_e6))


def holding_stake_e6(inventory_e6: int, cost_e6: int) -> int:
    """The most a position can lose: its cost, or for a short one a dollar a share less what was received."""
    return cost_e6 if inventory_e6 >= 0 else cost_e6 - inventory_e6


def sells_held(asked: PlaceOrder, situation: Situation) -> bool:
    """The order only sells shares that are held and free: it ends a risk and begins none."""
    return asked.side == "SELL" and asked.size_e6 <= situation.free_e6


def check_halt(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """Nobody has halted trading."""
    return "" if situation.halted is None else f"trading is halted: {situation.halted}"


def check_expiry(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The command is not older than its sender allowed."""
    return "command expired" if situation.now_ns > asked.expires_ns else ""


def check_venue(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The venue takes such an order at present, and the strategy may start something now."""
    return refusal_in(situation.venue_state, asked.decision.strategy, asked.post_only, situation.starts)


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
    if market.min_order_size and asked.size_e6 < parse_size_e6(market.min_order_size):
        return f"size {format_e6(asked.size_e6)} is below the market's minimum {market.min_order_size}"
    return ""


def check_book(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The book is known, trusted enough for this mode, and the price is on its grid."""
    book = situation.book
    if book is None:
        return f"no book of {asked.token_id} is known"
    if book.state not in limits.policy.allowed(situation.mode):
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


def check_price_band(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The price is not further beyond the other side's best than the band: no slip of a digit, no walk through an empty book."""
    book, band = situation.book, limits.price_band_e6
    if book is None or band >= ONE_E6:
        return ""
    near, far = (book.asks, book.bids) if asked.side == "BUY" else (book.bids, book.asks)
    best = near or far
    if not best:
        return f"book of {asked.token_id} is empty: there is no price to compare with"
    beyond = asked.price_e6 - best[0].price_e6 if asked.side == "BUY" else best[0].price_e6 - asked.price_e6
    if beyond > band:
        prices = f"price {format_e6(asked.price_e6)} is {format_e6(beyond)} beyond the best {format_e6(best[0].price_e6)}"
        return f"{prices}; price_band is {format_e6(band)}"
    return ""


def check_order_size(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """One order does not move more than its limit, the most it may be charged included."""
    notional = notional_ceil_e6(asked.price_e6, asked.size_e6) + situation.fee_e6
    if notional > limits.max_order_e6:
        return f"notional {format_e6(notional)} is over max_order_usdc {format_e6(limits.max_order_e6)}"
    return ""


def check_inventory(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """Live, nobody sells what is not held and free; and no token's shares, open orders included, go over their limit."""
    if situation.mode in VENUE_MODES and asked.side == "SELL" and asked.size_e6 > situation.free_e6:
        return f"only {format_e6(situation.free_e6)} shares of {asked.token_id} are free to sell"
    if asked.side == "BUY":
        shares = situation.inventory_e6 + situation.buying_e6 + asked.size_e6
    else:
        shares = situation.selling_e6 + asked.size_e6 - situation.inventory_e6
    if shares > limits.max_inventory_e6 and not sells_held(asked, situation):
        held = "inventory" if asked.side == "BUY" else "short inventory"
        return f"{held} {format_e6(shares)} is over max_inventory {format_e6(limits.max_inventory_e6)}"
    return ""


def check_balance(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """A purchase fits the free cash, fee included, and a sale the free shares. Outcomes without a counterpart are sold short, on paper.

    The venue asks for the same: a new order must fit the balance less what open orders may still take (polymarket.md, section 4.4).
    """
    free = situation.free_cash_e6
    if free is None or (asked.side == "SELL" and (situation.market is None or is_generic(situation.market))):
        return ""
    if asked.side == "SELL":
        if asked.size_e6 <= situation.free_e6:
            return ""
        return f"balance: only {format_e6(max(0, situation.free_e6))} shares of {asked.token_id} are free to sell"
    needed = notional_ceil_e6(asked.price_e6, asked.size_e6) + situation.fee_e6
    if needed <= free:
        return ""
    return f"balance: {format_e6(needed)} is needed and {format_e6(free)} of cash is free"


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
    total = situation.at_stake_e6 + stake_e6(asked.side, asked.price_e6, size) + situation.fee_e6
    if total > limits.max_total_e6:
        return f"total at stake {format_e6(total)} is over max_total_notional_usdc {format_e6(limits.max_total_e6)}"
    return ""


def check_market_loss(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """What the market could lose at its worst outcome stays within its limit, or becomes no more."""
    before, after = situation.market_loss_e6
    if after > limits.max_market_e6 and after > before:
        return f"market could lose {format_e6(after)}, over max_market_usdc {format_e6(limits.max_market_e6)}"
    return ""


def check_event_loss(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """What the markets of the event could lose together stays within its limit, or becomes no more."""
    before, after = situation.event_loss_e6
    if after > limits.max_event_e6 and after > before:
        return f"event could lose {format_e6(after)}, over max_event_usdc {format_e6(limits.max_event_e6)}"
    return ""


def check_daily_loss(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The day has not lost more than its limit; what is held may still be sold."""
    if -situation.day_e6 >= limits.max_daily_loss_e6 and not sells_held(asked, situation):
        return f"lost {format_e6(-situation.day_e6)} today; max_daily_loss_usdc is {format_e6(limits.max_daily_loss_e6)}"
    return ""


def check_errors(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The venue has not refused too many orders as wrong, or left them unanswered, in the last minute."""
    if situation.errors >= limits.max_errors:
        return f"{situation.errors} errors in the last minute; max_errors_per_minute is {limits.max_errors}"
    return ""


def check_rate(asked: PlaceOrder, situation: Situation, limits: Limits) -> str:
    """The rate limit lets another order through."""
    return "" if situation.orders_left > 0 else "order rate is over [rate_limits] orders_per_s"


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
    check_expiry,
    check_halt,
    check_venue,
    check_shape,
    check_market,
    check_book,
    check_post_only,
    check_price_band,
    check_order_size,
    check_inventory,
    check_balance,
    check_open_orders,
    check_total,
    check_market_loss,
    check_event_loss,
    check_daily_loss,
    check_errors,
    check_rate,
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
