"""Nothing is left beside a database that nobody uses; what a killed writer left is not touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.store.leftovers import shm_of, take_away_empty_wal, wal_of
from pipeline.store.open import open_store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "x.db"
    open_store(f"sqlite:///{path}").close()
    return path


def beside(database: Path) -> list[str]:
    return sorted(file.name for file in database.parent.iterdir())


def test_a_reader_leaves_nothing_beside_a_database_that_no_writer_uses(database):
    before = beside(database)
    with open_store(f"sqlite:///{database}", read_only=True) as store, store.connect() as conn:
        conn.exec_driver_sql("SELECT count(*) FROM runs").scalar()
        assert wal_of(database).exists()
    assert beside(database) == before == ["x.db", "x.db.lock"]


def test_a_reader_that_leaves_takes_nothing_from_others(database):
    url = f"sqlite:///{database}"
    with open_store(url) as writer, open_store(url, read_only=True) as other, other.connect() as conn:
        conn.exec_driver_sql("SELECT count(*) FROM meta").scalar()
        open_store(url, read_only=True).close()
        assert wal_of(database).exists() and shm_of(database).exists()
        with writer.begin() as writing:
            writing.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('a', 'b')")
        conn.rollback()
        assert conn.exec_driver_sql("SELECT value FROM meta WHERE key = 'a'").scalar() == "b"


def test_the_log_of_a_killed_writer_stays_and_is_read(database, tmp_path):
    with open_store(f"sqlite:///{database}") as writer, writer.connect_for_writing() as conn:
        with conn.begin():
            conn.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('a', 'b')")
        killed = tmp_path / "killed" / "x.db"
        killed.parent.mkdir()
        for file in (database, wal_of(database)):
            shutil.copy(file, killed.parent / file.name)
    log = wal_of(killed).read_bytes()
    with open_store(f"sqlite:///{killed}", read_only=True) as store, store.connect() as conn:
        assert conn.exec_driver_sql("SELECT value FROM meta WHERE key = 'a'").scalar() == "b"
    assert wal_of(killed).read_bytes() == log


def test_a_database_without_a_log_is_left_as_it_is(tmp_path):
    take_away_empty_wal(tmp_path / "none.db")
    assert not list(tmp_path.iterdir())
