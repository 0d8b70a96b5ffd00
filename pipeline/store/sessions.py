"""Reading what one strategy did in a database: its orders over their lives, its trades with the mids after them, and why it decided."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection

from pipeline.messages.orders import OPEN_STATUSES

STANDS = frozenset({"live", "partially_filled"})


class OrderLife(NamedTuple):
    """An order of a database: when it was asked for, stood and ended (UTC nanoseconds, 0: never), and how it ended."""

    client_order_id: str
    strategy: str
    mode: str
    market_id: str
    token_id: str
    side: str
    price_e6: int
    size_e6: int
    order_type: str
    post_only: bool
    plan_id: str
    placed_ns: int
    live_ns: int
    ended_ns: int
    filled_e6: int
    status: str
    reason: str
    why: str
    seen: str


def order_lives(conn: Connection, strategy: str = "") -> list[OrderLife]:
    """Every order, or those of one strategy, the first placed first."""
    tokens = token_names(conn)
    said = {
        plan: (reason, seen)
        for plan, reason, seen in conn.exec_driver_sql("SELECT plan_id, reason, seen FROM exec_audit ORDER BY id")
    }
    found: dict[str, OrderLife] = {}
    query = (
        "SELECT client_order_id, strategy, mode, market_id, outcome_id, side, price_e6, size_e6, order_type, post_only, plan_id, ts_ns, "
        "filled_e6, status, reason FROM order_events ORDER BY id"
    )
    for row in conn.exec_driver_sql(query):
        if strategy and row.strategy != strategy:
            continue
        known = found.get(row.client_order_id)
        stands = row.ts_ns if row.status in STANDS else 0
        ended = 0 if row.status in OPEN_STATUSES else row.ts_ns
        if known is None:
            why, seen = said.get(row.plan_id, ("", ""))
            token = tokens.get((row.market_id, row.outcome_id), row.outcome_id)
            found[row.client_order_id] = OrderLife(
                client_order_id=row.client_order_id,
                strategy=row.strategy,
                mode=row.mode,
                market_id=row.market_id,
                token_id=token,
                side=row.side,
                price_e6=row.price_e6,
                size_e6=row.size_e6,
                order_type=row.order_type,
                post_only=bool(row.post_only),
                plan_id=row.plan_id,
                placed_ns=row.ts_ns,
                live_ns=stands,
                ended_ns=ended,
                filled_e6=row.filled_e6,
                status=row.status,
                reason=row.reason,
                why=why,
                seen=seen,
            )
        else:
            found[row.client_order_id] = known._replace(
                live_ns=known.live_ns or stands, ended_ns=ended, filled_e6=row.filled_e6, status=row.status, reason=row.reason
            )
    return sorted(found.values(), key=lambda order: (order.placed_ns, order.client_order_id))


def trades_with_mids(conn: Connection, strategy: str = "") -> list[tuple[Any, str, dict[int, int]]]:
    """(row of ``fills``, its token id, mids by horizon in milliseconds) of every trade that stands, in the order of time."""
    tokens = token_names(conn)
    mids: dict[tuple[str, str], dict[int, int]] = {}
    for trade_id, order, horizon_ms, mid_e6 in conn.exec_driver_sql(
        "SELECT trade_id, client_order_id, horizon_ms, mid_e6 FROM markouts WHERE mid_e6 IS NOT NULL ORDER BY id"
    ):
        mids.setdefault((trade_id, order), {})[horizon_ms] = mid_e6
    return [
        (row, tokens.get((row.market_id, row.outcome_id), row.outcome_id), mids.get((row.trade_id, row.client_order_id), {}))
        for row in conn.exec_driver_sql("SELECT * FROM fills ORDER BY ts_ns, client_order_id, trade_id")
        if not strategy or row.strategy == strategy
    ]


def token_names(conn: Connection) -> dict[tuple[str, str], str]:
    """The token id of each (market, outcome)."""
    rows = conn.exec_driver_sql("SELECT market_id, outcome_id, token_id FROM outcomes")
    return {(row.market_id, row.outcome_id): row.token_id for row in rows}
