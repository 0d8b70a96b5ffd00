"""A journal in segments: whatever byte or step its producer died at, the newest checkpoint and what follows give everything back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import DamagedJournal
from pipeline.bus import codec
from pipeline.bus.journal import Journal
from pipeline.bus.journal_archive import archive_folder, archive_segment
from pipeline.bus.journal_files import JournalFiles
from pipeline.bus.journal_segments import read_segment, segment_files
from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.records import HaltRecord

OPEN_STEPS = ("write the segment", "sync the segment", "name the segment", "sync the folder", "append to the segment")
ARCHIVE_STEPS = ("compress", "name the archive", "sync the archive", "remove the segment", "sync the journal")


class Died(Exception):
    """The process ended here."""


class Producer:
    """A producer whose state is all the reasons that it ever recorded."""

    def __init__(self, path: Path, **options: object) -> None:
        self.files = JournalFiles(path, session_id="s1", sync=False, **options)  # type: ignore[arg-type]
        self.state = fold(self.files.recovered())

    def record(self) -> None:
        seq = self.files.seq + 1
        self.state.append(str(seq))
        self.files.append(seq, frame(self.files.id, seq))

    def rotate(self) -> None:
        checkpoint = Checkpoint(ts_ns=7, taker_plans=tuple(self.state))
        self.files.open_segment(checkpoint, f"executor@{self.files.id}", "s1.executor.1", 7)


def frame(journal_id: str, seq: int, run_id: str = "s1.executor.1") -> bytes:
    record = HaltRecord(ts_ns=seq, halted=True, reason=str(seq))
    return codec.encode("persist.durable.", f"executor@{journal_id}", run_id, seq, record)


def fold(messages: Iterable[Message]) -> list[str]:
    state: list[str] = []
    for message in messages:
        if isinstance(message, Checkpoint):
            state = list(message.taker_plans)
        elif isinstance(message, HaltRecord):
            state.append(message.reason)
    return state


def numbers(last: int) -> list[str]:
    return [str(number) for number in range(1, last + 1)]


def built(path: Path, parts: Iterable[int], *, first_checkpoint: bool = True) -> Producer:
    """A journal with so many records in each segment."""
    producer = Producer(path)
    for index, part in enumerate(parts):
        if index or first_checkpoint:
            producer.rotate()
        for _ in range(part):
            producer.record()
    producer.files.close()
    return producer


def test_a_new_life_needs_the_newest_checkpoint_and_what_follows_only(tmp_path: Path) -> None:
    built(tmp_path / "j", [3, 2, 1])
    again = JournalFiles(tmp_path / "j")
    first, *others = again.recovered()
    assert isinstance(first, Checkpoint) and first.taker_plans == tuple(numbers(5))
    assert [message.reason for message in others if isinstance(message, HaltRecord)] == ["6"]
    assert [entry.seq for entry in again.entries()] == [1, 2, 3, 4, 5, 6]


def test_the_id_stays_and_numbers_go_on_over_segments_and_lives(tmp_path: Path) -> None:
    first = built(tmp_path / "j", [2, 2])
    again = Producer(tmp_path / "j")
    assert again.files.id == first.files.id
    again.rotate()
    again.record()
    again.files.close()
    assert [read_segment(file).last_seq for file in segment_files(tmp_path / "j")] == [2, 4, 5]


def test_a_journal_of_a_single_file_is_taken_over_as_segment_0(tmp_path: Path) -> None:
    old = Journal(tmp_path / "j.journal", sync=False)
    for seq in (1, 2, 3):
        old.append(frame(old.id, seq))
    old.close()
    with (tmp_path / "j.journal").open("ab") as file:
        file.write(b"torn")
    taken = Producer(tmp_path / "j.journal")
    assert (taken.files.id, taken.state, taken.files.seq) == (old.id, numbers(3), 3)
    taken.rotate()
    taken.record()
    taken.files.close()
    assert Producer(tmp_path / "j.journal").state == numbers(4)
    assert [file.name for file in segment_files(tmp_path / "j.journal")] == ["j.journal", "j.journal.000001"]


def test_a_journal_of_a_single_file_that_gets_no_checkpoint_is_gone_on_with(tmp_path: Path) -> None:
    old = Journal(tmp_path / "j", sync=False)
    old.append(frame(old.id, 1))
    old.close()
    going = Producer(tmp_path / "j")
    going.record()
    going.files.close()
    assert Producer(tmp_path / "j").state == numbers(2)
    assert segment_files(tmp_path / "j") == [tmp_path / "j"]


def test_the_last_segment_cut_at_any_byte_gives_every_whole_record_back_and_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "j"
    built(path, [2, 2])
    last = segment_files(path)[-1]
    data = last.read_bytes()
    ends = [entry.offset + 8 + len(entry.frame) for entry in read_segment(last).entries]
    for cut in range(len(data) + 1):
        last.write_bytes(data[:cut])
        producer = Producer(path)
        assert producer.state == numbers(2 + sum(end <= cut for end in ends))
        producer.rotate()
        producer.record()
        producer.files.close()
        if cut % 16 == 0:
            assert Producer(path).state == producer.state
        segment_files(path)[-1].unlink()


@pytest.mark.parametrize("died_at", OPEN_STEPS)
def test_a_death_between_any_two_steps_of_opening_a_segment_loses_nothing(tmp_path: Path, died_at: str) -> None:
    def step(name: str) -> None:
        if name == died_at:
            raise Died(name)

    built(tmp_path / "j", [2])
    dying = Producer(tmp_path / "j", step=step)
    dying.record()
    with pytest.raises(Died):
        dying.rotate()
    again = Producer(tmp_path / "j")
    assert again.state == numbers(3)
    again.rotate()
    again.record()
    again.files.close()
    assert Producer(tmp_path / "j").state == numbers(4)
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize("died_at", ARCHIVE_STEPS)
def test_a_death_between_any_two_steps_of_archiving_leaves_each_record_somewhere(tmp_path: Path, died_at: str) -> None:
    def step(name: str) -> None:
        if name == died_at:
            raise Died(name)

    built(tmp_path / "j", [2, 1, 1])
    oldest = segment_files(tmp_path / "j")[0]
    folder = tmp_path / "runs" / "s1" / "journal"
    with pytest.raises(Died):
        archive_segment(oldest, folder, step)
    places = [file for file in (oldest, folder / f"{oldest.name}.gz") if file.is_file()]
    assert [[entry.seq for entry in read_segment(file).entries] for file in places] == [[1, 2]] * len(places) != []
    assert Producer(tmp_path / "j").state == numbers(4)
    if oldest.is_file():
        archive_segment(oldest, folder)
    assert [entry.seq for entry in read_segment(folder / f"{oldest.name}.gz").entries] == [1, 2]


def test_what_the_database_has_whole_is_archived_with_its_run_but_for_the_last_two_segments(tmp_path: Path) -> None:
    built(tmp_path / "journal" / "j", [2, 2, 2, 1])
    files = JournalFiles(tmp_path / "journal" / "j", runs=tmp_path / "runs")
    files.archive_committed(3)
    files.archive_committed(7)
    files.close()
    assert sorted(path.name for path in (tmp_path / "runs" / "s1" / "journal").iterdir()) == ["j.000001.gz", "j.000002.gz"]
    assert [path.name for path in segment_files(tmp_path / "journal" / "j")] == ["j.000003", "j.000004"]
    assert Producer(tmp_path / "journal" / "j").state == numbers(7)


def test_records_that_are_not_committed_are_not_archived(tmp_path: Path) -> None:
    built(tmp_path / "j", [2, 2, 2, 2])
    files = JournalFiles(tmp_path / "j", runs=tmp_path / "runs")
    files.archive_committed(3)
    files.close()
    assert [path.name for path in segment_files(tmp_path / "j")] == ["j.000002", "j.000003", "j.000004"]


def test_a_segment_whose_session_is_unknown_is_archived_beside_the_journal(tmp_path: Path) -> None:
    Producer(tmp_path / "j").record()
    segment = read_segment(segment_files(tmp_path / "j")[0])
    assert archive_folder(None, segment) == tmp_path / "archive"


def test_a_damaged_checkpoint_falls_back_to_the_segment_before(tmp_path: Path) -> None:
    built(tmp_path / "j", [2, 2, 2])
    newest = segment_files(tmp_path / "j")[-1]
    data = bytearray(newest.read_bytes())
    data[data.index(b"checkpoint\0") + 20] ^= 0xFF
    newest.write_bytes(data)
    producer = Producer(tmp_path / "j")
    assert producer.state == numbers(6)
    assert [type(message) for message in producer.files.recovered()].count(Checkpoint) == 1


def test_a_damaged_record_that_is_needed_is_named_with_its_place_and_what_is_whole(tmp_path: Path) -> None:
    built(tmp_path / "j", [2, 4])
    newest = segment_files(tmp_path / "j")[-1]
    place = read_segment(newest).entries[1].offset
    data = bytearray(newest.read_bytes())
    data[place + 12] ^= 0xFF
    newest.write_bytes(data)
    length = read_segment(newest).damage[0].length
    with pytest.raises(DamagedJournal) as told:
        Producer(tmp_path / "j")
    assert f"{newest} is damaged: {length} bytes at offset {place}; of it records 3 to 6 are kept, 3 in all" in str(told.value)
    assert "records 4 to 4 are needed" in str(told.value)


def test_a_damaged_length_does_not_hide_the_records_behind_it(tmp_path: Path) -> None:
    built(tmp_path / "j", [4, 1])
    oldest = segment_files(tmp_path / "j")[0]
    place = read_segment(oldest).entries[1].offset
    data = bytearray(oldest.read_bytes())
    data[place] ^= 0x01
    oldest.write_bytes(data)
    assert [entry.seq for entry in read_segment(oldest).entries] == [1, 3, 4]
    files = JournalFiles(tmp_path / "j")
    assert fold(files.recovered()) == numbers(5)  # the checkpoint behind it includes what is damaged
    assert [hole[:2] for hole in files.holes] == [(2, 2)]


def test_zeros_behind_the_last_record_are_a_torn_tail(tmp_path: Path) -> None:
    built(tmp_path / "j", [2])
    newest = segment_files(tmp_path / "j")[-1]
    newest.write_bytes(newest.read_bytes() + bytes(4096))
    assert read_segment(newest).torn_bytes == 4096
    assert Producer(tmp_path / "j").state == numbers(2)


def test_a_database_with_a_strange_name_has_its_journal_too(tmp_path: Path) -> None:
    built(tmp_path / "executor-my[db]*-1.journal", [1, 1])
    assert Producer(tmp_path / "executor-my[db]*-1.journal").state == numbers(2)


def test_segments_of_two_journals_are_not_mixed(tmp_path: Path) -> None:
    built(tmp_path / "a", [1, 1])
    built(tmp_path / "b", [1, 1])
    (tmp_path / "b.000002").replace(tmp_path / "a.000002")
    with pytest.raises(DamagedJournal, match="belong to 2 journals"):
        JournalFiles(tmp_path / "a")


def test_a_file_that_is_no_segment_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "j.000001").write_text("my notes, long enough to look like something else")
    with pytest.raises(DamagedJournal, match="is not a journal"):
        JournalFiles(tmp_path / "j")
    assert (tmp_path / "j.000001").read_text().startswith("my notes")


STEPS = st.lists(st.one_of(st.just("record"), st.just("rotate"), st.just("restart"), st.integers(0, 1_000)), max_size=25)


@given(STEPS)
def test_any_sequence_of_records_rotations_and_deaths_gives_the_state_of_all_whole_records(steps: list[str | int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j"
        producer = Producer(path)
        for step in steps:
            if step == "record":
                producer.record()
            elif step == "rotate":
                producer.rotate()
            else:
                producer.files.close()
                files = segment_files(path)
                if isinstance(step, int) and files:
                    data = files[-1].read_bytes()
                    files[-1].write_bytes(data[: max(0, len(data) - step)])
                    before = read_segment(files[-1])
                    expected = max([before.last_seq, *(read_segment(file).last_seq for file in files[:-1])])
                    producer = Producer(path)
                    assert producer.state == numbers(expected)
                else:
                    expected_state = producer.state
                    producer = Producer(path)
                    assert producer.state == expected_state
        producer.files.close()
