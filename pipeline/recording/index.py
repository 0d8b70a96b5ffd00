"""``index.json``: what a recording knows of its finished segments, with their checksums, and how it was made if another was its source.

A checksum tells that a byte has changed since the segment was finished, by a disk or a hand; it is no signature, as whoever changes a
segment on purpose can change the index too.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.base.errors import BadInput
from pipeline.recording.lines import Nanoseconds, decode_line

INDEX_FILE = "index.json"
FORMAT = 1
CHUNK = 1024 * 1024
BROKEN = (EOFError, zlib.error, OSError)
_NAME = re.compile(r"\d{6}\.jsonl(\.gz)?", re.ASCII)
_HEAD = re.compile(rb'\{"kind":"([a-z_]{1,16})","ts_ns":(\d{1,19})[,}]')


class Segment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finished segment. ``sha256`` is that of the file as it lies, ``lines_sha256`` that of its lines unpacked.

    ``kinds`` counts lines by kind; ``torn``: a killed recorder left its last line unfinished.
    """

    file: str
    sha256: str
    bytes: int
    lines_sha256: str
    lines_bytes: int
    kinds: dict[str, int]
    first_ns: Nanoseconds = 0
    last_ns: Nanoseconds = 0
    torn: bool = False

    @property
    def number(self) -> str:
        """The name without its endings."""
        return self.file.partition(".")[0]


class Made(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a recording was made of others. A cut has ``from_ns`` (inclusive) and ``to_ns`` (exclusive), 0 for its source's own ends."""

    by: Literal["cut", "merge", "convert"]
    sources: tuple[str, ...]
    text: str = ""
    from_ns: Nanoseconds = 0
    to_ns: Nanoseconds = 0
    market_ids: tuple[str, ...] = ()


class Index(msgspec.Struct, frozen=True, omit_defaults=True):
    """``origins`` name the recorders' beginnings that the lines come from: cuts of one recording have the same."""

    segments: tuple[Segment, ...] = ()
    origins: tuple[str, ...] = ()
    made: tuple[Made, ...] = ()
    format: int = FORMAT

    def of(self, number: str) -> Segment | None:
        """The entry of a segment, by its number."""
        return next((segment for segment in self.segments if segment.number == number), None)


class Counted:
    """Lines by kind with their first and latest time: what a recorder counts as it writes."""

    __slots__ = ("bytes", "first_ns", "kinds", "last_ns", "torn")

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self.first_ns = self.last_ns = self.bytes = 0
        self.torn = False

    def add(self, kind: str, ts_ns: int, size: int) -> None:
        """One line."""
        kinds = self.kinds
        kinds[kind] = kinds.get(kind, 0) + 1
        self.first_ns = self.first_ns or ts_ns
        if ts_ns > self.last_ns:
            self.last_ns = ts_ns
        self.bytes += size

    def add_text(self, text: bytes) -> None:
        """One line as it stands in a file; what is none counts as ``bad``, or is the torn end."""
        head = _HEAD.match(text)
        if head is not None and text.endswith(b"}\n"):
            self.add(head[1].decode(), int(head[2]), len(text))
            return
        try:
            line = decode_line(text)
        except ValueError:
            self.bytes += len(text)
            if text.endswith(b"\n"):
                self.kinds["bad"] = self.kinds.get("bad", 0) + 1
            else:
                self.torn = True
            return
        self.add(line.kind, line.ts_ns, len(text))


def count_lines(stream: Iterable[bytes]) -> Counted:
    """Count what a stream of lines holds; a packed one that breaks off is torn."""
    found = Counted()
    try:
        for text in stream:
            found.add_text(text)
    except BROKEN:
        found.torn = True
    return found


def file_sha256(path: Path) -> str:
    """The checksum of a file as it lies. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def lines_sha256(path: Path) -> str:
    """The checksum of a segment's lines, unpacked if it is packed; "" if it cannot be unpacked."""
    digest = hashlib.sha256()
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except BROKEN:
        return ""
    return digest.hexdigest()


def read_index(folder: Path) -> Index:
    """The index of a recording; an empty one if it has none. Raises BadInput if the file is no index."""
    file = folder / INDEX_FILE
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Index)
    except FileNotFoundError:
        return Index()
    except NotADirectoryError:
        return Index()
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror or error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{file}: not the index of a recording: {error}; remove it to read without checksums") from None
    if found.format > FORMAT:
        raise BadInput(f"{file}: is of format {found.format}, and this version knows {FORMAT}; update Polybot")
    for segment in found.segments:
        if not _NAME.fullmatch(segment.file):
            raise BadInput(f"{file}: {segment.file!r} is no name of a segment; remove the index to read without checksums")
    return found


def write_index(folder: Path, index: Index) -> None:
    """Replace the index, whole or not at all."""
    file = folder / INDEX_FILE
    fresh = file.with_suffix(".json.tmp")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(index), indent=1) + b"\n")
    fresh.replace(file)


def with_segment(index: Index, segment: Segment) -> Index:
    """The index with one more segment, or with another entry of the same number, in order."""
    others = [known for known in index.segments if known.number != segment.number]
    return msgspec.structs.replace(index, segments=tuple(sorted([*others, segment], key=lambda known: known.number)))


def origin_of(first_line: bytes) -> str:
    """What names a recorder's beginning: the first line that it wrote."""
    return hashlib.sha256(first_line).hexdigest()[:16]
