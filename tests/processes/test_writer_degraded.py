"""A database that cannot be written: the writer says why and what to do, keeps what it may, and stores everything once it is healed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs

from pipeline.base import events
from pipeline.base.config import Config
from pipeline.base.errors import PolybotError
from pipeline.base.settings import Settings
from pipeline.bus.stage import Arrival
from pipeline.messages.control import Committed, WriterState
from pipeline.messages.market import TradePrint
from pipeline.messages.records import HaltRecord
from pipeline.store.backup import back_up
from pipeline.store.commits import DatabaseUnavailable
from pipeline.store.open import Store, open_store
from processes.writer import Writer, build

MS = 1_000_000
NOW = 1_700_000_000_000 * MS
SECOND = 1_000 * MS


def record(seq: int) -> Arrival:
    halt = HaltRecord(ts_ns=NOW + seq, halted=True, reason=f"number {seq} " + "x" * 2_000)
    return Arrival("persist.durable", "executor@j1", "run-9", seq, halt)


def sample(number: int, run: str = "run-1") -> Arrival:
    trade = TradePrint(
        ts_ns=NOW + number, token_id="mkt-1/yes", market="mkt-1", price_e6=number, size_e6=8, side="SELL", venue_ns=NOW
    )
    return Arrival("persist.lossy", "book_builder", run, 0, trade)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    raw = sqlite3.connect(path)
    try:
        return raw.execute(sql).fetchall()
    finally:
        raw.close()


def pragma(store: Store, sql: str) -> AbstractContextManager[None]:
    """Every new connection of the store is set like this meanwhile."""

    @contextmanager
    def set_so() -> Iterator[None]:
        def on_connect(raw: sqlite3.Connection, _: object) -> None:
            raw.execute(sql)

        event.listen(store.engine, "connect", on_connect)
        yield
        event.remove(store.engine, "connect", on_connect)

    return set_so()


def no_more_pages(store: Store, path: Path) -> AbstractContextManager[None]:
    return pragma(store, f"PRAGMA max_page_count = {path.stat().st_size // 4096}")


def read_only(store: Store, path: Path) -> AbstractContextManager[None]:
    return pragma(store, "PRAGMA query_only = ON")


@contextmanager
def files_may_not_grow(store: Store, path: Path) -> Iterator[None]:
    resource = pytest.importorskip("resource", reason="only POSIX limits the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def locked_by_a_stranger(store: Store, path: Path) -> Iterator[None]:
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        stranger.close()


Cause = Callable[[Store, Path], AbstractContextManager[None]]
CAUSES: list[tuple[Cause, str, str]] = [
    (no_more_pages, "disk full", "make room"),
    (files_may_not_grow, "disk ", "disk of"),
    (locked_by_a_stranger, "database locked", "end the other program"),
    (read_only, "database read-only", "give this user the right"),
]


@pytest.mark.parametrize(("cause", "reason", "advice"), CAUSES, ids=[cause.__name__ for cause, *_ in CAUSES])
def test_what_waits_is_stored_once_and_whole_when_the_cause_is_gone(
    tmp_path: Path, cause: Cause, reason: str, advice: str
) -> None:
    path = tmp_path / "polybot.db"
    with open_store(f"sqlite:///{path}") as store:
        sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer = Writer(store)
        list(writer.start(NOW))
        for number in range(1, 41):
            assert list(writer.receive(record(number), NOW)) == []
            assert list(writer.receive(sample(number), NOW)) == []
        with cause(store, path), capture_logs() as logs:
            (state,) = writer.on_timer(NOW + 100 * MS)
            assert isinstance(state, WriterState) and state.state == "degraded"
            assert state.reason.startswith(reason) and advice in state.reason and str(path) in state.reason
            assert list(writer.current("committed.writer")) == [state]
            assert state in list(writer.reminders())
            for number in (39, 40, 41):  # the producer sends again what is not confirmed, and goes on
                assert list(writer.receive(record(number), NOW + 500 * MS)) == []
            assert writer.next_timer_ns() == NOW + 100 * MS + SECOND
            # Said once; a disk that refuses may tell it in another word.
            assert not list(writer.on_timer(NOW + 100 * MS + SECOND)) or cause is files_may_not_grow
            assert (writer.counts()["degraded"], writer.counts()["waiting_records"]) == (1, 41)
            assert writer.counts()["degraded_ms"] == 1_000
        assert {line["event"] for line in logs if line["log_level"] == "error"} == {events.PERSISTENCE_DEGRADED}
        healed_ns = NOW + 100 * MS + 2 * SECOND
        assert list(writer.on_timer(healed_ns)) == [
            Committed(ts_ns=healed_ns, producer="executor@j1", seq=41),
            WriterState(ts_ns=healed_ns, state="ok"),
        ]
        assert writer.counts()["dropped_rows"] == 0
        assert writer.counts()["degraded_ms"] == 2_000
        list(writer.stop(healed_ns))
    assert rows(path, "SELECT seq FROM journal ORDER BY seq") == [(n,) for n in range(1, 42)]
    assert rows(path, "SELECT count(*), count(DISTINCT reason) FROM halts") == [(41, 41)]
    assert rows(path, "SELECT price_e6 FROM trades ORDER BY id") == [(n,) for n in range(1, 41)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_samples_that_find_no_room_are_dropped_and_counted_and_records_are_not(tmp_path: Path) -> None:
    path = tmp_path / "polybot.db"
    with open_store(f"sqlite:///{path}") as store:
        writer = Writer(store, commit_rows=10, max_waiting_rows=100)
        list(writer.start(NOW))
        with read_only(store, path):
            for number in range(1, 1_051):
                list(writer.receive(record(number), NOW + number))
                list(writer.receive(sample(number), NOW + number))
                assert writer.counts()["waiting_rows"] <= 101
        list(writer.on_timer(NOW + 10 * SECOND))
        list(writer.stop(NOW + 10 * SECOND))
        counts = writer.counts()
    assert rows(path, "SELECT count(*) FROM journal") == [(1_050,)]
    assert counts["dropped_rows"] + counts["rows"] == 1_050
    assert rows(path, "SELECT count(*) FROM trades") == [(counts["rows"],)]
    assert 0 < counts["rows"] <= 100


def damage_pages(path: Path) -> None:
    """Every page behind the first is overwritten, as a failing disk does."""
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xa5" * (path.stat().st_size - 4_096))


def damage_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xa5" * 4_096)


@pytest.mark.parametrize("damage", [damage_pages, damage_head])
def test_a_damaged_database_is_not_touched_any_more_and_the_way_out_is_told(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "polybot.db"
    with open_store(f"sqlite:///{path}") as store:
        raw = sqlite3.connect(path)
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.close()
        writer = Writer(store, max_waiting_rows=100)
        list(writer.start(NOW))
        list(writer.receive(record(1), NOW))
        damage(path)
        image = path.read_bytes()
        (state,) = writer.on_timer(NOW + 100 * MS)
        assert isinstance(state, WriterState) and state.state == "stopped"
        for word in (str(path), "damaged", "polybot db check", "backup", "journal"):
            assert word in state.reason
        for number in range(2, 400):
            assert list(writer.receive(record(number), NOW + number * SECOND)) == []
            assert list(writer.receive(sample(number, f"run-{number}"), NOW + number * SECOND)) == []
        assert writer.next_timer_ns() is None
        list(writer.stop(NOW + 400 * SECOND))
        counts = writer.counts()
        assert (counts["records"], counts["commits"], counts["degraded"]) == (0, 0, 1)
        assert path.read_bytes() == image
    with pytest.raises(PolybotError) as refused:
        open_store(f"sqlite:///{path}")
    assert str(path) in str(refused.value)
    assert path.read_bytes() == image


def test_a_writer_that_cannot_read_where_it_stands_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "polybot.db"
    with open_store(f"sqlite:///{path}") as store:
        sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage_pages(path)
        with pytest.raises(DatabaseUnavailable, match="damaged"):
            list(Writer(store).start(NOW))


def test_a_backup_in_place_of_a_damaged_database_is_brought_up_to_date_by_the_records_that_are_sent_again(tmp_path: Path) -> None:
    path, copy = tmp_path / "polybot.db", tmp_path / "copy.db"

    def life(seqs: range, where: Path) -> list[Committed]:
        with open_store(f"sqlite:///{where}") as store:
            writer = Writer(store)
            said = list(writer.start(NOW))
            for seq in seqs:
                list(writer.receive(record(seq), NOW))
            return [msg for msg in (*said, *writer.on_timer(NOW + SECOND)) if isinstance(msg, Committed)]

    life(range(1, 11), path)
    back_up(path, copy)
    life(range(11, 21), path)
    damage_pages(path)
    with pytest.raises(PolybotError, match="put a backup in its place"):
        open_store(f"sqlite:///{path}")
    for file in tmp_path.glob("polybot.db*"):
        file.unlink()
    copy.rename(path)
    told = life(range(11, 31), path)
    assert [msg.seq for msg in told] == [10, 30]
    assert rows(path, "SELECT seq FROM journal ORDER BY seq") == [(n,) for n in range(1, 31)]
    assert rows(path, "SELECT count(*), count(DISTINCT reason) FROM halts") == [(30, 30)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_writer_that_finds_a_lock_held_does_not_stand_still_for_it(tmp_path: Path) -> None:
    """It waits a second the first time; then it looks in once a second, and hears and answers in between."""
    path = tmp_path / "polybot.db"
    with open_store(f"sqlite:///{path}") as store:
        writer = Writer(store)
        list(writer.start(NOW))
        list(writer.receive(record(1), NOW))
        with locked_by_a_stranger(store, path):
            list(writer.on_timer(NOW + 100 * MS))
            began = time.monotonic()
            for second in range(1, 6):
                list(writer.on_timer(NOW + second * 2 * SECOND))
            assert time.monotonic() - began < 1.0
        (told, _) = writer.on_timer(NOW + 20 * SECOND)
        assert isinstance(told, Committed) and told.seq == 1


def configured(path: Path, venue: str = "fake") -> Config:
    return Config(Settings()).with_values({"db": {"url": f"sqlite:///{path}"}, "venue": {"name": venue}}, "test")


def test_a_writer_that_is_started_while_a_stranger_holds_the_lock_waits_for_it_as_one_that_runs_does(tmp_path: Path) -> None:
    path = tmp_path / "polybot.db"
    first = build(configured(path))
    list(first.start(NOW))
    list(first.receive(record(1), NOW))
    list(first.on_timer(NOW + 100 * MS))
    first.store.close()
    with locked_by_a_stranger(first.store, path):
        second = build(configured(path))
        (known,) = second.start(NOW)
        assert isinstance(known, Committed) and known.seq == 1
        list(second.receive(record(2), NOW))
        (said,) = second.on_timer(NOW + SECOND)
        assert isinstance(said, WriterState) and said.reason.startswith("database locked")
    told = list(second.on_timer(NOW + 3 * SECOND))
    assert [type(msg) for msg in told] == [Committed, WriterState]
    second.store.close()
    assert rows(path, "SELECT seq FROM journal ORDER BY seq") == [(1,), (2,)]


def test_a_database_that_must_first_be_made_or_claimed_is_not_started_on_while_it_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "neutral.db"
    open_store(f"sqlite:///{path}").close()
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(PolybotError, match="cannot be opened for writing: database is locked"):
        build(configured(path))
    stranger.close()


def test_another_venues_database_is_refused_by_the_writer_though_nothing_else_needs_to_be_done(tmp_path: Path) -> None:
    path = tmp_path / "polybot.db"
    build(configured(path)).store.close()
    with pytest.raises(PolybotError, match="holds data of venue fake"):
        build(configured(path, "polymarket"))


def test_a_writer_that_has_no_state_directory_makes_no_database(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "own.toml").write_text(f"[db]\nurl = 'sqlite:///{tmp_path / 'x.db'}'\n")
    words = ["-m", "processes.writer", "--config", str(tmp_path / "own.toml"), "--state-dir", str(tmp_path / "file")]
    ended = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "own.toml"]
