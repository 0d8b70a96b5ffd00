import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.messages import Message
from pipeline.messages.edges import FollowTokens, FrameSent, LinkEvent, RawFrame, RestBody
from pipeline.messages.market import BadFeedFrame, Market, MarketUniverse, Outcome
from pipeline.recording.lines import decode_line, encode_line, line_of, message_of
from pipeline.recording.reader import Recording
from pipeline.recording.source import open_frames
from pipeline.recording.writer import RecordingWriter, segments_of


def frame(number: int, data: bytes = b'{"event_type":"book"}') -> RawFrame:
    return RawFrame(ts_ns=number, link_id="ws-1", data=data, mono_ns=number + 5)


def written(folder: Path, messages: list[Message], **options: int) -> None:
    writer = RecordingWriter(folder, venue="fake", **options)
    for msg in messages:
        writer.write(msg)
    writer.close()


def read(folder: Path) -> list[Message]:
    return list(Recording(folder).messages())


def bare(messages: list[Message]) -> list[Message]:
    """Without the place, which only a reading has."""
    found = []
    for msg in messages:
        if isinstance(msg, RawFrame):
            msg = RawFrame(ts_ns=msg.ts_ns, link_id=msg.link_id, data=msg.data, mono_ns=msg.mono_ns)
        found.append(msg)
    return found


def test_what_was_heard_is_read_back_in_order(tmp_path: Path) -> None:
    heard = [
        LinkEvent(ts_ns=1, link_id="ws-1", state="up", token_ids=("1", "2"), mono_ns=3),
        frame(2),
        frame(3, b"[]\n"),
        frame(4, '["\\u00e9 é"]'.encode()),
        frame(5, b"\xff\x00 not text"),
        RestBody(ts_ns=6, request="GET /book", status=200, body=b'{"a":1}', request_id=4, token_ids=("1",), mono_ns=9),
        LinkEvent(ts_ns=7, link_id="ws-1", state="down", reason="gone"),
    ]
    written(
        tmp_path, [*heard[:2], FrameSent(ts_ns=2, link_id="ws-1", data=b"PING"), FollowTokens(ts_ns=2, token_ids=()), *heard[2:]]
    )
    assert bare(read(tmp_path)) == heard
    assert [line.kind for line, _ in Recording(tmp_path).lines()].count("ws_out") == 1


def test_a_frame_knows_its_file_and_line(tmp_path: Path) -> None:
    written(tmp_path, [frame(1), frame(2)])
    assert [msg.where for msg in read(tmp_path)] == [  # type: ignore[attr-defined]
        f"{tmp_path / '000001.jsonl.gz'}:1",
        f"{tmp_path / '000001.jsonl.gz'}:2",
    ]


def test_segments_rotate_by_size_and_are_compressed(tmp_path: Path) -> None:
    written(tmp_path, [frame(number, b"x" * 400) for number in range(20)], rotate_bytes=2_000)
    names = [segment.name for segment in segments_of(tmp_path)]
    assert len(names) >= 4
    assert all(name.endswith(".jsonl.gz") for name in names)
    assert not list(tmp_path.glob("*.jsonl")) and not list(tmp_path.glob("*.tmp"))
    assert [msg.ts_ns for msg in read(tmp_path)] == list(range(20))


def test_the_open_segment_is_plain_and_already_whole(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path)
    writer.write(frame(1))
    assert (tmp_path / "000001.jsonl").read_bytes().count(b"\n") == 1
    assert [msg.ts_ns for msg in read(tmp_path)] == [1]
    writer.close()


def test_nothing_heard_leaves_no_segment(tmp_path: Path) -> None:
    written(tmp_path, [])
    assert segments_of(tmp_path) == []
    with pytest.raises(BadInput, match="holds no recording"):
        Recording(tmp_path)


def torn(folder: Path, cut: int) -> None:
    """A recorder that was killed: the segment is plain and its last line is cut."""
    lines = b"".join(encode_line(line) for msg in (frame(1), frame(2)) if (line := line_of(msg)))
    folder.mkdir(exist_ok=True)
    (folder / "000001.jsonl").write_bytes(lines[: len(lines) - cut])


@pytest.mark.parametrize("cut", [1, 2, 30, 60])
def test_a_torn_last_line_is_left_out(tmp_path: Path, cut: int) -> None:
    torn(tmp_path, cut)
    recording = Recording(tmp_path)
    found = [msg.ts_ns for msg in recording.messages()]
    assert found == ([1, 2] if cut == 1 else [1])
    assert recording.torn == (0 if cut == 1 else 1)


def test_a_recorder_that_starts_again_goes_on_in_a_fresh_segment_and_says_so(tmp_path: Path) -> None:
    first = RecordingWriter(tmp_path)
    first.write(LinkEvent(ts_ns=1, link_id="ws-1", state="up", token_ids=("1",)))
    first.write(frame(2))
    written(tmp_path, [frame(9)], started_ns=8)
    found = read(tmp_path)
    assert [msg.ts_ns for msg in found] == [1, 2, 8, 9]
    assert found[2] == LinkEvent(ts_ns=8, link_id="ws-1", state="down", reason="the recorder was restarted", token_ids=("1",))
    assert [segment.name for segment in segments_of(tmp_path)] == ["000001.jsonl.gz", "000002.jsonl.gz"]


def test_a_kill_between_compressing_and_removing_loses_and_doubles_nothing(tmp_path: Path) -> None:
    torn(tmp_path, 30)
    plain = (tmp_path / "000001.jsonl").read_bytes()
    (tmp_path / "000001.jsonl.gz").write_bytes(gzip.compress(plain))
    (tmp_path / "000002.jsonl.gz.tmp").write_bytes(b"half")
    assert [msg.ts_ns for msg in read(tmp_path)] == [1]
    written(tmp_path, [frame(3)])
    assert [msg.ts_ns for msg in read(tmp_path)] == [1, 3]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["000001.jsonl.gz", "000002.jsonl.gz", "index.json"]


def test_a_truncated_compressed_segment_gives_what_it_has(tmp_path: Path) -> None:
    written(tmp_path, [frame(number, bytes(str(number * 7919), "ascii") * 9) for number in range(2000)])
    segment = tmp_path / "000001.jsonl.gz"
    segment.write_bytes(segment.read_bytes()[:-2000])
    recording = Recording(tmp_path)
    found = [msg.ts_ns for msg in recording.messages()]
    assert found == list(range(len(found))) and len(found) > 500
    assert recording.torn == 1


def test_a_line_that_is_damaged_in_the_middle_is_counted_and_skipped(tmp_path: Path) -> None:
    torn(tmp_path, 0)
    segment = tmp_path / "000001.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(lines[0] + b"{garbage}\n" + lines[1])
    recording = Recording(tmp_path)
    assert [msg.ts_ns for msg in recording.messages()] == [1, 2]
    assert (recording.bad_lines, recording.torn) == (1, 0)


def test_a_recording_carries_its_markets(tmp_path: Path) -> None:
    market = Market(market_id="0x1", outcomes=(Outcome("1", "Yes"), Outcome("2", "No")), tick_size="0.01", neg_risk=True)
    written(
        tmp_path,
        [MarketUniverse(ts_ns=1, markets=(), source="x"), MarketUniverse(ts_ns=2, markets=(market,), source="gamma"), frame(3)],
    )
    source = open_frames(tmp_path)
    assert (source.kind, source.venue, source.strict, source.markets) == ("recording", "fake", False, (market,))
    assert Recording(tmp_path).source == "gamma"


def test_markets_that_cannot_be_read_are_refused_with_the_file(tmp_path: Path) -> None:
    torn(tmp_path, 0)
    (tmp_path / "markets.json").write_text('{"venue": 5}')
    with pytest.raises(BadInput, match=r"markets\.json"):
        Recording(tmp_path)


def test_a_refused_frame_is_noted_beside_itself(tmp_path: Path) -> None:
    written(tmp_path, [frame(1, b"{"), BadFeedFrame(ts_ns=1, token_id="1", market="m", reason="not JSON")])
    lines = [line for line, _ in Recording(tmp_path).lines()]
    assert [(line.kind, line.reason) for line in lines] == [("ws_in", ""), ("refused", "not JSON")]
    assert len(read(tmp_path)) == 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2**62))
def test_any_frame_survives_its_line(data: bytes, ts_ns: int) -> None:
    line = line_of(frame(ts_ns, data))
    assert line is not None
    encoded = encode_line(line)
    assert encoded.count(b"\n") == 1
    found = message_of(decode_line(encoded), "")
    assert isinstance(found, RawFrame) and found.data == data and found.ts_ns == ts_ns


def test_what_is_gathered_is_in_the_file_from_the_flush_on_in_its_order_and_rotation_loses_none_of_it(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path, venue="fake")
    [open_segment] = segments_of(tmp_path)
    for number in range(3):
        writer.gather(frame(number))
    assert open_segment.read_bytes() == b""
    writer.flush()
    assert open_segment.read_bytes().count(b"\n") == 3
    writer.gather(frame(3))
    writer.write(frame(4))
    assert open_segment.read_bytes().count(b"\n") == 5
    writer.gather(frame(5))
    writer.rotate()
    writer.gather(frame(6))
    writer.close()
    assert [msg.ts_ns for msg in read(tmp_path)] == list(range(7))
