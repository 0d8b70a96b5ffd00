"""One segment of a journal, as a file: how it is named, what it opens with, and how it is read, whole or torn.

The segments of the journal ``executor-x.journal`` lie beside each other: ``executor-x.journal.000001`` and so on; archived ones end in
``.gz``. ``executor-x.journal`` itself, without a number, is segment 0: a journal of a single file, which opens with no checkpoint.
A segment is a magic line, then frames: its ``Head``, a ``Checkpoint``, and the durable records behind that.
"""

from __future__ import annotations

import glob
import os
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pipeline.base.errors import DamagedJournal
from pipeline.bus import codec
from pipeline.bus.journal import HEADER_BYTES, MAGIC, Damage, framed, open_journal, scan
from pipeline.bus.topology import DURABLE as DURABLE
from pipeline.messages import Message
from pipeline.messages.checkpoint import CHECKPOINT_VERSION, Checkpoint

SEGMENT_MAGIC = b"polybot-journal-2\n"
HEAD, CHECKPOINT = b"head\0", b"checkpoint\0"
_MARKS = (DURABLE.encode() + b".", CHECKPOINT)
_NUMBERED = re.compile(r"(?P<base>.+\.journal|.+?)\.(?P<number>\d{6})(?:\.gz)?")
_encode = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(tuple[str, int, int, str, str, int, bool])
_checkpoint = msgspec.msgpack.Decoder(tuple[str, str, int, Checkpoint])


class Head(msgspec.Struct, frozen=True):
    """Which journal a segment belongs to, its place there, the last number before it, and which run opened it when.

    ``skips``: numbers before it were never used by this journal, because the database had more of it than was left of it here.
    """

    journal_id: str
    number: int
    base_seq: int
    session_id: str
    run_id: str
    opened_ns: int
    skips: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A durable record in its segment: its number, the run that wrote it, where its frame begins, and the frame on the bus."""

    seq: int
    run_id: str
    offset: int
    frame: bytes


@dataclass(slots=True)
class Segment:
    """What was read of one file. ``base_seq`` is the last number before it; ``end`` is where its last whole frame ends.

    ``head`` is None where it could not be read (and for segment 0, which has none), ``checkpoint`` None where there is no valid one.
    """

    path: Path
    number: int
    size: int
    journal_id: str = ""
    head: Head | None = None
    checkpoint: Checkpoint | None = None
    base_seq: int = 0
    entries: list[Entry] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    end: int = 0

    @property
    def last_seq(self) -> int:
        """The number of its last record; that before it, if it has none."""
        return self.entries[-1].seq if self.entries else self.base_seq

    @property
    def session_id(self) -> str:
        """Which session wrote it."""
        if self.head is not None:
            return self.head.session_id
        return self.entries[-1].run_id.partition(".")[0] if self.entries else ""

    @property
    def torn_bytes(self) -> int:
        """Bytes behind the last whole frame."""
        return self.size - self.end

    def told_damage(self) -> str:
        """Where the file is damaged and what of it is whole, in words; "" if it is not."""
        if not self.damage:
            return ""
        places = ", ".join(f"{spot.length} bytes at offset {spot.offset}" for spot in self.damage)
        kept = f"records {self.entries[0].seq} to {self.last_seq}" if self.entries else "no record"
        return f"{self.path} is damaged: {places}; of it {kept} are kept, {len(self.entries)} in all"


def segment_path(base: Path, number: int) -> Path:
    """The file of a segment; 0 is the journal's own name."""
    return base.with_name(f"{base.name}.{number:06d}") if number else base


def segment_number(path: Path) -> int:
    """The number in a segment's name; 0 for a journal of a single file."""
    match = _NUMBERED.fullmatch(path.name)
    return int(match["number"]) if match else 0


def base_name(path: Path) -> str:
    """The name of the journal that a segment belongs to."""
    match = _NUMBERED.fullmatch(path.name)
    return match["base"] if match else path.name.removesuffix(".gz")


def segment_files(base: Path) -> list[Path]:
    """The segments of a journal that are not archived, oldest first."""
    numbered = [path for path in base.parent.glob(f"{glob.escape(base.name)}.??????") if segment_number(path)]
    return ([base] if base.is_file() else []) + sorted(numbered, key=segment_number)


def new_segment(head: Head, producer: str, checkpoint: Message | None, frames: Iterable[bytes]) -> bytes:
    """The bytes that a segment opens with."""
    data = SEGMENT_MAGIC + framed(HEAD + _encode(_as_tuple(head)))
    if checkpoint is not None:
        data += framed(codec.encode("checkpoint", producer, head.run_id, head.base_seq, checkpoint))
    return data + b"".join(framed(frame) for frame in frames)


def read_segment(path: Path) -> Segment:
    """Read a segment, archived or not, also while it is written. Raises DamagedJournal for a file that is none."""
    data = _bytes_of(path)
    found = Segment(path, segment_number(path), len(data))
    if data.startswith(MAGIC) and len(data) >= HEADER_BYTES:
        found.journal_id = data[len(MAGIC) : HEADER_BYTES].strip().decode("ascii", "replace")
        start = HEADER_BYTES
    elif data.startswith(SEGMENT_MAGIC):
        start = len(SEGMENT_MAGIC)
    elif MAGIC.startswith(data[: len(MAGIC)]) or SEGMENT_MAGIC.startswith(data) or not data.strip(b"\0"):
        return found
    else:
        raise DamagedJournal(f"{path} is not a journal: it begins with {data[:16]!r}; move it away if it does not belong there")
    scanned = scan(data, start, _MARKS)
    found.damage, found.end = scanned.damage, scanned.end
    for offset, record in scanned.records:
        _enter(found, offset, record)
    if found.head is not None:
        found.journal_id, found.base_seq = found.head.journal_id, found.head.base_seq
    elif found.entries and not found.base_seq:
        found.base_seq = found.entries[0].seq - 1
    return found


def _enter(found: Segment, offset: int, record: bytes) -> None:
    try:
        if record.startswith(HEAD):
            found.head = Head(*_head.decode(record[len(HEAD) :]))
        elif record.startswith(CHECKPOINT):
            found.checkpoint = _valid(record[len(CHECKPOINT) :])
            found.base_seq = codec.sender_of(record)[2]
        else:
            producer, run_id, seq = codec.sender_of(record)
            found.entries.append(Entry(seq, run_id, offset, record))
            found.journal_id = found.journal_id or producer.partition("@")[2]
    except (ValueError, msgspec.DecodeError) as error:
        raise DamagedJournal(f"{found.path}: what stands at offset {offset} cannot be understood: {error}") from None


def _valid(body: bytes) -> Checkpoint | None:
    """A checkpoint that this version understands; None for another."""
    try:
        checkpoint = _checkpoint.decode(body)[3]
    except msgspec.DecodeError:
        return None
    return checkpoint if checkpoint.version <= CHECKPOINT_VERSION else None


def _bytes_of(path: Path) -> bytes:
    """All bytes of a file; of a compressed one that is cut off or damaged, those up to there."""
    parts = []
    with open_journal(path) as file:
        try:
            while part := file.read(1 << 20):
                parts.append(part)
        except (EOFError, zlib.error, OSError):
            if path.suffix != ".gz":
                raise
    return b"".join(parts)


def _as_tuple(head: Head) -> tuple[object, ...]:
    return msgspec.structs.astuple(head)


def open_private(path: Path, flags: int) -> int:
    """Open a file that its owner alone may read."""
    return os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
