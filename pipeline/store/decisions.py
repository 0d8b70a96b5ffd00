"""What strategies saw and hold, over time: opportunities and portfolio rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from pipeline.base.units import NS_PER_MS
from pipeline.messages.records import Opportunity, PortfolioRow
from pipeline.store.catalogue import OutcomeKey
from pipeline.store.market import Row
from pipeline.store.schema import opportunities, portfolio
from pipeline.store.statements import insert_sql


def opportunity_row(run_id: int, msg: Opportunity) -> Row:
    told = (msg.plan_id, msg.strategy, msg.kind, int(msg.taken), msg.reason, msg.expected_profit_e6, msg.size_e6, msg.legs)
    return (run_id, msg.market, msg.ts_ns // NS_PER_MS, msg.ts_ns, *told)


def portfolio_row(run_id: int, key: OutcomeKey, msg: PortfolioRow) -> Row:
    held = (msg.inventory_e6, msg.cost_e6, msg.realised_e6, msg.unrealised_e6, msg.fees_e6)
    return (run_id, msg.strategy, msg.mode, *key, msg.ts_ns // NS_PER_MS, msg.ts_ns, *held)


def insert_opportunities(conn: Connection, rows: Sequence[Row]) -> None:
    conn.exec_driver_sql(insert_sql(opportunities), list(rows))


def insert_portfolio(conn: Connection, rows: Sequence[Row]) -> None:
    conn.exec_driver_sql(insert_sql(portfolio), list(rows))
