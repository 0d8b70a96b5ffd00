"""Merging: by receipt, what one recorder wrote once, strangers' links apart, and honest about the time in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.messages.market import Market, Outcome
from pipeline.recording.index import Index, Made, read_index, write_index
from pipeline.recording.lines import Line
from pipeline.recording.markets import RecordedMarkets, write_markets
from pipeline.recording.merging import Merge, Part
from pipeline.recording.reader import Recording
from pipeline.recording.writer import RecordingWriter


def frame(ts_ns: int, text: str = "x", link: str = "ws-1") -> Line:
    return Line(kind="ws_in", ts_ns=ts_ns, link=link, text=text)


def up(ts_ns: int, *token_ids: str, link: str = "ws-1") -> Line:
    return Line(kind="link", ts_ns=ts_ns, link=link, state="up", token_ids=token_ids)


def part(
    folder: Path, *lines: Line, venue: str = "fake", markets: tuple[Market, ...] = (), made: Made | None = None, kin: str = ""
) -> Part:
    writer = RecordingWriter(folder, venue=venue)
    for line in lines:
        writer.keep(line)
    writer.close()
    write_markets(folder, RecordedMarkets(venue, markets))
    index = read_index(folder)
    write_index(folder, Index(index.segments, (kin,) if kin else index.origins, (made,) if made else ()))
    return Part.of(Recording(folder))


def test_lines_come_by_their_receipt_and_keep_their_order_within_a_moment(tmp_path: Path) -> None:
    one = part(tmp_path / "one", frame(1, "a"), frame(5, "b"), frame(5, "c"), kin="k")
    two = part(tmp_path / "two", frame(2, "d"), frame(5, "e"), frame(9, "f"), kin="k")
    assert [line.text for line in Merge([two, one]).lines()] == ["a", "d", "b", "c", "e", "f"]


def test_what_one_recorder_wrote_is_kept_once_and_as_often_as_it_came(tmp_path: Path) -> None:
    one = part(tmp_path / "one", frame(1, "a"), frame(2, "same"), frame(2, "same"), frame(3, "b"), kin="k")
    two = part(tmp_path / "two", frame(2, "same"), frame(2, "same"), frame(3, "b"), frame(4, "c"), kin="k")
    merge = Merge([one, two])
    assert [line.text for line in merge.lines()] == ["a", "same", "same", "b", "c"]
    assert merge.dropped == 3


def test_strangers_of_the_same_time_keep_both_their_frames_on_links_of_their_own(tmp_path: Path) -> None:
    markets = (Market("m", (Outcome("1", "Yes"), Outcome("2", "No"))),)
    one = part(tmp_path / "one", up(1, "1", "2"), frame(2, "a"), frame(9, "b"), markets=markets)
    two = part(tmp_path / "two", frame(3, "a"), frame(5, "c"), markets=markets)
    merge = Merge([one, two])
    found = list(merge.lines())
    assert [(line.ts_ns, line.link, line.text) for line in found if line.kind == "ws_in"] == [
        (2, "ws-1", "a"), (3, "ws-1~2", "a"), (5, "ws-1~2", "c"), (9, "ws-1", "b"),
    ]  # fmt: skip
    assert merge.renamed == ["link ws-1 of two is ws-1~2"] and merge.dropped == 0
    links = [(line.ts_ns, line.link, line.state, line.token_ids, bool(line.made)) for line in found if line.kind == "link"]
    assert links == [
        (1, "ws-1", "up", ("1", "2"), False),
        (3, "ws-1~2", "up", ("1", "2"), True),
        (5, "ws-1~2", "down", ("1", "2"), True),
    ]


def test_where_nobody_recorded_the_links_are_down(tmp_path: Path) -> None:
    one = part(tmp_path / "one", up(1, "1"), frame(2, "a"))
    two = part(tmp_path / "two", up(50, "1"), frame(51, "b"))
    found = list(Merge([two, one]).lines())
    assert [(line.ts_ns, line.kind, line.state) for line in found] == [
        (1, "link", "up"), (2, "ws_in", None), (2, "link", "down"), (50, "resumed", None), (50, "link", "up"), (51, "ws_in", None),
    ]  # fmt: skip
    assert found[3].reason == "nothing was recorded since one ended" and found[3].made == "by a merge"


def test_an_opening_is_dropped_where_another_goes_on_through_it_and_kept_behind_a_hole(tmp_path: Path) -> None:
    cut = Made(by="cut", sources=("whole",), to_ns=10)
    opening = Line(kind="ws_in", ts_ns=10, link="ws-1", text="book", made="opening books")
    before = part(tmp_path / "before", frame(1), frame(8), made=cut, kin="k")
    after = part(tmp_path / "after", opening, frame(12), made=Made(by="cut", sources=("whole",), from_ns=10), kin="k")
    assert [(line.ts_ns, line.made) for line in Merge([before, after]).lines()] == [(1, ""), (8, ""), (12, "")]
    later = Line(kind="ws_in", ts_ns=20, link="ws-1", text="book", made="opening books")
    apart = part(tmp_path / "apart", later, frame(22), made=Made(by="cut", sources=("whole",), from_ns=20), kin="k")
    found = [(line.ts_ns, line.kind, line.made) for line in Merge([before, apart]).lines()]
    assert found[-3:] == [(20, "resumed", "by a merge"), (20, "ws_in", "opening books"), (22, "ws_in", "")]


def test_cuts_of_two_markets_give_one_link_with_the_tokens_of_both(tmp_path: Path) -> None:
    one = part(tmp_path / "one", up(1, "1"), frame(2, "a"), made=Made("cut", ("w",), market_ids=("m",)), kin="k")
    two = part(tmp_path / "two", up(1, "2"), frame(2, "b"), made=Made("cut", ("w",), market_ids=("n",)), kin="k")
    assert [(line.kind, line.token_ids, line.text) for line in Merge([one, two]).lines()] == [
        ("link", ("1", "2"), None), ("ws_in", (), "a"), ("ws_in", (), "b"),
    ]  # fmt: skip


def test_markets_are_joined_and_venues_are_not(tmp_path: Path) -> None:
    old, fresh = Market("m", (), question="old"), Market("m", (), question="new")
    one = part(tmp_path / "one", frame(1), markets=(old,))
    two = part(tmp_path / "two", frame(9), markets=(fresh, Market("n", ())))
    assert [(market.market_id, market.question) for market in Merge([two, one]).recorded().markets] == [("m", "new"), ("n", "")]
    real = part(tmp_path / "real", frame(3), venue="polymarket")
    with pytest.raises(BadInput, match=r"of venue polymarket, and .*one is of fake; merge recordings of one venue"):
        Merge([one, real]).recorded()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "000001.jsonl").write_bytes(b"")
    with pytest.raises(BadInput, match="holds no line; leave it out"):
        Part.of(Recording(tmp_path / "none"))
