"""A recording tells of its own gaps: links, restarts, torn tails, refused frames."""

from __future__ import annotations

from pathlib import Path

from pipeline.messages.edges import LinkEvent, RawFrame, RestBody
from pipeline.messages.market import BadFeedFrame
from pipeline.recording.notes import survey
from pipeline.recording.reader import Recording
from pipeline.recording.writer import RecordingWriter


def frame(ts_ns: int) -> RawFrame:
    return RawFrame(ts_ns=ts_ns, link_id="ws-1", data=b"{}", mono_ns=1)


def test_links_refusals_and_answers_are_told(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path)
    writer.write(LinkEvent(ts_ns=10, link_id="ws-1", state="up", token_ids=("1", "2")))
    writer.write(frame(20))
    writer.write(BadFeedFrame(ts_ns=20, token_id="1", market="", reason="no price"))
    writer.write(LinkEvent(ts_ns=30, link_id="ws-1", state="down", reason="silent", token_ids=("1", "2")))
    writer.write(RestBody(ts_ns=40, request="POST /books", status=200, body=b"[]", token_ids=("1",)))
    writer.close()
    found = survey(Recording(tmp_path))
    place = f"{tmp_path / '000001.jsonl.gz'}:3"
    assert [(note.ts_ns, note.kind, note.text) for note in found.notes] == [
        (10, "up", "link ws-1 up, 2 tokens"),
        (20, "refused", f"a frame of token 1 was refused: no price ({place})"),
        (30, "down", "link ws-1 down, 2 tokens: silent"),
    ]
    assert (found.lines, found.first_ns, found.last_ns, found.answers, found.stopped) == (5, 10, 40, 1, [])


def test_a_recorder_that_was_killed_leaves_a_hole_and_says_why(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path)
    writer.write(frame(100))
    del writer
    with (tmp_path / "000001.jsonl").open("ab") as torn:
        torn.write(b'{"kind":"ws_in","ts_ns":1')
    resumed = RecordingWriter(tmp_path, started_ns=900)
    resumed.write(frame(1_000))
    resumed.close()
    found = survey(Recording(tmp_path))
    assert found.stopped == [(100, 900)]
    assert [(note.ts_ns, note.kind) for note in found.notes] == [(100, "torn"), (900, "resumed")]
    assert found.notes[0].text.endswith(":2: ends in the middle of a line")
    assert found.notes[1].text == "the recorder before did not close 000001.jsonl, and its last line is torn"


def test_a_recorder_that_was_stopped_in_order_leaves_a_hole_too(tmp_path: Path) -> None:
    for at in (100, 700):
        writer = RecordingWriter(tmp_path, started_ns=at)
        writer.write(frame(at + 5))
        writer.close()
    found = survey(Recording(tmp_path))
    assert found.stopped == [(105, 700)]
    assert [note.text for note in found.notes] == ["the recorder before ended in order with 000001.jsonl.gz"]


def test_lines_that_are_none_are_told_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "000001.jsonl"
    file.write_bytes(b'{"kind":"ws_in","ts_ns":7,"text":"PONG"}\nnonsense\n{"kind":"ws_in","ts_ns":9,"text":"PONG"}\n')
    found = survey(Recording(tmp_path))
    assert [(note.ts_ns, note.kind, note.text) for note in found.notes] == [
        (7, "bad_line", f"{file}:2: is no line of a recording")
    ]
    assert (found.first_ns, found.last_ns) == (7, 9)
