"""Plans of the Dutch Book desk that are under way, and how one that another desk began is taken up again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.base.units import format_e6, parse_e6
from pipeline.messages.orders import Decision, PlanEnded, PlanOrder, PlanState
from pipeline.strategy.dutch_check import Found
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.strategy.dutch_telling import legs_told
from pipeline.strategy.event_sets import EventSet
from pipeline.trading.multileg import MultiLeg
from pipeline.trading.multileg_legs import LegRun, legs_in_order

GONE = "whoever carried it out is gone, and what it was made of is not known"


@dataclass(slots=True)
class Run:
    """A plan under way: what was decided, in which set, and the state machine that carries it out."""

    event: EventSet
    decision: Decision
    machine: MultiLeg
    wakes_ns: int = 0


@dataclass(slots=True)
class Told:
    """What was last said of a set in one form, so that it is not said again and again."""

    kinds: dict[str, int] = field(default_factory=dict)
    quiet_until_ns: int = 0


def begun(event: EventSet, found: Found, decision: Decision, rules: DutchRules, answer_ns: int) -> Run:
    """A plan that begins with this decision, its thinnest leg first."""
    deadline_ns = decision.decided_ns + rules.deadline_ns
    machine = MultiLeg(
        found.plan.form,
        legs_in_order(found.legs, found.depths),
        started_ns=decision.decided_ns,
        deadline_ns=deadline_ns,
        give_up_ns=deadline_ns + rules.unwind_ns,
        answer_ns=2 * answer_ns,
        order_type=rules.order_type,
    )
    return Run(event, decision, machine)


def adopted(state: PlanState, event: EventSet, rules: DutchRules, answer_ns: int, now_ns: int) -> Run | None:
    """A plan that another desk began, to be completed or unwound from where it stands; None if it cannot be told what it was.

    Its legs are those of what its decision saw, as the set stands now. Its deadline stays; what is left then may take its time anew.
    """
    decision = state.decision
    seen = _seen(decision.seen) if decision is not None else None
    if decision is None or seen is None:
        return None
    tokens = [str(book.get("token_id", "")) for book in seen.get("books", ())]
    known = {*event.yes, *event.no}
    if seen.get("form") not in ("YES", "NO") or len(tokens) < 2 or not known.issuperset(tokens):
        return None
    try:
        size_e6 = parse_e6(str(seen.get("sets", "")))
    except ValueError:
        return None
    machine = MultiLeg(
        "YES" if seen["form"] == "YES" else "NO",
        [_leg(event, token_id, size_e6) for token_id in tokens],
        started_ns=decision.decided_ns,
        deadline_ns=decision.decided_ns + rules.deadline_ns,
        give_up_ns=now_ns + rules.deadline_ns + rules.unwind_ns,
        answer_ns=2 * answer_ns,
        order_type=rules.order_type,
    )
    machine.take_up(state.orders, now_ns)
    return Run(event, decision, machine)


def ended(run: Run, now_ns: int) -> PlanEnded:
    """The end of a plan, as its machine tells it."""
    machine = run.machine
    return PlanEnded(
        ts_ns=now_ns,
        decision=run.decision,
        outcome=machine.outcome,
        reason=machine.reason,
        result_e6=machine.locked_e6,
        market=machine.legs[0].market,
        legs=legs_told(machine.legs),
    )


def unexplained(state: PlanState, strategy: str, now_ns: int) -> PlanEnded:
    """The end of a plan that nobody can carry on: what its orders left is held, and said."""
    legs: dict[str, LegRun] = {}
    for order in state.orders:
        leg = legs.setdefault(order.token_id, LegRun(order.token_id, order.market, order.price_e6, order.size_e6))
        leg.book(order.side, order.filled_e6, order.notional_e6, order.fee_e6)
    held = [f"{format_e6(leg.held_e6)} of {leg.token_id}" for leg in legs.values() if leg.held_e6]
    bought = any(leg.spent_e6 for leg in legs.values())
    outcome, told = ("unwound", "everything was sold again") if bought else ("rejected", "nothing was bought")
    if held:
        outcome, told = "partial-held", f"held: {', '.join(held)}"
    decision = state.decision or Decision(
        state.plan_id, state.strategy or strategy, "begun in an earlier run", decided_ns=now_ns, intents=0
    )
    return PlanEnded(
        ts_ns=now_ns,
        decision=decision,
        outcome=outcome,
        reason=f"{told}: {GONE}",
        result_e6=sum(leg.earned_e6 - leg.spent_e6 for leg in legs.values()),
        market=_first_market(state.orders),
        legs=legs_told(legs.values()),
    )


def _leg(event: EventSet, token_id: str, size_e6: int) -> LegRun:
    market = event.market_of(token_id)
    least = parse_e6(market.min_order_size) if market.min_order_size else 0
    return LegRun(token_id, market.market_id, 0, size_e6, market.fees, least)


def _seen(text: str) -> dict[str, Any] | None:
    try:
        seen = json.loads(text)
    except ValueError:
        return None
    return seen if isinstance(seen, dict) and isinstance(seen.get("books"), list) else None


def _first_market(orders: Sequence[PlanOrder]) -> str:
    return orders[0].market if orders else ""
