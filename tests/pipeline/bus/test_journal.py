"""A journal keeps every whole record, whatever byte its writer died at."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.journal import Journal, read_journal


def test_records_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    for record in (b"one", b"2", b"three" * 100):
        journal.append(record)
    assert list(journal.records()) == [b"one", b"2", b"three" * 100]
    journal.close()


def test_a_journal_cut_at_any_byte_keeps_its_whole_records_and_goes_on(tmp_path: Path) -> None:
    records = [b"first", b"second record", b"3"]
    whole = Journal(tmp_path / "whole.journal", sync=False)
    ends = []
    for record in records:
        whole.append(record)
        ends.append(whole.path.stat().st_size)
    whole.close()
    data = whole.path.read_bytes()
    for cut in range(len(data) + 1):
        path = tmp_path / f"cut-{cut}.journal"
        path.write_bytes(data[:cut])
        journal = Journal(path, sync=False)
        kept = [record for record, end in zip(records, ends, strict=True) if end <= cut]
        assert list(journal.records()) == kept
        journal.append(b"after")
        journal.close()
        assert list(read_journal(path)) == [*kept, b"after"]


def test_a_reopened_journal_keeps_its_id_and_a_new_one_has_another(tmp_path: Path) -> None:
    first = Journal(tmp_path / "a.journal")
    first.close()
    again, other = Journal(tmp_path / "a.journal"), Journal(tmp_path / "b.journal")
    assert again.id == first.id != other.id
    again.close()
    other.close()


def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"my notes, long enough to look like a header of something else")
    with pytest.raises(ValueError, match="is not a journal"):
        Journal(path)
    assert path.read_bytes().startswith(b"my notes")


@given(st.lists(st.binary(min_size=1, max_size=50)), st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_byte_never_yields_a_wrong_record(records: list[bytes], place: int, value: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "a.journal", sync=False)
        for record in records:
            journal.append(record)
        journal.close()
        data = bytearray(journal.path.read_bytes())
        header = len(data) - sum(8 + len(record) for record in records)
        if header <= place < len(data):
            data[place] = value
        journal.path.write_bytes(data)
        kept = list(read_journal(journal.path))
        assert kept == records[: len(kept)]
