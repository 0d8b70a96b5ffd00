"""What strategies saw, hold and earn, over time: opportunities, portfolio rows, mids after trades, estimated rewards."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from pipeline.base.units import NS_PER_MS
from pipeline.messages.records import Markout, Opportunity, PortfolioRow, RewardEstimate
from pipeline.store.catalogue import OutcomeKey
from pipeline.store.market import Row
from pipeline.store.schema import markouts, opportunities, portfolio, reward_estimates
from pipeline.store.statements import insert_sql


def opportunity_row(run_id: int, msg: Opportunity) -> Row:
    told = (msg.plan_id, msg.strategy, msg.kind, int(msg.taken), msg.reason, msg.expected_profit_e6, msg.size_e6, msg.legs)
    return (run_id, msg.market, msg.ts_ns // NS_PER_MS, msg.ts_ns, *told)


def portfolio_row(run_id: int, key: OutcomeKey, msg: PortfolioRow) -> Row:
    held = (msg.inventory_e6, msg.cost_e6, msg.realised_e6, msg.unrealised_e6, msg.fees_e6)
    return (run_id, msg.strategy, msg.mode, *key, msg.ts_ns // NS_PER_MS, msg.ts_ns, *held)


def markout_row(run_id: int, key: OutcomeKey, msg: Markout) -> Row:
    whose = (msg.trade_id, msg.client_order_id, msg.strategy, msg.mode, *key)
    what = (msg.side, msg.price_e6, msg.size_e6, msg.horizon_ms, msg.mid_e6)
    return (run_id, *whose, *what, msg.ts_ns // NS_PER_MS, msg.ts_ns)


def reward_row(run_id: int, msg: RewardEstimate) -> Row:
    earned = (msg.share_e6, msg.reward_e6)
    return (run_id, msg.strategy, msg.mode, msg.market, *earned, msg.ts_ns // NS_PER_MS, msg.ts_ns)


def insert_markouts(conn: Connection, rows: Sequence[Row]) -> None:
    conn.exec_driver_sql(insert_sql(markouts), list(rows))


def insert_rewards(conn: Connection, rows: Sequence[Row]) -> None:
    conn.exec_driver_sql(insert_sql(reward_estimates), list(rows))


def insert_opportunities(conn: Connection, rows: Sequence[Row]) -> None:
    conn.exec_driver_sql(insert_sql(opportunities), list(rows))


def insert_portfolio(conn: Connection, rows: Sequence[Row]) -> None:
    conn.exec_driver_sql(insert_sql(portfolio), list(rows))
