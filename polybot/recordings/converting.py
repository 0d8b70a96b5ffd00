"""Recordings as Parquet or CSV, and other files as recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.base.errors import BadInput
from pipeline.recording.index import Made, read_index
from pipeline.recording.lines import encode_line, line_of
from pipeline.recording.markets import MARKETS_FILE, RecordedMarkets, read_markets, write_markets
from pipeline.recording.new_folder import new_file, new_folder, new_recording
from pipeline.recording.reader import Recording
from pipeline.recording.source import FrameSource, open_frames
from polybot.recordings.level2 import changes_of, write_csv
from polybot.recordings.parquet_files import (
    FRAMES,
    LEVEL2,
    Origin,
    arrow,
    read_frames,
    read_origin,
    write_changes,
    write_frames,
)

Form = Literal["parquet", "csv", "frames"]
FORMS: tuple[Form, ...] = ("parquet", "csv", "frames")
Shown = Callable[[int], None]
_SUFFIX = ".parquet"


@dataclass(frozen=True)
class Converted:
    """What was written: files by name with their rows; of a recording, its folder with its lines."""

    form: Form
    rows: dict[str, int]


def form_for(path: Path, out: Path) -> Form:
    """What is meant where nobody says: CSV by the ending of ``out``, frames of a Parquet table, else Parquet."""
    if out.suffix == ".csv":
        return "csv"
    return "frames" if _table_of(path) is not None else "parquet"


def convert_recording(
    path: Path, out: Path, form: Form, *, market: str = "", verify: bool = True, shown: Shown = lambda done: None
) -> Converted:
    """Write what ``path`` holds in another form at ``out``, which must not be there. ``market`` is for lines that name none.

    Raises BadInput for what cannot be read, was changed, or holds no frames where frames are wanted.
    """
    table = _table_of(path)
    if table is not None:
        if form != "frames":
            raise BadInput(f"{path}: is a table of frames; give --to frames, and convert the recording that comes out")
        return _from_table(table, out, shown)
    word = market or path.name.split(".")[0]
    source = open_frames(path, market=word)
    if verify and source.kind == "recording":
        Recording(path).verify()
    if form == "frames":
        return _as_recording(source, out, shown)
    if form == "csv":
        with new_file(out) as file:
            return Converted(form, {out.name: write_csv(changes_of(source, word, shown), file)})
    return _as_tables(source, out, word, shown)


def _table_of(path: Path) -> Path | None:
    """The table of frames that a path is or holds."""
    if path.is_dir() and (path / FRAMES).is_file():
        return path / FRAMES
    if path.is_dir() and (path / LEVEL2).is_file():
        raise BadInput(f"{path}: holds level-2 changes only, of which frames cannot be made; convert the recording itself")
    return path if path.suffix == _SUFFIX and path.is_file() else None


def _from_table(table: Path, out: Path, shown: Shown) -> Converted:
    origin = read_origin(table)
    made = Made(by="convert", sources=(table.parent.name,), text=f"frames of {table.name}")
    last: int | None = None
    known = read_markets(table.parent)
    recorded = RecordedMarkets(venue=origin.venue or known.venue, markets=known.markets, source=known.source)
    with new_recording(out, recorded, lambda: made, origin.origins, origin.made) as writer:
        for number, (segment, text) in enumerate(read_frames(table)):
            if last is not None and segment != last:
                writer.rotate()
            last = segment
            writer.keep_text(text)
            if not number & 0xFFF:
                shown(number)
    return Converted("frames", {out.name: writer.lines})


def _as_recording(source: FrameSource, out: Path, shown: Shown) -> Converted:
    if source.kind in ("recording", "level2"):
        told = "is a recording already" if source.kind == "recording" else "holds level-2 changes, of which frames cannot be made"
        raise BadInput(f"{source.path}: {told}; give --to parquet or --to csv")
    made = Made(by="convert", sources=(source.path.name,), text=f"frames of {source.path.name}")
    with new_recording(out, RecordedMarkets(source.venue, source.markets), lambda: made) as writer:
        for number, msg in enumerate(source.messages()):
            writer.write(msg)
            if not number & 0xFFF:
                shown(number)
    return Converted("frames", {out.name: writer.lines})


def _as_tables(source: FrameSource, out: Path, word: str, shown: Shown) -> Converted:
    arrow()
    rows: dict[str, int] = {}
    with new_folder(out) as part:
        if source.kind != "level2":
            rows[FRAMES] = write_frames(_texts(source, shown), part / FRAMES, _origin(source))
        rows[LEVEL2] = write_changes(changes_of(source, word, shown), part / LEVEL2)
        if source.kind == "recording":
            folder = source.path if source.path.is_dir() else source.path.parent
            if (folder / MARKETS_FILE).is_file():
                write_markets(part, read_markets(folder))
    return Converted("parquet", rows)


def _origin(source: FrameSource) -> Origin:
    if source.kind != "recording":
        return Origin(source.venue)
    index = read_index(source.path)
    return Origin(source.venue, index.origins, index.made)


def _texts(source: FrameSource, shown: Shown) -> Iterator[tuple[int, bytes]]:
    """Lines with the number of their segment."""
    if source.kind == "recording":
        for number, (text, segment) in enumerate(Recording(source.path).texts()):
            if not number & 0xFFF:
                shown(number)
            name = segment.name.partition(".")[0]
            yield int(name) if name.isascii() and name.isdigit() else 0, text
        return
    for msg in source.messages():
        line = line_of(msg)
        if line is not None:
            yield 1, encode_line(line)
