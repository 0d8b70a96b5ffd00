"""The writer on level events, beside bare sqlite3: rows a second with one index, and how long its commits take.

Messages as they come from the bus, decoded, go through the stage that runs live, into a file with the settings that it has live. The
peer inserts ready tuples into the same table with the same index, as many a commit. Not counted: decoding, and the schema.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.machine import Options
from benchmarks.percentiles import percentile_of
from benchmarks.samples import MARKET, TOKEN, TS_NS
from benchmarks.table import Figure
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Arrival
from pipeline.messages.records import BookEvents, LevelEvent
from pipeline.store.open import open_store
from processes.writer import Writer

GOOD, EXCELLENT = 100_000, 250_000
EXCELLENT_COMMIT_MS = 10.0
COMMIT_ROWS = (1_000, 2_500)
"""A thousand rows a commit, as the limits are told for, and the writer's default."""
ROWS, QUICK_ROWS = 400_000, 100_000
_TABLE = """
CREATE TABLE events (id INTEGER PRIMARY KEY, run_id INTEGER, market_id TEXT, outcome_id TEXT, seq INTEGER, ts_ms INTEGER,
  ts_ns INTEGER, side TEXT, price_e6 INTEGER, size_e6 INTEGER, change_e6 INTEGER);
CREATE INDEX events_ts ON events (ts_ms);
"""
_INSERT = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
Measured = tuple[float, float]
"""Rows a second, and the 99th percentile of the milliseconds of a commit."""


def figures(options: Options) -> list[Figure]:
    """Both in turns."""
    messages = made(QUICK_ROWS if options.quick else ROWS)
    rows = [row_of(msg) for msg in messages]
    found = []
    for commit_rows in COMMIT_ROWS:
        ours: list[Measured] = []
        bare: list[Measured] = []
        for _ in range(options.runs):
            ours.append(_measured(partial(write, messages, commit_rows)))
            bare.append(_measured(partial(_insert, rows, commit_rows)))
        peer = "sqlite3 executemany"
        name = f"writer, level events, one index, {commit_rows:,} a commit"
        rates, waits = (tuple(each[column] for each in ours) for column in (0, 1))
        peer_rates, peer_waits = (tuple(each[column] for each in bare) for column in (0, 1))
        found.append(Figure(name, "rows/s", rates, GOOD, EXCELLENT, peer, peer_rates))
        aimed = EXCELLENT_COMMIT_MS if commit_rows == COMMIT_ROWS[0] else None
        found.append(Figure(f"{name}, commit p99", "ms", waits, None, aimed, peer, peer_waits))
    return found


def made(count: int) -> list[BookEvents]:
    """Changes of one level each, a few milliseconds apart."""
    draw = random.Random(1)
    return [
        BookEvents(
            ts_ns=TS_NS + number * 3 * NS_PER_MS,
            token_id=TOKEN,
            market=MARKET,
            seq=number,
            venue_ns=TS_NS + number * 3 * NS_PER_MS,
            events=(
                LevelEvent(
                    draw.choice(("bid", "ask")), 10_000 * draw.randrange(1, 99), draw.randrange(10**9), draw.randrange(10**8)
                ),
            ),
        )
        for number in range(1, count + 1)
    ]


def row_of(msg: BookEvents) -> tuple[Any, ...]:
    """What the writer stores of it, but for the id."""
    [event] = msg.events
    ts_ms = msg.venue_ns // NS_PER_MS
    return 1, MARKET, TOKEN, msg.seq, ts_ms, msg.ts_ns, event.side, event.price_e6, event.size_e6, event.change_e6


def _measured(measure: Callable[[Path], Measured]) -> Measured:
    with tempfile.TemporaryDirectory(prefix="polybot-bench-") as folder:
        return measure(Path(folder))


def write(messages: list[BookEvents], commit_rows: int, folder: Path) -> Measured:
    """Through the writer into ``writer.db``."""
    arrivals = [Arrival("persist.lossy", "book_builder", "run-1", seq, msg) for seq, msg in enumerate(messages, 1)]
    store = open_store(f"sqlite:///{folder / 'writer.db'}", venue="fake")
    writer = Writer(store, commit_rows=commit_rows)
    commits_ms: list[float] = []
    try:
        list(writer.start(TS_NS))
        began = time.perf_counter()
        for number, arrival in enumerate(arrivals, 1):
            if number % commit_rows:
                writer.receive(arrival, TS_NS)
            else:
                before = time.perf_counter()
                writer.receive(arrival, TS_NS)
                commits_ms.append((time.perf_counter() - before) * 1e3)
        took = time.perf_counter() - began
        counts = writer.counts()
        assert counts["rows"] == len(messages) and counts["commits"] == len(commits_ms), counts
        list(writer.stop(TS_NS))
    finally:
        store.close()
    return len(messages) / took, percentile_of(commits_ms, "p99")


def _insert(rows: list[tuple[Any, ...]], commit_rows: int, folder: Path) -> Measured:
    conn = sqlite3.connect(folder / "bare.db", isolation_level=None)
    conn.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _TABLE)
    commits_ms: list[float] = []
    began = time.perf_counter()
    for start in range(0, len(rows), commit_rows):
        before = time.perf_counter()
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany(_INSERT, rows[start : start + commit_rows])
        conn.execute("COMMIT")
        commits_ms.append((time.perf_counter() - before) * 1e3)
    took = time.perf_counter() - began
    conn.close()
    return len(rows) / took, percentile_of(commits_ms, "p99")
