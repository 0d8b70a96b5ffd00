"""The table of states, row by row, and what holds for all of it."""

from __future__ import annotations

from typing import get_args

import pytest

from pipeline.market.confidence import GOOD, TRANSITIONS, Confidence, Evidence, after
from pipeline.messages.market import State

STATES: tuple[State, ...] = get_args(State)


@pytest.mark.parametrize(
    ("state", "evidence", "to"),
    [
        (None, "proved", "VERIFIED"),
        (None, "replaced", "UNVERIFIED"),
        (None, "missed", "SUSPECT"),
        ("VERIFIED", "late", "PENDING"),
        ("PENDING", "proved", "VERIFIED"),
        ("PENDING", "missed", "SUSPECT"),
        ("SUSPECT", "asked", "RESYNCING"),
        ("SUSPECT", "unchecked", "SUSPECT"),
        ("RESYNCING", "late", "RESYNCING"),
        ("RESYNCING", "proved", "VERIFIED"),
        ("RESYNCING", "replaced", "UNVERIFIED"),
        ("VERIFIED", "quiet", "QUIET"),
        ("UNVERIFIED", "quiet", "UNVERIFIED"),
        ("QUIET", "silent", "STALE"),
        ("STALE", "unchecked", "STALE"),
        ("STALE", "proved", "VERIFIED"),
        ("VERIFIED", "unchecked", "UNVERIFIED"),
        ("SUSPECT", "ended", "DEAD"),
        ("DEAD", "proved", "DEAD"),
        ("DEAD", "reopened", "RESYNCING"),
    ],
)
def test_evidence_leads_to_the_state_of_the_table(state: State | None, evidence: Evidence, to: State) -> None:
    assert after(state, evidence) == to


def test_only_proof_or_a_fresh_book_heals() -> None:
    for (state, evidence), to in TRANSITIONS.items():
        if state not in GOOD and state is not None and to in GOOD:
            assert evidence in ("proved", "replaced"), (state, evidence, to)


def test_a_dead_token_stays_dead_whatever_comes_but_a_book() -> None:
    for evidence in get_args(Evidence):
        assert after("DEAD", evidence) == ("RESYNCING" if evidence == "reopened" else "DEAD")


def test_every_state_can_be_reached() -> None:
    assert set(TRANSITIONS.values()) == set(STATES)


def test_proof_moves_the_time_of_verification_and_nothing_else_does() -> None:
    known = Confidence()
    assert known.learn("proved", 10, "book", "hash")
    assert not known.learn("proved", 20, "batch", "hash")
    assert known.learn("late", 30, "miss")
    assert (known.state, known.since_ns, known.verified_ns, known.reason) == ("PENDING", 30, 20, "miss")
