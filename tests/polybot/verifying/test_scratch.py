"""Lives of a writer that were stopped, killed, locked out or pruned are asked again, and give the same words and the same rows."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.bus.input_log import InputLog
from pipeline.bus.input_reading import lives
from pipeline.bus.input_replay import LifeResult, replay_life
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.turns import Turns
from pipeline.messages import Message
from pipeline.messages.control import Committed, JobDue, WriterState
from pipeline.messages.market import TradePrint
from pipeline.messages.records import HaltRecord, RunStarted
from polybot.verifying.scratch import Rows, Scratch
from processes.writer import Writer, build

MS = 1_000_000
NOW = 1_700_000_000_000 * MS
HOUR = 3_600_000 * MS


class Life:
    """One life of a writer on the database of a place, logged as its runner does."""

    def __init__(self, place: Path, number: int, config: Config) -> None:
        self.place, self.run_id, self.said = place, f"s.writer.{number}", list[Message]()
        self.writer: Writer = build(config)
        identity = Identity("s", self.run_id, "writer")
        self.log = self.writer.notes = InputLog(place / "runs" / "s" / "inputs" / f"{self.run_id}.log", self.writer, identity)
        self.turns = Turns(self.writer, self._hear, self.log)
        self.now_ns = NOW + number * HOUR
        self.take("persist.lossy", "writer", RunStarted(ts_ns=self.now_ns, session_id="s", role="writer", pid=number, source=""))
        self.turns.start(self.now_ns)
        self.log.flush()

    def _hear(self, messages: Iterable[Message]) -> None:
        self.said += messages

    def take(self, stream: str, producer: str, message: Message, seq: int = 0) -> None:
        self.turns.take(Arrival(stream, producer, f"{self.place.name}.{producer.partition('@')[0]}.1", seq, message), self.now_ns)

    def trade(self, price_e6: int, at_ns: int = 0) -> None:
        ts_ns = at_ns or self.now_ns
        about = {"ts_ns": ts_ns, "venue_ns": ts_ns, "token_id": "mkt-1/yes", "market": "mkt-1"}
        self.take("persist.lossy", "book_builder", TradePrint(**about, side="BUY", price_e6=price_e6, size_e6=5_000_000))

    def halt(self, seq: int) -> None:
        self.take("persist.durable", "executor@j", HaltRecord(ts_ns=NOW + seq, halted=True, reason=f"number {seq}"), seq)

    def later(self, ms: int = 1_000) -> None:
        """Time passes; what is due is done, and the turn ends."""
        self.now_ns += ms * MS
        due_ns = self.writer.next_timer_ns()
        if due_ns is not None and due_ns <= self.now_ns:
            self.turns.timer(self.now_ns)
        self.log.flush()

    def kill(self) -> None:
        """Nothing more is noted or committed."""
        self.writer.store.close()

    def stop(self) -> None:
        self.turns.stop(self.now_ns)
        self.log.end()
        self.log.close()
        self.writer.store.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    url = f"sqlite:///{(tmp_path / 'polybot.db').as_posix()}"
    values = {"db": {"url": url, "wal": False}, "ingestion": {"retention_ms": 3_600_000}}  # one file, which can be copied
    return Config(Settings()).with_values(values, "test")


def asked_again(place: Path, config: Config) -> tuple[list[LifeResult], Rows, list[str]]:
    """All lives of the place, their rows beside those of the database, and what does not fit together."""
    folder = place / "again"
    folder.mkdir()
    scratch = Scratch(folder, config)
    results = []
    for life in lives(place / "runs" / "s" / "inputs"):
        result = replay_life(life, scratch.begin, before_doubt=scratch.before_doubt)
        scratch.end()
        assert result is not None
        assert result.divergence is None, result.divergence
        results.append(result)
    return results, scratch.rows(config.settings.db.url, not results[-1].ended, lambda rows: None), scratch.faults


def same(rows: Rows) -> int:
    assert rows.found is not None, rows.unknown
    assert rows.found.difference is None, rows.found.difference
    return rows.found.same


def run(place: Path, config: Config, number: int, *steps: Callable[[Life], None], end: str = "stop") -> Life:
    life = Life(place, number, config)
    for step in steps:
        step(life)
    getattr(life, end)()
    return life


def test_a_life_that_was_stopped_writes_the_same_rows_again(tmp_path: Path, config: Config) -> None:
    life = run(
        tmp_path, config, 1, lambda one: one.trade(400_000), lambda one: one.halt(1), Life.later, lambda one: one.trade(410_000)
    )
    assert any(isinstance(msg, Committed) for msg in life.said)
    [result], rows, faults = asked_again(tmp_path, config)
    assert result.ended
    assert result.messages == len(life.said)
    assert same(rows) == 9  # 3 runs, 1 market, 1 outcome, 2 trades, 1 journal record, 1 halt
    assert not faults


def test_lives_on_what_others_left_draw_the_same_ids_and_numbers(tmp_path: Path, config: Config) -> None:
    run(tmp_path / "before", config, 1, lambda one: one.halt(1), lambda one: one.halt(2), Life.later)
    run(tmp_path, config, 2, lambda one: one.halt(2), lambda one: one.halt(3), Life.later, end="kill")
    run(tmp_path, config, 3, lambda one: one.halt(3), lambda one: one.halt(4), Life.later)
    _, rows, faults = asked_again(tmp_path, config)
    assert same(rows) == 2 + 2 * 2  # the two runs of these lives; that of the executor is an earlier one
    assert not faults


@pytest.mark.parametrize("lives_after", [0, 1])
@pytest.mark.parametrize("stayed", [True, False])
def test_a_commit_in_the_turn_of_a_kill_counts_as_its_database_has_it(
    tmp_path: Path, config: Config, stayed: bool, lives_after: int
) -> None:
    file, before = tmp_path / "polybot.db", tmp_path / "before.db"

    def commit_in_the_last_turn(life: Life) -> None:
        shutil.copyfile(file, before)
        life.trade(420_000)
        life.now_ns += 1_000 * MS
        life.turns.timer(life.now_ns)

    run(tmp_path, config, 1, lambda one: one.trade(400_000), Life.later, commit_in_the_last_turn, end="kill")
    if not stayed:
        shutil.copyfile(before, file)
    for number in range(2, 2 + lives_after):
        run(tmp_path, config, number, lambda one: one.trade(430_000), Life.later)
    with closing(sqlite3.connect(file)) as conn:
        prices = [price for [price] in conn.execute("SELECT price_e6 FROM trades ORDER BY id")]
    assert prices == [400_000, *([420_000] if stayed else []), *([430_000] if lives_after else [])]
    results, rows, faults = asked_again(tmp_path, config)
    assert not results[0].ended
    assert same(rows)
    assert not faults


def test_what_failed_then_fails_again_and_is_written_when_it_was(tmp_path: Path, config: Config) -> None:
    life = Life(tmp_path, 1, config)
    life.trade(400_000)
    life.later()
    with closing(sqlite3.connect(tmp_path / "polybot.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        life.trade(410_000)
        life.later()
        life.later()
        other.execute("ROLLBACK")
    life.later()
    life.stop()
    states = [msg.state for msg in life.said if isinstance(msg, WriterState)]
    assert states == ["degraded", "ok"]
    assert life.writer.counts()["commit_failures"] == 2
    [result], rows, faults = asked_again(tmp_path, config)
    assert result.messages == len(life.said)
    assert same(rows)
    assert not faults


def test_what_retention_pruned_is_counted_and_nothing_else_is_excused(tmp_path: Path, config: Config) -> None:
    def prune(life: Life) -> None:
        life.take("control", "scheduler", JobDue(ts_ns=life.now_ns, job="prune"))

    old = NOW - 2 * HOUR
    run(
        tmp_path,
        config,
        1,
        lambda one: one.trade(400_000, old),
        lambda one: one.trade(410_000, old),
        lambda one: one.trade(420_000),
        lambda one: one.trade(430_000),
        Life.later,
        prune,
        Life.later,
    )
    _, rows, _ = asked_again(tmp_path, config)
    assert same(rows)
    assert rows.found is not None
    assert rows.found.excused == {"pruned": 2}
    with closing(sqlite3.connect(tmp_path / "polybot.db")) as conn, conn:
        conn.execute("DELETE FROM trades WHERE price_e6 = 430000")
    shutil.rmtree(tmp_path / "again")
    _, rows, _ = asked_again(tmp_path, config)
    assert rows.found is not None
    difference = rows.found.difference
    assert difference is not None
    assert (difference.table, difference.was) == ("trades", None)
    assert difference.is_ is not None
    assert difference.is_["price_e6"] == 430_000


def test_a_database_that_was_changed_between_two_lives_is_a_fault(tmp_path: Path, config: Config) -> None:
    run(tmp_path, config, 1, lambda one: one.halt(1), Life.later)
    with closing(sqlite3.connect(tmp_path / "polybot.db")) as conn, conn:
        conn.execute("INSERT INTO runs (id, producer, run, started_ns) VALUES (9, 'somebody', 'else', 1)")
    run(tmp_path, config, 2, lambda one: one.trade(400_000), Life.later)
    _, _, faults = asked_again(tmp_path, config)
    assert faults == ["s.writer.2: its database was not as the life before it had left it"]


def test_a_database_that_is_being_written_is_not_compared_with_a_life_that_may_go_on(tmp_path: Path, config: Config) -> None:
    life = Life(tmp_path, 1, config)
    life.trade(400_000)
    life.later()
    _, rows, _ = asked_again(tmp_path, config)
    assert rows.unknown.endswith("is being written")
    life.stop()
