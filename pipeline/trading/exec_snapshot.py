"""All that the executor holds, in one message for whoever begins to listen."""

from __future__ import annotations

from pipeline.messages.orders import ExecSnapshot, Mode
from pipeline.trading.dispatch import Dispatcher
from pipeline.trading.open_plans import OpenPlans
from pipeline.trading.persistence import Persistence
from pipeline.trading.readiness import Readiness


def exec_snapshot(
    desk: Dispatcher, readiness: Readiness, persistence: Persistence, open_plans: OpenPlans, mode: Mode, now_ns: int
) -> ExecSnapshot:
    """Open orders, positions, counters, and whether commands are taken. A halt goes before what is recorded and not stored."""
    halt = desk.halt.reason or persistence.objection or None
    ledger = desk.ledger
    return ExecSnapshot(
        ts_ns=now_ns,
        accepts=readiness.accepts,
        halted=halt is not None,
        mode=mode,
        orders=ledger.shown(),
        positions=ledger.portfolio.shown(),
        reason=readiness.reason if halt is None else halt,
        next_counters=ledger.next_counters(),
        venue_state=desk.venue.state,
        plan_ids=ledger.taker_plans(),
        free_cash_e6=ledger.free_cash_e6,
        plans=open_plans.shown(),
    )
