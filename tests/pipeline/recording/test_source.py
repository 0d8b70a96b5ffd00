import gzip
import json
from pathlib import Path

import pytest

from pipeline.base.errors import BadFrame, BadInput
from pipeline.messages.edges import LinkEvent, RawFrame
from pipeline.messages.market import VenuePriceChange
from pipeline.recording.source import FrameSource, open_frames
from pipeline.venue.decode import FrameDecoder
from pipeline.venue.generic import GenericRules

GENERIC = '{"type":"snapshot","seq":1,"bids":[[0.40,100.0]],"asks":[[0.47,100.0]]}\n{"type":"delta","seq":2}\n'
BOOK = '{"event_type":"book","asset_id":"1","market":"0x1","timestamp":"1700000000123","bids":[],"asks":[]}'


def at(tmp_path: Path, text: str | bytes, name: str = "x.jsonl") -> Path:
    file = tmp_path / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def decoded(source: FrameSource) -> tuple[int, list[str], dict[str, int]]:
    """Messages, reasons of refused frames, what was skipped."""
    decoder, total, refused = FrameDecoder(GenericRules("m")), 0, []
    for msg in source.messages():
        if isinstance(msg, RawFrame):
            try:
                total += len(decoder.decode(msg.data, msg.ts_ns))
            except BadFrame as error:
                refused.append(str(error))
    return total, refused, decoder.counts


def test_generic_lines_are_known_and_keep_their_place(tmp_path: Path) -> None:
    file = at(tmp_path, "\n" + GENERIC)
    source = open_frames(file)
    assert (source.kind, source.strict, source.venue) == ("generic", True, "generic")
    assert [msg.where for msg in source.messages()] == [f"{file}:2", f"{file}:3"]  # type: ignore[attr-defined]


def test_a_generic_line_is_received_when_it_says_and_else_with_the_one_before(tmp_path: Path) -> None:
    file = at(tmp_path, '{"type":"delta","seq":1}\n{"type":"delta","seq":2,"ts_ms":5}\n{"type":"delta","seq":3}\n')
    assert [msg.ts_ns for msg in open_frames(file, start_ns=7).messages()] == [7, 5_000_000, 5_000_000]


def test_frames_of_the_venue_are_known_packed_or_not(tmp_path: Path) -> None:
    for file in (at(tmp_path, f"PONG\n{BOOK}\n"), at(tmp_path, gzip.compress(f"{BOOK}\n[{BOOK}]\n".encode()), "y.gz")):
        source = open_frames(file)
        assert (source.kind, source.strict, source.venue) == ("frames", True, "polymarket")
        assert list(source.messages())[1].ts_ns == 1_700_000_000_123_000_000


def test_the_time_of_hand_made_frames_never_goes_back(tmp_path: Path) -> None:
    file = at(tmp_path, BOOK + "\n" + BOOK.replace("1700000000123", "1600000000000") + "\n")
    assert len({msg.ts_ns for msg in open_frames(file).messages()}) == 1


def test_an_array_of_frames_and_one_indented_frame_are_read_whole(tmp_path: Path) -> None:
    array = json.dumps([[json.loads(BOOK)], json.loads(BOOK)], indent=2)
    assert decoded(open_frames(at(tmp_path, array)))[0] == 2
    assert decoded(open_frames(at(tmp_path, json.dumps([[json.loads(BOOK)], json.loads(BOOK)]))))[0] == 2
    assert decoded(open_frames(at(tmp_path, json.dumps(json.loads(BOOK), indent=2))))[0] == 1


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("", "x.jsonl", "is empty"),
        ("\n\n", "x.jsonl", "is empty"),
        ("hello\n", "x.jsonl", r"x\.jsonl:1: not JSON"),
        ("PAR1\x15\x04\n", "x.parquet", r"x\.parquet: is Parquet; `polybot backtest` plays"),
        ('\n{"type":\n', "x.jsonl", r"x\.jsonl:2: not JSON"),
        ("5\n", "x.jsonl", r"x\.jsonl:1: expected an object"),
        (b"\x1f\x8b\x08\x00garbage", "x.gz", "cannot be read"),
    ],
)
def test_a_file_that_is_nothing_known_is_refused_with_its_place(
    tmp_path: Path, text: str | bytes, name: str, reason: str
) -> None:
    with pytest.raises(BadInput, match=reason):
        open_frames(at(tmp_path, text, name))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        open_frames(tmp_path / "absent.jsonl")


def test_a_packed_file_that_ends_early_is_refused_while_reading(tmp_path: Path) -> None:
    lines = "".join(f'{{"type":"delta","seq":{n * 7919}}}\n' for n in range(5000))
    source = open_frames(at(tmp_path, gzip.compress(lines.encode())[:-500], "x.gz"))
    with pytest.raises(BadInput, match="middle of its compressed data"):
        list(source.messages())


CAPTURES = {
    "adriancova_market_frames_h1_run8.jsonl": ("capture", 27 + 20, {"heartbeat": 2}),
    "adriancova_ws_market_v2_session.jsonl": ("capture", 2, {"heartbeat": 5}),
    "polyarb_ws_market_capture.json": ("frames", 3 + 8, {}),
    "tail5m_bba_cancel_batch.jsonl": ("capture", 2 + 8, {}),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_every_real_capture_decodes_whole(shared: Path, name: str) -> None:
    source = open_frames(shared / "data" / "real" / "ws" / name)
    kind, messages, skipped = CAPTURES[name]
    assert source.kind == kind
    assert decoded(source) == (messages, [], skipped)
    times = [msg.ts_ns for msg in source.messages()]
    assert times == sorted(times) and times[0] > 1_780_000_000_000_000_000


def test_a_captured_session_tells_its_link(shared: Path) -> None:
    source = open_frames(shared / "data" / "real" / "ws" / "adriancova_ws_market_v2_session.jsonl")
    states = [msg.state for msg in source.messages() if isinstance(msg, LinkEvent)]
    assert states[0] == "up" and states[-1] == "closed"


def test_every_row_of_the_real_level_2_file_is_a_message(shared: Path) -> None:
    source = open_frames(shared / "data" / "real" / "l2" / "tickscope_polymarket_20260607_0130.csv.gz", market="m")
    assert source.kind == "level2"
    changes = trades = 0
    for msg in source.messages():
        if type(msg) is VenuePriceChange:
            changes += 1
        else:
            trades += 1
    assert (changes, trades) == (206_365, 483)
