"""A cut is complete in itself: its books are those of the whole at every batch, and what was made for it says so."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.messages.edges import RawFrame
from pipeline.recording.index import read_index
from pipeline.recording.lines import Line
from pipeline.recording.reader import Recording
from polybot.recordings.cutting import cut_recording, span_of
from polybot.recordings.merging import merge_recordings

MS = 1_000_000
KINDS = ("plain", "halved", "doubled", "healed")


def moment(folder: Path, share: float) -> int:
    first_ns, last_ns = span_of(folder)
    return first_ns + int((last_ns - first_ns) * share)


def made_of(folder: Path) -> list[Line]:
    return [line for line, _ in Recording(folder).lines() if line.made]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2, derandomize=True)
@given(share=st.floats(0.02, 0.98))
def test_a_cut_has_the_books_of_the_whole_at_every_batch(
    request: Any, books: Callable[[Path], Any], kind: str, share: float
) -> None:
    whole = request.getfixturevalue(kind)
    from_ns = moment(whole, share)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "cut"
        done = cut_recording(whole, out, from_ns=from_ns)
        found = [book for book in books(out, again=True) if book[0] > from_ns]
    wanted = [book for book in books(whole) if book[0] > from_ns]
    assert from_ns - 10_000 * MS <= done.start_ns
    assert found == wanted


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2)
@given(places=st.sets(st.integers(1, 10**6), min_size=1, max_size=3))
def test_cuts_merged_again_are_the_whole_byte_for_byte(
    request: Any, bytes_of: Callable[[Path], bytes], kind: str, places: set[int]
) -> None:
    whole = request.getfixturevalue(kind)
    times = sorted({line.ts_ns for line, _ in Recording(whole).lines()})[1:]
    bounds = [0, *sorted({times[place % len(times)] for place in places}), 0]
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for number, (from_ns, to_ns) in enumerate(pairwise(bounds)):
            parts.append(Path(folder) / f"part-{number}")
            cut_recording(whole, parts[-1], from_ns=from_ns, to_ns=to_ns)
        merge_recordings(parts[::-1], Path(folder) / "again")
        assert bytes_of(Path(folder) / "again") == bytes_of(whole)


def test_the_opening_is_marked_and_proved_by_its_own_hashes(plain: Path, tmp_path: Path, books: Callable[[Path], Any]) -> None:
    from_ns = moment(plain, 0.5)
    done = cut_recording(plain, tmp_path / "cut", from_ns=from_ns)
    link, opening = made_of(tmp_path / "cut")
    assert (link.kind, link.state, len(link.token_ids)) == ("link", "up", 16)
    assert opening.made == "opening books, made from the state at this moment" and opening.ts_ns == done.start_ns
    frames = msgspec.json.decode(opening.data)
    assert {entry["event_type"] for entry in frames} == {"book"} and all(entry["hash"] for entry in frames)
    first = [book for book in books(tmp_path / "cut") if book[0] == done.start_ns]
    assert {state for *_, state, _ in first} == {"VERIFIED"} and len({book[1] for book in first}) == 16


def test_a_book_that_waits_for_a_fresh_one_is_not_opened_with_and_comes_with_the_answer(
    healed: Path, tmp_path: Path, books: Callable[[Path], Any]
) -> None:
    asking = [book for book in books(healed) if book[5] == "RESYNCING"]
    from_ns = asking[0][0] + 50 * MS
    done = cut_recording(healed, tmp_path / "asking", from_ns=from_ns)
    assert done.start_ns < asking[0][0] and not done.left_out  # a trade may still have explained the miss
    assert [book for book in books(tmp_path / "asking") if book[0] > from_ns] == [
        book for book in books(healed) if book[0] > from_ns
    ]


def test_a_cut_between_the_frames_of_one_change_begins_before_the_first(halved: Path, tmp_path: Path) -> None:
    def told(line: Line) -> set[tuple[str, str]]:
        tree = msgspec.json.decode(line.data)
        return {(entry["asset_id"], entry["hash"]) for entry in tree["price_changes"]}

    changes = [line for line, _ in Recording(halved).lines() if line.kind == "ws_in" and '"price_change"' in (line.text or "")]
    early = next(one for one, two in pairwise(changes) if two.ts_ns > one.ts_ns and told(one) & told(two))
    done = cut_recording(halved, tmp_path / "cut", from_ns=early.ts_ns + MS)
    assert done.start_ns < early.ts_ns and early.ts_ns in {line.ts_ns for line, _ in Recording(tmp_path / "cut").lines()}


def test_a_cut_of_one_market_holds_nothing_of_the_others(plain: Path, tmp_path: Path, books: Callable[[Path], Any]) -> None:
    market = Recording(plain).markets[0]
    out = tmp_path / "one"
    done = cut_recording(plain, out, from_ns=moment(plain, 0.4), market_words=(market.slug,))
    recording = Recording(out)
    assert done.markets == 1 and recording.markets == (market,)
    assert read_index(out).made[-1].market_ids == (market.market_id,)
    others = [token_id for other in Recording(plain).markets[1:] for token_id in (*other.token_ids, other.market_id)]
    heard = b"".join(text for text, _ in recording.texts()).decode()
    assert not [word for word in others if word in heard]
    start_ns = moment(plain, 0.4)
    wanted = [book for book in books(plain) if book[1] in market.token_ids and book[0] > start_ns]
    assert [book for book in books(out) if book[0] > start_ns] == wanted


def test_a_frame_about_several_markets_is_cut_to_its_part_and_marked(plain: Path, tmp_path: Path) -> None:
    market = Recording(plain).markets[1]
    cut_recording(plain, tmp_path / "one", market_words=(market.market_id,))
    (part,) = made_of(tmp_path / "one")
    assert part.made == "a part of the frame: 2 of its 16 events"
    whole = next(msg.data for msg in Recording(plain).messages() if isinstance(msg, RawFrame))
    items = [bytes(item) for item in msgspec.json.decode(whole, type=list[msgspec.Raw])]
    ours = [item for item in items if market.market_id.encode() in item]
    assert part.data == b"[" + b",".join(ours) + b"]" and len(ours) == 2


def test_a_cut_of_a_generic_stream_opens_with_a_snapshot_that_its_numbers_continue(
    tmp_path: Path, written: Callable[..., Path], books: Callable[..., Any]
) -> None:
    frames = [
        '{"type":"snapshot","seq":1,"bids":[[0.40,5]],"asks":[[0.60,5]]}',
        '{"type":"delta","seq":2,"bids":[[0.41,1]]}',
        '{"type":"delta","seq":3,"asks":[[0.59,2.5]]}',
        '{"type":"delta","seq":4,"bids":[[0.41,-1]]}',
    ]
    lines = [Line(kind="ws_in", ts_ns=10**18 + number, link="s", text=text) for number, text in enumerate(frames)]
    whole = written(tmp_path / "generic", lines)
    cut_recording(whole, tmp_path / "cut", from_ns=lines[2].ts_ns)
    (opening,) = made_of(tmp_path / "cut")
    assert msgspec.json.decode(opening.data) == {
        "type": "snapshot", "seq": 2, "bids": [["0.41", "1"], ["0.4", "5"]], "asks": [["0.6", "5"]],
    }  # fmt: skip
    wanted = [book for book in books(whole, "generic") if book[0] >= lines[2].ts_ns]
    assert books(tmp_path / "cut", "generic")[1:] == wanted
    assert {book[5] for book in wanted} == {"VERIFIED"}


def test_what_cannot_be_cut_is_refused_and_leaves_nothing(plain: Path, tmp_path: Path, repository: Path) -> None:
    first_ns, last_ns = span_of(plain)
    for words, options in (
        ("is not before --to", {"from_ns": last_ns, "to_ns": first_ns}),
        ("holds no line of the wanted stretch", {"from_ns": last_ns + 1}),
        ("holds no line of the wanted stretch", {"to_ns": first_ns}),
        ("has no such market; give an id, a slug or a token", {"market_words": ("nothing",)}),
    ):
        with pytest.raises(BadInput, match=words):
            cut_recording(plain, tmp_path / "cut", **options)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="holds generic, no recording"):
        cut_recording(repository / "recordings" / "sample.jsonl", tmp_path / "cut")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "cut").mkdir()
    with pytest.raises(BadInput, match="is there already"):
        cut_recording(plain, tmp_path / "cut")


def test_a_changed_recording_is_cut_only_on_demand(plain: Path, tmp_path: Path, written: Callable[..., Path]) -> None:
    spoilt = written(tmp_path / "spoilt", [line for line, _ in Recording(plain).lines()][:50], plain)
    segment = spoilt / "000001.jsonl.gz"
    data = bytearray(segment.read_bytes())
    data[len(data) - 30] ^= 8
    segment.write_bytes(data)
    with pytest.raises(BadInput, match=r"000001\.jsonl\.gz: changed since it was finished"):
        cut_recording(spoilt, tmp_path / "cut")
    assert cut_recording(spoilt, tmp_path / "cut", verify=False).lines > 0
