"""The writer: the sole owner of the database. Buffers what arrives, commits it in batches, and says what is on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import ClassVar, cast

import click
from sqlalchemy import Connection
from sqlalchemy.engine import Transaction
from sqlalchemy.exc import OperationalError

from pipeline.base import events
from pipeline.base.config import Config
from pipeline.base.log import get_logger
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Arrival, Stage
from pipeline.bus.topology import WRITER
from pipeline.messages import Message
from pipeline.messages.control import Committed, JobDue
from pipeline.messages.records import RunEnded, RunStarted
from pipeline.store.buffer import RowBuffer
from pipeline.store.journal import DURABLE_KINDS, DurableRecord, append_records, last_seqs
from pipeline.store.open import Store, open_store
from pipeline.store.retention import prune_samples
from pipeline.store.runs import Run, find_run, next_run_id, save_run
from processes.options import process_options, run_process

RETRY_NS = 1_000 * NS_PER_MS
MAX_DURABLE_WAITING = 10_000
"""Records that wait while the database cannot be written; what comes on top stays in its producer's journal."""
PRUNE_ROWS = 20_000
"""Rows that one transaction prunes, so that it stays short."""
FLUSH_ROWS = 5_000
"""Rows handed to SQLite at a time when everything is one transaction."""

_HEALABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
    }
)


class Writer(Stage):
    """Store what every role persists, in batched transactions.

    In: ``persist.durable``, ``persist.lossy``, ``control``. Out: ``committed``, after each commit, to each new subscriber and every
    250 ms. A commit is due ``commit_interval_ms`` after the first row that waits, or at ``commit_rows`` rows. With None for both, all
    is one transaction, committed by ``stop`` (for a replay, which is kept whole or not at all); records then count as committed
    when they are in it. ``retention_ms`` None never prunes. While the database cannot be written, at most ``max_waiting_rows``
    samples wait.
    """

    role: ClassVar[str] = WRITER

    def __init__(
        self,
        store: Store,
        *,
        commit_interval_ms: int | None = 100,
        commit_rows: int | None = 5_000,
        retention_ms: int | None = None,
        max_waiting_rows: int = 200_000,
    ) -> None:
        if (commit_interval_ms is None) != (commit_rows is None):
            raise ValueError("give both commit_interval_ms and commit_rows, or None for both")
        self.store = store
        self._once = commit_interval_ms is None
        self._interval_ns = (commit_interval_ms or 0) * NS_PER_MS
        self._full = FLUSH_ROWS if commit_rows is None else commit_rows
        self._retention_ms = retention_ms
        self._max_waiting = max_waiting_rows
        self._buffer = RowBuffer()
        self._runs: dict[tuple[str, str], Run] = {}
        self._unsaved: dict[int, Run] = {}
        self._next_run_id = 1
        self._durable: dict[str, list[DurableRecord]] = {}
        self._committed: dict[str, int] = {}
        self._own_run: Run | None = None
        self._conn: Connection | None = None
        self._transaction: Transaction | None = None
        self._now_ns = 0
        self._commit_ns: int | None = None
        self._prune_before_ms: int | None = None
        self._failing_until_ns = 0
        self._counts = dict.fromkeys(("rows", "records", "commits", "commit_failures", "dropped_rows", "pruned_rows"), 0)

    # --- the stage ----------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> Iterator[Message]:
        self._now_ns = now_ns
        self._open()
        yield from self.reminders()

    def receive(self, arrival: Arrival, now_ns: int) -> Iterable[Message]:
        self._now_ns = now_ns
        message = arrival.message
        if isinstance(message, JobDue):
            return self._job_due(message, now_ns)
        run = self._runs.get((arrival.producer, arrival.run_id)) or self._meet(arrival)
        if not self._buffer.take(run.id, message):
            return self._take_other(arrival, run, now_ns)
        if self._commit_ns is None and not self._once:
            self._commit_ns = now_ns + self._interval_ns
        if self._buffer.waiting >= self._full:
            return self._when_full(now_ns)
        return ()

    def current(self, topic: str) -> Iterator[Message]:
        """For a new subscriber: how far each producer is that the topic means. One that was never heard is at 0."""
        wanted = topic.removeprefix("committed.")
        name = wanted.rstrip("\0")
        if name:
            self._committed.setdefault(name, 0)
        for producer, seq in self._committed.items():
            if producer == name or (wanted == name and producer.startswith(name)):
                yield Committed(ts_ns=self._now_ns, producer=producer, seq=seq)

    def reminders(self) -> Iterator[Message]:
        for producer, seq in self._committed.items():
            yield Committed(ts_ns=self._now_ns, producer=producer, seq=seq)

    def next_timer_ns(self) -> int | None:
        return self._commit_ns

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        self._now_ns = now_ns
        return self._commit(now_ns)

    def stop(self, now_ns: int) -> Iterator[Message]:
        self._now_ns = now_ns
        conn = self._open()
        if self._own_run is not None:
            self._own_run.ended(RunEnded(ts_ns=now_ns, role=self.role, reason="stopped", counts=self.counts()))
            self._unsaved[self._own_run.id] = self._own_run
        if self._transaction is not None:
            written = self._write(conn)
            self._forget_written()
            self._transaction.commit()
            self._transaction = None
            self._counts["commits"] += 1
            yield from self._said(written, now_ns)
        elif self._buffer.waiting or self._unsaved or self._durable:
            yield from self._commit(now_ns)
        conn.close()
        self._conn = None

    def counts(self) -> dict[str, int]:
        return self._counts | {"waiting_rows": self._buffer.waiting}

    # --- what arrives -------------------------------------------------------------------------------------------------

    def _meet(self, arrival: Arrival) -> Run:
        """The row of a run heard for the first time since our own start; its RunStarted may be lost, or still to come.

        The producer of durable records is ``<role>@<journal id>``; the run is that of the role.
        """
        producer = arrival.producer.partition("@")[0]
        run = self._runs.get((producer, arrival.run_id)) or self._stored_run(producer, arrival.run_id)
        if run is None:
            run = Run(self._next_run_id, producer, arrival.run_id, started_ns=arrival.message.ts_ns)
            self._next_run_id += 1
            self._unsaved[run.id] = run
        self._runs[producer, arrival.run_id] = self._runs[arrival.producer, arrival.run_id] = run
        return run

    def _stored_run(self, producer: str, run_id: str) -> Run | None:
        conn = self._open()
        if self._transaction is not None:
            return find_run(conn, producer, run_id)
        with self.store.connect() as reader:
            return find_run(reader, producer, run_id)

    def _take_other(self, arrival: Arrival, run: Run, now_ns: int) -> Iterable[Message]:
        message = arrival.message
        if isinstance(message, DURABLE_KINDS):
            return self._take_durable(arrival.producer, DurableRecord(arrival.seq, run.id, message), now_ns)
        if isinstance(message, RunStarted):
            run.started(message)
            if message.role == self.role:
                self._own_run = run
        elif isinstance(message, RunEnded):
            run.ended(message)
        else:
            return ()
        self._unsaved[run.id] = run
        if self._commit_ns is None and not self._once:
            self._commit_ns = now_ns + self._interval_ns
        return ()

    def _take_durable(self, producer: str, record: DurableRecord, now_ns: int) -> Iterable[Message]:
        waiting = self._durable.setdefault(producer, [])
        if len(waiting) < MAX_DURABLE_WAITING:
            waiting.append(record)
        if self._once:
            conn = self._open()
            self._write_runs(conn)
            written = self._write_records(conn)
            self._unsaved.clear()
            self._durable.clear()
            return self._said(written, now_ns)
        if self._commit_ns is None:
            self._commit_ns = now_ns + self._interval_ns
        return ()

    def _job_due(self, job: JobDue, now_ns: int) -> Iterable[Message]:
        if job.job == "prune" and self._retention_ms is not None:
            self._prune_before_ms = now_ns // NS_PER_MS - self._retention_ms
            if self._once:
                self._prune_all()
            elif self._commit_ns is None:
                self._commit_ns = now_ns + self._interval_ns
        return ()

    # --- what leaves --------------------------------------------------------------------------------------------------

    def _when_full(self, now_ns: int) -> Iterable[Message]:
        if self._once:
            self._write(self._open())
            self._forget_written()
            return ()
        if now_ns < self._failing_until_ns:
            if self._buffer.waiting >= self._max_waiting:
                self._counts["dropped_rows"] += self._buffer.drop_samples()
            return ()
        return self._commit(now_ns)

    def _commit(self, now_ns: int) -> Iterable[Message]:
        """Write all that waits in one transaction; if the database cannot be written, keep it and try again in a second."""
        conn = self._open()
        try:
            with conn.begin():
                written = self._write(conn)
                pruned = self._prune_some(conn)
        except OperationalError as error:
            if not _is_healable(error):
                raise
            self._counts["commit_failures"] += 1
            self._failing_until_ns = self._commit_ns = now_ns + RETRY_NS
            if self._buffer.waiting >= self._max_waiting:
                self._counts["dropped_rows"] += self._buffer.drop_samples()
            get_logger().warning(events.COMMIT_FAILED, error=str(error.orig), waiting_rows=self._buffer.waiting)
            return ()
        self._forget_written()
        self._counts["commits"] += 1
        self._failing_until_ns = 0
        self._commit_ns = None
        if pruned:
            self._counts["pruned_rows"] += pruned
            get_logger().debug(events.ROWS_PRUNED, rows=pruned)
        if self._prune_before_ms is not None:
            self._commit_ns = now_ns + self._interval_ns
        return self._said(written, now_ns)

    def _write(self, conn: Connection) -> dict[str, int]:
        self._write_runs(conn)
        self._buffer.write(conn)
        return self._write_records(conn)

    def _write_runs(self, conn: Connection) -> None:
        for run in self._unsaved.values():
            save_run(conn, run)

    def _write_records(self, conn: Connection) -> dict[str, int]:
        return {producer: append_records(conn, producer, records) for producer, records in self._durable.items()}

    def _forget_written(self) -> None:
        self._counts["rows"] += self._buffer.waiting
        self._buffer.clear()
        self._unsaved.clear()
        self._durable.clear()

    def _prune_some(self, conn: Connection) -> int:
        if self._prune_before_ms is None:
            return 0
        pruned = prune_samples(conn, self._prune_before_ms, PRUNE_ROWS)
        if pruned < PRUNE_ROWS:
            self._prune_before_ms = None
        return pruned

    def _prune_all(self) -> None:
        while self._prune_before_ms is not None:
            self._counts["pruned_rows"] += self._prune_some(self._open())

    def _said(self, written: dict[str, int], now_ns: int) -> tuple[Message, ...]:
        for producer, seq in written.items():
            self._counts["records"] += max(0, seq - self._committed.get(producer, 0))
            self._committed[producer] = seq
        return tuple(Committed(ts_ns=now_ns, producer=producer, seq=seq) for producer, seq in written.items())

    def _open(self) -> Connection:
        """The one connection, opened by the thread that runs the stage."""
        if self._conn is None:
            conn = self._conn = self.store.connect_for_writing()
            with conn.begin():
                self._next_run_id = next_run_id(conn)
                self._committed |= last_seqs(conn)
            if self._once:
                self._transaction = conn.begin()
        return self._conn


def _is_healable(error: OperationalError) -> bool:
    """Whether the database may be writable again later: it is locked, or the disk is full, read-only or failing."""
    code = cast(int, getattr(error.orig, "sqlite_errorcode", 0))
    return code & 0xFF in _HEALABLE


def build(config: Config) -> Writer:
    """The writer of the configured database. Raises BadInput, WrongDatabase or DatabaseBusy, and nothing is changed then."""
    db, ingestion = config.settings.db, config.settings.ingestion
    store = open_store(db.url, venue=config.settings.venue.name, wal=db.wal, synchronous=db.synchronous)
    return Writer(
        store,
        commit_interval_ms=db.commit_interval_ms,
        commit_rows=db.commit_rows,
        retention_ms=ingestion.retention_ms,
    )


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Write what the other processes persist to the database.

    Example: python -m processes.writer --config config
    """
    writer = build(config)
    try:
        run_process(writer, config, session_id, source=config.settings.db.url)
    finally:
        writer.store.close()


if __name__ == "__main__":
    main()
