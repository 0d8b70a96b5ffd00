"""The plans of several steps that are under way: their orders and what those traded, until somebody tells how each plan ended.

A plan outlives who carries it out: whoever comes after him learns here where it stands. It is kept by the commands that begin it, and
after a restart by the durable records: a plan with taker orders and without an audit has not ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.orders import Decision, PlaceOrder, PlanOrder, PlanState
from pipeline.messages.records import AuditRecord, FillRecord, OrderRecord

REMEMBERED: Final = 1_000
TAKES: Final = frozenset({"FOK", "FAK"})


@dataclass(slots=True)
class _Plan:
    strategy: str
    decision: Decision | None
    orders: dict[str, PlanOrder] = field(default_factory=dict)
    trades: set[tuple[str, str]] = field(default_factory=set)


class OpenPlans:
    """Plans by id, the oldest first. Those that ended are remembered for a while, so that a late record does not open them again."""

    def __init__(self) -> None:
        self._open: dict[str, _Plan] = {}
        self._plan_of: dict[str, str] = {}
        self._ended: dict[str, None] = {}

    def begin(self, command: PlaceOrder) -> None:
        """An order is asked for; if it is of a plan whose orders come one after the other, the plan is under way."""
        decision = command.decision
        if not decision.intents:
            self._note(decision.plan_id, decision.strategy, decision, command.client_order_id)

    def take(self, record: Message) -> None:
        """A durable record was made: what became of an order of one of the plans, a trade of it, or the end of the plan."""
        match record:
            case OrderRecord():
                plan = self._open.get(record.plan_id)
                if plan is not None and record.client_order_id in self._plan_of:
                    known = plan.orders.get(record.client_order_id)
                    plan.orders[record.client_order_id] = PlanOrder(
                        client_order_id=record.client_order_id,
                        token_id=record.token_id,
                        market=record.market,
                        side=record.side,
                        price_e6=record.price_e6,
                        size_e6=record.size_e6,
                        status=record.status,
                        filled_e6=known.filled_e6 if known else 0,
                        notional_e6=known.notional_e6 if known else 0,
                        fee_e6=known.fee_e6 if known else 0,
                        reason=record.reason,
                    )
            case FillRecord():
                self._trade(record)
            case AuditRecord():
                self.end(record.plan_id)

    def recover(self, record: Message) -> None:
        """Fold a durable record of an earlier life, in its order; a checkpoint first, if there is one."""
        if isinstance(record, Checkpoint):
            self._restore(record)
            return
        if isinstance(record, OrderRecord) and record.order_type in TAKES and record.plan_id:
            self._note(record.plan_id, record.strategy, None, record.client_order_id)
        self.take(record)

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Take over what ``shown`` and ``ended`` once gave; the decisions are gone with who made them."""
        self._ended = dict.fromkeys(checkpoint.ended_plans)
        for state in checkpoint.plans:
            for order in state.orders:
                self._note(state.plan_id, state.strategy, None, order.client_order_id)
                if state.plan_id in self._open:
                    self._open[state.plan_id].orders[order.client_order_id] = order
        for fill in checkpoint.fills:
            plan = self._open.get(self._plan_of.get(fill.client_order_id, ""))
            if plan is not None:
                plan.trades.add((fill.trade_id, fill.client_order_id))
                if fill.reverses:
                    plan.trades.add((fill.reverses, fill.client_order_id))

    def ended(self) -> tuple[str, ...]:
        """The plans that ended lately, the oldest first."""
        return tuple(self._ended)

    def end(self, plan_id: str) -> None:
        """The plan's end is on record."""
        plan = self._open.pop(plan_id, None)
        if plan is not None:
            self._plan_of = {name: of for name, of in self._plan_of.items() if of != plan_id}
        self._ended[plan_id] = None
        while len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def shown(self) -> tuple[PlanState, ...]:
        """Each plan under way, as an ExecSnapshot shows it."""
        return tuple(
            PlanState(plan_id, plan.strategy, tuple(plan.orders.values()), plan.decision) for plan_id, plan in self._open.items()
        )

    def _note(self, plan_id: str, strategy: str, decision: Decision | None, client_order_id: str) -> None:
        if plan_id in self._ended:
            return
        if plan_id not in self._open:
            self._open[plan_id] = _Plan(strategy, decision)
            while len(self._open) > REMEMBERED:
                self.end(next(iter(self._open)))
        self._plan_of[client_order_id] = plan_id

    def _trade(self, record: FillRecord) -> None:
        """Count a trade once; a later status of it changes nothing, one that failed is counted back (its fee is negative already)."""
        plan = self._open.get(self._plan_of.get(record.client_order_id, ""))
        order = None if plan is None else plan.orders.get(record.client_order_id)
        key = (record.trade_id, record.client_order_id)
        if plan is None or order is None or key in plan.trades:
            return
        plan.trades.add(key)
        sign = -1 if record.reverses else 1
        plan.orders[record.client_order_id] = msgspec.structs.replace(
            order,
            filled_e6=order.filled_e6 + sign * record.size_e6,
            notional_e6=order.notional_e6 + sign * record.notional_e6,
            fee_e6=order.fee_e6 + record.fee_e6,
        )
