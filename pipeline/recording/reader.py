"""Reads a recording back, in the order in which it was written."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pipeline.base.errors import BadInput
from pipeline.messages import Message
from pipeline.messages.edges import LinkEvent
from pipeline.messages.market import Market
from pipeline.recording.checking import require_unchanged
from pipeline.recording.lines import Line, decode_line, message_of
from pipeline.recording.markets import read_markets
from pipeline.recording.writer import segments_of

GZIP_MAGIC = b"\x1f\x8b"
LEFT_OUT_KEPT = 1_000


def open_bytes(path: Path) -> IO[bytes]:
    """A file for reading, unpacked if it is gzip whatever its name. Raises BadInput if it cannot be opened."""
    try:
        with path.open("rb") as probe:
            packed = probe.read(2) == GZIP_MAGIC
        return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise BadInput(f"{path}: cannot be opened: {error.strerror or error}; give a file or a recording's folder") from None


def _open_segment(path: Path) -> IO[bytes]:
    """A segment, also one that its recorder has finished and packed since it was listed."""
    packed = path.with_suffix(".jsonl.gz")
    return open_bytes(packed if not path.exists() and packed.exists() else path)


class Recording:
    """A recording: a folder, or one of its segments. Counts what it had to leave out: ``torn`` lines and ``bad_lines``.

    ``left_out`` has the first of them with their places: ("file:line", whether it was torn).
    """

    def __init__(self, path: Path) -> None:
        """Raises BadInput if there is no segment, or ``markets.json`` cannot be read."""
        self.path = path
        self.segments = segments_of(path) if path.is_dir() else [path]
        if not self.segments:
            raise BadInput(f"{path}: holds no recording (000001.jsonl or 000001.jsonl.gz); give the folder that `record` wrote")
        recorded = read_markets(path if path.is_dir() else path.parent)
        self.venue = recorded.venue
        self.markets: tuple[Market, ...] = recorded.markets
        self.source = recorded.source
        self.torn = 0
        self.bad_lines = 0
        self.left_out: list[tuple[str, bool]] = []

    def verify(self) -> None:
        """Hold the finished segments against their checksums. Raises BadInput naming the file that was changed."""
        if self.path.is_dir():
            require_unchanged(self.path, self.segments)

    def texts(self) -> Iterator[tuple[bytes, Path]]:
        """Every line as it stands with its segment, torn and bad ones too; a packed segment that breaks off ends there."""
        for segment in self.segments:
            with _open_segment(segment) as stream:
                try:
                    for text in stream:
                        yield text, segment
                except (EOFError, zlib.error, gzip.BadGzipFile):
                    continue

    def lines(self) -> Iterator[tuple[Line, str]]:
        """Every line with its place, ``file:line``. What is not a line is counted and left out."""
        self.torn = self.bad_lines = 0
        self.left_out.clear()
        for segment in self.segments:
            number = 0
            with _open_segment(segment) as stream:
                try:
                    for number, text in enumerate(stream, 1):
                        try:
                            line = decode_line(text)
                        except ValueError:
                            self._leave_out(f"{segment}:{number}", torn=not text.endswith(b"\n"))
                            continue
                        yield line, f"{segment}:{number}"
                except (EOFError, zlib.error, gzip.BadGzipFile):
                    self._leave_out(f"{segment}:{number + 1}", torn=True)

    def messages(self) -> Iterator[Message]:
        """What the gateway heard. Where the recorder was started again, every link that was up is told down first."""
        up: dict[str, tuple[str, ...]] = {}
        for line, where in self.lines():
            if line.kind == "resumed":
                for link_id, token_ids in up.items():
                    yield LinkEvent(
                        ts_ns=line.ts_ns, link_id=link_id, state="down", reason="the recorder was restarted", token_ids=token_ids
                    )
                up.clear()
                continue
            msg = message_of(line, where)
            if msg is None:
                continue
            if type(msg) is LinkEvent:
                if msg.state == "up":
                    up[msg.link_id] = msg.token_ids
                else:
                    up.pop(msg.link_id, None)
            yield msg

    def _leave_out(self, where: str, torn: bool) -> None:
        if len(self.left_out) < LEFT_OUT_KEPT:
            self.left_out.append((where, torn))
        if torn:
            self.torn += 1
        else:
            self.bad_lines += 1
