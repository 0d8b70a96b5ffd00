"""A disk that fills up in the middle of a record: nothing of it is left, and the journal goes on once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.base.errors import JournalUnwritable
from pipeline.bus import codec
from pipeline.bus.journal_files import JournalFiles
from pipeline.messages.records import HaltRecord


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes; a write across takes a part."""
    resource = pytest.importorskip("resource", reason="only POSIX limits the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def frame(seq: int) -> bytes:
    halt = HaltRecord(ts_ns=seq, halted=True, reason=f"number {seq} " + "x" * 300)
    return codec.encode("persist.durable.", "executor@j", "r", seq, halt)


def test_a_record_that_finds_no_room_is_refused_whole_and_the_journal_goes_on_with_room(tmp_path: Path) -> None:
    path = tmp_path / "executor.journal"
    journal = JournalFiles(path, sync=False)
    journal.append(1, frame(1))
    (segment,) = tmp_path.iterdir()
    room = segment.stat().st_size + 1_000
    with files_end_at(room):
        seq = 2
        with pytest.raises(JournalUnwritable, match="journal cannot be written"):
            for seq in range(2, 10):
                journal.append(seq, frame(seq))
        assert 2 < seq < 9
        assert segment.stat().st_size < room
        with pytest.raises(JournalUnwritable):
            journal.append(seq, frame(seq))
    assert journal.seq == seq - 1
    for again in range(seq, 12):
        journal.append(again, frame(again))
    journal.close()
    reopened = JournalFiles(path, sync=False)
    assert [msg.ts_ns for msg in reopened.recovered()] == list(range(1, 12))
    assert reopened.holes == []
    reopened.close()


def test_a_segment_that_finds_no_room_is_refused_and_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "executor.journal"
    journal = JournalFiles(path, sync=False)
    journal.append(1, frame(1))
    with files_end_at(10), pytest.raises(JournalUnwritable, match="make room"):
        journal.open_segment(None, "executor@j", "r", 0)
    journal.append(2, frame(2))
    journal.close()
    reopened = JournalFiles(path, sync=False)
    assert [msg.ts_ns for msg in reopened.recovered()] == [1, 2]
    reopened.close()
