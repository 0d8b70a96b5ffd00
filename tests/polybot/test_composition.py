"""The stages of a live pipeline around one database, in lockstep."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.units import NS_PER_MS
from pipeline.store.open import open_store
from polybot.composition import Composition, generic_market, new_composition_id, sha256_of
from processes.gateway import Gateway

SNAPSHOT = b'{"type":"snapshot","seq":1,"bids":[[0.40,100.0]],"asks":[[0.47,100.0]]}'


@pytest.fixture
def store(db):
    with open_store(db.url) as opened:
        yield opened


def composition(store, **more) -> Composition:
    return Composition(store, Gateway(market="mkt-1", mirror=False), markets=[generic_market("mkt-1", "yes")], start_ns=1, **more)


def test_once_keeps_everything_to_itself_until_it_is_finished(store, db):
    run = composition(store, once=True)
    run.feed(SNAPSHOT, 1_000 * NS_PER_MS)
    run.pass_time(99_000 * NS_PER_MS)
    assert db.is_untouched
    run.finish()
    assert db.one("SELECT count(*) FROM orderbook_snapshots") == 1


def test_otherwise_what_came_is_on_disk_when_time_has_passed(store, db):
    run = composition(store)
    run.feed(SNAPSHOT, 1_000 * NS_PER_MS)
    run.pass_time(1_100 * NS_PER_MS)
    assert db.one("SELECT count(*) FROM orderbook_snapshots") == 1
    assert db.one("SELECT count(*) FROM runs WHERE ended_ns IS NOT NULL") == 0
    run.finish()
    run.finish()
    assert db.one("SELECT count(*) FROM runs WHERE ended_ns IS NULL") == 0


def test_the_first_rows_make_the_database_the_venues(store, db):
    run = composition(store, venue="fake", once=True)
    run.feed(SNAPSHOT, 1_000 * NS_PER_MS)
    assert db.is_untouched
    run.finish()
    assert db.one("SELECT value FROM meta WHERE key = 'venue'") == "fake"


def test_no_two_compositions_of_a_process_have_one_name():
    assert len({new_composition_id() for _ in range(100)}) == 100


def test_a_folder_has_a_digest_of_its_names_and_bytes(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"1")
    first = sha256_of(tmp_path)
    assert sha256_of(tmp_path / "a") == "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    (tmp_path / "a").rename(tmp_path / "b")
    assert sha256_of(tmp_path) != first
