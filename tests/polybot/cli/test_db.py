"""`polybot db`: what it says is true, what it copies is whole, and it never writes beside a live writer."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from pipeline.messages.market import TradePrint
from pipeline.messages.records import HaltRecord
from pipeline.store.catalogue import mention_outcomes, outcome_key
from pipeline.store.journal import DurableRecord, append_records
from pipeline.store.market import insert_trades, trade_row
from pipeline.store.open import Store, open_store
from pipeline.store.runs import Run, save_run

MS = 1_000_000
DAY_MS = 86_400_000
NOON_MS = 1_795_348_800_000
"""2026-11-22 12:00 UTC."""


def fill(store: Store, first: int, count: int, ts_ms: int = NOON_MS) -> None:
    """So many durable records from ``first`` on, and as many trades of one moment."""
    with store.begin() as conn:
        save_run(conn, Run(1, "executor", "r", 0))
        mention_outcomes(conn, 1, [("mkt-1", "mkt-1/yes")])
        records = [
            DurableRecord(n, 1, HaltRecord(ts_ns=n, halted=True, reason=f"number {n}")) for n in range(first, first + count)
        ]
        append_records(conn, "executor@j1", records)
        trades = [
            TradePrint(
                ts_ns=ts_ms * MS, token_id="mkt-1/yes", market="mkt-1", price_e6=n, size_e6=1, side="BUY", venue_ns=ts_ms * MS
            )
            for n in range(count)
        ]
        insert_trades(conn, [trade_row(1, outcome_key("mkt-1", "mkt-1/yes"), trade) for trade in trades])


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    raw = sqlite3.connect(path)
    try:
        return raw.execute(sql).fetchall()
    finally:
        raw.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "polybot.db"


@pytest.fixture
def url(path: Path) -> str:
    with open_store(f"sqlite:///{path}", venue="fake") as store:
        fill(store, 1, 30)
    return f"sqlite:///{path}"


def test_check_tells_what_a_sound_database_holds(cli, url, path):
    seen = json.loads(cli("db", "check", "--db-url", url, "--json").stdout)
    assert (seen["ok"], seen["integrity"], seen["foreign_keys"], seen["findings"]) == (True, "ok", "ok", [])
    assert (seen["venue"], seen["holder"], seen["schema"]) == ("fake", "", seen["wanted_schema"])
    assert (seen["counts"]["journal"], seen["counts"]["trades"], seen["bytes"]) == (30, 30, path.stat().st_size)
    shown = cli("db", "check", "--db-url", url)
    assert shown.exit_code == 0
    assert "journal 30" in shown.stdout


def test_check_names_who_writes(cli, url):
    with open_store(url):
        seen = json.loads(cli("db", "check", "--db-url", url, "--json").stdout)
    assert seen["holder"].startswith("process ")


@pytest.mark.parametrize(("offset", "what"), [(0, "file is not a database"), (8_192, "damaged")])
def test_check_finds_damage_says_the_way_out_and_touches_nothing(cli, url, path, offset, what):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * 8_192)
    image = path.read_bytes()
    result = cli("db", "check", "--db-url", url)
    assert result.exit_code == 1
    assert what in result.stdout
    assert "backup" in result.stdout
    assert "finding" in result.stderr
    assert json.loads(cli("db", "check", "--db-url", url, "--json").stdout)["integrity"] == "damaged"
    assert path.read_bytes() == image


@pytest.mark.parametrize("text", ["seq,price\n1,0.40\n" * 40, '{"type":"delta","seq":1}\n', "é" * 700])
def test_a_text_file_is_called_text_and_not_a_damaged_database(cli, tmp_path, text):
    path = tmp_path / "book.csv"
    path.write_text(text, encoding="utf-8")
    url = f"sqlite:///{path}"
    seen = json.loads(cli("db", "check", "--db-url", url, "--json").stdout)
    assert (seen["ok"], seen["integrity"]) == (False, "not a database")
    for command in (["check"], ["backup", "--out", str(tmp_path / "copy.db")], ["vacuum"]):
        result = cli("db", *command, "--db-url", url)
        assert result.exit_code != 0
        assert "damaged" not in result.output
        assert f"begins {text.splitlines()[0][:40]!r}" in result.output
        assert "give another --db-url" in result.output
    assert path.read_text(encoding="utf-8") == text


def test_check_finds_broken_references_and_another_schema(cli, url, path):
    raw = sqlite3.connect(path)
    raw.execute("DELETE FROM runs")
    raw.execute("UPDATE alembic_version SET version_num = '0001'")
    raw.commit()
    raw.close()
    seen = json.loads(cli("db", "check", "--db-url", url, "--json").stdout)
    whats = " ".join(finding["what"] for finding in seen["findings"])
    assert "rows of journal refer to rows of runs" in whats
    assert "its schema is 0001" in whats


def test_a_database_that_is_not_there_or_not_ours_is_refused_in_one_line(told, tmp_path):
    for name in ("check", "backup", "vacuum", "prune"):
        assert "there is no file" in told("db", name, "--db-url", f"sqlite:///{tmp_path}/none.db")
    foreign = tmp_path / "foreign.db"
    raw = sqlite3.connect(foreign)
    raw.execute("CREATE TABLE t (a)")
    raw.close()
    for name in ("backup", "vacuum", "prune"):
        assert "not Polybot's" in told("db", name, "--db-url", f"sqlite:///{foreign}")
    assert {file.name for file in tmp_path.iterdir()} == {"foreign.db"}


def test_a_backup_taken_while_rows_are_written_is_one_state_and_private(cli, url, path, tmp_path):
    out = tmp_path / "copies" / "copy.db"
    out.parent.mkdir()
    stop, at = threading.Event(), 31
    with open_store(url) as store:

        def write() -> None:
            nonlocal at
            while not stop.is_set():
                fill(store, at, 5)
                at += 5

        writing = threading.Thread(target=write)
        writing.start()
        try:
            told = json.loads(cli("db", "backup", "--db-url", url, "--out", out, "--json").stdout)
        finally:
            stop.set()
            writing.join()
    assert told == {"database": str(path), "file": str(out), "bytes": out.stat().st_size}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [file.name for file in out.parent.iterdir()] == ["copy.db"]
    assert rows(out, "PRAGMA integrity_check") == [("ok",)]
    ((count, last),) = rows(out, "SELECT count(*), max(seq) FROM journal")
    assert count == last  # a prefix
    assert rows(out, "SELECT count(*) FROM trades") == [(count,)]  # of one transaction
    with open_store(f"sqlite:///{out}") as restored:
        fill(restored, 1, 60)  # sent again from the first record
    assert rows(out, "SELECT count(*), max(seq) FROM journal")[0][1] >= 60


def test_a_backup_replaces_nothing_and_of_a_damaged_database_none_is_made(told, cli, url, path, tmp_path):
    out = tmp_path / "copy.db"
    out.write_text("mine")
    assert "is there already" in told("db", "backup", "--db-url", url, "--out", out)
    assert out.read_text() == "mine"
    assert "cannot be written" in told("db", "backup", "--db-url", url, "--out", tmp_path / "none" / "copy.db")
    with path.open("r+b") as file:
        file.seek(8_192)
        file.write(b"\xa5" * 8_192)
    result = cli("db", "backup", "--db-url", url, "--out", tmp_path / "other.db")
    assert result.exit_code == 1
    assert "damaged" in result.stderr
    assert sorted(file.name for file in tmp_path.glob("*other*")) == []


def test_vacuum_is_refused_beside_a_live_writer_and_gives_room_back_without(told, cli, url, path):
    with open_store(url) as store:
        fill(store, 31, 3_000)
        with store.begin() as conn:
            conn.exec_driver_sql("DELETE FROM trades")
        assert "is writing to this database" in told("db", "vacuum", "--db-url", url)
    sizes = json.loads(cli("db", "vacuum", "--db-url", url, "--json").stdout)
    assert sizes["bytes_after"] < sizes["bytes_before"]
    assert sizes["bytes_after"] == path.stat().st_size
    assert rows(path, "SELECT count(*) FROM journal") == [(3_030,)]


def test_prune_says_first_what_would_go_and_deletes_samples_and_copies_of_records_only(told, cli, url, path):
    with open_store(url) as store:
        fill(store, 31, 10, NOON_MS + DAY_MS)
    asked = ("db", "prune", "--before", "2026-11-23", "--db-url", url)
    dry = cli(*asked)
    assert "69 rows" in dry.stdout
    assert "nothing was deleted" in dry.stdout
    assert rows(path, "SELECT count(*) FROM trades") == [(40,)]
    with open_store(url):
        assert "is writing to this database" in told(*asked, "--yes")
    done = json.loads(cli(*asked, "--yes", "--json").stdout)
    assert (done["rows"], done["deleted"], done["dry_run"]) == ({"trades": 30, "journal": 39}, 69, False)
    assert rows(path, "SELECT count(*) FROM trades") == [(10,)]
    assert rows(path, "SELECT count(*), max(seq) FROM journal") == [(1, 40)]
    assert rows(path, "SELECT count(*) FROM halts") == [(40,)]
    assert "Nothing is older" in cli(*asked).stdout
    assert "not a moment" in told("db", "prune", "--before", "yesterday", "--db-url", url)
