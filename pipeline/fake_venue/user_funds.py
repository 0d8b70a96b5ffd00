"""What a user's order may cost, and how much of it the market can fill at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.base.units import ONE_E6
from pipeline.fake_venue.accounts import Refused
from pipeline.fake_venue.order_wire import CENT_E6
from pipeline.fake_venue.user_order import UserOrder
from pipeline.messages.market import FeeSchedule
from pipeline.trading.fees import fee_floor_e6

Reach = list[tuple[int, int]]
"""What an order would meet up to its limit: each price of YES with its total, best first."""


def check_funds(order: UserOrder, reach: Reach, open_orders: Iterable[UserOrder], fees: FeeSchedule | None) -> None:
    """Balance less what open orders hold back must bear the order, with the fee of what it would trade at once. Raises Refused (400)."""
    mine = [other for other in open_orders if other.account is order.account]
    if order.side == "SELL":
        held = order.account.positions.get(order.token_id, 0)
        reserved = sum(other.reserved_shares_e6 for other in mine if other.token_id == order.token_id)
        needed = order.terms.size_e6
    else:
        held, reserved = order.account.cash_e6, sum(other.reserved_cash_e6 for other in mine)
        needed = order.reserved_cash_e6 + fee_of(order, reach, fees)
    if needed > held - reserved:
        raise Refused(
            400,
            f"not enough balance / allowance: the balance is not enough -> balance: {held}, "
            f"sum of active orders: {reserved}, order amount: {needed}",
        )


def fee_of(order: UserOrder, reach: Reach, fees: FeeSchedule | None) -> int:
    """The taker's fee of what the order would trade at once."""
    left, fee = order.terms.size_e6, 0
    for price, total in reach:
        size = min(left, total)
        fee += fee_floor_e6(fees, price, size)
        left -= size
    return fee


def size_now(order: UserOrder, reach: Reach) -> int:
    """How many shares go to the market: all of them if the rest may rest, else what is there; 0 kills the order."""
    there = sum(total for _, total in reach)
    if not order.at_once:
        return order.terms.size_e6
    if not order.terms.budget_e6:
        return 0 if order.post.orderType == "FOK" and there < order.terms.size_e6 else min(there, order.terms.size_e6)
    budget, size = order.terms.budget_e6, 0
    for price, total in reach:
        own = order.own_price_e6(price)
        affordable = budget * ONE_E6 // own // CENT_E6 * CENT_E6
        size += min(affordable, total)
        if affordable <= total:
            return size
        budget -= own * total // ONE_E6
    return 0 if order.post.orderType == "FOK" else size
