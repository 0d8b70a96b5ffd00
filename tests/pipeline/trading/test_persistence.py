"""Trading stands still before its journal can grow without end, and does not flutter."""

from __future__ import annotations

import pytest

from pipeline.messages.control import WriterState
from pipeline.messages.edges import JournalSeen
from pipeline.trading.persistence import Persistence, journal_objection


def seen(backlog: int = 0, free: int = 1_000) -> JournalSeen:
    return JournalSeen(ts_ns=0, backlog=backlog, limit=10, free_bytes=free, min_free_bytes=100)


@pytest.mark.parametrize(
    ("backlog", "free", "objected", "expected"),
    [
        (10, 1_000, False, ""),
        (11, 1_000, False, "over 10 records"),
        (6, 1_000, True, "over 10 records"),
        (5, 1_000, True, ""),
        (0, 99, False, "the journal's disk"),
        (0, 100, False, ""),
        (0, 199, True, "the journal's disk"),
        (0, 200, True, ""),
    ],
)
def test_a_journal_is_objected_to_beyond_its_limits_and_until_it_is_well_within_them(
    backlog: int, free: int, objected: bool, expected: str
) -> None:
    objection = journal_objection(seen(backlog, free), objected)
    assert objection.startswith(expected)
    assert bool(objection) == bool(expected)


def test_the_writers_complaint_comes_first_and_both_must_be_over() -> None:
    persistence = Persistence()
    assert persistence.objection == ""
    persistence.on_writer(WriterState(ts_ns=0, state="degraded", reason="disk full; make room"))
    persistence.on_journal(seen(11))
    assert persistence.objection == "persistence degraded: disk full; make room"
    persistence.on_writer(WriterState(ts_ns=0, state="ok"))
    assert persistence.objection.startswith("persistence degraded: over 10 records")
    persistence.on_journal(seen(6))
    assert persistence.objection
    persistence.on_journal(seen(5))
    assert persistence.objection == ""


def test_a_backlog_that_goes_on_growing_is_one_objection() -> None:
    persistence = Persistence()
    persistence.on_journal(seen(11))
    first = persistence.objection
    persistence.on_journal(seen(12))
    assert persistence.objection == first
