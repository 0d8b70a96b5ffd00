"""A whole session on disk: which one is meant, what is compared with its journals, and what is said where nothing can be verified."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from pipeline.base.config import Config, write_effective
from pipeline.base.errors import BadInput, ConfigError
from pipeline.base.halt_file import HaltWord
from pipeline.base.settings import Settings
from pipeline.bus.codec import encode, topic_of
from pipeline.bus.input_log import INPUTS_MAGIC, InputLog
from pipeline.bus.input_reading import Head
from pipeline.bus.journal_files import JournalFiles
from pipeline.bus.journal_segments import DURABLE
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.turns import Turns
from pipeline.messages import Message
from pipeline.messages.orders import Halt
from pipeline.messages.records import HaltRecord, RunStarted
from pipeline.store.open import open_store
from polybot.verifying.session import open_session, parsed, recorded
from polybot.verifying.stages import VERIFIED, stage_of
from polybot.verifying.verify import Report, verify
from polybot.verifying.words import as_json, compared, summary, told
from processes.writer import Writer, build

NAME, OLDER = "20261122-120000-1a", "20261121-120000-1a"
EXECUTOR = f"{NAME}.executor.1"
PREMISES: dict[str, object] = {
    "scheduler": {"markets": None, "source": "test", "venue": "fake", "first_rules": {}},
    "gateway": False,
    "executor": HaltWord(halted=True, reason="left by an operator", ts_ns=1),
}


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """A state directory with two sessions: an older one without input logs, and one in which every role was started and stopped."""
    config = Config(Settings()).with_values({"db": {"url": f"sqlite:///{(tmp_path / 'polybot.db').as_posix()}"}}, "test")
    for name in (OLDER, NAME):
        write_effective(config, tmp_path / "runs" / name / "config.json")
    journal = JournalFiles(tmp_path / "journal" / "executor-x.journal", session_id=NAME, sync=False)

    def say(messages: Iterable[Message]) -> None:
        for msg in messages:
            if isinstance(msg, HaltRecord):
                seq = journal.seq + 1
                journal.append(seq, encode(topic_of(DURABLE, msg), f"executor@{journal.id}", EXECUTOR, seq, msg))

    for role in VERIFIED:
        identity = Identity(NAME, f"{NAME}.{role}.1", role)
        premises = msgspec.msgpack.encode(PREMISES.get(role))
        stage = stage_of(config, {}, lambda head: build(config))(Head(role, NAME, identity.run_id, role, "", premises))
        log = InputLog(tmp_path / "runs" / NAME / "inputs" / f"{identity.run_id}.log", stage, identity)
        stage.notes = log
        turns = Turns(stage, say, log)
        if isinstance(stage, Writer):
            started = RunStarted(ts_ns=1_000, session_id=NAME, role=role, pid=1, source="")
            turns.take(Arrival("persist.lossy", role, identity.run_id, 0, started), 1_000)
        turns.start(1_000)
        if role == "executor":
            for number in (1, 2):
                halt = Halt(ts_ns=2_000, reason=f"lunch {number}")
                turns.take(Arrival("operator", "cli", "r", number, halt), 2_000 + number)
        turns.stop(3_000)
        log.end()
        log.close()
        if isinstance(stage, Writer):
            stage.store.close()
    journal.close()
    return tmp_path


def verified(state_dir: Path, *params: str) -> Report:
    return verify(open_session(state_dir, "last", params))


def test_a_session_says_the_same_again_and_its_journal_as_well(state_dir: Path) -> None:
    report = verified(state_dir)
    assert report.is_identical, told(report)
    assert [life.head.role for life in report.lives] == list(VERIFIED)
    assert compared(report) == "compared: 3 journal records, 1 database rows"
    assert not report.other_code
    assert summary(report) == "3 inputs, 0 decisions, identical"
    assert told(report) == []
    assert as_json(report)["identical"] is True


def test_a_record_that_the_journal_has_otherwise_is_told(state_dir: Path) -> None:
    session = open_session(state_dir, NAME)
    records = recorded(session).records[EXECUTOR]
    assert len(records) == 3
    [segment] = (state_dir / "journal").glob("executor-x.journal*")
    segment.unlink()
    other = JournalFiles(state_dir / "journal" / "executor-x.journal", session_id=NAME, sync=False)
    for seq, reason in enumerate(("left by an operator", "lunch 1", "dinner"), 1):
        msg = HaltRecord(ts_ns=2_000, halted=True, reason=reason)
        other.append(seq, encode(topic_of(DURABLE, msg), f"executor@{other.id}", EXECUTOR, seq, msg))
    other.close()
    report = verified(state_dir)
    assert report.divergence is None
    assert not report.is_identical
    assert "record" in told(report)[0]


def test_a_life_without_a_log_is_told(state_dir: Path) -> None:
    for path in (state_dir / "runs" / NAME / "inputs").glob("*.executor.*"):
        path.unlink()
    assert told(verified(state_dir)) == [f"not whole: {EXECUTOR}: has no input log"]


@pytest.mark.parametrize("how", ["a byte is another one", "it is cut off"])
def test_a_damaged_log_is_told_and_the_other_lives_are_compared(state_dir: Path, how: str) -> None:
    [file] = (state_dir / "runs" / NAME / "inputs").glob("*.executor.*")
    packed = bytearray(file.read_bytes() if file.suffix == ".gz" else gzip.compress(file.read_bytes()))
    file.unlink()
    if how == "it is cut off":
        del packed[-20:]
    else:
        packed[len(packed) // 2] ^= 1
    place = file if file.suffix == ".gz" else file.with_name(f"{file.name}.gz")
    place.write_bytes(packed)
    report = verified(state_dir)
    assert not report.is_identical
    assert report.divergence is None
    assert told(report)[0].startswith(f"not whole: {place}: is {'cut off' if how == 'it is cut off' else 'damaged'}")
    assert summary(report).endswith("identical as far as the logs can be read")
    assert [life.head.role for life in report.lives][:4] == list(VERIFIED)[:4]
    assert not any(life.faults for life in report.lives if life.head.role != "executor")


def test_a_row_that_the_database_has_otherwise_is_told(state_dir: Path) -> None:
    with closing(sqlite3.connect(state_dir / "polybot.db")) as conn, conn:
        conn.execute("UPDATE runs SET pid = 2")
    report = verified(state_dir)
    assert not report.is_identical
    assert report.divergence is None
    assert told(report)[0] == "first differing row: runs, row 1 of the session"
    assert "    pid: 2 | 1" in told(report)
    assert summary(report) == "3 inputs, 0 decisions, identical, but the database holds another row"
    assert as_json(report)["rows"]["difference"]["was"]["pid"] == 2


def test_a_database_that_is_gone_or_another_one_is_told_as_unknown(state_dir: Path) -> None:
    (state_dir / "polybot.db").rename(state_dir / "moved.db")
    report = verified(state_dir)
    assert report.is_identical
    assert "there is no such file; --db-url names another one" in compared(report)
    session = open_session(state_dir, "last")
    assert verify(session, db_url=f"sqlite:///{state_dir / 'moved.db'}").rows.found is not None
    with open_store(f"sqlite:///{state_dir / 'new.db'}"):
        pass
    assert "holds nothing of this session" in verify(session, db_url=f"sqlite:///{state_dir / 'new.db'}").rows.unknown


def test_a_log_of_another_version_is_refused(state_dir: Path) -> None:
    [file] = (state_dir / "runs" / NAME / "inputs").glob("*.scheduler.*")
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    file.unlink()
    file.with_suffix("" if file.suffix == ".gz" else file.suffix).write_bytes(
        data.replace(INPUTS_MAGIC, b"polybot-inputs-1\n", 1)
    )
    with pytest.raises(BadInput, match=r"was written by another version of Polybot; verify it with that one"):
        verified(state_dir)


def test_other_settings_that_change_no_decision_are_told_as_such(state_dir: Path) -> None:
    report = verified(state_dir, "spread_capture.edge=0.02")
    assert summary(report) == "3 inputs, 0 decisions, identical: with these settings it decides the same"


def test_a_session_is_named_by_its_beginning_or_as_the_last(state_dir: Path) -> None:
    assert open_session(state_dir, "last").id == NAME
    assert open_session(state_dir, NAME[:10]).id == NAME
    with pytest.raises(BadInput, match="names 2 sessions"):
        open_session(state_dir, "2026")
    with pytest.raises(BadInput, match=f"names no session of .*; the newest are {OLDER}, {NAME}"):
        open_session(state_dir, "1999")


def test_a_session_that_logged_nothing_says_how_to_log(state_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no input logs, .* set log_inputs = true in \[bus\]"):
        open_session(state_dir, OLDER)
    with pytest.raises(BadInput, match="holds no session"):
        open_session(tmp_path / "elsewhere", "last")


def test_parameters_are_written_as_in_the_configuration() -> None:
    assert parsed(["spread_capture.edge=0.02", "strategy.dutch_book=true", "log.level=debug"]) == {
        "spread_capture": {"edge": Decimal("0.02")},
        "strategy": {"dutch_book": True},
        "log": {"level": "debug"},
    }
    with pytest.raises(BadInput, match=r"expected section\.key=value"):
        parsed(["edge=0.02"])


def test_an_unknown_parameter_is_refused_by_name(state_dir: Path) -> None:
    with pytest.raises(ConfigError, match=r"--param: \[spread_capture\] edgy: no such key"):
        open_session(state_dir, "last", ["spread_capture.edgy=1"])


def test_signed_orders_are_said_again_without_the_key(tmp_path: Path) -> None:
    section = {"clob_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1/ws/market", "gamma_url": "http://127.0.0.1:1"}
    values = {"execution": {"relayer": "clob"}, "polymarket": section, "secrets": {"file": str(tmp_path / "gone.toml")}}
    config = Config(Settings()).with_values(values, "test")
    head = Head("executor", NAME, EXECUTOR, "executor", "", msgspec.msgpack.encode(None))
    assert stage_of(config, {}, lambda head: build(config))(head).role == "executor"
