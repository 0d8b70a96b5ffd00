"""Reading what coverage is made of: runs of the book builder, states of books, gaps and hash checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Table

from pipeline.base.units import NS_PER_MS
from pipeline.store.catalogue import OutcomeKey
from pipeline.store.schema import book_states, hash_checks, orderbook_events, orderbook_snapshots, trades

_SIGNS: tuple[Table, ...] = (orderbook_events, orderbook_snapshots, trades, book_states, hash_checks)
"""What a book builder writes while it lives."""
_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class BuilderRun:
    """One run of the book builder. ``seen_ns``: its end, or the last thing it stored if it never said that it ended."""

    id: int
    started_ns: int
    ended_ns: int | None
    seen_ns: int
    reason: str
    source: str


class StateRow(NamedTuple):
    """A book went to a state."""

    run_id: int
    market_id: str
    outcome_id: str
    ts_ns: int
    state: str
    reason: str


class GapRow(NamedTuple):
    """A gap; ``end_ns`` is 0 while it is open."""

    market_id: str
    outcome_id: str
    start_ns: int
    end_ns: int
    cause: str
    healed_by: str


class HourChecks(NamedTuple):
    """Hash checks of one outcome in one hour."""

    market_id: str
    outcome_id: str
    hour_ns: int
    done: int
    matched: int
    undecided: int


class TokenName(NamedTuple):
    """An outcome as the catalogue knows it; ``title`` is the market's for people, "" where it has none."""

    market_id: str
    outcome_id: str
    token_id: str
    name: str
    title: str


def builder_runs(conn: Connection) -> list[BuilderRun]:
    """Every run of the book builder, in the order in which they began to write."""
    rows = conn.exec_driver_sql(
        "SELECT id, started_ns, ended_ns, reason, source FROM runs "
        "WHERE role = 'book_builder' OR producer = 'book_builder' ORDER BY id"
    ).all()
    found = []
    for place, (run_id, started_ns, ended_ns, reason, source) in enumerate(rows):
        seen_ns = ended_ns
        if seen_ns is None:
            later = [row[1] for row in rows[place + 1 :] if row[1] > started_ns]
            seen_ns = _last_sign_ns(conn, run_id, started_ns, min(later, default=None))
        found.append(BuilderRun(run_id, started_ns, ended_ns, max(seen_ns, started_ns), reason, source))
    return found


def _last_sign_ns(conn: Connection, run_id: int, from_ns: int, to_ns: int | None) -> int:
    """When a run last stored something; bounded, as the tables have no index on the run."""
    bounds = (run_id, from_ns // NS_PER_MS, 2**62 if to_ns is None else to_ns // NS_PER_MS)
    signs = (
        conn.exec_driver_sql(
            f"SELECT ts_ns FROM {table.name} WHERE run_id = ? AND ts_ms BETWEEN ? AND ? ORDER BY ts_ms DESC LIMIT 1", bounds
        ).scalar()
        for table in _SIGNS
    )
    return max((sign for sign in signs if sign is not None), default=from_ns)


def states_backwards(conn: Connection, key: OutcomeKey | None = None) -> Iterator[StateRow]:
    """The changes of state of every outcome, or of one, the newest first."""
    sql = "SELECT run_id, market_id, outcome_id, ts_ns, new, reason FROM book_states"
    where, values = _of(key)
    for row in conn.exec_driver_sql(f"{sql}{where} ORDER BY id DESC", values).yield_per(10_000):
        yield StateRow(*row)


def feed_gap_rows(conn: Connection, key: OutcomeKey | None = None) -> list[GapRow]:
    """The gaps of every outcome, or of one, in order of time."""
    where, values = _of(key)
    sql = f"SELECT market_id, outcome_id, start_ns, end_ns, cause, healed_by FROM feed_gaps{where} ORDER BY start_ns"
    return [GapRow(*row) for row in conn.exec_driver_sql(sql, values)]


def checks_by_hour(conn: Connection, key: OutcomeKey | None = None) -> list[HourChecks]:
    """The hash checks of every outcome, or of one, by hour."""
    where, values = _of(key)
    sql = (
        f"SELECT market_id, outcome_id, ts_ms / {_HOUR_MS} * {_HOUR_MS * NS_PER_MS}, sum(done), sum(matched), sum(undecided) "
        f"FROM hash_checks{where} GROUP BY 1, 2, 3"
    )
    return [HourChecks(*row) for row in conn.exec_driver_sql(sql, values)]


def token_names(conn: Connection) -> list[TokenName]:
    """The outcomes of the catalogue, those of one market beside each other in its order."""
    rows = conn.exec_driver_sql(
        "SELECT o.market_id, o.outcome_id, o.token_id, o.name, "
        "coalesce(nullif(m.group_item_title, ''), nullif(m.question, ''), m.slug) "
        "FROM outcomes AS o JOIN markets AS m USING (market_id) ORDER BY o.market_id, o.position"
    )
    return [TokenName(*row) for row in rows]


def _of(key: OutcomeKey | None) -> tuple[str, tuple[str, ...]]:
    return ("", ()) if key is None else (" WHERE market_id = ? AND outcome_id = ?", tuple(key))
