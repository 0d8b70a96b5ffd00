"""`polybot status`: from the database alone, and nothing is created by asking."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pipeline.base.errors import BadInput
from pipeline.base.halt_file import HaltWord, write_halt
from pipeline.messages.records import BookStateChanged, HaltRecord, MarketStatus
from pipeline.store.audit import append_halt
from pipeline.store.catalogue import mention_outcomes, outcome_key
from pipeline.store.market import insert_states, state_row, status_row, upsert_statuses
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run
from polybot.cli import status


@pytest.fixture
def db_url(tmp_path):
    return f"sqlite:///{tmp_path / 'polybot.db'}"


@pytest.fixture
def filled(db_url):
    with open_store(db_url) as store, store.begin() as conn:
        save_run(conn, Run(1, "writer", "r", 0))
        mention_outcomes(conn, 1, [("mkt-1", "mkt-1/yes"), ("mkt-1", "mkt-1/no")])
        counts = {"resync_gap": 2, "invalid": 1, "odd": 9}
        told = MarketStatus(
            ts_ns=0, market="mkt-1", last_seq=3, last_update_ts_ms=1_000, snapshots=1, deltas=2, trades=4, counts=counts
        )
        upsert_statuses(conn, [status_row(1, told)])
        rows = []
        for token, state in (("mkt-1/yes", "VERIFIED"), ("mkt-1/no", "STALE")):
            changed = BookStateChanged(ts_ns=5, token_id=token, market="mkt-1", old=None, new=state, basis="seq", reason="why")
            rows.append(state_row(1, outcome_key("mkt-1", token), changed))
        insert_states(conn, rows)
    return db_url


def run(*args: str):
    return CliRunner().invoke(status.command, list(args))


def test_it_shows_each_market_with_its_counts_and_states(filled):
    heading, line = run("--db-url", filled).stdout.splitlines()
    assert heading.split()[:4] == ["market_id", "last_seq", "last_update_ts_ms", "age"]
    cells = line.split(maxsplit=13)
    assert cells[:3] == ["mkt-1", "3", "1000"]
    assert cells[4] == "d"
    assert cells[5:13] == ["1", "2", "4", "0", "2", "1", "0", "0"]
    assert cells[13] == "yes VERIFIED, no STALE"


def test_json_has_everything(filled):
    (market,) = json.loads(run("--db-url", filled, "--json").stdout)
    assert (market["market_id"], market["last_seq"], market["resync_gap"], market["other"]) == ("mkt-1", 3, 2, {"odd": 9})
    assert [(state["outcome_id"], state["state"]) for state in market["states"]] == [("yes", "VERIFIED"), ("no", "STALE")]
    assert market["age_ms"] > 0


def test_each_token_is_told_with_its_state_since_when_and_why(filled):
    heading, yes, no = run("--db-url", filled, "--tokens").stdout.splitlines()
    assert heading.split()[:5] == ["market", "outcome", "state", "since", "(UTC)"]
    assert yes.split()[:5] == ["mkt-1", "yes", "VERIFIED", "1970-01-01", "00:00:00"]
    assert (no.split()[2], no.split()[-1]) == ("STALE", "why")
    assert " now " in yes


def test_json_says_since_when_a_state_holds_and_whether_anybody_still_watches(filled):
    def states():
        (market,) = json.loads(run("--db-url", filled, "--json").stdout)
        return [(state["since_ts_ms"], state["for_ms"], state["is_watched"], state["reason"]) for state in market["states"]]

    assert all(since == 0 and held > 10**12 and watched and why == "why" for since, held, watched, why in states())
    with open_store(filled) as store, store.begin() as conn:
        save_run(conn, Run(1, "book_builder", "r", 0, role="book_builder", ended_ns=7_000_000))
    assert states() == [(0, 7, False, "why")] * 2
    with open_store(filled) as store, store.begin() as conn:
        save_run(conn, Run(1, "book_builder", "r", 0, role="book_builder"))
        save_run(conn, Run(2, "book_builder", "r2", 9, role="book_builder"))
    assert states() == [(0, None, False, "why")] * 2


def test_an_empty_database_says_what_would_fill_it(db_url):
    open_store(db_url).close()
    assert run("--db-url", db_url).stdout == "No market has a feed yet. `polybot up` or `polybot replay` brings some.\n"
    assert json.loads(run("--db-url", db_url, "--json").stdout) == []


def test_a_missing_database_is_one_line_and_creates_nothing(db_url, tmp_path):
    refused = run("--db-url", db_url).exception
    assert isinstance(refused, BadInput)
    assert str(tmp_path / "polybot.db") in str(refused)
    assert "\n" not in str(refused)
    assert list(tmp_path.iterdir()) == []


def test_ages_are_told_in_their_largest_unit():
    ages = (None, 450, 59_999, 119_999, 120_000, 7_200_000, 172_800_000)
    assert [status.show_age(age) for age in ages] == ["-", "0.4 s", "59 s", "119 s", "2 min", "2 h", "2 d"]


def test_a_halt_is_told_beside_the_answer_by_the_later_of_database_and_disk(filled, tmp_path, repository):
    state_dir = tmp_path / "var"
    config = tmp_path / "config.toml"
    config.write_text(f'[bus]\nstate_dir = "{state_dir.as_posix()}"\n')
    asked = ("--db-url", filled, "--config", str(config))
    assert "halted" not in run(*asked).stderr
    write_halt(state_dir, HaltWord(True, "election night", 1_764_000_000_000_000_000))
    told = run(*asked, "--json")
    assert told.stderr == "trading is halted since 2025-11-24 16:00:00.000: election night; `polybot resume` lets it go on\n"
    assert json.loads(told.stdout)
    with open_store(filled) as store, store.begin() as conn:
        append_halt(conn, 1, HaltRecord(ts_ns=1_764_000_001_000_000_000, halted=False, reason="over"))
    assert run(*asked).stderr == ""
