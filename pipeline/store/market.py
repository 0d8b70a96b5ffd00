"""Samples of the market as rows: snapshots, trades, states and gaps, and the status of each market."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection

from pipeline.base.units import NS_PER_MS
from pipeline.messages.market import TradePrint
from pipeline.messages.records import BookLevels, BookStateChanged, FeedGap, HashChecks, MarketStatus
from pipeline.store.catalogue import OutcomeKey
from pipeline.store.schema import (
    book_states,
    feed_gaps,
    hash_checks,
    market_status,
    orderbook_snapshots,
    trades,
)
from pipeline.store.statements import columns, insert_sql, upsert_sql

Row = tuple[Any, ...]
"""One row in the order of ``statements.columns`` of its table."""

STATUS_COUNTS = ("resync_first_delta", "resync_gap", "invalid", "repeats")
"""Names in MarketStatus.counts that have a column of their own; the others are kept as JSON in ``other``."""
_STATUS_NAMES = tuple(name for name in columns(market_status) if name not in ("event_rows", "snapshot_rows"))
_market_of_row = itemgetter(1)


def snapshot_row(run_id: int, key: OutcomeKey, msg: BookLevels) -> Row:
    """The mid is rounded down; it is null while a side is empty."""
    bid = msg.bids[0].price_e6 if msg.bids else None
    ask = msg.asks[0].price_e6 if msg.asks else None
    mid = None if bid is None or ask is None else (bid + ask) // 2
    ts_ms = (msg.venue_ns or msg.ts_ns) // NS_PER_MS
    bids, asks = msgspec.json.encode(msg.bids).decode(), msgspec.json.encode(msg.asks).decode()
    return (run_id, *key, msg.seq, ts_ms, msg.ts_ns, bid, ask, mid, msg.checksum, msg.state, msg.cause, bids, asks)


def trade_row(run_id: int, key: OutcomeKey, msg: TradePrint) -> Row:
    ts_ms = (msg.venue_ns or msg.ts_ns) // NS_PER_MS
    return (run_id, *key, ts_ms, msg.ts_ns, msg.side, msg.price_e6, msg.size_e6, msg.transaction_hash)


def state_row(run_id: int, key: OutcomeKey, msg: BookStateChanged) -> Row:
    ts_ms = msg.ts_ns // NS_PER_MS
    return (run_id, *key, ts_ms, msg.ts_ns, msg.old, msg.new, msg.basis, msg.reason, msg.verified_ns)


def gap_row(run_id: int, key: OutcomeKey, msg: FeedGap) -> Row:
    ts_ms = msg.start_ns // NS_PER_MS
    return (run_id, *key, msg.start_ns, msg.end_ns, ts_ms, msg.ts_ns, msg.cause, msg.healed_by)


def checks_row(run_id: int, key: OutcomeKey, msg: HashChecks) -> Row:
    return (run_id, *key, msg.start_ns // NS_PER_MS, msg.ts_ns, msg.done, msg.matched, msg.undecided)


def status_row(run_id: int, msg: MarketStatus) -> Row:
    own = [msg.counts.get(name, 0) for name in STATUS_COUNTS]
    other = msgspec.json.encode({name: count for name, count in sorted(msg.counts.items()) if name not in STATUS_COUNTS})
    totals = (msg.last_seq, msg.last_update_ts_ms, msg.snapshots, msg.deltas, msg.trades)
    return (msg.market, run_id, *totals, *own, other.decode())


def insert_snapshots(conn: Connection, rows: Sequence[Row]) -> None:
    """Add snapshot rows, counted per market in ``market_status.snapshot_rows``."""
    conn.exec_driver_sql(insert_sql(orderbook_snapshots), list(rows))
    add_to_rows(conn, "snapshot_rows", Counter(map(_market_of_row, rows)))


def insert_trades(conn: Connection, rows: Sequence[Row]) -> None:
    conn.exec_driver_sql(insert_sql(trades), list(rows))


def insert_states(conn: Connection, rows: Sequence[Row]) -> None:
    conn.exec_driver_sql(insert_sql(book_states), list(rows))


def insert_checks(conn: Connection, rows: Sequence[Row]) -> None:
    conn.exec_driver_sql(insert_sql(hash_checks), list(rows))


def upsert_gaps(conn: Connection, rows: Sequence[Row]) -> None:
    """Add gaps; one that was open is replaced by its end."""
    conn.exec_driver_sql(upsert_sql(feed_gaps, columns(feed_gaps), ("run_id", "market_id", "outcome_id", "start_ns")), list(rows))


def upsert_statuses(conn: Connection, rows: Sequence[Row]) -> None:
    """Replace the status of markets; the counts of stored rows stay."""
    conn.exec_driver_sql(upsert_sql(market_status, _STATUS_NAMES, ("market_id",)), list(rows))


def add_to_rows(conn: Connection, column: str, change: Counter[str]) -> None:
    """Add to a count of stored rows per market; ``column`` is event_rows or snapshot_rows."""
    conn.exec_driver_sql(
        f"INSERT INTO market_status (market_id, {column}) VALUES (?, ?) "
        f"ON CONFLICT (market_id) DO UPDATE SET {column} = {column} + excluded.{column}",
        list(change.items()),
    )
