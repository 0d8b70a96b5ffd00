"""Runs: one row for each start of each role's process, made from its first words or from an envelope alone."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from pipeline.messages.records import RunEnded, RunStarted
from pipeline.store.schema import runs
from pipeline.store.statements import names_of, upsert_sql


@dataclass
class Run:
    """A row of ``runs`` as far as it is known; the writer draws its ``id``."""

    id: int
    producer: str
    run: str
    started_ns: int
    session: str = ""
    role: str = ""
    pid: int = 0
    source: str = ""
    ended_ns: int | None = None
    reason: str = ""
    counts: str = "{}"
    body: str = "{}"
    market_id: str | None = None
    file_sha256: str | None = None

    def started(self, msg: RunStarted) -> None:
        """Learn what the run says of itself. ``body`` may be a JSON object; its market_id and file_sha256 get columns."""
        self.session, self.role, self.pid, self.source = msg.session_id, msg.role, msg.pid, msg.source
        self.started_ns, self.body = msg.ts_ns, msg.body
        told = msgspec.json.decode(msg.body) if msg.body else {}
        if isinstance(told, dict):
            self.market_id = told.get("market_id", self.market_id)
            self.file_sha256 = told.get("file_sha256", self.file_sha256)

    def ended(self, msg: RunEnded) -> None:
        """Learn how the run ended."""
        self.role = self.role or msg.role
        self.ended_ns, self.reason, self.counts = msg.ts_ns, msg.reason, msgspec.json.encode(msg.counts).decode()


def next_run_id(conn: Connection) -> int:
    """The id for the next run."""
    return int(conn.exec_driver_sql("SELECT coalesce(max(id), 0) + 1 FROM runs").scalar_one())


def find_run(conn: Connection, producer: str, run: str) -> Run | None:
    """The stored row of a run."""
    names = names_of(runs)
    row = conn.exec_driver_sql(f"SELECT {', '.join(names)} FROM runs WHERE producer = ? AND run = ?", (producer, run)).first()
    return None if row is None else Run(**dict(zip(names, row, strict=True)))


def save_run(conn: Connection, run: Run) -> None:
    """Write a run's row, replacing what is there."""
    names = names_of(runs)
    conn.exec_driver_sql(upsert_sql(runs, names, ("id",)), tuple(getattr(run, name) for name in names))


def replay_of(conn: Connection, file_sha256: str, market_id: str) -> int | None:
    """The id of the run that replayed this very file for this market, if there is one."""
    row = conn.exec_driver_sql(
        "SELECT min(id) FROM runs WHERE file_sha256 = ? AND market_id = ?", (file_sha256, market_id)
    ).scalar()
    return None if row is None else int(row)
