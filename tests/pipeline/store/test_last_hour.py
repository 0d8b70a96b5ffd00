"""A quick look at a database: damage is told, and only what is recent is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.store.last_hour import UNREADABLE, LastHour, last_hour, quick_check
from pipeline.store.open import open_store


def test_a_new_database_is_sound_and_brought_nothing(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path / 'x.db'}") as store:
        assert quick_check(store) == []
        assert last_hour(store, 0) == LastHour(0, 0, 0, 0, 0, 0)


def test_a_page_of_garbage_is_told(tmp_path: Path):
    path = tmp_path / "x.db"
    with open_store(f"sqlite:///{path}") as store, store.connect() as conn:
        page = conn.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'orderbook_events'").scalar_one()
        size = conn.exec_driver_sql("PRAGMA page_size").scalar_one()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(data)
    with open_store(f"sqlite:///{path}", read_only=True) as store:
        try:
            told = quick_check(store)
        except UNREADABLE as error:
            told = [str(error)]
    assert told


def test_missed_checks_are_those_that_neither_matched_nor_stay_undecided():
    assert LastHour(1, 10, 7, 2, 0, 0).missed == 1


def test_what_cannot_be_read_raises_what_is_listed(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path / 'x.db'}") as store, pytest.raises(UNREADABLE), store.connect() as conn:
        conn.exec_driver_sql("SELECT * FROM nothing")
