"""Records what comes from outside: a folder of segments, plain while open, compressed once they rotate, and then in the index.

Each line reaches the kernel before ``write`` returns, or with those that were gathered before it when ``flush`` returns, so a kill costs
at most a torn last line of what was said to be safe. A writer on a folder that has segments goes on with the next number; it never
appends to what another run left.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import threading
from io import FileIO
from pathlib import Path

import msgspec

from pipeline.base import events
from pipeline.base.errors import BadInput
from pipeline.base.log import get_logger
from pipeline.base.priority import step_back
from pipeline.messages import Message
from pipeline.messages.market import MarketUniverse
from pipeline.recording.index import (
    CHUNK,
    Counted,
    Index,
    Segment,
    count_lines,
    file_sha256,
    origin_of,
    read_index,
    with_segment,
    write_index,
)
from pipeline.recording.lines import Line, encode_line, line_of
from pipeline.recording.markets import RecordedMarkets, read_markets, write_markets

OPEN = ".jsonl"
CLOSED = ".jsonl.gz"
UNFINISHED = ".jsonl.gz.tmp"
DIGITS = 6


def segments_of(folder: Path) -> list[Path]:
    """The segments in order; where a kill left a segment both plain and compressed, the compressed one."""
    found = {file.name.split(".")[0]: file for file in sorted(folder.glob(f"*{OPEN}")) if _is_number(file)}
    found.update({file.name.split(".")[0]: file for file in folder.glob(f"*{CLOSED}") if _is_number(file)})
    return [found[number] for number in sorted(found)]


def _is_number(file: Path) -> bool:
    number = file.name.split(".")[0]
    return len(number) == DIGITS and number.isdigit()


class RecordingWriter:
    """Call ``write`` from one thread. Compression runs in another, on segments that are finished."""

    def __init__(self, folder: Path, rotate_bytes: int = 64 * 1024 * 1024, venue: str = "", started_ns: int = 0) -> None:
        """``venue`` is whose data it is; ``started_ns`` stamps the note that a resumed recording begins with."""
        self.folder, self.rotate_bytes, self.venue = folder, rotate_bytes, venue
        self.lines = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for unfinished in folder.glob(f"*{UNFINISHED}"):
            unfinished.unlink()
        left = segments_of(folder)
        self._number = int(left[-1].name.split(".")[0]) if left else 0
        self._compressing: threading.Thread | None = None
        self._waiting: list[tuple[Path, Counted | None]] = [
            (file, None) for file in sorted(folder.glob(f"*{OPEN}")) if _is_number(file)
        ]
        self._lock = threading.Lock()
        self._counted = Counted()
        self._gathered: list[bytes] = []
        self._file = self._open_next()
        if left:
            self.keep(Line(kind="resumed", ts_ns=started_ns, reason=ending_of(left[-1])))
        self._compress()

    def write(self, msg: Message) -> None:
        """Record one message. Kinds that do not come from outside are ignored.

        A MarketUniverse goes to ``markets.json``, beside the markets that were followed before: their frames are here too.
        """
        self.gather(msg)
        self.flush()

    def gather(self, msg: Message) -> None:
        """The same, but the line reaches the kernel with the next ``flush``."""
        if type(msg) is MarketUniverse:
            known = {market.market_id: market for market in (*read_markets(self.folder).markets, *msg.markets)}
            write_markets(self.folder, RecordedMarkets(venue=self.venue, markets=tuple(known.values()), source=msg.source))
            return
        line = line_of(msg)
        if line is not None:
            self._add(line)

    def flush(self) -> None:
        """Have what was gathered reach the kernel."""
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            self._file.write(b"".join(gathered))

    def keep(self, line: Line) -> None:
        """Write one line as it is."""
        self._add(line)
        self.flush()

    def _add(self, line: Line) -> None:
        encoded = encode_line(line)
        self._gathered.append(encoded)
        self.lines += 1
        counted = self._counted
        counted.add(line.kind, line.ts_ns, len(encoded))
        if counted.bytes >= self.rotate_bytes:
            self.rotate()

    def keep_text(self, text: bytes) -> None:
        """Write one line that another recording holds, byte for byte, even if it is none."""
        self._gathered.append(text)
        self.flush()
        self.lines += 1
        self._counted.add_text(text)

    def rotate(self) -> None:
        """Finish the open segment and begin the next."""
        self._finish()
        self._file = self._open_next()
        self._compress()

    def close(self) -> None:
        """Finish the open segment and wait until it is compressed."""
        if self._file.closed:
            return
        self._finish()
        self._compress()
        thread = self._compressing
        if thread is not None:
            thread.join()

    def _open_next(self) -> FileIO:
        self._number += 1
        self._counted = Counted()
        return FileIO(self.folder / f"{self._number:0{DIGITS}d}{OPEN}", "xb")

    def _finish(self) -> None:
        self.flush()
        self._file.close()
        path, counted = Path(os.fsdecode(self._file.name)), self._counted
        with self._lock:
            if counted.bytes:
                self._waiting.append((path, counted))
        if not counted.bytes:
            path.unlink()
        get_logger().debug(events.RECORDING_ROTATED, segment=path.name, bytes=counted.bytes)

    def _compress(self) -> None:
        """Start the compressing thread unless it runs; it takes what waits and ends."""
        with self._lock:
            if self._waiting and self._compressing is None:
                self._compressing = threading.Thread(target=self._compress_waiting, name="recording-compress", daemon=True)
                self._compressing.start()

    def _compress_waiting(self) -> None:
        step_back()
        while True:
            with self._lock:
                if not self._waiting:
                    self._compressing = None
                    return
                path, counted = self._waiting.pop(0)
            try:
                finish_segment(path, counted)
            except OSError as error:  # the lines are safe in the plain segment, which the next recorder packs
                with contextlib.suppress(OSError):
                    path.with_name(path.name.split(".")[0] + UNFINISHED).unlink(missing_ok=True)
                get_logger().warning(events.RECORDING_NOT_PACKED, segment=str(path), reason=error.strerror or str(error))


def ending_of(last: Path) -> str:
    """How the run before ended, told by the last segment that it left: the reason of the note that a resumed recording begins with."""
    if last.name.endswith(CLOSED):
        return f"the recorder before ended in order with {last.name}"
    with last.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 1))
        torn = size > 0 and stream.read(1) != b"\n"
    return f"the recorder before did not close {last.name}" + (", and its last line is torn" if torn else "")


def finish_segment(path: Path, counted: Counted | None) -> Path:
    """Replace a plain segment by its compressed form and enter it into the index; a kill in between leaves one whole copy.

    What the recorder did not count, as it was killed, is counted from the file.
    """
    number = path.name.split(".")[0]
    unfinished, closed = path.with_name(number + UNFINISHED), path.with_name(number + CLOSED)
    if counted is None:
        with path.open("rb") as lines:
            counted = count_lines(lines)
    digest = hashlib.sha256()
    with path.open("rb") as plain:
        first = plain.readline(CHUNK)
        plain.seek(0)
        with unfinished.open("wb") as raw:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed:
                while chunk := plain.read(CHUNK):
                    digest.update(chunk)
                    packed.write(chunk)
            raw.flush()
            os.fsync(raw.fileno())
    segment = Segment(
        file=closed.name,
        sha256=file_sha256(unfinished),
        bytes=unfinished.stat().st_size,
        lines_sha256=digest.hexdigest(),
        lines_bytes=counted.bytes,
        kinds=counted.kinds,
        first_ns=counted.first_ns,
        last_ns=counted.last_ns,
        torn=counted.torn,
    )
    unfinished.replace(closed)
    enter_segment(path.parent, segment, first)
    path.unlink()
    return closed


def enter_segment(folder: Path, segment: Segment, first_line: bytes) -> None:
    """Put a finished segment into the folder's index, which is begun anew where it cannot be read."""
    try:
        index = read_index(folder)
    except BadInput as error:
        get_logger().warning(events.RECORDING_INDEX_REPLACED, folder=str(folder), reason=str(error))
        index = Index()
    if not index.origins and segment.number == f"{1:0{DIGITS}d}":
        index = msgspec.structs.replace(index, origins=(origin_of(first_line),))
    write_index(folder, with_segment(index, segment))
