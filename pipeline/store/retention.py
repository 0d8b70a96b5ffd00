"""Pruning: samples of the market older than the retention go; orders, fills, audits and versions stay.

The state that a book was in when the kept time begins stays too, as it may be in force still. Of the ``journal``, the copy of every record
as it came, old rows go as well: what was made of them stays in the tables of trading, and the last of each producer tells its number.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, Table

from pipeline.base.units import NS_PER_MS
from pipeline.store.market import add_to_rows
from pipeline.store.schema import (
    book_states,
    feed_gaps,
    hash_checks,
    journal,
    opportunities,
    orderbook_events,
    orderbook_snapshots,
    portfolio,
    trades,
)

PRUNED_TABLES: tuple[Table, ...] = (
    orderbook_events,
    orderbook_snapshots,
    trades,
    book_states,
    opportunities,
    portfolio,
    feed_gaps,
    hash_checks,
)
_COUNTED = {"orderbook_events": "event_rows", "orderbook_snapshots": "snapshot_rows"}
_IN_FORCE = {
    "book_states": "SELECT max(s.id) FROM book_states AS s JOIN runs ON runs.id = s.run_id "
    "WHERE s.ts_ms < ? AND (runs.ended_ns IS NULL OR runs.ended_ns / 1000000 >= ?) GROUP BY s.run_id, s.market_id, s.outcome_id"
}
"""What stays of a table although it is old: the last row of each book before the kept time, of runs that reach into it."""
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
    left = at_most if at_most == NO_LIMIT else at_most - gone
    return gone + prune_journal(conn, ts_ms, left) if left else gone


def count_samples(conn: Connection, ts_ms: int) -> dict[str, int]:
    """How many rows of each table ``prune_samples`` would delete; nothing is deleted."""
    found = {}
    for table in PRUNED_TABLES:
        condition, until = _doomed(table, ts_ms)
        found[table.name] = int(conn.exec_driver_sql(f"SELECT count(*) FROM {table.name} WHERE {condition}", until).scalar_one())
    copies = conn.exec_driver_sql(f"SELECT count(*) FROM ({_OLD_COPIES})", (NO_LIMIT, ts_ms * NS_PER_MS))
    found[journal.name] = int(copies.scalar_one())
    return found


_OLD_COPIES = """SELECT id FROM (
        SELECT rowid AS id, body FROM journal
        WHERE (producer, seq) NOT IN (SELECT producer, max(seq) FROM journal GROUP BY producer) ORDER BY rowid LIMIT ?
    ) WHERE json_extract(body, '$[1]') < ?"""
"""Among so many of the oldest that may go. The second element of each record is its time in nanoseconds (``Message.ts_ns``)."""


def prune_journal(conn: Connection, ts_ms: int, at_most: int = NO_LIMIT) -> int:
    """Delete copies of records from before ``ts_ms``, the oldest first, but for each producer's last; returns how many."""
    deleted = conn.exec_driver_sql(f"DELETE FROM journal WHERE rowid IN ({_OLD_COPIES})", (at_most, ts_ms * NS_PER_MS))
    return deleted.rowcount


def _doomed(table: Table, ts_ms: int) -> tuple[str, tuple[int, ...]]:
    """What is true of the rows that go, and its parameters."""
    in_force = _IN_FORCE.get(table.name)
    if in_force is None:
        return "ts_ms < ?", (ts_ms,)
    return f"ts_ms < ? AND rowid NOT IN ({in_force})", (ts_ms, ts_ms, ts_ms)


def prune_table(conn: Connection, table: Table, ts_ms: int, at_most: int = NO_LIMIT) -> int:
    """Delete rows of one table; counts of stored rows follow."""
    condition, until = _doomed(table, ts_ms)
    doomed = f"SELECT rowid FROM {table.name} WHERE {condition} ORDER BY ts_ms LIMIT ?"
    column = _COUNTED.get(table.name)
    if column is not None:
        rows = conn.exec_driver_sql(
            f"SELECT market_id, count(*) FROM {table.name} WHERE rowid IN ({doomed}) GROUP BY market_id", (*until, at_most)
        ).all()
        if not rows:
            return 0
        add_to_rows(conn, column, Counter({market_id: -count for market_id, count in rows}))
    return conn.exec_driver_sql(f"DELETE FROM {table.name} WHERE rowid IN ({doomed})", (*until, at_most)).rowcount
