"""``polybot replay`` of a generic file into SQLite, beside the least that parsing it and inserting its rows costs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.machine import Options, interleave
from benchmarks.table import Figure
from benchmarks.tape import write_tape

GOOD, EXCELLENT = 60_000, 150_000
_TABLE = """
CREATE TABLE events (id INTEGER PRIMARY KEY, run_id INTEGER, market_id TEXT, outcome_id TEXT, seq INTEGER, ts_ms INTEGER,
  ts_ns INTEGER, side TEXT, price_e6 INTEGER, size_e6 INTEGER, change_e6 INTEGER);
CREATE INDEX events_ts ON events (ts_ms);
"""
_INSERT = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def figures(options: Options, lines: int = 200_000) -> list[Figure]:
    """Lines a second of the whole command, of the command without its start (a file of one line), and of the bare limit."""
    with tempfile.TemporaryDirectory(prefix="polybot-bench-") as folder:
        place = Path(folder)
        tape, single = place / "tape.jsonl", place / "single.jsonl"
        write_tape(tape, lines)
        write_tape(single, 1)
        whole, start, bare = interleave(
            options.runs, lambda: _command(tape, place), lambda: _command(single, place), lambda: _bare(tape, place)
        )
    limit = tuple(lines / seconds for seconds in bare)
    steady = tuple(lines / (all_of_it - begin) for all_of_it, begin in zip(whole, start, strict=True))
    peer = "msgspec + sqlite3, the same rows"
    return [
        Figure(
            f"replay of {lines:,} lines into SQLite, whole command",
            "lines/s",
            tuple(lines / seconds for seconds in whole),
            GOOD,
            EXCELLENT,
            peer,
            limit,
        ),
        Figure(f"replay of {lines:,} lines into SQLite, without its start", "lines/s", steady, GOOD, EXCELLENT, peer, limit),
        Figure("replay of one line: start to end", "s", start),
    ]


def _command(tape: Path, place: Path) -> float:
    """Seconds of the command on a new database. Its byte code is compiled in the round that does not count."""
    db = place / "replay.db"
    for file in place.glob("replay.db*"):
        file.unlink()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(place / "bytecode")
    words = [sys.executable, "-m", "polybot.cli", "replay", str(tape), "mkt-1", "--db-url", f"sqlite:///{db}"]
    began = time.perf_counter()
    subprocess.run(words, env=env, check=True, capture_output=True)
    return time.perf_counter() - began


class _Line(msgspec.Struct):
    seq: int
    ts_ms: int
    bids: list[tuple[float, float]] = []
    asks: list[tuple[float, float]] = []


def _bare(tape: Path, place: Path) -> float:
    """Seconds to parse the file and insert a row for each level, in one transaction, with no thought given to what it means."""
    for file in place.glob("bare.db*"):
        file.unlink()
    decode = msgspec.json.Decoder(_Line).decode
    conn = sqlite3.connect(place / "bare.db", isolation_level=None)
    conn.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _TABLE)
    began = time.perf_counter()
    rows: list[tuple[object, ...]] = []
    conn.execute("BEGIN IMMEDIATE")
    with tape.open("rb") as stream:
        for text in stream:
            line = decode(text)
            for side, levels in (("bid", line.bids), ("ask", line.asks)):
                for price, size in levels:
                    ts_ms = line.ts_ms
                    price_e6, size_e6 = round(price * 1e6), round(size * 1e6)
                    rows.append((1, "mkt-1", "yes", line.seq, ts_ms, ts_ms * 1_000_000, side, price_e6, size_e6, size_e6))
            if len(rows) >= 5_000:
                conn.executemany(_INSERT, rows)
                rows.clear()
    conn.executemany(_INSERT, rows)
    conn.execute("COMMIT")
    conn.close()
    return time.perf_counter() - began
