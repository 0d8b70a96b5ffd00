"""What a writer finds in its database and builds upon: enough to begin another file in which it would do the same."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from pipeline.store.commits import commits_so_far
from pipeline.store.runs import Run, next_run_id, save_run
from pipeline.store.schema import journal
from pipeline.store.statements import insert_sql


class LastRecord(NamedTuple):
    """The last durable record of a producer that a database has: its number, and the record as the ``journal`` has it."""

    seq: int
    body: str


class Premises(msgspec.Struct, frozen=True):
    """A database at the start of a writer: how many transactions it has seen, the id of the next run, and how far each producer is."""

    commits: int
    next_run_id: int
    last_records: dict[str, LastRecord]


def premises_of(conn: Connection) -> Premises:
    """What a writer would find now."""
    rows = conn.exec_driver_sql(
        "SELECT producer, seq, body FROM journal WHERE (producer, seq) IN (SELECT producer, max(seq) FROM journal GROUP BY producer)"
    )
    last = {producer: LastRecord(seq, body) for producer, seq, body in rows}
    return Premises(commits_so_far(conn), next_run_id(conn), last)


def begin_like(conn: Connection, premises: Premises) -> None:
    """Have a new database stand where another one stood, as far as ids and numbers go. A run of no name owns what was before."""
    conn.exec_driver_sql(f"PRAGMA user_version = {premises.commits}")
    before = premises.next_run_id - 1
    if before:
        save_run(conn, Run(before, "", "before", started_ns=0))
    for producer, record in premises.last_records.items():
        conn.exec_driver_sql(insert_sql(journal), (producer, record.seq, before, record.body))
