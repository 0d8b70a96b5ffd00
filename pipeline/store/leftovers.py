"""What SQLite leaves beside a database: a reader of a database in WAL mode makes the two files, and may not take them away."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path


def wal_of(database: Path) -> Path:
    """The write-ahead log beside a database."""
    return database.with_name(database.name + "-wal")


def shm_of(database: Path) -> Path:
    """The shared index of the write-ahead log."""
    return database.with_name(database.name + "-shm")


def take_away_empty_wal(database: Path) -> None:
    """Let SQLite remove ``-wal`` and ``-shm`` if they hold nothing and nobody uses them; otherwise nothing happens.

    A reader leaves them behind, as only who may write takes them away when he is the last to leave. Here somebody comes who may,
    looks, and leaves. A log with pages in it, as a killed writer leaves one, is not touched: the next writer takes it in.
    """
    try:
        if wal_of(database).stat().st_size:
            return
    except OSError:
        return
    with contextlib.suppress(sqlite3.Error):
        raw = sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0)
        try:
            raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        finally:
            raw.close()
