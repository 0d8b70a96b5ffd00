"""Weigh one set that looks cheap: how many shares, what they earn, and the first reason against it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.base.units import NS_PER_MS, ONE_E6, complement_e6, floor_to, format_e6, notional_ceil_e6, parse_e6
from pipeline.messages.market import BookSnapshot, FeeSchedule, State
from pipeline.strategy.account import Account
from pipeline.strategy.dutch_book import Leg, LegOrder, SetPlan, plan_no_set, plan_set
from pipeline.strategy.dutch_rules import DutchRules, annual_return_e6
from pipeline.strategy.event_sets import EventSet
from pipeline.trading.amounts import SIZE_STEP_E6
from pipeline.trading.fees import fee_ceil_e6, fee_per_share_e6
from pipeline.trading.multileg_legs import LegRun, expected_miss_cost_e6
from pipeline.trading.multileg_value import Form, sale_walk
from pipeline.trading.policy import FeedPolicy, heard_ns
from pipeline.trading.venue_state import may_start

Kind = Literal["", "hopeless", "books", "venue", "size", "balance", "profit", "return", "quotes"]
NO_CASH = "balance: the free cash does not pay for all legs of the smallest plan"
NO_ROOM = "too small within what max_cost_usdc leaves for this event and max_order_usdc for one order"
AGREE_NS = 50 * NS_PER_MS
"""How long the books of both outcomes may differ: they come in two messages."""


@dataclass(frozen=True, slots=True)
class Found:
    """A set as it was weighed. ``refusal`` is "" for one worth taking; ``why`` then tells it. ``legs`` are in the order of the plan.

    ``recheck_ns``: the refusal counts only if it still holds so much later.
    """

    plan: SetPlan
    plan_id: str = ""
    kind: Kind = ""
    refusal: str = ""
    why: str = ""
    legs: Sequence[LegRun] = ()
    depths: Sequence[int] = ()
    miss_cost_e6: int = 0
    annual_return_e6: int | None = None
    recheck_ns: int = 0

    def refused(self, kind: Kind, reason: str, recheck_ns: int = 0) -> Found:
        """The same, refused."""
        return replace(self, kind=kind, refusal=reason, recheck_ns=recheck_ns)


def book_of(
    token_id: str, books: Mapping[str, BookSnapshot], allowed: frozenset[State], max_age_ns: int, now_ns: int
) -> BookSnapshot | None:
    """A token's book if it may be traded on; None if it may not."""
    book = books.get(token_id)
    return None if book is None or book_doubt(book, allowed, max_age_ns, now_ns) else book


def book_doubt(book: BookSnapshot, allowed: frozenset[State], max_age_ns: int, now_ns: int) -> str:
    """Why a book may not be traded on; "" if it may."""
    if book.state not in allowed:
        return f"book of {book.token_id} is {book.state}"
    if now_ns - heard_ns(book) > max_age_ns:
        return f"book of {book.token_id} is stale: nothing has vouched for it in {max_age_ns // NS_PER_MS} ms"
    if book.bids and book.asks and book.bids[0].price_e6 >= book.asks[0].price_e6:
        return f"book of {book.token_id} is crossed"
    return ""


def weigh(
    event: EventSet,
    form: Form,
    books: Mapping[str, BookSnapshot],
    account: Account,
    rules: DutchRules,
    policy: FeedPolicy,
    now_ns: int,
) -> Found:
    """The best plan for a set, with the first reason against it: the set itself, its books, the venue, the money, the return."""
    legs = [Leg.from_book(event.market_of(token_id), books[token_id]) for token_id in event.tokens(form) if token_id in books]
    plan = _sized(form, legs, event, account, rules)
    found = Found(plan, plan_id_of(form, legs, plan))
    hopeless = event.refusals.get(form, "")
    if hopeless:
        return found.refused("hopeless", hopeless)
    doubt, recheck_ns = _doubt(event, form, plan, books, policy.allowed(account.mode), rules, now_ns)
    if doubt:
        return found.refused("books", doubt, recheck_ns)
    if not may_start(rules.name, account.venue_state):
        return found.refused("venue", f"the venue is {account.venue_state}")
    if plan.reason == NO_CASH:
        return found.refused("balance", plan.reason)
    if plan.reason:
        return found.refused("size" if "small" in plan.reason else "profit", plan.reason)
    return _priced(found, event, books, rules, now_ns)


def _priced(found: Found, event: EventSet, books: Mapping[str, BookSnapshot], rules: DutchRules, now_ns: int) -> Found:
    """Price in a missed leg and the time until the event ends."""
    plan = found.plan
    runs, depths, losses = [], [], []
    for order in plan.orders:
        market, book = event.market_of(order.token_id), books[order.token_id]
        least = parse_e6(market.min_order_size) if market.min_order_size else 0
        runs.append(LegRun(order.token_id, order.market, order.price_e6, order.size_e6, market.fees, least))
        depths.append(sum(level.size_e6 for level in book.asks if level.price_e6 <= order.price_e6))
        back = sale_walk(book.bids, market.fees, order.size_e6)
        losses.append(order.cost_e6 + order.fee_e6 - back.money_e6)
    order_of = sorted(range(len(runs)), key=lambda i: (depths[i], runs[i].token_id))
    miss_cost = expected_miss_cost_e6([runs[i] for i in order_of], [losses[i] for i in order_of], rules.leg_miss_rate_e6)
    left = plan.profit_e6 - miss_cost
    end_ns = max(market.end_ns for market in event.markets)
    annual = annual_return_e6(left, plan.cost_e6, end_ns, now_ns)
    found = replace(found, legs=runs, depths=depths, miss_cost_e6=miss_cost, annual_return_e6=annual)
    least_profit = rules.costs.min_profit_e6 + rules.costs.safety_margin_e6
    if left < least_profit:
        told = (
            f"profit {format_e6(plan.profit_e6)} less {format_e6(miss_cost)} for a missed leg is below {format_e6(least_profit)}"
        )
        return found.refused("profit", told)
    if rules.min_annual_return_e6 and (annual is None or annual < rules.min_annual_return_e6):
        told = "is not known, as the event has no end" if annual is None else f"{format_e6(annual)} is too low"
        return found.refused("return", f"return a year {told}; min_annual_return is {format_e6(rules.min_annual_return_e6)}")
    at_most = "at most" if plan.form == "NO" else "exactly"
    why = (
        f"{format_e6(plan.size_e6)} {plan.form} sets of {len(plan.orders)} legs cost {format_e6(plan.cost_e6)} "
        f"and pay {format_e6(plan.payout_e6)} or more if {at_most} one resolves Yes; a 50/50 resolution, "
        f"which pays half a dollar a share, is not covered"
    )
    return replace(found, why=why)


def _sized(form: Form, legs: Sequence[Leg], event: EventSet, account: Account, rules: DutchRules) -> SetPlan:
    """The best plan within the limits of money: for all of it, and for each order, which risk counts at its limit price with its fee.

    All legs together must fit the free cash before the first one is ordered.
    """
    size = rules.max_sets_e6
    cash = account.free_cash_e6
    fees = {leg.token_id: leg.fees for leg in legs}
    short_of_cash = False
    held = sum(max(0, holding.cost_e6) for market in event.markets for holding in account.portfolio.in_market(market.market_id))
    room = max(0, rules.max_cost_e6 - held)
    while True:
        plan = plan_no_set(legs, size, rules.costs) if form == "NO" else plan_set(form, legs, size, rules.costs)
        if plan.reason:
            return plan if size == rules.max_sets_e6 else replace(plan, reason=NO_CASH if short_of_cash else NO_ROOM)
        dearest = max(order.price_e6 + fee_per_share_e6(fees[order.token_id], order.price_e6) for order in plan.orders)
        fitting = min(plan.size_e6, rules.max_leg_e6 * ONE_E6 // dearest)
        if plan.cost_e6 > room:
            fitting = min(fitting, plan.size_e6 * room // plan.cost_e6)
        needed = sum(_held_back_e6(order, fees[order.token_id]) for order in plan.orders)
        if cash is not None and needed > cash:
            fitting, short_of_cash = min(fitting, plan.size_e6 * max(0, cash) // needed), True
        fitting = floor_to(fitting, SIZE_STEP_E6)
        if fitting == plan.size_e6:
            return plan
        if not fitting:
            return replace(plan, size_e6=0, orders=(), reason=NO_CASH if short_of_cash else NO_ROOM)
        size = fitting


def _held_back_e6(order: LegOrder, fees: FeeSchedule | None) -> int:
    """The cash that an open order holds: all of it at its limit price, and the most it may be charged."""
    return notional_ceil_e6(order.price_e6, order.size_e6) + fee_ceil_e6(fees, order.price_e6, order.size_e6)


def _doubt(
    event: EventSet,
    form: Form,
    plan: SetPlan,
    books: Mapping[str, BookSnapshot],
    allowed: frozenset[State],
    rules: DutchRules,
    now_ns: int,
) -> tuple[str, int]:
    """(why the books of a set may not be traded on, how long that must last): of its legs, and of their other outcomes."""
    wanted = [order.token_id for order in plan.orders] or list(event.tokens(form))
    for token_id in wanted:
        book = books.get(token_id)
        if book is None:
            continue
        doubt = book_doubt(book, allowed, rules.max_book_age_ns, now_ns)
        if doubt:
            return doubt, 0
        if not event.no:
            continue
        at = event.tokens(form).index(token_id)
        other = books.get((event.no if form == "YES" else event.yes)[at])
        if other is None:
            continue
        doubt = book_doubt(other, allowed, rules.max_book_age_ns, now_ns)
        if doubt:
            return doubt, 0
        mirrored = complement_e6(other.bids[0].price_e6) if other.bids else None
        shown = book.asks[0].price_e6 if book.asks else None
        if mirrored != shown:
            return f"the books of both outcomes of {book.market} differ", AGREE_NS
    return "", 0


def plan_id_of(form: Form, legs: Sequence[Leg], plan: SetPlan) -> str:
    """A plan's name: the hash of the liquidity that it would take, without the time, so that the same is not taken twice."""
    limit = {order.token_id: order.price_e6 for order in plan.orders}
    parts = [f"{form} {plan.size_e6} {plan.reason}"]
    for leg in legs:
        if plan.orders and leg.token_id not in limit:
            continue
        levels = [level for level in leg.asks if level.price_e6 <= limit.get(leg.token_id, ONE_E6)]
        parts.append(f"{leg.token_id} {' '.join(f'{level.price_e6}x{level.size_e6}' for level in levels)}")
    return hashlib.blake2b("|".join(parts).encode(), digest_size=8).hexdigest()
