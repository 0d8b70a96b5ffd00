"""Checksums: what a recorder finished is verified, what was changed since is named, what a kill left is told."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.messages.edges import RawFrame
from pipeline.recording.checking import check_segments
from pipeline.recording.index import Index, origin_of, read_index
from pipeline.recording.reader import Recording
from pipeline.recording.writer import RecordingWriter, segments_of


def frame(number: int) -> RawFrame:
    return RawFrame(ts_ns=number, link_id="ws-1", data=b'{"n":%d}' % (number * 7919), mono_ns=1)


def record(folder: Path, count: int = 40, rotate_bytes: int = 1_000) -> None:
    writer = RecordingWriter(folder, rotate_bytes)
    for number in range(1, count + 1):
        writer.write(frame(number))
    writer.close()


def states(folder: Path) -> list[str]:
    return [checked.state for checked in check_segments(folder, segments_of(folder))]


def test_each_finished_segment_is_in_the_index_with_what_it_holds(tmp_path: Path) -> None:
    record(tmp_path)
    index = read_index(tmp_path)
    assert [segment.file for segment in index.segments] == [path.name for path in segments_of(tmp_path)]
    assert len(index.segments) > 2 and sum(segment.kinds["ws_in"] for segment in index.segments) == 40
    assert (index.segments[0].first_ns, index.segments[-1].last_ns) == (1, 40)
    for segment in index.segments:
        packed = (tmp_path / segment.file).read_bytes()
        assert (segment.sha256, segment.bytes) == (hashlib.sha256(packed).hexdigest(), len(packed))
        plain = gzip.decompress(packed)
        assert (segment.lines_sha256, segment.lines_bytes) == (hashlib.sha256(plain).hexdigest(), len(plain))
    first = gzip.decompress((tmp_path / "000001.jsonl.gz").read_bytes()).splitlines(keepends=True)[0]
    assert index.origins == (origin_of(first),)


def test_an_untouched_recording_is_verified(tmp_path: Path) -> None:
    record(tmp_path)
    assert set(states(tmp_path)) == {"verified"}
    Recording(tmp_path).verify()


@pytest.mark.parametrize("place", range(0, 100, 9))
def test_a_changed_byte_is_found_wherever_it_is_and_its_file_is_named(tmp_path: Path, place: int) -> None:
    record(tmp_path)
    segment = tmp_path / "000002.jsonl.gz"
    data = bytearray(segment.read_bytes())
    at = place * (len(data) - 1) // 99
    data[at] ^= 1
    segment.write_bytes(data)
    found = states(tmp_path)
    if lines_are_the_same(segment, tmp_path):
        assert at < 10, "only the head of a gzip file holds bytes that say nothing of the lines"
        return
    assert found[1] == "changed" and set(found) == {"verified", "changed"}
    with pytest.raises(BadInput, match=r"000002\.jsonl\.gz: changed since it was finished"):
        Recording(tmp_path).verify()


def lines_are_the_same(segment: Path, folder: Path) -> bool:
    known = read_index(folder).of("000002")
    try:
        return known is not None and hashlib.sha256(gzip.decompress(segment.read_bytes())).hexdigest() == known.lines_sha256
    except (OSError, EOFError, zlib.error):
        return False


def test_a_segment_that_was_unpacked_or_packed_anew_is_still_the_same(tmp_path: Path) -> None:
    record(tmp_path)
    first, second, *_ = segments_of(tmp_path)
    first.with_suffix("").write_bytes(gzip.decompress(first.read_bytes()))
    first.unlink()
    second.write_bytes(gzip.compress(gzip.decompress(second.read_bytes()), compresslevel=1))
    assert set(states(tmp_path)) == {"verified"}


def test_a_removed_segment_is_missing(tmp_path: Path) -> None:
    record(tmp_path)
    (tmp_path / "000002.jsonl.gz").unlink()
    assert states(tmp_path)[1] == "missing"
    with pytest.raises(BadInput, match=r"000002\.jsonl\.gz: missing"):
        Recording(tmp_path).verify()


def test_a_torn_last_line_of_a_killed_recorder_is_told_and_no_damage(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path)
    writer.write(frame(1))
    with (tmp_path / "000001.jsonl").open("ab") as torn:
        torn.write(b'{"kind":"ws_in","ts_n')
    (checked,) = check_segments(tmp_path, segments_of(tmp_path))
    assert (checked.state, checked.torn) == ("unfinished", True)
    assert checked.told == "not finished, its last line is torn"
    Recording(tmp_path).verify()
    RecordingWriter(tmp_path, started_ns=9).close()
    left, _ = check_segments(tmp_path, segments_of(tmp_path))
    assert (left.state, left.torn) == ("verified", True)


def test_a_recording_without_an_index_passes_and_says_so(tmp_path: Path) -> None:
    record(tmp_path)
    (tmp_path / "index.json").unlink()
    assert set(states(tmp_path)) == {"unlisted"} and read_index(tmp_path) == Index()
    Recording(tmp_path).verify()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"segments":[{"file":1}]}', "\ud800".encode("utf-8", "surrogatepass")])
def test_an_index_that_is_none_is_refused_with_its_name_and_replaced_by_the_next_recorder(
    tmp_path: Path, text: str | bytes
) -> None:
    record(tmp_path)
    (tmp_path / "index.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput, match=r"index\.json: not the index of a recording"):
        states(tmp_path)
    RecordingWriter(tmp_path, started_ns=99).close()
    assert states(tmp_path)[-1] == "verified"


def test_an_index_that_names_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    record(tmp_path)
    text = (tmp_path / "index.json").read_text()
    (tmp_path / "index.json").write_text(text.replace("000001.jsonl.gz", "../../000001.jsonl.gz"))
    with pytest.raises(BadInput, match="is no name of a segment"):
        read_index(tmp_path)


def test_a_full_disk_while_packing_loses_no_line(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path)
    writer.write(frame(1))
    (tmp_path / "000001.jsonl.gz.tmp").mkdir()
    writer.close()
    (tmp_path / "000001.jsonl.gz.tmp").rmdir()
    assert [line.ts_ns for line, _ in Recording(tmp_path).lines()] == [1] and states(tmp_path) == ["unfinished"]
    RecordingWriter(tmp_path, started_ns=5).close()
    assert states(tmp_path) == ["verified", "verified"]


def test_an_index_of_a_later_format_is_refused(tmp_path: Path) -> None:
    record(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(BadInput, match="is of format 2, and this version knows 1"):
        read_index(tmp_path)


def test_the_shipped_recording_is_as_it_was_finished(repository: Path) -> None:
    assert states(repository / "recordings" / "fake-venue-10min") == ["verified"]
