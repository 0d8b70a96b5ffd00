"""What the Dutch Book desk tells: the set that it saw, what it made of it, and how each leg of a plan ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.base.units import format_e6
from pipeline.messages.market import BookSnapshot
from pipeline.messages.records import Opportunity
from pipeline.strategy.dutch_check import Found
from pipeline.strategy.event_sets import EventSet
from pipeline.strategy.telling import as_json, book_seen
from pipeline.trading.multileg_legs import LegRun


def set_opportunity(event: EventSet, found: Found, strategy: str, now_ns: int) -> Opportunity:
    """A set that looked cheap: taken, or refused and why. Each leg is [token, side, limit price, shares, cost with fees]."""
    plan = found.plan
    legs = [
        [order.token_id, "BUY", format_e6(order.price_e6), format_e6(order.size_e6), format_e6(order.cost_e6 + order.fee_e6)]
        for order in plan.orders
    ]
    return Opportunity(
        ts_ns=now_ns,
        plan_id=found.plan_id,
        strategy=strategy,
        market=event.markets[0].market_id,
        kind=f"{plan.form} set",
        taken=not found.refusal,
        reason=found.refusal or found.why,
        expected_profit_e6=plan.profit_e6 - found.miss_cost_e6,
        size_e6=plan.size_e6,
        legs=as_json(legs),
    )


def set_seen(event: EventSet, found: Found, books: Mapping[str, BookSnapshot], venue: str) -> str:
    """What a plan was made on, as JSON: the set, its money, the venue's state, and each leg's book."""
    plan = found.plan
    return as_json(
        {
            "event": event.title or event.name,
            "form": plan.form,
            "sets": format_e6(plan.size_e6),
            "cost": format_e6(plan.cost_e6),
            "pays_at_least": format_e6(plan.payout_e6),
            "profit": format_e6(plan.profit_e6),
            "cost_of_a_missed_leg": format_e6(found.miss_cost_e6),
            "annual_return": None if found.annual_return_e6 is None else format_e6(found.annual_return_e6),
            "venue": venue,
            "books": [book_seen(books[order.token_id]) for order in plan.orders],
        }
    )


def legs_told(legs: Iterable[LegRun]) -> str:
    """How each leg of a plan ended, as JSON."""
    return as_json(
        [
            {
                "token_id": leg.token_id,
                "market": leg.market,
                "planned": format_e6(leg.size_e6),
                "held": format_e6(leg.held_e6),
                "spent": format_e6(leg.spent_e6),
                "earned": format_e6(leg.earned_e6),
            }
            for leg in legs
        ]
    )
