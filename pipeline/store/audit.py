"""What trading did and why: executed decisions, and halts."""

from __future__ import annotations

from sqlalchemy import Connection

from pipeline.base.units import NS_PER_MS
from pipeline.messages.records import AuditRecord, HaltRecord
from pipeline.store.schema import exec_audit, halts
from pipeline.store.statements import insert_sql


def append_audit(conn: Connection, run_id: int, msg: AuditRecord) -> None:
    """Add one executed decision."""
    who = (msg.plan_id, msg.strategy, msg.mode, msg.market)
    what = (msg.intents, msg.acks, msg.duration_ms, msg.outcome, msg.reason, msg.seen, msg.expected_profit_e6)
    conn.exec_driver_sql(insert_sql(exec_audit), (run_id, *who, *what, msg.ts_ns // NS_PER_MS, msg.ts_ns))


def append_halt(conn: Connection, run_id: int, msg: HaltRecord) -> None:
    """Add one halt, or its end."""
    conn.exec_driver_sql(insert_sql(halts), (run_id, msg.ts_ns // NS_PER_MS, msg.ts_ns, int(msg.halted), msg.reason))
