"""Coverage of a database: run by run of the book builder, and nothing is known between two runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.base.errors import BadInput
from pipeline.messages import Message
from pipeline.messages.market import State
from pipeline.messages.records import BookStateChanged, FeedGap, HashChecks
from pipeline.store.buffer import RowBuffer
from pipeline.store.open import Store, open_store
from pipeline.store.runs import Run, save_run
from polybot.coverage.from_database import cover_database
from polybot.coverage.model import Coverage
from polybot.coverage.shares import HOUR_NS, NOT_OBSERVED

S = 1_000_000_000


@pytest.fixture
def db() -> Iterator[Store]:
    with open_store("sqlite://") as opened:
        yield opened


def run(db: Store, run_id: int, started_s: int, ended_s: int | None) -> None:
    ended_ns = None if ended_s is None else ended_s * S
    with db.begin() as conn:
        save_run(
            conn,
            Run(run_id, "book_builder", f"r{run_id}", started_s * S, role="book_builder", ended_ns=ended_ns, reason="stopped"),
        )


def store(db: Store, run_id: int, *messages: Message) -> None:
    buffer = RowBuffer()
    for msg in messages:
        assert buffer.take(run_id, msg)
    with db.begin() as conn:
        buffer.write(conn)


def state(at_s: int, new: State, token: str = "m/yes", reason: str = "") -> BookStateChanged:
    return BookStateChanged(ts_ns=at_s * S, token_id=token, market="m", old=None, new=new, basis="seq", reason=reason)


def covered(db: Store, token_id: str = "") -> Coverage:
    return cover_database(db, token_id=token_id)


def test_a_state_lasts_until_the_next_or_the_end_of_its_run(db: Store) -> None:
    run(db, 1, 100, 200)
    store(db, 1, state(110, "VERIFIED"), state(150, "STALE", reason="link is down"), state(170, "VERIFIED"))
    assert covered(db).totals == {NOT_OBSERVED: 10 * S, "VERIFIED": 70 * S, "STALE": 20 * S}


def test_nobody_watches_between_two_runs(db: Store) -> None:
    run(db, 1, 100, 200)
    run(db, 2, 300, 400)
    store(db, 1, state(100, "VERIFIED"))
    store(db, 2, state(320, "QUIET"))
    found = covered(db)
    assert found.observed == [(100 * S, 200 * S), (300 * S, 400 * S)]
    assert found.totals == {"VERIFIED": 100 * S, "QUIET": 80 * S, NOT_OBSERVED: 120 * S}


def test_hours_that_nobody_watched_are_left_out(db: Store) -> None:
    hour_s = HOUR_NS // S
    run(db, 1, 100, 200)
    run(db, 2, 50 * hour_s, 50 * hour_s + 60)
    store(db, 1, state(100, "VERIFIED"))
    found = covered(db)
    assert list(found.hours) == [0, 50 * HOUR_NS]
    assert found.whole_ns == (hour_s - 100 + 60) * S
    assert [sum(hour.times.values()) for hour in found.hours_of(found.tokens[0])] == list(found.hours.values())


def test_a_run_that_never_said_that_it_ended_was_seen_until_it_last_stored_something(db: Store) -> None:
    run(db, 1, 100, None)
    run(db, 2, 300, 310)
    checks = HashChecks(ts_ns=180 * S, token_id="m/yes", market="m", start_ns=120 * S, done=4, matched=3, undecided=0)
    store(db, 1, state(100, "VERIFIED"), checks)
    store(db, 2, state(300, "VERIFIED"))
    found = covered(db)
    assert found.observed == [(100 * S, 180 * S), (300 * S, 310 * S)]
    assert found.totals["VERIFIED"] == 90 * S
    assert "did not end" in found.notes[1].text


def test_of_two_runs_at_one_time_the_later_counts(db: Store) -> None:
    run(db, 1, 100, 200)
    run(db, 2, 130, 160)
    store(db, 1, state(100, "VERIFIED"), state(150, "STALE"), state(100, "QUIET", "m/no"))
    store(db, 2, state(140, "UNVERIFIED"), state(150, "SUSPECT"))
    yes, no = covered(db).tokens
    assert yes.times(100 * S) == {"VERIFIED": 40 * S, "UNVERIFIED": 10 * S, "SUSPECT": 10 * S, "STALE": 40 * S}
    assert no.times(100 * S) == {"QUIET": 100 * S}


def test_gaps_and_hash_checks_belong_to_their_tokens_and_hours(db: Store) -> None:
    run(db, 1, 100, 4_000)
    about = {"token_id": "m/yes", "market": "m", "ts_ns": S}
    store(
        db,
        1,
        state(100, "VERIFIED"),
        state(100, "VERIFIED", "m/no"),
        FeedGap(**about, start_ns=3_601 * S, end_ns=0, cause="hash"),
        FeedGap(**about, start_ns=200 * S, end_ns=210 * S, cause="link", healed_by="book"),
        HashChecks(**about, start_ns=60 * S, done=5, matched=4, undecided=1),
        HashChecks(**about, start_ns=120 * S, done=5, matched=3, undecided=0),
        HashChecks(**about, start_ns=3_600 * S, done=7, matched=7, undecided=0),
    )
    found = covered(db)
    assert [(gap.start_ns // S, gap.end_ns, gap.cause, gap.healed_by) for _, gap in found.gaps] == [
        (200, 210 * S, "link", "book"),
        (3_601, None, "hash", ""),
    ]
    hours = found.hours_of(found.tokens[0])
    assert [(hour.gaps, hour.checks.done, hour.checks.matched, hour.checks.missed) for hour in hours] == [
        (1, 10, 7, 2),
        (1, 7, 7, 0),
    ]
    assert (found.checks.done, found.checks.undecided) == (17, 1)
    assert [token.token_id for token in covered(db, "m/no").tokens] == ["m/no"]
    assert covered(db, "m/no").gaps == []


def test_an_empty_database_and_an_unknown_token_are_refused(db: Store) -> None:
    with pytest.raises(BadInput, match="no book builder has written"):
        covered(db)
    run(db, 1, 100, 200)
    with pytest.raises(BadInput, match="no token 77"):
        covered(db, "77")
