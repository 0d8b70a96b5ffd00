"""Orders and fills: each event appended, and the latest state beside it."""

from __future__ import annotations

from sqlalchemy import Connection

from pipeline.base.units import NS_PER_MS
from pipeline.messages.records import FillRecord, OrderIntent, OrderRecord
from pipeline.store.catalogue import mention_outcomes, outcome_key
from pipeline.store.schema import fills, order_events, order_intents, orders
from pipeline.store.statements import columns, insert_sql, upsert_sql


def append_order(conn: Connection, run_id: int, msg: OrderRecord) -> None:
    """Add one step of an order's life; ``orders`` shows it as the latest."""
    mention_outcomes(conn, run_id, [(msg.market, msg.token_id)])
    ts_ms = msg.ts_ns // NS_PER_MS
    whose = (msg.venue_order_id, msg.strategy, msg.mode, *outcome_key(msg.market, msg.token_id))
    what = (msg.side, msg.price_e6, msg.size_e6, msg.filled_e6, msg.order_type, int(msg.post_only), msg.status)
    why = (msg.plan_id, msg.reason)
    conn.exec_driver_sql(insert_sql(order_events), (run_id, msg.client_order_id, *whose, *what, *why, ts_ms, msg.ts_ns))
    conn.exec_driver_sql(
        upsert_sql(orders, columns(orders), ("client_order_id",), keep=("ts_ms",)),
        (msg.client_order_id, run_id, *whose, *what, *why, ts_ms, ts_ms),
    )


def append_intent(conn: Connection, run_id: int, msg: OrderIntent) -> None:
    """Add what was signed for an order."""
    mention_outcomes(conn, run_id, [(msg.market, msg.token_id)])
    whose = (msg.client_order_id, run_id, msg.venue_order_id, *outcome_key(msg.market, msg.token_id))
    what = (msg.side, msg.price_e6, msg.size_e6, msg.order_type, int(msg.post_only), msg.body, msg.expires_ns)
    conn.exec_driver_sql(insert_sql(order_intents), (*whose, *what, msg.ts_ns // NS_PER_MS, msg.ts_ns))


def record_fill(conn: Connection, run_id: int, msg: FillRecord) -> None:
    """Add a fill; a later word on the same (trade_id, client_order_id) replaces all but when it was first heard.

    One that takes back a trade that failed also leaves ``failed`` in the row of that trade.
    """
    mention_outcomes(conn, run_id, [(msg.market, msg.token_id)])
    ts_ms = msg.ts_ns // NS_PER_MS
    whose = (msg.trade_id, msg.client_order_id, run_id, msg.strategy, msg.mode, *outcome_key(msg.market, msg.token_id))
    what = (msg.side, msg.price_e6, msg.size_e6, msg.notional_e6, msg.fee_e6, msg.liquidity, msg.status, msg.reverses)
    conn.exec_driver_sql(
        upsert_sql(fills, columns(fills), ("trade_id", "client_order_id"), keep=("ts_ms", "ts_ns")),
        (*whose, *what, ts_ms, msg.ts_ns, ts_ms),
    )
    if msg.reverses:
        conn.exec_driver_sql(
            "UPDATE fills SET status = ?, updated_ts_ms = ? WHERE trade_id = ? AND client_order_id = ?",
            (msg.status, ts_ms, msg.reverses, msg.client_order_id),
        )
