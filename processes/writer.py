"""The writer: the sole owner of the database. Buffers what arrives, commits it in batches, and says what is on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import click
import msgspec

from pipeline.base import events
from pipeline.base.config import Config
from pipeline.base.fault_points import reach
from pipeline.base.log import get_logger
from pipeline.base.private import check_state_folder
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Arrival, Stage
from pipeline.bus.topology import WRITER
from pipeline.messages import Message
from pipeline.messages.control import WRITER_STATE_KEY, Committed, JobDue, PersistenceState, WriterState
from pipeline.messages.records import RunEnded, RunStarted
from pipeline.store.buffer import RowBuffer
from pipeline.store.commits import Commits, CommitsAgain, DatabaseUnavailable, Outcome
from pipeline.store.failures import Failure
from pipeline.store.journal import DURABLE_KINDS, DurableRecord, append_records, last_seqs
from pipeline.store.open import Store, claim_venue, open_store
from pipeline.store.premises import Premises, premises_of
from pipeline.store.retention import NO_LIMIT
from pipeline.store.runs import Run, find_run, save_run
from processes.options import check_role_free, process_options, run_process

RETRY_NS = 1_000 * NS_PER_MS
MAX_DURABLE_WAITING = 10_000
"""Records of one producer that wait while the database cannot be written; what comes on top stays in its producer's journal."""
PRUNE_ROWS = 20_000
"""Rows that one transaction prunes, so that it stays short."""
FLUSH_ROWS = 5_000
"""Rows handed to SQLite at a time when everything is one transaction."""
_COUNTED = ("rows", "records", "commits", "commit_failures", "dropped_rows", "pruned_rows", "degraded", "degraded_ms")


class Writer(Stage):
    """Store what every role persists, in batched transactions.

    In: ``persist.durable``, ``persist.lossy``, ``control``. Out: ``committed``, after each commit, to each new subscriber and every
    250 ms. A commit is due ``commit_interval_ms`` after the first row that waits, or at ``commit_rows`` rows. With None for both, all
    is one transaction, committed by ``stop`` (for a replay, which is kept whole or not at all); records then count as committed
    when they are in it. ``retention_ms`` None never prunes. While the database cannot be written it says so (``WriterState``), tries
    again every second, and keeps at most ``max_waiting_rows`` samples; more are dropped and counted. A damaged file is not touched
    any more. Records that find no room here wait in their producer's journal. ``venue`` claims the database together with the first
    rows, for one that was opened without. ``again``: what an earlier life was asked is asked again, into a file of its own.
    """

    role: ClassVar[str] = WRITER

    def __init__(
        self,
        store: Store,
        *,
        commit_interval_ms: int | None = 100,
        commit_rows: int | None = 2_500,
        retention_ms: int | None = None,
        max_waiting_rows: int = 200_000,
        venue: str = "",
        again: bool = False,
    ) -> None:
        if (commit_interval_ms is None) != (commit_rows is None):
            raise ValueError("give both commit_interval_ms and commit_rows, or None for both")
        self.store = store
        self._once = commit_interval_ms is None
        self._interval_ns = (commit_interval_ms or 0) * NS_PER_MS
        self._full = FLUSH_ROWS if commit_rows is None else commit_rows
        self._retention_ms = retention_ms
        self._max_waiting = max_waiting_rows
        self._venue = venue
        self._commits = (
            CommitsAgain(store) if again else Commits(store, once=self._once, told=lambda outcome: self.notes.learned(outcome))
        )
        self._buffer = RowBuffer()
        self._takers = self._buffer.takers
        self._runs: dict[tuple[str, str], Run] = {}
        self._unsaved: dict[int, Run] = {}
        self._own_run: Run | None = None
        self._durable: dict[str, list[DurableRecord]] = {}
        self._committed: dict[str, int] = {}
        self._now_ns = 0
        self._commit_ns: int | None = None
        self._failing_until_ns = 0
        self._prune_before_ms: int | None = None
        self._state: PersistenceState = "ok"
        self._reason = ""
        self._degraded_ns = 0
        self._counts = dict.fromkeys(_COUNTED, 0)

    # --- the stage ----------------------------------------------------------------------------------------------------

    def premises(self) -> Premises:
        with Commits(self.store).reading() as conn:
            return premises_of(conn)

    def recall(self, fact: Any) -> None:
        self._commits.recall(msgspec.convert(fact, Outcome))

    def start(self, now_ns: int) -> Iterator[Message]:
        self._now_ns = now_ns
        with self._commits.reading() as conn:
            self._committed |= last_seqs(conn)
        yield from self._all_committed()

    def receive(self, arrival: Arrival, now_ns: int) -> Iterable[Message]:
        self._now_ns = now_ns
        message = arrival.message
        run = self._runs.get((arrival.producer, arrival.run_id))
        taker = self._takers.get(type(message))
        if run is None or taker is None:
            return self._receive_other(arrival, run, now_ns)
        taker(run.id, message)
        if self._commit_ns is None and not self._once:
            self._wait_for_commit(now_ns)
        if self._buffer.waiting >= self._full:
            return self._when_full(now_ns)
        return ()

    def _receive_other(self, arrival: Arrival, run: Run | None, now_ns: int) -> Iterable[Message]:
        """What is no sample of the market, or comes from a run that was not heard before."""
        message = arrival.message
        if type(message) is JobDue:
            return self._job_due(message, now_ns)
        if run is not None:
            return self._take_other(arrival, run, now_ns)
        if now_ns < self._failing_until_ns:
            self._counts["dropped_rows"] += not isinstance(message, DURABLE_KINDS)
            return ()
        try:
            self._meet(arrival)
        except DatabaseUnavailable as error:
            # Nobody can say which run this is. A record comes again; a sample is lost.
            self._counts["dropped_rows"] += not isinstance(message, DURABLE_KINDS)
            return self._failed(error.failure, now_ns)
        return self.receive(arrival, now_ns)

    def current(self, topic: str) -> Iterator[Message]:
        """For a new subscriber: how far each producer is that the topic means, and how we stand. One that was never heard is at 0."""
        wanted = topic.removeprefix("committed.")
        name = wanted.rstrip("\0")
        if name in ("", WRITER_STATE_KEY):
            yield self._standing()
        if name not in ("", WRITER_STATE_KEY):
            self._committed.setdefault(name, 0)
        for producer, seq in self._committed.items():
            if producer == name or (wanted == name and producer.startswith(name)):
                yield Committed(ts_ns=self._now_ns, producer=producer, seq=seq)

    def reminders(self) -> Iterator[Message]:
        yield from self._all_committed()
        yield self._standing()

    def _all_committed(self) -> Iterator[Message]:
        for producer, seq in self._committed.items():
            yield Committed(ts_ns=self._now_ns, producer=producer, seq=seq)

    def next_timer_ns(self) -> int | None:
        return self._commit_ns

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        self._now_ns = now_ns
        return self._commit(now_ns)

    def stop(self, now_ns: int) -> Iterator[Message]:
        self._now_ns = now_ns
        if self._own_run is not None:
            self._own_run.ended(RunEnded(ts_ns=now_ns, role=self.role, reason="stopped", counts=self.counts()))
            self._unsaved[self._own_run.id] = self._own_run
        if self._buffer.waiting or self._unsaved or self._durable:
            yield from self._commit(now_ns)
        self._commits.close()

    def counts(self) -> dict[str, int]:
        since_ns = self._degraded_ns if self._state != "ok" else self._now_ns
        lasting_ms = max(0, self._now_ns - since_ns) // NS_PER_MS
        waiting = sum(len(records) for records in self._durable.values())
        return self._counts | {
            "degraded_ms": self._counts["degraded_ms"] + lasting_ms,
            "degraded_now": int(self._state != "ok"),
            "waiting_rows": self._buffer.waiting,
            "waiting_records": waiting,
        }

    # --- what arrives -------------------------------------------------------------------------------------------------

    def _meet(self, arrival: Arrival) -> None:
        """Learn the row of a run heard for the first time since our own start; its RunStarted may be lost, or still to come.

        The producer of durable records is ``<role>@<journal id>``; the run is that of the role.
        """
        producer = arrival.producer.partition("@")[0]
        run = self._runs.get((producer, arrival.run_id))
        if run is None:
            with self._commits.reading() as conn:
                run = find_run(conn, producer, arrival.run_id)
                if run is None:
                    drawn = self.store.draw_run_id(conn)
                    run = self._unsaved[drawn] = Run(drawn, producer, arrival.run_id, started_ns=arrival.message.ts_ns)
        self._runs[producer, arrival.run_id] = self._runs[arrival.producer, arrival.run_id] = run

    def _take_other(self, arrival: Arrival, run: Run, now_ns: int) -> Iterable[Message]:
        message = arrival.message
        if isinstance(message, DURABLE_KINDS):
            waiting = self._durable.setdefault(arrival.producer, [])
            again = self._state != "ok" and waiting and arrival.seq <= waiting[-1].seq
            if len(waiting) < MAX_DURABLE_WAITING and not again:
                waiting.append(DurableRecord(arrival.seq, run.id, message))
            if self._once:
                return self._commit(now_ns, samples=False)
        elif isinstance(message, RunStarted):
            run.started(message)
            self._unsaved[run.id] = run
            if message.role == self.role:
                self._own_run = run
        elif isinstance(message, RunEnded):
            run.ended(message)
            self._unsaved[run.id] = run
        else:
            return ()
        self._wait_for_commit(now_ns)
        return ()

    def _job_due(self, job: JobDue, now_ns: int) -> Iterable[Message]:
        if job.job == "prune" and self._retention_ms is not None:
            self._prune_before_ms = now_ns // NS_PER_MS - self._retention_ms
            self._wait_for_commit(now_ns)
        return ()

    def _wait_for_commit(self, now_ns: int) -> None:
        if self._commit_ns is None and not self._once and self._state != "stopped":
            self._commit_ns = now_ns + self._interval_ns

    def _when_full(self, now_ns: int) -> Iterable[Message]:
        if now_ns >= self._failing_until_ns and self._state != "stopped":
            return self._commit(now_ns)
        self._drop_if_too_many()
        return ()

    # --- what leaves --------------------------------------------------------------------------------------------------

    def _commit(self, now_ns: int, *, samples: bool = True) -> Iterable[Message]:
        """Write what waits in one transaction; if the database cannot be written, keep it and try again in a second."""
        if self._state == "stopped":
            return ()
        pruned = 0
        self.notes.flush()  # what is in the database is in the log of its life as well
        try:
            with self._commits.transaction() as conn:
                if self._venue:
                    claim_venue(conn, self._venue)
                for run in self._unsaved.values():
                    save_run(conn, run)
                if samples:
                    self._buffer.write(conn)
                written = {producer: append_records(conn, producer, records) for producer, records in self._durable.items()}
                if self._prune_before_ms is not None:
                    pruned = self._commits.prune(conn, self._prune_before_ms, NO_LIMIT if self._once else PRUNE_ROWS)
                if written:
                    reach("before-commit")
        except DatabaseUnavailable as error:
            self._counts["commit_failures"] += 1
            return self._failed(error.failure, now_ns)
        if written:
            reach("after-commit")
        self._forget_written(samples)
        self._failing_until_ns, self._commit_ns = 0, None
        self._counts["commits"] += not self._once
        self._after_pruning(pruned, now_ns)
        return [*self._said(written, now_ns), *self._healed(now_ns)]

    def _failed(self, failure: Failure, now_ns: int) -> list[Message]:
        """Keep what waits and try again in a second, or never if the file is damaged; say so when it is news."""
        if self._state == "stopped":
            return []
        state: PersistenceState = "degraded" if failure.heals else "stopped"
        self._failing_until_ns = now_ns + RETRY_NS
        self._commit_ns = self._failing_until_ns if failure.heals else None
        self._drop_if_too_many()
        if (state, failure.text) == (self._state, self._reason):
            get_logger().debug(events.COMMIT_FAILED, reason=failure.reason, waiting_rows=self._buffer.waiting)
            return []
        if self._state == "ok":
            self._counts["degraded"] += 1
            self._degraded_ns = now_ns
        self._state, self._reason = state, failure.text
        get_logger().error(events.PERSISTENCE_DEGRADED, reason=failure.reason, code=failure.code, advice=failure.advice)
        return [self._standing()]

    def _healed(self, now_ns: int) -> list[Message]:
        """Say that all is well again, if it was not."""
        if self._state == "ok":
            return []
        lasted_ms = max(0, now_ns - self._degraded_ns) // NS_PER_MS
        self._counts["degraded_ms"] += lasted_ms
        get_logger().warning(events.PERSISTENCE_HEALED, reason=self._reason, lasted_ms=lasted_ms)
        self._state, self._reason = "ok", ""
        return [self._standing()]

    def _standing(self) -> WriterState:
        return WriterState(ts_ns=self._now_ns, state=self._state, reason=self._reason)

    def _forget_written(self, samples: bool) -> None:
        self._venue = ""
        if samples:
            self._counts["rows"] += self._buffer.waiting
            self._buffer.clear()
        self._unsaved.clear()
        self._durable.clear()

    def _drop_if_too_many(self) -> None:
        if self._buffer.waiting >= self._max_waiting:
            dropped = self._buffer.drop_samples()
            self._counts["dropped_rows"] += dropped
            get_logger().warning(events.MESSAGES_DROPPED, rows=dropped)

    def _after_pruning(self, pruned: int, now_ns: int) -> None:
        """Go on in another transaction until there is nothing left to prune."""
        if pruned:
            self._counts["pruned_rows"] += pruned
            get_logger().info(events.ROWS_PRUNED, rows=pruned)
        if pruned < PRUNE_ROWS or self._once:
            self._prune_before_ms = None
        else:
            self._wait_for_commit(now_ns)

    def _said(self, written: dict[str, int], now_ns: int) -> list[Message]:
        for producer, seq in written.items():
            self._counts["records"] += max(0, seq - self._committed.get(producer, 0))
            self._committed[producer] = seq
        return [Committed(ts_ns=now_ns, producer=producer, seq=seq) for producer, seq in written.items()]


def build(config: Config) -> Writer:
    """The writer of the configured database; ``writer.store`` is to be closed behind it.

    A database that is as it should be need not be writable at this moment: the writer says so, and waits. Raises BadInput,
    WrongDatabase or DatabaseBusy, and nothing is changed then.
    """
    db = config.settings.db
    store = open_store(db.url, venue=config.settings.venue.name, wal=db.wal, synchronous=db.synchronous, must_write=False)
    return stage_of(store, config.settings)


def stage_of(store: Store, settings: Settings, *, again: bool = False) -> Writer:
    """The writer of these settings, on a database that is open; ``again`` as in ``Writer``."""
    db, retention_ms = settings.db, settings.ingestion.retention_ms
    return Writer(
        store, commit_interval_ms=db.commit_interval_ms, commit_rows=db.commit_rows, retention_ms=retention_ms, again=again
    )


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Write what the other processes persist to the database.

    Example: python -m processes.writer --config config
    """
    state_dir = Path(config.settings.bus.state_dir)
    check_state_folder(state_dir)
    check_role_free(state_dir, WRITER)
    writer = build(config)
    try:
        run_process(writer, config, session_id, source=config.settings.db.url)
    finally:
        writer.store.close()


if __name__ == "__main__":
    main()
