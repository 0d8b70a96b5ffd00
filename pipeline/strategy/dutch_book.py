"""Dutch Book, the arithmetic: how many equal shares of several legs are worth buying, and what is certain to come back.

YES and NO of one market are one book, so a Dutch Book lies across the markets of an event. *NO form*: at most one of k markets
resolves Yes, so k NO shares pay at least k - 1. *YES form*: exactly one of all markets resolves Yes, so one YES share of each pays 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.base.units import ONE_E6, UsdcE6, floor_to, notional_ceil_e6, notional_floor_e6, parse_e6
from pipeline.messages.market import BookSnapshot, FeeSchedule, Level, Market
from pipeline.trading.amounts import SIZE_STEP_E6
from pipeline.trading.fees import fee_ceil_e6, fee_per_share_e6
from pipeline.trading.multileg_value import Form, buy_walk
from pipeline.trading.policy import market_refusal

UNCERTAIN_OUTCOMES = ("other", "another", "someone else", "none of the above", "any other")
"""Outcomes that stand for whatever is added later: a set that needs all outcomes cannot rest on them."""
_PLACEHOLDER = re.compile(
    r"(person|candidate|team|option|player|party|country|movie|artist|company|individual) [a-z]{1,2}[0-9]{0,2}"
)
_BY_DATE = re.compile(r"(by|before|until|no later than) ")


@dataclass(frozen=True, slots=True)
class Leg:
    """One token to buy: its asks, the cheapest first, and what its market demands."""

    token_id: str
    market: str
    asks: tuple[Level, ...]
    fees: FeeSchedule | None = None
    min_size_e6: int = 0

    @classmethod
    def from_book(cls, market: Market, book: BookSnapshot) -> Leg:
        """The leg that buys a token of a market from its book."""
        least = parse_e6(market.min_order_size) if market.min_order_size else 0
        return cls(book.token_id, market.market_id, book.asks, market.fees, least)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a plan must earn beyond its legs, in millionths of a dollar: for the whole plan, and the least profit worth the trouble.

    ``conversion_e6`` is the part of a NO set's payout, in millionths, that turning it back into dollars costs; a NO leg that adds less
    than ``leg_gain_e6`` a share is left out.
    """

    fixed_e6: int = 0
    min_profit_e6: int = 0
    safety_margin_e6: int = 0
    conversion_e6: int = 0
    leg_gain_e6: int = 0


@dataclass(frozen=True, slots=True)
class LegOrder:
    """What to buy of one leg: the worst price needed, and what the walk down its book costs and is charged."""

    token_id: str
    market: str
    price_e6: int
    size_e6: int
    cost_e6: int
    fee_e6: int


@dataclass(frozen=True, slots=True)
class SetPlan:
    """Equal shares of every leg. ``profit_e6`` is what remains at the worst resolution covered; ``reason`` says why it is not worth it.

    With a reason there are no orders. A resolution at 50/50 is not covered.
    """

    form: Form
    size_e6: int
    orders: tuple[LegOrder, ...]
    payout_e6: UsdcE6
    profit_e6: UsdcE6
    reason: str = ""

    @property
    def cost_e6(self) -> int:
        """What the shares cost with their fees."""
        return sum(order.cost_e6 + order.fee_e6 for order in self.orders)


def payout_per_set_e6(form: Form, legs: int) -> int:
    """What one share of each leg pays at least, in millionths of a dollar."""
    return ONE_E6 if form == "YES" else (legs - 1) * ONE_E6


def plan_set(form: Form, legs: Sequence[Leg], max_size_e6: int, costs: Costs | None = None) -> SetPlan:
    """The profit-maximising equal share count over all books, at most ``max_size_e6``.

    The cost of one more share of each leg, fees included, only rises with depth; so the walk goes on while it is below the payout.
    """
    costs = costs or Costs()
    if len(legs) < 2:
        return _refused(form, "a set needs at least two legs")
    payout = payout_per_set_e6(form, len(legs))
    if form == "NO":
        payout -= notional_ceil_e6(payout, costs.conversion_e6)
    size = floor_to(_walk(legs, payout, max_size_e6), SIZE_STEP_E6)
    if not size:
        return _refused(form, "no share count earns more than it costs")
    least = max(leg.min_size_e6 for leg in legs)
    if size < least:
        return _refused(form, "too small for the minimum size of a leg")
    orders = tuple(_order(leg, size) for leg in legs)
    paid = notional_floor_e6(payout, size)
    profit = UsdcE6(paid - sum(order.cost_e6 + order.fee_e6 for order in orders) - costs.fixed_e6)
    if profit < costs.min_profit_e6 + costs.safety_margin_e6:
        return SetPlan(form, 0, (), paid, profit, "profit is below the minimum and its safety margin")
    return SetPlan(form, size, orders, paid, profit)


def plan_no_set(legs: Sequence[Leg], max_size_e6: int, costs: Costs | None = None) -> SetPlan:
    """The NO set that earns most over every choice of two and more of the legs and every share count.

    At a given share count a leg is worth having if its shares cost less than a dollar each: it adds its gain, whatever the others are.
    The best count is where the level of a leg ends, or the limit.
    """
    costs = costs or Costs()
    counts = {max_size_e6}
    for leg in legs:
        depth = 0
        for level in leg.asks:
            depth += level.size_e6
            if depth >= max_size_e6:
                break
            counts.add(floor_to(depth, SIZE_STEP_E6))
    best: tuple[Leg, ...] = ()
    best_e6 = size = 0
    for count in sorted(counts):
        chosen = tuple(
            leg for leg in legs if leg.min_size_e6 <= count and _gain_e6(leg, count) > notional_floor_e6(costs.leg_gain_e6, count)
        )
        total = sum(_gain_e6(leg, count) for leg in chosen) - count
        if len(chosen) >= 2 and total > best_e6:
            best, best_e6, size = chosen, total, count
    if not best:
        return _refused("NO", "no share count earns more than it costs")
    return plan_set("NO", best, size, costs)


def _gain_e6(leg: Leg, size_e6: int) -> int:
    """What so many NO shares of one leg are worth beyond their cost if they pay; negative where the book does not have them."""
    walk = buy_walk(leg.asks, leg.fees, size_e6)
    return size_e6 - walk.money_e6 if walk.size_e6 == size_e6 else -1


def _walk(legs: Sequence[Leg], payout_e6: int, max_size_e6: int) -> int:
    """Shares of each leg until one more set costs at least its payout, or a book or the limit ends."""
    at = [0] * len(legs)
    left = [leg.asks[0].size_e6 if leg.asks else 0 for leg in legs]
    taken = 0
    while taken < max_size_e6:
        for i, leg in enumerate(legs):
            while not left[i]:
                at[i] += 1
                if at[i] >= len(leg.asks):
                    return taken
                left[i] = leg.asks[at[i]].size_e6
        price = 0
        for i, leg in enumerate(legs):
            ask = leg.asks[at[i]].price_e6
            price += ask + fee_per_share_e6(leg.fees, ask)
        if price >= payout_e6:
            return taken
        step = min(*left, max_size_e6 - taken)
        taken += step
        left = [size - step for size in left]
    return taken


def _order(leg: Leg, size_e6: int) -> LegOrder:
    """Walk down one book for exactly ``size_e6``."""
    cost = fee = 0
    rest, worst = size_e6, 0
    for level in leg.asks:
        part = min(rest, level.size_e6)
        if part:
            cost += notional_ceil_e6(level.price_e6, part)
            fee += fee_ceil_e6(leg.fees, level.price_e6, part)
            worst = level.price_e6
            rest -= part
        if not rest:
            break
    return LegOrder(leg.token_id, leg.market, worst, size_e6, cost, fee)


def _refused(form: Form, reason: str) -> SetPlan:
    return SetPlan(form, 0, (), UsdcE6(0), UsdcE6(0), reason)


def event_refusal(form: Form, markets: Sequence[Market], complete: bool, allow_other: bool = False) -> str:
    """Why these markets do not make a Dutch Book of this form; "" if they do.

    ``complete`` says that they are all the markets of their event. Sources: neg-risk documentation, seen 2026-11-22.
    """
    for market in markets:
        reason = market_refusal(market)
        if reason:
            return reason
        if market.cumulative:
            return "the outcomes of the event are cumulative: several may resolve Yes"
        if not market.neg_risk:
            # Markets that only share an event, such as "by date" ones, may resolve Yes together.
            return f"market {market.market_id} is not in a neg-risk event: several may resolve Yes"
    if len({market.neg_risk_market_id or market.event_id for market in markets}) != 1:
        return "the markets are not of one neg-risk event"
    for market in markets:
        if is_by_date(market):
            return f"outcome {market.group_item_title or market.question} reads as one of a cumulative set"
    if form == "NO":
        return ""
    if not complete:
        told = max(market.event_market_count for market in markets)
        known = f"{len(markets)} of {told} markets" if told else "not all markets"
        return f"{known} of the event are followed: another one may resolve Yes"
    for market in markets:
        if market.neg_risk_augmented:
            return "the event is augmented: an outcome may be added that resolves Yes"
        if not allow_other and is_uncertain(market):
            return f"outcome {market.group_item_title or market.question} stands for others that may be named later"
    return ""


def outcomes_refusal(market: Market, allow_other: bool = False) -> str:
    """Why the outcomes of one market of the generic stream do not make a set; "" if exactly one of them must pay."""
    reason = market_refusal(market)
    if reason:
        return reason
    if len(market.outcomes) < 2:
        return "the market has a single outcome"
    for outcome in market.outcomes:
        if not allow_other and names_others(outcome.name):
            return f"outcome {outcome.name} stands for others that may be named later"
    return ""


def is_uncertain(market: Market) -> bool:
    """The market's outcome is a placeholder or a catch-all."""
    return market.is_other or names_others(market.group_item_title or market.question)


def names_others(name: str) -> bool:
    """A name that stands for whatever is named later: "Other", "Team AL", "Person C", or nothing at all."""
    name = name.strip().lower()
    return not name or name.startswith(UNCERTAIN_OUTCOMES) or bool(_PLACEHOLDER.fullmatch(name))


def is_by_date(market: Market) -> bool:
    """A name such as "by March 31": if it comes true, so do the later ones."""
    return bool(_BY_DATE.match(market.group_item_title.strip().lower()))
