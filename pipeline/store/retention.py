"""Pruning: samples of the market older than the retention go; orders, fills, audits, journal and versions stay."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, Table

from pipeline.store.market import add_to_rows
from pipeline.store.schema import book_states, feed_gaps, opportunities, orderbook_events, orderbook_snapshots, portfolio, trades

PRUNED_TABLES: tuple[Table, ...] = (
    orderbook_events,
    orderbook_snapshots,
    trades,
    book_states,
    opportunities,
    portfolio,
    feed_gaps,
)
_COUNTED = {"orderbook_events": "event_rows", "orderbook_snapshots": "snapshot_rows"}
NO_LIMIT = -1


def prune_events_before(conn: Connection, ts_ms: int, at_most: int = NO_LIMIT) -> int:
    """Delete book events that happened before ``ts_ms``, the oldest first; returns how many."""
    return prune_table(conn, orderbook_events, ts_ms, at_most)


def prune_samples(conn: Connection, ts_ms: int, at_most: int = NO_LIMIT) -> int:
    """Delete every sample of the market from before ``ts_ms``, at most so many rows in all; returns how many."""
    gone = 0
    for table in PRUNED_TABLES:
        left = at_most if at_most == NO_LIMIT else at_most - gone
        if left == 0:
            break
        gone += prune_table(conn, table, ts_ms, left)
    return gone


def prune_table(conn: Connection, table: Table, ts_ms: int, at_most: int = NO_LIMIT) -> int:
    """Delete rows of one table; counts of stored rows follow."""
    doomed = f"SELECT rowid FROM {table.name} WHERE ts_ms < ? ORDER BY ts_ms LIMIT ?"
    column = _COUNTED.get(table.name)
    if column is not None:
        rows = conn.exec_driver_sql(
            f"SELECT market_id, count(*) FROM {table.name} WHERE rowid IN ({doomed}) GROUP BY market_id", (ts_ms, at_most)
        ).all()
        if not rows:
            return 0
        add_to_rows(conn, column, Counter({market_id: -count for market_id, count in rows}))
    return conn.exec_driver_sql(f"DELETE FROM {table.name} WHERE rowid IN ({doomed})", (ts_ms, at_most)).rowcount
