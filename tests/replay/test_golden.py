"""Promise 1 about replay: the same recording gives the same journal, byte for byte, in any order of stages, at full speed."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

NAMES = ("generic.jsonl", "generic-gap.jsonl", "two-sided", "crossed", "tick-size-change", "lost-frame")
EVERY_TABLE = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('alembic_version', 'meta', 'runs') ORDER BY name"
)


@pytest.mark.parametrize("name", NAMES)
def test_replay_gives_the_golden_journal(name, replay, golden):
    golden.check(f"{Path(name).stem}.journal.jsonl", replay(name).journal)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_in_which_stages_are_named_does_not_matter(name, replay):
    expected = replay(name).journal
    assert replay(name, lambda plans: plans[::-1]).journal == expected
    for seed in range(3):
        assert replay(name, lambda plans, seed=seed: random.Random(seed).sample(plans, len(plans))).journal == expected


@pytest.mark.parametrize("name", NAMES)
def test_twice_in_a_row_gives_the_same_rows(name, replay):
    first, second = replay(name), replay(name)
    tables = [table for (table,) in first.rows(EVERY_TABLE)]
    assert "orderbook_events" in tables and "orders" in tables
    for table in tables:
        assert first.rows(f"SELECT * FROM {table}") == second.rows(f"SELECT * FROM {table}"), table
    assert first.rows("SELECT count(*) FROM orderbook_snapshots") != [(0,)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "generic.jsonl",
            {"BookSnapshot", "PlaceOrder", "ExecSnapshot", "OrderUpdate", "Fill", "OrderRecord", "FillRecord", "AuditRecord"},
        ),
        ("generic-gap.jsonl", {"BookStateChanged", "FeedGap", "CancelOrder"}),
        ("two-sided", {"VenueBook", "VenuePriceChange", "BookEvents", "BookLevels", "PlaceOrder", "Committed"}),
        ("crossed", {"VenueTrade", "TradePrint", "PlaceOrder"}),
        ("tick-size-change", {"TickSizeChange", "MarketResolved", "BookStateChanged"}),
        ("lost-frame", {"BookStateChanged", "FeedGap"}),
    ],
)
def test_the_recordings_cover_what_their_names_say(name, said, replay):
    assert said <= replay(name).kinds()


@pytest.mark.parametrize("name", ["two-sided", "crossed", "tick-size-change"])
def test_books_of_a_whole_recording_are_never_doubted(name, replay):
    states = {state for (state,) in replay(name).rows("SELECT new FROM book_states")}
    assert states <= {"VERIFIED", "DEAD"}


def test_a_lost_frame_is_noticed_at_the_next_hash(replay):
    states = [state for (state,) in replay("lost-frame").rows("SELECT new FROM book_states ORDER BY id")]
    assert states[:2] == ["VERIFIED", "VERIFIED"]
    assert "SUSPECT" in states


def test_trades_add_up_between_journal_and_database(replay):
    run = replay("two-sided")
    fills = sum('"message":"FillRecord"' in line for line in run.lines)
    orders = {line.split('"client_order_id":"')[1].split('"')[0] for line in run.lines if '"message":"OrderRecord"' in line}
    assert run.rows("SELECT count(*) FROM fills") == [(fills,)]
    assert run.rows("SELECT count(*) FROM orders") == [(len(orders),)]
    assert fills > 0


def test_a_longer_recording_gives_the_same_journal_again(replay, repository, tmp_path):
    whole = repository / "recordings" / "fake-venue-10min"
    (tmp_path / "markets.json").write_bytes((whole / "markets.json").read_bytes())
    with gzip.open(whole / "000001.jsonl.gz") as lines, (tmp_path / "000001.jsonl").open("wb") as part:
        for _, line in zip(range(1_500), lines, strict=False):
            part.write(line)
    first = replay(tmp_path)
    assert len(first.lines) > 5_000
    assert replay(tmp_path, lambda plans: plans[::-1]).journal == first.journal
