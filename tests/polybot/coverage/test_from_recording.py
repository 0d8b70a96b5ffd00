"""Coverage of recordings: what was recorded is what is told, and what was not is unknown."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.base.settings import Settings
from pipeline.messages.edges import LinkEvent, RawFrame
from pipeline.recording.lines import encode_line
from pipeline.recording.reader import Recording
from pipeline.recording.writer import RecordingWriter
from polybot.coverage.from_recording import cover_recording
from polybot.coverage.shares import NOT_OBSERVED

S = 1_000_000_000


def generic(seq: int, kind: str, ts_ns: int) -> RawFrame:
    levels = '"bids":[[0.40,10]],"asks":[[0.60,10]]' if kind == "snapshot" else '"bids":[[0.41,1]]'
    text = f'{{"type":"{kind}","seq":{seq},"ts_ms":{ts_ns // 1_000_000},"market":"mkt-1",{levels}}}'
    return RawFrame(ts_ns=ts_ns, link_id="stream", data=text.encode(), mono_ns=1)


def recorded(folder: Path, *messages: RawFrame | LinkEvent, started_ns: int = 0) -> Path:
    writer = RecordingWriter(folder, venue="generic", started_ns=started_ns)
    for msg in messages:
        writer.write(msg)
    writer.close()
    return folder


def test_a_clean_feed_is_verified_from_its_first_book_on(tmp_path: Path) -> None:
    up = LinkEvent(ts_ns=100 * S, link_id="stream", state="up")
    deltas = [generic(n, "delta", (100 + n) * S) for n in range(3, 9)]
    coverage = cover_recording(recorded(tmp_path, up, generic(2, "snapshot", 102 * S), *deltas), Settings())
    (token,) = coverage.tokens
    assert (token.name, coverage.start_ns, coverage.end_ns) == ("mkt-1/yes", 100 * S, 108 * S)
    assert coverage.totals == {NOT_OBSERVED: 2 * S, "VERIFIED": 6 * S}
    assert coverage.gaps == []
    assert [(note.kind, note.text) for note in coverage.notes] == [("up", "link stream up, 0 tokens")]


def test_a_gap_is_told_with_its_cause_and_what_healed_it(tmp_path: Path) -> None:
    frames = [
        generic(1, "snapshot", 10 * S),
        generic(2, "delta", 11 * S),
        generic(5, "delta", 15 * S),
        generic(6, "snapshot", 18 * S),
    ]
    coverage = cover_recording(recorded(tmp_path, *frames, generic(7, "delta", 20 * S)), Settings())
    ((token, gap),) = coverage.gaps
    assert coverage.totals == {"VERIFIED": 7 * S, "SUSPECT": 3 * S}
    assert (gap.cause, gap.healed_by, gap.end_ns) == ("seq 5 after 2", "snapshot", 18 * S)
    assert [part.reason for parts in token.cells.values() for state, part in parts.items() if state == "SUSPECT"] == [
        gap.cause
    ] * 3


def test_what_a_silent_feed_says_of_its_book_is_stale_however_long_the_silence(tmp_path: Path) -> None:
    frames = [generic(1, "snapshot", 0), generic(2, "delta", 1 * S), generic(3, "delta", 400_000 * S)]
    folder = recorded(tmp_path, *[RawFrame(ts_ns=f.ts_ns + S, link_id="s", data=f.data, mono_ns=1) for f in frames])
    coverage = cover_recording(folder, Settings())
    assert coverage.totals["STALE"] > 399_960 * S
    assert sum(coverage.totals.values()) == coverage.whole_ns == 400_000 * S


def test_nothing_is_known_while_no_recorder_ran(tmp_path: Path) -> None:
    recorded(tmp_path, generic(1, "snapshot", 10 * S), generic(2, "delta", 20 * S))
    recorded(tmp_path, generic(9, "snapshot", 62 * S), generic(10, "delta", 70 * S), started_ns=60 * S)
    coverage = cover_recording(tmp_path, Settings())
    assert coverage.observed == [(10 * S, 20 * S), (60 * S, 70 * S)]
    assert coverage.totals[NOT_OBSERVED] == 40 * S
    assert [(note.ts_ns, note.kind) for note in coverage.notes] == [(60 * S, "resumed")]


def test_a_link_that_is_down_makes_its_tokens_stale(tmp_path: Path) -> None:
    tokens = ("mkt-1/yes",)
    coverage = cover_recording(
        recorded(
            tmp_path,
            LinkEvent(ts_ns=10 * S, link_id="stream", state="up", token_ids=tokens),
            generic(1, "snapshot", 10 * S),
            LinkEvent(ts_ns=14 * S, link_id="stream", state="down", reason="reset", token_ids=tokens),
            LinkEvent(ts_ns=16 * S, link_id="stream", state="up", token_ids=tokens),
            generic(2, "snapshot", 17 * S),
            generic(3, "delta", 20 * S),
        ),
        Settings(),
    )
    assert coverage.totals == {"VERIFIED": 7 * S, "STALE": 3 * S}
    assert [(note.kind, note.text) for note in coverage.notes][1] == ("down", "link stream down, 1 tokens: reset")
    assert [gap.cause for _, gap in coverage.gaps] == ["link stream is down: reset"]


def test_the_shipped_recording_of_the_fake_venue_is_proved_without_a_gap(repository: Path, tmp_path: Path) -> None:
    shipped = repository / "recordings" / "fake-venue-10min"
    lines = itertools.islice(Recording(shipped).lines(), 3_000)
    (tmp_path / "000001.jsonl").write_bytes(b"".join(encode_line(line) for line, _ in lines))
    (tmp_path / "markets.json").write_bytes((shipped / "markets.json").read_bytes())
    coverage = cover_recording(tmp_path, Settings())
    assert (len(coverage.tokens), coverage.gaps) == (16, [])
    assert coverage.checks.done == coverage.checks.matched > 3_000
    assert coverage.totals.keys() == {"VERIFIED", NOT_OBSERVED}
    assert coverage.totals[NOT_OBSERVED] < len(coverage.tokens) * S // 4
    assert {token.name.rpartition(" / ")[2] for token in coverage.tokens} >= {"Yes", "No"}


def test_a_token_that_is_not_there_and_a_file_without_a_book_are_refused(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "a", generic(1, "snapshot", S))
    with pytest.raises(BadInput, match="no token 12"):
        cover_recording(folder, Settings(), token_id="12")
    with pytest.raises(BadInput, match="no book in it"):
        cover_recording(recorded(tmp_path / "b", LinkEvent(ts_ns=S, link_id="x", state="up")), Settings())
