"""Input logs as they are written: in segments, compressed, and never in the way of the process that writes them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.base.errors import BadInput
from pipeline.bus import input_log as log
from pipeline.bus.input_log import InputLog, leftovers, log_of
from pipeline.bus.input_reading import KINDS, LifeLog, lives
from pipeline.bus.input_replay import Divergence, replay_life
from pipeline.bus.stage import Arrival, Gap, Identity, PeerStarted, Stage
from pipeline.bus.turns import Turns
from pipeline.messages import Message
from pipeline.messages.control import BookWanted
from pipeline.messages.market import VenueTrade

IDENTITY = Identity("s", "s.gateway.1", "gateway")
PATIENCE_S = 30.0


def wanted(number: int) -> BookWanted:
    return BookWanted(ts_ns=number, token_id=f"t{number}", market="m", cause="x" * 100)


class Echo(Stage):
    """Says everything twice, counts, and wants a timer when it is told a number that ends in 7."""

    role = "gateway"

    def __init__(self, factor: int = 2) -> None:
        self.factor, self.heard, self.due_ns = factor, 0, -1

    def premises(self) -> int:
        return self.factor

    def state(self, turn: int) -> dict[str, Any]:
        return {"heard": self.heard}

    def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
        self.heard += 1
        if now_ns % 10 == 7:
            self.due_ns = now_ns + 1
        for _ in range(self.factor):
            yield msg

    def missed(self, gap: Gap, now_ns: int) -> Iterable[Message]:
        return (wanted(gap.got),)

    def peer_started(self, peer: PeerStarted, now_ns: int) -> Iterable[Message]:
        return (wanted(1),)

    def current(self, topic: str) -> Iterator[Message]:
        for number in range(5):
            yield wanted(number)

    def next_timer_ns(self) -> int | None:
        return self.due_ns if self.due_ns > 0 else None

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        self.due_ns = -1
        return (wanted(now_ns),)

    def stop(self, now_ns: int) -> Iterable[Message]:
        return (wanted(self.heard),)

    def counts(self) -> dict[str, int]:
        return {"heard": self.heard}


def live(folder: Path, events: int, *, stop: bool = True, **options: int) -> list[Message]:
    """A life of an Echo, logged in ``folder``; returns what it said."""
    stage, said = Echo(), list[Message]()
    own = InputLog(folder / "s.gateway.1.log", stage, IDENTITY, **options)
    turns = Turns(stage, said.extend, own)
    turns.start(1)
    turns.subscribed("feed.", 1)
    assert turns.answer(3, 1) == 3
    assert turns.answer(3, 2) == 2
    turns.missed(Gap("resync", "resync.t", "book_builder", 1, 9), 2)
    turns.peer_started(PeerStarted("resync", "book_builder", "other"), 2)
    for number in range(3, events):
        due_ns = stage.next_timer_ns()
        if due_ns is not None and due_ns <= number:
            turns.timer(number)
        turns.take(Arrival("resync", "book_builder", "run", number, wanted(number)), number)
        own.flush()
    if stop:
        turns.stop(events)
        own.end()
    own.close(PATIENCE_S)
    return said


def the_life(folder: Path) -> LifeLog:
    [life] = lives(folder)
    return life


def replayed(folder: Path, factor: int = 2) -> Divergence | None:
    result = replay_life(the_life(folder), lambda head: Echo(factor))
    assert result is not None
    assert not result.faults
    return result.divergence


def test_all_that_a_stage_is_asked_is_asked_again(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "s" / "inputs"
    said = live(folder, 60, mark_events=10)
    result = replay_life(the_life(folder), lambda head: Echo(msgspec.msgpack.decode(head.premises)))
    assert result is not None
    assert result.divergence is None
    assert result.ended
    assert (result.inputs, result.messages, result.timers) == (57, len(said), 6)
    assert result.states == 7


def test_another_stage_is_found_at_its_first_other_word(tmp_path: Path) -> None:
    live(tmp_path / "runs" / "s" / "inputs", 20)
    found = replayed(tmp_path / "runs" / "s" / "inputs", factor=3)
    assert found is not None
    assert found.inputs == 1
    assert found.was is None
    assert found.is_ == wanted(3)
    assert "did not" in found.what


def test_a_state_that_differs_is_found_at_the_next_mark_with_both_sides(tmp_path: Path) -> None:
    class Forgetful(Echo):
        def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
            yield from super().handle(msg, now_ns)
            self.heard -= now_ns == 11

    folder = tmp_path / "runs" / "s" / "inputs"
    live(folder, 40, mark_events=10)
    result = replay_life(the_life(folder), lambda head: Forgetful())
    assert result is not None
    found = result.divergence
    assert found is not None
    assert found.what == "its state differs"
    assert (found.agreed_to, found.event.number) == (10, 20)
    assert [(name, there - here) for name, there, here in found.states] == [("heard", 1)]


def test_segments_are_compressed_when_they_are_full_and_read_as_one(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "s" / "inputs"
    live(folder, 200, segment_bytes=4_000)
    files = sorted(path.name for path in folder.iterdir())
    assert len(files) > 3
    assert all(name.endswith(".gz") for name in files)
    assert replayed(folder) is None
    middle = the_life(folder).files[1]
    middle.with_suffix("").write_bytes(gzip.decompress(middle.read_bytes()))
    assert replayed(folder) is None, "a segment that is there plain and compressed counts once"


def test_what_a_killed_life_left_is_compressed_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "s" / "inputs"
    own = InputLog(folder / "s.gateway.1.log", Echo(), IDENTITY)
    own.took(Arrival("resync", "book_builder", "run", 1, wanted(1)), 1)
    own.flush()
    assert leftovers(tmp_path / "runs", "gateway") == [folder / "s.gateway.1.log.000001"]
    assert leftovers(tmp_path / "runs", "executor") == []
    later = tmp_path / "runs" / "t" / "inputs"
    InputLog(later / "t.gateway.2.log", Echo(), Identity("t", "t.gateway.2", "gateway")).close(PATIENCE_S)
    assert [path.name for path in folder.iterdir()] == ["s.gateway.1.log.000001.gz"]
    result = replay_life(the_life(folder), lambda head: Echo())
    assert result is not None
    assert (result.inputs, result.ended, result.divergence) == (1, False, None)


def test_a_log_that_cannot_be_written_ends_and_the_stage_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "s" / "inputs"
    folder.mkdir(parents=True)
    (folder / "s.gateway.1.log.000002").mkdir()
    assert len(live(folder, 200, segment_bytes=4_000)) > 390
    assert sorted(path.name for path in folder.iterdir()) == ["s.gateway.1.log.000001.gz", "s.gateway.1.log.000002"]


def test_a_log_leaves_room_on_its_disk_for_what_matters_more(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "s" / "inputs"
    live(folder, 200, segment_bytes=4_000, min_free_bytes=1 << 62)
    assert [path.name for path in folder.iterdir()] == ["s.gateway.1.log.000001.gz"]
    result = replay_life(the_life(folder), lambda head: Echo())
    assert result is not None
    assert (result.divergence, result.ended) == (None, False)


def test_a_life_that_died_before_it_was_asked_anything_is_one_that_said_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "s" / "inputs"
    InputLog(folder / "s.gateway.1.log", Echo(), IDENTITY).close()
    result = replay_life(the_life(folder), lambda head: Echo())
    assert result is not None
    assert (result.inputs, result.messages, result.ended) == (0, 0, False)


def test_a_log_of_another_version_is_refused_in_one_line(tmp_path: Path) -> None:
    own = InputLog(tmp_path / "runs" / "s" / "inputs" / "s.gateway.1.log", Echo(), IDENTITY)
    own.event(log.TIMER, 5)
    own._parts.append(msgspec.msgpack.encode((log.GAP, "later")))
    own.close()
    with pytest.raises(BadInput, match="use the version of Polybot that wrote it"):
        replay_life(the_life(tmp_path / "runs" / "s" / "inputs"), lambda head: Echo())


def test_every_message_can_be_read_back_from_a_log() -> None:
    assert VenueTrade in KINDS
    assert len({kind.__name__ for kind in KINDS}) == len(KINDS) > 60


def test_the_name_of_a_log_tells_its_run_and_segment() -> None:
    assert log_of(Path("s.gateway.1.log.000012.gz")) == ("s.gateway.1", 12)
    assert log_of(Path("s.gateway.1.log.000012.gz.new")) is None
