"""Heartbeats leave every five seconds, go on with the id that the venue expects, and a gap of ten seconds is told."""

from __future__ import annotations

from pipeline.base.units import NS_PER_S
from pipeline.venue.dead_man import EVERY_NS, DeadMan


def test_the_chain_goes_on_with_the_id_of_the_last_answer() -> None:
    beat = DeadMan()
    beat.start(0)
    beat.sent(0)
    assert not beat.on_reply(200, b'{"heartbeat_id":"one"}', 1)
    assert (beat.heartbeat_id, beat.due_ns) == ("one", EVERY_NS)


def test_a_wrong_id_is_replaced_at_once_by_the_expected_one() -> None:
    beat = DeadMan()
    beat.start(0)
    beat.sent(0)
    assert not beat.on_reply(400, b'{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"other"}', 7)
    assert (beat.heartbeat_id, beat.due_ns) == ("other", 7)


def test_a_gap_in_which_the_venue_may_have_cancelled_everything_is_told_once() -> None:
    beat = DeadMan()
    beat.start(0)
    told = []
    for second, status in ((0, 200), (5, 0), (10, 0), (15, 200), (20, 200)):
        beat.sent(second * NS_PER_S)
        told.append(beat.on_reply(status, b'{"heartbeat_id":"x"}' if status else b"", second * NS_PER_S))
    assert told == [False, False, False, True, False]


def test_after_the_end_nothing_is_due() -> None:
    beat = DeadMan()
    beat.start(0)
    beat.sent(0)
    beat.stop()
    assert not beat.on_reply(200, b'{"heartbeat_id":"x"}', 1)
    assert beat.due_ns is None
