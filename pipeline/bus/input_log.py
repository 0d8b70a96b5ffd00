"""What one process life of a stage was given and what it said, in order, so that the same class can be asked again.

A life has one log, ``<run_id>.log.000001`` and so on; closed segments are compressed (``.gz``) beside the loop. A segment is a magic line,
then blocks: framed as in a journal, each a MessagePack array of the number of its first event, the CRC-32 of the block before it, and
entries. An entry is a MessagePack array that begins with its kind. Input logs are notes, not records: nothing is synced, a kill costs at
most the last turn, and a disk that takes no more ends the log, not the process.
"""

from __future__ import annotations

import io
import os
import queue
import re
import shutil
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.base import events
from pipeline.base.code import code_version
from pipeline.base.log import get_logger
from pipeline.base.priority import step_back
from pipeline.bus.journal import FRAME
from pipeline.bus.journal_archive import archive_segment
from pipeline.bus.journal_segments import open_private
from pipeline.bus.stage import Arrival, Gap, Identity, PeerStarted, Stage
from pipeline.bus.topology import STREAM
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, TradePrint
from pipeline.messages.records import BookEvents, BookLevels

ANY_VERSION = b"polybot-inputs-"
INPUTS_MAGIC = ANY_VERSION + b"2\n"
SEGMENT_BYTES = 16 << 20
MIN_FREE_BYTES = 1 << 30
"""With less room on the disk no further segment is begun: journals and the database need it more."""
MARK_EVENTS = 1_000
"""After so many events the state of the stage is noted."""

HEAD, SENDER, RECOVERS, LEARNED, SAID, MARK, END = range(7)
"""Entries that are no events: who wrote the log; a sender, by its place in the row of senders; a record that the stage recovers from; what
the stage learned from outside at the event before, and said to it; its state after it; nothing follows."""
RECOVER, CHECKPOINT, START, INPUT, TIMER, GAP, PEER, SUBSCRIBED, ANSWER, REMIND, WIND_UP, STOP = range(7, 19)
"""Events, in the words of ``Stage``."""

BULK: Final[frozenset[type[Message]]] = frozenset({*STREAM["feed"].carries, BookSnapshot, TradePrint, BookEvents, BookLevels})
"""What a stage says most of: of these only the hash is kept, of everything else the message itself."""

_NAME = re.compile(r"(?P<run_id>.+)\.log\.(?P<number>\d{6})(?:\.gz)?")
_PATIENCE_S = 0.5
_BUFFER_BYTES = 1 << 18


class InputLog:
    """The log of one life, written by its runner. ``path`` is what its segments are named after."""

    def __init__(
        self,
        path: Path,
        stage: Stage,
        identity: Identity,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        mark_events: int = MARK_EVENTS,
        min_free_bytes: int = MIN_FREE_BYTES,
    ) -> None:
        self._path, self._stage = path, stage
        self._segment_bytes, self._mark_events, self._min_free_bytes = segment_bytes, mark_events, min_free_bytes
        self._encode = msgspec.msgpack.Encoder().encode
        self._senders: dict[tuple[str, str, str], int] = {}
        self._parts: list[bytes] = []
        self._size = self._events = self._first = self._said = self._crc = self._segment = self._written = 0
        self._file: io.FileIO | None = None
        self._packer = Packer()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in leftovers(path.parent.parent.parent, stage.role):
            self._packer.put(left)
        self._open_segment()
        head = (HEAD, stage.role, identity.session_id, identity.run_id, identity.producer, code_version(), stage.premises())
        self._parts.append(self._encode(head))
        self.flush()  # nobody hears of a life that has no log

    # --- what the stage is given -----------------------------------------------------------------------------------

    def took(self, arrival: Arrival, now_ns: int) -> None:
        """A message with its envelope."""
        sender = (arrival.stream, arrival.producer, arrival.run_id)
        index = self._senders.get(sender)
        if index is None:
            index = self._senders[sender] = len(self._senders)
            self._parts.append(self._encode((SENDER, *sender)))
        self._add(self._encode((INPUT, now_ns, index, arrival.seq, arrival.message)))

    def recovers(self, records: Iterable[Message]) -> None:
        """What the stage recovers from."""
        for record in records:
            self._parts.append(self._encode((RECOVERS, record)))
        self._add(self._encode((RECOVER, 0)))

    def missed(self, gap: Gap, now_ns: int) -> None:
        """Messages of a topic were lost."""
        self._add(self._encode((GAP, now_ns, gap)))

    def peer(self, peer: PeerStarted, now_ns: int) -> None:
        """A sender restarted."""
        self._add(self._encode((PEER, now_ns, peer)))

    def event(self, kind: int, now_ns: int, *more: str | int) -> None:
        """Anything else that the stage is asked."""
        self._add(self._encode((kind, now_ns, *more)))

    def _add(self, entry: bytes) -> None:
        self._events += 1
        self._parts.append(entry)

    def learned(self, fact: Any) -> None:
        """What the stage learned from outside at the event before."""
        self._parts.append(self._encode((LEARNED, fact)))

    # --- what it says ----------------------------------------------------------------------------------------------

    def said(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Pass on what the stage answers to the event before, and keep its hash."""
        count, crc, kept, encode = 0, self._crc, [], self._encode
        for msg in messages:
            data = encode(msg)
            crc = zlib.crc32(data, crc)
            count += 1
            if type(msg) not in BULK:
                kept.append(data)
            yield msg
        if count:
            self._crc = crc
            self._parts.append(encode((SAID, count, crc, kept)))
        if self._events % self._mark_events == 0:
            self._parts.append(encode((MARK, *figures(self._stage, self._events))))

    # --- the file --------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Have what was noted survive kill -9."""
        if not self._parts:
            return
        block = self._encode((self._first, self._said, self._parts))
        self._parts = []
        self._first = self._events
        file = self._file
        if file is None:
            return
        self._said = zlib.crc32(block)
        try:
            data = FRAME.pack(len(block), self._said) + block
            if file.write(data) < len(data):
                raise OSError("the disk is full")
        except OSError as error:
            get_logger().warning(events.INPUT_LOG_FAILED, log=str(self._path), error=str(error))
            self._drop()
            return
        self._written += len(data)
        if self._written >= self._segment_bytes:
            self._close_segment()
            self._open_segment()

    def end(self) -> None:
        """The stage has said its last words."""
        self._parts.append(self._encode((END, 0)))
        self.flush()

    def close(self, patience_s: float = _PATIENCE_S) -> None:
        """Close the file; that it is compressed is waited for, so long."""
        self.flush()
        if self._file is not None:
            self._close_segment()
        self._packer.close(patience_s)

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _segment_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.{self._segment:06d}")

    def _open_segment(self) -> None:
        self._segment += 1
        try:
            if self._segment > 1 and shutil.disk_usage(self._path.parent).free < self._min_free_bytes:
                raise OSError(f"less than {self._min_free_bytes:,} bytes are free")
            self._file = io.FileIO(open_private(self._segment_path(), os.O_RDWR | os.O_CREAT | os.O_TRUNC), "r+")
            self._file.write(INPUTS_MAGIC)
        except OSError as error:
            get_logger().warning(events.INPUT_LOG_FAILED, log=str(self._path), error=str(error))
            self._drop()
        self._written = 0

    def _close_segment(self) -> None:
        self._drop()
        self._packer.put(self._segment_path())


def figures(stage: Stage, events_so_far: int) -> tuple[dict[str, int], int | None, bytes]:
    """What a mark tells of a stage: its totals, its next timer, and what it holds."""
    return stage.counts(), stage.next_timer_ns(), msgspec.msgpack.encode(stage.state(events_so_far))


def log_of(path: Path) -> tuple[str, int] | None:
    """The run that a file is a log of, and the number of the segment; None for other files."""
    match = _NAME.fullmatch(path.name)
    return None if match is None else (match["run_id"], int(match["number"]))


def leftovers(runs: Path, role: str) -> list[Path]:
    """The segments that killed processes of a role left as they were. Ask before a life opens its own."""
    return sorted(path for path in runs.glob(f"*/inputs/*.{role}.*log.??????") if path.is_file())


class Packer:
    """Compresses closed segments one after another in a thread of its own. It shares nothing but the queue."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Path | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def put(self, path: Path) -> None:
        """Compress a segment when its turn comes."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="packer", daemon=True)
            self._thread.start()
        self._jobs.put(path)

    def close(self, patience_s: float) -> None:
        """Wait so long for what is under way; what is not done is done by the next life of the role."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(patience_s)

    def _work(self) -> None:
        step_back()
        while (path := self._jobs.get()) is not None:
            try:
                archive_segment(path, path.parent)
            except OSError as error:
                get_logger().warning(events.INPUT_LOG_FAILED, log=str(path), error=str(error))
