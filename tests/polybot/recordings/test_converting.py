"""To Parquet and back gives the same bytes; level-2 rows lead to the same books."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.messages.market import VenueBook, VenuePriceChange, VenueTrade
from pipeline.recording.index import read_index
from pipeline.recording.lines import Line, encode_line, with_data
from pipeline.recording.reader import Recording
from pipeline.recording.source import open_frames
from pipeline.recording.writer import RecordingWriter
from polybot.recordings.converting import convert_recording, form_for
from polybot.recordings.level2 import changes_of

texts = st.text(max_size=8)
times = st.integers(0, 2**63 - 1)
frames = st.builds(
    with_data, st.builds(Line, kind=st.sampled_from(("ws_in", "ws_out", "rest")), ts_ns=times, link=texts, mono_ns=times,
                         request=texts, status=st.integers(0, 599), made=texts),
    st.one_of(st.binary(max_size=12), texts.map(str.encode)),
)  # fmt: skip
others = st.builds(
    Line, kind=st.sampled_from(("link", "refused", "resumed")), ts_ns=times, link=texts, reason=texts, token_ids=st.tuples(texts),
    state=st.sampled_from((None, "up", "down")),
)  # fmt: skip
stray = st.sampled_from(
    (b"\n", b"{}\n", b'{"ts_ns": 1, "kind": "ws_in"}\n', b"\xff\xfe\n", b'{"kind":"ws_in","ts_ns":1,"text":"a\\/b"}\n')
)
lines_of_a_recording = st.lists(st.one_of(st.one_of(frames, others).map(encode_line), stray), min_size=1, max_size=12)


@settings(max_examples=8)
@given(lines=lines_of_a_recording, torn=st.booleans(), rotations=st.sets(st.integers(0, 11)))
def test_to_parquet_and_back_gives_the_same_bytes_in_the_same_segments(
    lines: list[bytes], torn: bool, rotations: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        there, tables, again = (Path(folder) / name for name in ("there", "tables", "again"))
        writer = RecordingWriter(there)
        writer.keep_text(encode_line(Line(kind="ws_in", ts_ns=1, text="first")))
        for number, text in enumerate(lines):
            if number in rotations:
                writer.rotate()
            writer.keep_text(text)
        if torn:
            writer.keep_text(b'{"kind":"ws_in","ts_n')
        writer.close()
        convert_recording(there, tables, "parquet")
        convert_recording(tables, again, "frames")
        assert {path.name: path.read_bytes() for path in again.glob("*.gz")} == {
            path.name: path.read_bytes() for path in there.glob("*.gz")
        }
        assert read_index(again).origins == read_index(there).origins
        assert [made.by for made in read_index(again).made] == ["convert"]


def test_markets_and_venue_come_along(plain: Path, tmp_path: Path) -> None:
    done = convert_recording(plain, tmp_path / "tables", "parquet")
    assert set(done.rows) == {"frames.parquet", "level2.parquet"}
    assert form_for(tmp_path / "tables", tmp_path / "again") == "frames"
    convert_recording(tmp_path / "tables", tmp_path / "again", "frames")
    there, again = Recording(plain), Recording(tmp_path / "again")
    assert (again.venue, again.markets, again.source) == (there.venue, there.markets, there.source)


def test_the_table_of_frames_has_what_came_with_its_link_and_time(plain: Path, tmp_path: Path) -> None:
    import pyarrow.parquet

    convert_recording(plain, tmp_path / "tables", "parquet")
    table = pyarrow.parquet.read_table(tmp_path / "tables" / "frames.parquet").to_pylist()
    wanted = [(line.ts_ns, line.link, line.kind, line.data) for line, _ in Recording(plain).lines()]
    assert [(row["ts_ns"], row["link_id"], row["kind"], row["data"] or b"") for row in table] == wanted
    assert not any(row["line"] for row in table)
    level2 = pyarrow.parquet.read_table(tmp_path / "tables" / "level2.parquet")
    assert {str(level2.schema.field(name).type) for name in ("ts_ns", "price_e6", "size_e6")} == {"int64"}
    rows = [tuple(row.values()) for row in level2.to_pylist()]
    assert rows == [tuple(change) for change in changes_of(open_frames(plain), "")]


def test_level2_rows_lead_to_the_books_of_the_feed(plain: Path) -> None:
    levels: dict[tuple[str, str], dict[int, int]] = {}
    for change in changes_of(open_frames(plain), ""):
        if change.event != "trade":
            side = levels.setdefault((change.token_id, change.side), {})
            side[change.price_e6] = change.size_e6
    from polybot.recordings.following import Follower

    recording = Recording(plain)
    follower = Follower(recording.markets, "", answers=False)
    for line, where in recording.lines():
        follower.take(line, where)
    wanted = {}
    for book in follower._builder.shelf.all():
        assert book.book is not None
        wanted[book.token_id, "bid"], wanted[book.token_id, "ask"] = book.book.bids.sizes, book.book.asks.sizes
    assert {key: {price: size for price, size in side.items() if size} for key, side in levels.items()} == wanted


def test_csv_is_read_again_with_the_default_columns(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "changes.csv"
    assert form_for(plain, out) == "csv"
    rows = convert_recording(plain, out, "csv").rows["changes.csv"]
    source = open_frames(out, market="m")
    found = list(source.messages())
    assert source.kind == "level2" and len(found) == rows
    changes = list(changes_of(open_frames(plain), ""))
    assert [msg.ts_ns for msg in found] == [change.ts_ns for change in changes]
    trades = [msg for msg in found if isinstance(msg, VenueTrade)]
    assert len(trades) == sum(change.event == "trade" for change in changes) and not any(
        isinstance(msg, VenueBook) for msg in found
    )
    assert isinstance(found[0], VenuePriceChange)
    with out.open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file))[:6] == ["ts_ms", "event_type", "asset_id", "side", "price", "size"]


def test_a_file_of_frames_becomes_a_recording(repository: Path, tmp_path: Path) -> None:
    sample = repository / "recordings" / "sample.jsonl"
    convert_recording(sample, tmp_path / "made", "frames")
    assert b"".join(line.data for line, _ in Recording(tmp_path / "made").lines()) == sample.read_bytes()


def test_what_has_no_frames_says_so_and_leaves_nothing(repository: Path, tmp_path: Path, plain: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("ts_ms,event_type,asset_id,side,price,size,best_bid,best_ask\n1,PRICE_CHANGE,1,BID,0.5,1,,\n")
    convert_recording(rows, tmp_path / "tables", "parquet", market="m")
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 nothing PAR1")
    left = sorted(path.name for path in tmp_path.iterdir())
    for path, form, words in (
        (rows, "frames", "holds level-2 changes, of which frames cannot be made"),
        (tmp_path / "tables", "frames", "holds level-2 changes only"),
        (plain, "frames", "is a recording already"),
        (bad, "frames", "not Parquet"),
        (tmp_path / "tables" / "level2.parquet", "frames", "not a table of frames"),
        (bad, "csv", "is a table of frames; give --to frames"),
        (tmp_path / "nothing", "parquet", "no such file or folder"),
    ):
        with pytest.raises(BadInput, match=words):
            convert_recording(path, tmp_path / "out", form)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_a_table_whose_rows_are_no_lines_is_refused_with_the_row(tmp_path: Path, written: Callable[..., Path]) -> None:
    import pyarrow
    import pyarrow.parquet

    convert_recording(written(tmp_path / "r", [Line(kind="ws_in", ts_ns=5, text="a")] * 2), tmp_path / "tables", "parquet")
    file = tmp_path / "tables" / "frames.parquet"
    table = pyarrow.parquet.read_table(file)
    pyarrow.parquet.write_table(table.set_column(1, "kind", pyarrow.array(["ws_in", "\x1b[2J"])), file)
    with pytest.raises(BadInput, match="row 2: no line of a recording"):
        convert_recording(tmp_path / "tables", tmp_path / "again", "frames")
    assert not (tmp_path / "again").exists()
