"""A writer that is slow, or stands still: what it gets waits in bounded room, samples that find none are counted, records all arrive."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from sqlalchemy import Connection, event

from pipeline.base.clock import SystemClock, monotonic_ns
from pipeline.bus.runner import Runner, RunnerOptions
from pipeline.bus.stage import Identity, Stage
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.edges import JournalSeen
from pipeline.messages.records import BookEvents, HaltRecord, LevelEvent
from pipeline.store.open import Store, open_store
from processes.writer import Writer

PATIENCE_NS = 50_000_000_000
HWM = 10_000
"""What the stream of samples holds on either side."""


class Talker(Stage):
    """Says what it is told to, whenever it is due."""

    def __init__(self, role: str) -> None:
        self.role = role  # type: ignore[misc]
        self.pending: list[Message] = []
        self.heard: list[Message] = []

    def next_timer_ns(self) -> int | None:
        return 0 if self.pending else None

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        said, self.pending = self.pending, []
        return said

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        self.heard.append(msg)
        return ()


class Bench:
    """A writer, an executor that says halts and a book builder that says samples, each stepped by hand."""

    def __init__(self, store: Store, folder: Path, context: zmq.Context[zmq.Socket[bytes]], max_backlog: int) -> None:
        self.writer = Writer(store, max_waiting_rows=20_000)
        self.executor, self.builder = Talker("executor"), Talker("book_builder")
        options = RunnerOptions(journal_path=folder / "journal", resend_ms=50, max_backlog_records=max_backlog, min_free_bytes=0)
        self.runners = {
            stage.role: Runner(
                stage, Identity("s", f"s.{stage.role}", stage.role), SystemClock(), Transport("inproc"), context, options=options
            )
            for stage in (self.writer, self.executor, self.builder)
        }
        self.records = self.samples = 0
        for runner in self.runners.values():
            runner.start()
        self.until(lambda: self.runners["executor"].durable is not None and bool(self.writer.counts()["commits"]))

    def say(self, records: int, samples: int) -> None:
        """So many of each, said at their next step."""
        for _ in range(records):
            self.records += 1
            self.executor.pending.append(HaltRecord(ts_ns=0, halted=True, reason=f"number {self.records}"))
        for _ in range(samples):
            self.samples += 1
            level = LevelEvent(side="bid", price_e6=self.samples, size_e6=1, change_e6=1)
            self.builder.pending.append(
                BookEvents(ts_ns=0, token_id="mkt-1/yes", market="mkt-1", seq=self.samples, venue_ns=0, events=(level,))
            )

    def step(self, *roles: str) -> None:
        for role in roles:
            self.runners[role].step(0)

    def until(self, done: object, *roles: str) -> None:
        assert callable(done)
        deadline = monotonic_ns() + PATIENCE_NS
        while not done():
            assert monotonic_ns() < deadline, self.writer.counts()
            self.step(*(roles or self.runners))

    @property
    def backlog(self) -> int:
        durable = self.runners["executor"].durable
        assert durable is not None
        return durable.backlog

    def lost(self) -> int:
        """Samples that were dropped, wherever that was."""
        return self.runners["book_builder"].counts()["dropped"] + self.writer.counts()["dropped_rows"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'polybot.db'}") as opened:
        yield opened


@contextmanager
def bench_of(store: Store, folder: Path, max_backlog: int = 100_000) -> Iterator[Bench]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    bench = Bench(store, folder, context, max_backlog)
    try:
        yield bench
    finally:
        for runner in bench.runners.values():
            runner.close()
        context.destroy(linger=0)


def arrived(store: Store) -> tuple[list[int], int]:
    with store.connect() as conn:
        seqs = [row[0] for row in conn.exec_driver_sql("SELECT seq FROM journal ORDER BY seq")]
        (samples,) = conn.exec_driver_sql("SELECT count(*) FROM orderbook_events").one()
        assert conn.exec_driver_sql("SELECT count(*), count(DISTINCT reason) FROM halts").one() == (len(seqs), len(seqs))
        assert conn.exec_driver_sql("PRAGMA integrity_check").all() == [("ok",)]
    return seqs, samples


def test_a_writer_that_takes_200_ms_a_commit_stores_every_record_and_what_it_loses_is_counted(
    store: Store, tmp_path: Path
) -> None:
    def slowly(conn: Connection) -> None:
        time.sleep(0.2)

    event.listen(store.engine, "commit", slowly)
    with bench_of(store, tmp_path) as bench:
        widest = 0
        for _ in range(5):  # faster than it can commit: 5,000 rows in 200 ms
            bench.say(records=100, samples=12_000)
            bench.step("executor", "book_builder", "writer")
            widest = max(widest, bench.writer.counts()["waiting_rows"])
        bench.until(lambda: bench.backlog == 0 and bench.writer.counts()["waiting_rows"] == 0)
        bench.until(lambda: bench.writer.counts()["rows"] + bench.lost() == bench.samples)
        seqs, samples = arrived(store)
        assert seqs == list(range(1, bench.records + 1))
        assert samples + bench.lost() == bench.samples
        assert bench.lost() > 0
        assert widest <= 20_000
        assert bench.writer.counts()["degraded"] == 0


def test_a_writer_that_stands_still_for_30_s_of_traffic_gets_every_record_and_what_found_no_room_is_counted(
    store: Store, tmp_path: Path
) -> None:
    with bench_of(store, tmp_path, max_backlog=1_000) as bench:
        for _ in range(30):  # seconds of a busy market: nobody steps the writer
            bench.say(records=60, samples=1_500)
            bench.step("executor", "book_builder")
        assert bench.backlog == 1_800
        bench.runners["book_builder"].wires.flush(patient=False)
        dropped = bench.runners["book_builder"].counts()["dropped"]
        assert dropped >= bench.samples - 2 * HWM - 1  # what the two ends of the stream hold, and no more
        bench.until(
            lambda: any(isinstance(msg, JournalSeen) and msg.backlog > msg.limit for msg in bench.executor.heard), "executor"
        )
        bench.until(lambda: bench.backlog == 0 and bench.writer.counts()["rows"] + bench.lost() == bench.samples)
        seqs, samples = arrived(store)
        assert seqs == list(range(1, bench.records + 1))
        assert samples + bench.lost() == bench.samples
        assert bench.lost() == dropped
        seen = [msg for msg in bench.executor.heard if isinstance(msg, JournalSeen)]
        # Below half of the limit it says so once more, and then no more.
        bench.until(lambda: [msg for msg in bench.executor.heard if isinstance(msg, JournalSeen)][-1].backlog <= 500)
        assert seen[0].limit == 1_000
