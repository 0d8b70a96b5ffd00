import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput, DatabaseBusy, WrongDatabase
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run

HOLDER = """
import sys
from pipeline.store.open import open_store
store = open_store(sys.argv[1])
conn = store.connect_for_writing()
with conn.begin():
    conn.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('left', 'behind')")
print("held", flush=True)
sys.stdin.read()
store.close()
"""


def hold(url: str) -> subprocess.Popen[str]:
    """Another process that has the database open for writing."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_new_database_is_private_in_wal_and_enforces_foreign_keys(tmp_path: Path) -> None:
    path = tmp_path / "polybot.db"
    with open_store(url_of(path)) as store:
        with store.connect() as conn:
            assert conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert conn.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert conn.exec_driver_sql("PRAGMA synchronous").scalar() == 1
        if os.name == "posix":
            for file in tmp_path.iterdir():
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_wal_and_synchronous_follow_the_settings(tmp_path: Path) -> None:
    with open_store(url_of(tmp_path / "a.db"), wal=False, synchronous="FULL") as store, store.connect() as conn:
        assert conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_the_log_of_a_writer_that_never_pauses_is_carried_into_the_database_megabyte_by_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with open_store(url_of(path)) as store, store.connect_for_writing() as conn:
        for number in range(60):
            with conn.begin():
                conn.exec_driver_sql("INSERT INTO meta (key, value) VALUES (?, ?)", (str(number), "x" * 100_000))
        assert path.stat().st_size > 4_000_000
        assert (tmp_path / "a.db-wal").stat().st_size < 1_500_000


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://user:secret@host/polybot", "PostgreSQL comes in a later version"),
        ("mysql://host/db", "only SQLite"),
        ("polybot.db", "not a URL"),
        ("sqlite://polybot.db", "three slashes"),
        ("sqlite:///no/such/folder/polybot.db", "does not exist"),
        ("sqlite:///C:/no/such/folder/polybot.db", "C:"),
        ("sqlite:///polybot.db?mode=ro", "options"),
    ],
)
def test_an_unusable_url_is_refused_in_one_line_without_its_secrets(url: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        open_store(url)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are my notes, and they are longer than a header of a database, which has a hundred bytes: " * 3)
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(WrongDatabase, match="not a database"):
            open_store(url_of(path), read_only=read_only)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_another_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE theirs (a)")
    raw.close()
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(WrongDatabase, match="not Polybot's"):
            open_store(url_of(path), read_only=read_only)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    with open_store(url_of(path)) as store:
        assert store.venue is None


def test_a_database_belongs_to_the_venue_that_came_first(tmp_path: Path) -> None:
    url = url_of(tmp_path / "polybot.db")
    with open_store(url, venue="generic") as store:
        assert store.venue is None
    with open_store(url, venue="fake") as store:
        assert store.venue == "fake"
    for read_only in (False, True):
        with pytest.raises(WrongDatabase, match=r"venue fake.*polymarket") as refused:
            open_store(url, venue="polymarket", read_only=read_only)
        assert "polybot.db" in str(refused.value)
    with open_store(url, venue="generic") as store:
        assert store.venue == "fake"


def test_a_second_writer_is_refused_with_the_pid_of_the_first_and_readers_are_not(tmp_path: Path) -> None:
    url = url_of(tmp_path / "polybot.db")
    holder = hold(url)
    try:
        with pytest.raises(DatabaseBusy, match=f"process {holder.pid} "):
            open_store(url)
        with open_store(url, read_only=True) as reader, reader.connect() as conn:
            assert conn.exec_driver_sql("SELECT value FROM meta WHERE key = 'left'").scalar() == "behind"
    finally:
        holder.communicate("")
    with open_store(url):
        pass


def test_a_killed_writer_leaves_no_lock_and_loses_nothing_committed(tmp_path: Path) -> None:
    path = tmp_path / "polybot.db"
    holder = hold(url_of(path))
    holder.kill()
    holder.communicate()
    assert path.with_name("polybot.db-wal").stat().st_size > 0
    with open_store(url_of(path), read_only=True) as reader, reader.connect() as conn:
        assert conn.exec_driver_sql("SELECT value FROM meta WHERE key = 'left'").scalar() == "behind"
    with open_store(url_of(path)) as store, store.connect() as conn:
        assert conn.exec_driver_sql("SELECT value FROM meta WHERE key = 'left'").scalar() == "behind"
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_a_reader_needs_a_file_and_cannot_write(tmp_path: Path) -> None:
    url = url_of(tmp_path / "polybot.db")
    with pytest.raises(BadInput, match="there is no file"):
        open_store(url, read_only=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BadInput, match="in memory"):
        open_store("sqlite://", read_only=True)
    open_store(url).close()
    with open_store(url, read_only=True) as reader, pytest.raises(BadInput, match="reading only"):
        reader.connect_for_writing()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_databases_in_memory_are_separate_and_readable_while_written(url: str) -> None:
    with open_store(url, venue="fake") as one, open_store(url) as other:
        assert (one.venue, other.venue) == ("fake", None)
        with one.begin() as conn:
            save_run(conn, Run(1, "writer", "r", started_ns=1))
            with one.connect() as reader:
                assert reader.exec_driver_sql("SELECT count(*) FROM runs").scalar() == 1


def test_what_is_not_committed_is_gone_when_a_block_fails(tmp_path: Path) -> None:
    with open_store(url_of(tmp_path / "polybot.db")) as store:
        with pytest.raises(ZeroDivisionError), store.begin() as conn:
            save_run(conn, Run(1, "writer", "r", started_ns=1))
            _ = 1 // 0
        with store.connect() as conn:
            assert conn.exec_driver_sql("SELECT count(*) FROM runs").scalar() == 0
