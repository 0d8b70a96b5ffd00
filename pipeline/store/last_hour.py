"""A quick look at a database: whether its pages are sound, and what the feed brought lately."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sqlalchemy.exc import DatabaseError

from pipeline.base.units import NS_PER_MS
from pipeline.store.open import Store

UNREADABLE: tuple[type[Exception], ...] = (DatabaseError, sqlite3.Error)
"""What reading a damaged or locked database raises."""


@dataclass(frozen=True)
class LastHour:
    """``last_ms``: when a feed last said anything, 0 if none ever did; the rest counts since the time that was asked for."""

    last_ms: int
    checks: int
    matched: int
    undecided: int
    gaps: int
    lost_ns: int

    @property
    def missed(self) -> int:
        """Hash checks that found a book wrong."""
        return self.checks - self.matched - self.undecided


def quick_check(store: Store) -> list[str]:
    """SQLite's quick check, which reads every page: complaints, none for a sound database. Seconds for gigabytes."""
    with store.connect() as conn:
        told = [str(row[0]) for row in conn.exec_driver_sql("PRAGMA quick_check(3)")]
    return [] if told == ["ok"] else told


def last_hour(store: Store, since_ns: int) -> LastHour:
    """Hash checks and gaps since a time (UTC nanoseconds)."""
    with store.connect() as conn:
        last_ms = conn.exec_driver_sql("SELECT max(last_update_ts_ms) FROM market_status").scalar() or 0
        done, matched, undecided = conn.exec_driver_sql(
            "SELECT coalesce(sum(done), 0), coalesce(sum(matched), 0), coalesce(sum(undecided), 0) FROM hash_checks WHERE ts_ms >= ?",
            (since_ns // NS_PER_MS,),
        ).one()
        gaps, lost_ns = conn.exec_driver_sql(
            "SELECT count(*), coalesce(sum(CASE WHEN end_ns > start_ns THEN end_ns - start_ns ELSE 0 END), 0) "
            "FROM feed_gaps WHERE start_ns >= ?",
            (since_ns,),
        ).one()
    return LastHour(last_ms, done, matched, undecided, gaps, lost_ns)
