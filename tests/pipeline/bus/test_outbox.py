"""What must reach the database is kept until it is there: over segments, lives, and a journal that lost its tail."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import DamagedJournal
from pipeline.bus import codec
from pipeline.bus.journal_files import JournalFiles
from pipeline.bus.journal_segments import read_segment, segment_files
from pipeline.bus.outbox import DURABLE, DurableOutbox, Outbox
from pipeline.bus.topology import Stream
from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.control import Committed
from pipeline.messages.edges import VenueRequest
from pipeline.messages.orders import TradingHalted
from pipeline.messages.records import HaltRecord


class Line:
    """The wires to a writer: keeps what was pushed."""

    def __init__(self) -> None:
        self.pushed: list[tuple[int, str]] = []

    def send_frame(self, stream: Stream, frame: bytes) -> bool:
        arrival = codec.decode(DURABLE, frame)
        assert isinstance(arrival.message, HaltRecord)
        self.pushed.append((arrival.seq, arrival.message.reason))
        return True


class Life:
    """One life of a producer that remembers its reasons."""

    def __init__(self, path: Path, **options: object) -> None:
        self.line = Line()
        files = JournalFiles(path, session_id="s1", sync=False, **options)  # type: ignore[arg-type]
        self.outbox = DurableOutbox(
            "executor", "s1.executor.1", self.line, files, resend_ms=10_000, checkpoint=self.checkpoint  # type: ignore[arg-type]
        )  # fmt: skip
        self.reasons: list[str] = []
        for message in self.outbox.recovered():
            if isinstance(message, Checkpoint):
                self.reasons = list(message.taker_plans)
            elif isinstance(message, HaltRecord):
                self.reasons.append(message.reason)
        self.outbox.open_segment()

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(ts_ns=1, taker_plans=tuple(self.reasons))

    def record(self, reason: str) -> None:
        self.reasons.append(reason)
        self.outbox.append(HaltRecord(ts_ns=1, halted=True, reason=reason))
        self.outbox.settle()
        self.outbox.rotate_if_full()

    def hear(self, seq: int) -> None:
        self.outbox.on_committed(Committed(ts_ns=1, producer=self.outbox.producer, seq=seq))


def test_unacknowledged_records_of_older_segments_are_sent_again_and_a_checkpoint_never_is(tmp_path: Path) -> None:
    first = Life(tmp_path / "j")
    for reason in "abc":
        first.record(reason)
    first.outbox.close()
    second = Life(tmp_path / "j")
    second.record("d")
    second.outbox.close()
    third = Life(tmp_path / "j")
    assert (third.reasons, third.outbox.backlog) == (list("abcd"), 4)
    third.hear(1)
    assert third.line.pushed == [(2, "b"), (3, "c"), (4, "d")]
    third.record("e")
    assert third.line.pushed[-1] == (5, "e")


def test_a_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    life = Life(tmp_path / "j", segment_bytes=1)
    for reason in "abc":
        life.record(reason)
    life.outbox.close()
    segments = [read_segment(file) for file in segment_files(tmp_path / "j")]
    assert [[entry.seq for entry in segment.entries] for segment in segments] == [[1], [2], [3], []]
    assert [segment.checkpoint.taker_plans for segment in segments if segment.checkpoint] == [
        (),
        ("a",),
        ("a", "b"),
        ("a", "b", "c"),
    ]
    assert Life(tmp_path / "j").reasons == list("abc")


def test_committed_segments_leave_for_the_folder_of_their_run(tmp_path: Path) -> None:
    life = Life(tmp_path / "journal" / "j", segment_bytes=1, runs=tmp_path / "runs")
    for reason in "abcd":
        life.record(reason)
    life.hear(0)
    life.hear(2)
    life.outbox.close()
    assert sorted(path.name for path in (tmp_path / "runs" / "s1" / "journal").iterdir()) == ["j.000001.gz", "j.000002.gz"]
    again = Life(tmp_path / "journal" / "j")
    assert (again.reasons, again.outbox.backlog) == (list("abcd"), 2)


def test_a_journal_that_lost_a_tail_the_database_has_uses_no_number_twice_and_loses_nothing_new(tmp_path: Path) -> None:
    first = Life(tmp_path / "j")
    for reason in "abc":
        first.record(reason)
    first.outbox.close()
    last = segment_files(tmp_path / "j")[-1]
    last.write_bytes(last.read_bytes()[: read_segment(last).entries[1].offset])
    second = Life(tmp_path / "j")
    second.record("new")
    second.hear(3)
    second.record("newer")
    assert second.line.pushed == [(4, "new"), (5, "newer")]
    second.outbox.close()
    third = Life(tmp_path / "j")
    third.hear(3)
    assert third.line.pushed == [(4, "new"), (5, "newer")]
    assert third.reasons[:2] == ["a", "new"] and third.reasons[-1] == "newer"


def test_a_lost_record_that_the_database_lacks_is_told_and_one_that_it_has_is_no_matter(tmp_path: Path) -> None:
    first = Life(tmp_path / "j", segment_bytes=1)
    for reason in "abcd":
        first.record(reason)
    first.outbox.close()
    (tmp_path / "j.000002").unlink()
    lacking = Life(tmp_path / "j")
    assert lacking.reasons == list("abcd")
    with pytest.raises(DamagedJournal, match="records 2 to 2 did not reach the database"):
        lacking.hear(1)
    having = Life(tmp_path / "j")
    having.hear(2)
    assert having.line.pushed == [(3, "c"), (4, "d")]


def archived_journal(tmp_path: Path) -> None:
    life = Life(tmp_path / "journal" / "j", segment_bytes=1, runs=tmp_path / "runs")
    for reason in "abcd":
        life.record(reason)
    life.hear(0)
    life.hear(4)
    life.outbox.close()
    assert [file.name for file in segment_files(tmp_path / "journal" / "j")] == ["j.000004", "j.000005"]


def test_an_older_database_gets_what_it_lacks_from_archived_segments(tmp_path: Path) -> None:
    archived_journal(tmp_path)
    for committed, lacking in ((0, "abcd"), (2, "cd")):
        life = Life(tmp_path / "journal" / "j", runs=tmp_path / "runs")
        life.hear(committed)
        assert life.line.pushed == [(seq, reason) for seq, reason in enumerate("abcd", 1) if reason in lacking]
        life.outbox.close()


def test_what_neither_the_database_nor_an_archive_has_is_told(tmp_path: Path) -> None:
    archived_journal(tmp_path)
    (tmp_path / "runs" / "s1" / "journal" / "j.000002.gz").unlink()
    life = Life(tmp_path / "journal" / "j", runs=tmp_path / "runs")
    with pytest.raises(
        DamagedJournal, match="ends with record 0 of j, of which what is here begins behind 3, and archived segments have only 2"
    ):
        life.hear(0)
    healthy = Life(tmp_path / "journal" / "j", runs=tmp_path / "runs")
    healthy.hear(2)
    assert healthy.line.pushed == [(3, "c"), (4, "d")]


class Told(JournalFiles):
    """A journal that notes what is done to it and when."""

    def __init__(self, path: Path, done: list[str]) -> None:
        super().__init__(path, session_id="s1")
        self.done = done

    def append(self, seq: int, frame: bytes) -> None:
        super().append(seq, frame)
        self.done.append(f"write {seq}")

    def settle(self) -> None:
        if self._unsettled:
            self.done.append("sync")
        super().settle()


def test_a_turn_costs_one_sync_and_nothing_leaves_before_it(tmp_path: Path) -> None:
    done: list[str] = []

    class Wires(Line):
        def send_frame(self, stream: Stream, frame: bytes) -> bool:
            done.append(f"push {codec.decode(DURABLE, frame).seq}")
            return True

        def gather(self, stream: Stream, msg: Message) -> None:
            done.append(type(msg).__name__)

    wires = Wires()
    durable = DurableOutbox("executor", "r", wires, Told(tmp_path / "j", done), resend_ms=10_000)  # type: ignore[arg-type]
    outbox = Outbox("executor", wires, durable, {VenueRequest: lambda msg: bool(done.append("request"))})  # type: ignore[arg-type]
    durable.on_committed(Committed(ts_ns=1, producer=durable.producer, seq=0))
    record, snapshot = HaltRecord(ts_ns=1, halted=True, reason="x"), TradingHalted(ts_ns=1, reason="x")
    ask = VenueRequest(ts_ns=1, request_id=1, kind="place", method="POST", path="/order")
    outbox.send_all([snapshot, record, ask, record, snapshot])
    assert done == ["TradingHalted", "write 1", "write 2", "sync", "push 1", "push 2", "request", "TradingHalted"]
    done.clear()
    outbox.send_all([snapshot])
    assert done == ["TradingHalted"]
    durable.close()
