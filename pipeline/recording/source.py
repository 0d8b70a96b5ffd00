"""``open_frames``: whatever a path holds, as what the gateway would have heard.

A Polybot recording (folder or segment), JSON lines of the venue's frames or of the generic stream, captures that others made, a JSON
array of frames, and level-2 CSV; each of them plain or gzip.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from pipeline.base.errors import BadInput
from pipeline.base.nesting import nests_too_deeply
from pipeline.base.units import NS_PER_MS
from pipeline.messages import Message
from pipeline.messages.edges import FrameSent, RawFrame
from pipeline.messages.market import Market
from pipeline.recording.captures import CaptureKind, capture_kind, capture_message
from pipeline.recording.level2 import Columns, read_level2
from pipeline.recording.reader import Recording, open_bytes

SourceKind = Literal["recording", "capture", "frames", "generic", "level2"]
LARGEST_SINGLE = 256 * 1024 * 1024
"""Bytes of the largest file that is read as one JSON value."""
LINK = "file"
_HEARTBEATS = (b"PONG", b"PING")
_TS_MS = re.compile(rb'"ts_ms"\s*:\s*"?(\d{1,13})\b')
_TIMESTAMP = re.compile(rb'"timestamp"\s*:\s*"(\d{1,13})"')
_BROKEN_GZIP = (EOFError, zlib.error, OSError)
LATEST_MS = 10**13 - 1
_SHORT = 1_000
"""Bytes of a line that cannot nest too deeply for a parser."""
_NOT_PLAIN = (msgspec.DecodeError, ValueError, RecursionError)


class _Time(msgspec.Struct, gc=False):
    """What a generic frame says of its time where it is written plainly: three times as fast to find as by a search."""

    ts_ms: Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)] | None = None


_time = msgspec.json.Decoder(_Time)
_any = msgspec.json.Decoder()
_raw = msgspec.json.Decoder(msgspec.Raw)
_raws = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class FrameSource:
    """What was found at a path.

    ``strict``: somebody wrote this by hand, so a frame that cannot be understood is an error of the user's, told by its ``where``;
    otherwise it was captured live, and a bad frame is counted and skipped. ``venue`` is "fake", "polymarket", "generic" or "" (unknown).
    """

    path: Path
    kind: SourceKind
    strict: bool
    venue: str
    read: Callable[[], Iterator[Message]]
    markets: tuple[Market, ...] = field(default=())

    def messages(self) -> Iterator[Message]:
        """From the beginning: raw frames, REST bodies and link events, or (level-2) messages of the feed. Raises BadInput."""
        return self.read()


def open_frames(path: Path, *, market: str = "", columns: Columns | None = None, start_ns: int = 0) -> FrameSource:
    """Recognise what ``path`` is. Raises BadInput if it is missing, empty or nothing that is known.

    ``market`` and ``columns`` are for level-2 rows. A frame that tells no time has that of the one before
    it; the first of a generic file has ``start_ns``.
    """
    if path.is_dir():
        return _recording(path)
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder; give a recording, JSON lines of frames, or level-2 CSV")
    first, number = _first_line(path)
    if first.startswith(b"PAR1"):
        raise BadInput(
            f"{path}: is Parquet; `polybot backtest` plays level-2 rows, `polybot recordings convert` reads tables of frames"
        )
    if first.strip() in _HEARTBEATS:
        return _lines(path, "frames", start_ns)
    if nests_too_deeply(first):
        raise BadInput(f"{path}:{number}: nested too deeply to be frames")
    try:
        tree = _any.decode(first)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return _not_json(path, first, number, f"{error}", market, columns, start_ns)
    if isinstance(tree, dict):
        if "kind" in tree and "ts_ns" in tree:
            return _recording(path)
        kind = capture_kind(tree)
        if kind is not None:
            return FrameSource(path, "capture", False, "polymarket", lambda: _capture_lines(path, kind))
    if isinstance(tree, list) and any(isinstance(item, list) for item in tree):
        return _array(path, first, start_ns)
    inner = tree[0] if isinstance(tree, list) and tree else tree
    if isinstance(inner, dict):
        return _lines(path, "frames" if "event_type" in inner else "generic", start_ns)
    if tree == []:
        return _lines(path, "frames", start_ns)
    raise BadInput(f"{path}:{number}: expected an object with type or event_type, got {first[:60].decode(errors='replace')!r}")


def _recording(path: Path) -> FrameSource:
    recording = Recording(path)
    return FrameSource(path, "recording", False, recording.venue, recording.messages, recording.markets)


def _lines(path: Path, kind: Literal["frames", "generic"], start_ns: int) -> FrameSource:
    venue = "polymarket" if kind == "frames" else "generic"
    return FrameSource(
        path, kind, True, venue, lambda: _json_lines(path, start_ns if kind == "generic" else 0, kind == "generic")
    )


def _first_line(path: Path) -> tuple[bytes, int]:
    """The first line that is not blank, and its number."""
    with open_bytes(path) as stream:
        try:
            number = 1
            line = stream.readline(LARGEST_SINGLE)
            while line and not line.strip():
                number += 1
                line = stream.readline(LARGEST_SINGLE)
        except _BROKEN_GZIP as error:
            raise BadInput(f"{path}: cannot be read: {error}") from None
    if not line:
        raise BadInput(f"{path}: is empty")
    return line, number


def _not_json(
    path: Path, first: bytes, number: int, reason: str, market: str, columns: Columns | None, start_ns: int
) -> FrameSource:
    """The first line is no JSON value by itself: level-2 CSV, or one value written over many lines."""
    if first.lstrip()[:1] in (b"[", b"{"):
        with open_bytes(path) as stream:
            whole = stream.read(LARGEST_SINGLE)
        try:
            if nests_too_deeply(whole):
                raise BadInput(f"{path}: nested too deeply to be frames")
            _raw.decode(whole)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise BadInput(f"{path}:{number}: not JSON: {reason}") from None
        return _array(path, whole, start_ns)
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if columns is not None or ".csv" in suffixes or (b"," in first and not suffixes & {".json", ".jsonl", ".ndjson"}):
        return FrameSource(path, "level2", True, "polymarket", lambda: read_level2(path, market, columns))
    raise BadInput(f"{path}:{number}: not JSON: {reason}")


def _array(path: Path, whole: bytes, start_ns: int) -> FrameSource:
    """A file that is one JSON value: a single frame, or an array of frames."""
    items: list[bytes]
    try:
        items = [bytes(item) for item in _raws.decode(whole)]
    except msgspec.ValidationError:
        items = [whole]

    def read() -> Iterator[Message]:
        ts_ns = start_ns
        for number, item in enumerate(items):
            ts_ns = _latest_ns(item, ts_ns)
            yield RawFrame(ts_ns=ts_ns, link_id=LINK, data=item, where=f"{path}[{number}]")

    generic = not any(b'"event_type"' in item for item in items)
    return FrameSource(path, "generic" if generic else "frames", True, "generic" if generic else "polymarket", read)


def _json_lines(path: Path, start_ns: int, plain: bool) -> Iterator[Message]:
    """Frames with the times that they state; ``plain``: most lines have a ``ts_ms`` of their own."""
    ts_ns = start_ns
    name, decode, short = str(path), _time.decode, _SHORT if plain else 0
    with open_bytes(path) as stream:
        try:
            for number, line in enumerate(stream, 1):
                ts_ms = None
                if len(line) < short:
                    try:
                        ts_ms = decode(line).ts_ms
                    except _NOT_PLAIN:
                        ts_ms = None
                if ts_ms is None:
                    ts_ms = _stated_ms(line)
                if ts_ms is not None:
                    ts_ns = ts_ms * NS_PER_MS
                elif b'"timestamp"' in line:
                    ts_ns = _latest_ns(line, ts_ns)
                elif len(line) <= 2 and not line.strip():
                    continue
                yield RawFrame(ts_ns=ts_ns, link_id=LINK, data=line, where=f"{name}:{number}")
        except _BROKEN_GZIP as error:
            raise BadInput(f"{path}: ends in the middle of its compressed data: {error}") from None


def _stated_ms(line: bytes) -> int | None:
    """The ``ts_ms`` of a generic frame, wherever it stands in the line; None if it has none."""
    if b'"ts_ms"' not in line:
        return None
    found = _TS_MS.search(line)
    return None if found is None else int(found[1])


def _latest_ns(frame: bytes, ts_ns: int) -> int:
    """The latest time in a venue frame; a book's own can be hours old, so time never goes back."""
    return max([ts_ns, *(int(text) * NS_PER_MS for text in _TIMESTAMP.findall(frame))])


def _capture_lines(path: Path, kind: CaptureKind) -> Iterator[Message]:
    with open_bytes(path) as stream:
        try:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                if nests_too_deeply(line):
                    raise BadInput(f"{path}:{number}: nested too deeply to be a capture")
                try:
                    tree: Any = _any.decode(line)
                except (ValueError, RecursionError) as error:
                    raise BadInput(f"{path}:{number}: not JSON: {error}") from None
                try:
                    msg = capture_message(tree, kind, f"{path}:{number}")
                except ValueError as error:
                    raise BadInput(f"{path}:{number}: {error}") from None
                if type(msg) is not FrameSent:
                    yield msg
        except _BROKEN_GZIP as error:
            raise BadInput(f"{path}: ends in the middle of its compressed data: {error}") from None
