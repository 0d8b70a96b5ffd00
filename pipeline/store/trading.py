"""Reading what was traded: orders, fills, audits, opportunities, and profit exact from the fills."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, case, func, select

from pipeline.base.units import ONE_E6
from pipeline.messages.orders import OPEN_STATUSES
from pipeline.store.rows import AuditRow, FillRow, OpportunityRow, OrderRow, PnlRow, PositionRow, fetch
from pipeline.store.schema import exec_audit, fills, halts, opportunities, order_events, orderbook_snapshots, orders
from pipeline.store.statements import names_of
from pipeline.trading.markouts import NO_TRADES


def list_orders(
    conn: Connection, limit: int = 100, *, market_id: str | None = None, strategy: str | None = None, open_only: bool = False
) -> list[OrderRow]:
    """The orders that changed last first."""
    query = _narrowed(_select(orders, ("run_id",)), orders, market_id=market_id, strategy=strategy)
    if open_only:
        query = query.where(orders.c.status.in_(OPEN_STATUSES))
    return fetch(conn, query.order_by(orders.c.updated_ts_ms.desc(), orders.c.client_order_id).limit(limit), OrderRow)


def history_of(conn: Connection, client_order_id: str) -> list[tuple[int, str, int, str]]:
    """(ts_ms, status, filled_e6, reason) of each step of an order, the oldest first."""
    c = order_events.c
    query = select(c.ts_ms, c.status, c.filled_e6, c.reason).where(c.client_order_id == client_order_id).order_by(c.id)
    return [(ts_ms, status, filled_e6, reason) for ts_ms, status, filled_e6, reason in conn.execute(query)]


def list_fills(
    conn: Connection, limit: int = 100, *, market_id: str | None = None, strategy: str | None = None, order: str | None = None
) -> list[FillRow]:
    """The newest fills first."""
    without = ("run_id", "ts_ns", "updated_ts_ms")
    query = _narrowed(_select(fills, without), fills, market_id=market_id, strategy=strategy, client_order_id=order)
    return fetch(conn, query.order_by(fills.c.ts_ns.desc(), fills.c.trade_id).limit(limit), FillRow)


def list_audits(
    conn: Connection, limit: int = 100, *, plan_id: str | None = None, strategy: str | None = None, market_id: str | None = None
) -> list[AuditRow]:
    """The newest executed decisions first."""
    without = ("id", "run_id", "ts_ns")
    query = _narrowed(_select(exec_audit, without), exec_audit, plan_id=plan_id, strategy=strategy, market_id=market_id)
    return fetch(conn, query.order_by(exec_audit.c.id.desc()).limit(limit), AuditRow)


def list_opportunities(
    conn: Connection,
    limit: int = 100,
    *,
    strategy: str | None = None,
    market_id: str | None = None,
    kind: str | None = None,
    taken: bool | None = None,
) -> list[OpportunityRow]:
    """The newest opportunities first, taken or refused; ``outcome`` is how the plan of one that was taken ended, "" if nobody says."""
    ended = select(exec_audit.c.outcome).where(exec_audit.c.plan_id == opportunities.c.plan_id).order_by(exec_audit.c.id.desc())
    outcome = case((opportunities.c.taken == 1, func.coalesce(ended.limit(1).scalar_subquery(), "")), else_="").label("outcome")
    columns: Select[Any] = _select(opportunities, ("id", "run_id", "ts_ns")).add_columns(outcome)
    query = _narrowed(columns, opportunities, strategy=strategy, market_id=market_id, kind=kind)
    if taken is not None:
        query = query.where(opportunities.c.taken == int(taken))
    return fetch(conn, query.order_by(opportunities.c.id.desc()).limit(limit), OpportunityRow)


def count_opportunities(conn: Connection, *, strategy: str | None = None) -> list[tuple[str, str, bool, str, int]]:
    """(strategy, kind, taken, reason without its figures, how many), the most frequent first."""
    c = opportunities.c
    query = _narrowed(select(c.strategy, c.kind, c.taken, c.reason), opportunities, strategy=strategy)
    counted: dict[tuple[str, str, bool, str], int] = defaultdict(int)
    for row in conn.execute(query):
        counted[row.strategy, row.kind, bool(row.taken), _without_figures(row.reason)] += 1
    return [(*key, count) for key, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]


def _without_figures(reason: str) -> str:
    """A reason with its ids and numbers replaced, so that those of one kind are counted together."""
    return re.sub(r"\b(0x[0-9a-f]+|[0-9]+([.][0-9]+)?)\b", "#", reason)


def last_halt(conn: Connection) -> tuple[bool, str, int] | None:
    """(halted, reason, ts_ms) of the last halt or resumption."""
    row = conn.execute(select(halts.c.halted, halts.c.reason, halts.c.ts_ms).order_by(halts.c.id.desc()).limit(1)).first()
    return None if row is None else (bool(row.halted), row.reason, row.ts_ms)


def positions(conn: Connection, mode: str | None = None) -> list[PositionRow]:
    """What the fills leave of each outcome, by strategy and mode, with the last stored mid.

    A trade that failed is undone by the fill that reverses it.
    """
    bought = fills.c.side == "BUY"
    group = (fills.c.strategy, fills.c.mode, fills.c.market_id, fills.c.outcome_id)
    query = select(
        *group,
        func.sum(case((bought, fills.c.size_e6), else_=-fills.c.size_e6)).label("inventory_e6"),
        func.sum(case((bought, -fills.c.notional_e6), else_=fills.c.notional_e6) - fills.c.fee_e6).label("cash_e6"),
        func.sum(fills.c.fee_e6).label("fees_e6"),
    ).group_by(*group)
    if mode is not None:
        query = query.where(fills.c.mode == mode)
    found = []
    for row in conn.execute(query.order_by(*group)).all():
        mid_e6, mid_ts_ms = _last_mid(conn, row.market_id, row.outcome_id) if row.inventory_e6 else (None, None)
        found.append(PositionRow(**row._mapping, mid_e6=mid_e6, mid_ts_ms=mid_ts_ms))
    return found


def pnl(conn: Connection, mode: str | None = None) -> list[PnlRow]:
    """Profit by strategy and mode, from the fills alone."""
    held: dict[tuple[str, str], list[PositionRow]] = defaultdict(list)
    for position in positions(conn, mode):
        held[position.strategy, position.mode].append(position)
    bought = fills.c.side == "BUY"
    group = (fills.c.strategy, fills.c.mode)
    query = select(
        *group,
        func.sum(case((fills.c.liquidity.in_(NO_TRADES), 0), (fills.c.reverses != "", -1), else_=1)).label("fills"),
        func.sum(case((bought, fills.c.notional_e6), else_=0)).label("bought_e6"),
        func.sum(case((bought, 0), else_=fills.c.notional_e6)).label("sold_e6"),
        func.sum(fills.c.fee_e6).label("fees_e6"),
    ).group_by(*group)
    if mode is not None:
        query = query.where(fills.c.mode == mode)
    found = []
    for row in conn.execute(query.order_by(*group)):
        cash_e6 = row.sold_e6 - row.bought_e6 - row.fees_e6
        mine = held[row.strategy, row.mode]
        value_e6 = value_floor_e6(mine)
        pnl_e6 = None if value_e6 is None else cash_e6 + value_e6
        found.append(PnlRow(**row._mapping, cash_e6=cash_e6, value_e6=value_e6, pnl_e6=pnl_e6, positions=tuple(mine)))
    return found


def value_floor_e6(held: Sequence[PositionRow]) -> int | None:
    """What positions are worth at their mids, rounded down once over all; None if one has no mid."""
    total = 0
    for position in held:
        if position.inventory_e6:
            if position.mid_e6 is None:
                return None
            total += position.inventory_e6 * position.mid_e6
    return total // ONE_E6


def _last_mid(conn: Connection, market_id: str, outcome_id: str) -> tuple[int | None, int | None]:
    c = orderbook_snapshots.c
    query = (
        select(c.mid_e6, c.ts_ms)
        .where(c.market_id == market_id, c.outcome_id == outcome_id, c.mid_e6.is_not(None))
        .order_by(c.id.desc())
        .limit(1)
    )
    row = conn.execute(query).first()
    return (None, None) if row is None else (row.mid_e6, row.ts_ms)


def _select(table: Table, without: Iterable[str]) -> Select[Any]:
    return select(*(table.c[name] for name in names_of(table, tuple(without))))


def _narrowed(query: Select[Any], table: Table, **wanted: str | None) -> Select[Any]:
    for name, value in wanted.items():
        if value is not None:
            query = query.where(table.c[name] == value)
    return query
