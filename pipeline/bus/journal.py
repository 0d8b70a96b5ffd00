"""An append-only file of records that survives the death of its writer at any byte, and how such files are read.

A file is a header line (magic, and an id of sixteen hex digits drawn when the file is made), then frames: length, CRC-32, bytes.
``write`` alone survives kill -9 of the process; with ``sync`` each append also survives the loss of power.
A torn tail is cut off when the file is opened; every whole record before it is kept. Whole records behind a damaged stretch are found
again by ``scan``, which tells where the damage is.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path

MAGIC = b"polybot-journal-1 "
HEADER_BYTES = len(MAGIC) + 17
FRAME = struct.Struct("<II")
LONGEST = 1 << 28
"""No record is longer: what claims to be is damage."""


class Journal:
    """One file, open for appending. Only one process may have it open."""

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self.path = path
        self._sync = sync
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)
        head = self._file.read(HEADER_BYTES)
        if len(head) < HEADER_BYTES:
            head = MAGIC + os.urandom(8).hex().encode() + b"\n"
            self._file.seek(0)
            self._file.truncate()
            self._file.write(head)
        elif not head.startswith(MAGIC):
            self._file.close()
            raise ValueError(f"{path} is not a journal")
        self.id = head[len(MAGIC) :].strip().decode()
        end = HEADER_BYTES + sum(FRAME.size + len(record) for record in read_journal(path))
        self._file.truncate(end)
        self._file.seek(end)

    def append(self, record: bytes) -> None:
        """Add one record; when this returns it survives kill -9, and with ``sync`` the loss of power."""
        self._file.write(framed(record))
        if self._sync:
            data_sync(self._file.fileno())

    def records(self) -> Iterator[bytes]:
        """Every whole record, oldest first."""
        return read_journal(self.path)

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path) -> Iterator[bytes]:
    """The whole records of a file up to the first that is not, oldest first. It may be open elsewhere, and may be compressed (.gz)."""
    with open_journal(path) as file:
        if not file.read(HEADER_BYTES).startswith(MAGIC):
            raise ValueError(f"{path} is not a journal")
        while True:
            frame = file.read(FRAME.size)
            if len(frame) < FRAME.size:
                return
            length, crc = FRAME.unpack(frame)
            record = file.read(length) if 0 < length <= LONGEST else b""
            if not record or len(record) < length or zlib.crc32(record) != crc:
                return
            yield record


def open_journal(path: Path) -> BufferedIOBase:
    """A file for reading, through gzip if its name ends so."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def framed(record: bytes) -> bytes:
    """A record as it stands in a file. Raises ValueError for an empty one, which zeros would look like."""
    if not record:
        raise ValueError("a record cannot be empty")
    return FRAME.pack(len(record), zlib.crc32(record)) + record


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a file that holds no whole record, though whole records follow."""

    offset: int
    length: int


@dataclass(slots=True)
class Scan:
    """What stands in a file: (offset, record) of every whole record, the damage between them, and where the last one ends."""

    records: list[tuple[int, bytes]] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    end: int = 0


def scan(data: bytes, start: int, marks: tuple[bytes, ...] = ()) -> Scan:
    """The whole records of a file's bytes from ``start`` on. Behind a bad frame it goes on at the next whole one: where the frame says
    that it ends, else where a record begins with one of ``marks``. What is behind the last whole record is a torn tail, not damage.
    """
    found = Scan(end=start)
    offset = start
    while offset < len(data):
        record = _whole(data, offset)
        if record is None:
            offset = _next_whole(data, offset, marks)
            if offset < 0:
                break
            found.damage.append(Damage(found.end, offset - found.end))
            continue
        found.records.append((offset, record))
        offset += FRAME.size + len(record)
        found.end = offset
    return found


def _whole(data: bytes, offset: int) -> bytes | None:
    if offset + FRAME.size > len(data):
        return None
    length, crc = FRAME.unpack_from(data, offset)
    begin = offset + FRAME.size
    if not 0 < length <= min(LONGEST, len(data) - begin):
        return None
    record = data[begin : begin + length]
    return record if zlib.crc32(record) == crc else None


def _next_whole(data: bytes, offset: int, marks: tuple[bytes, ...]) -> int:
    """The offset of the next whole frame behind a bad one; -1 if there is none."""
    if offset + FRAME.size <= len(data):
        length: int = FRAME.unpack_from(data, offset)[0]
        following = offset + FRAME.size + length
        if length and following < len(data) and _whole(data, following) is not None:
            return following
    places: list[int] = []
    for mark in marks:
        place = data.find(mark, offset + FRAME.size + 1)
        while place >= 0 and _whole(data, place - FRAME.size) is None:
            place = data.find(mark, place + 1)
        if place >= 0:
            places.append(place - FRAME.size)
    return min(places) if places else -1


def data_sync(handle: int) -> None:
    """fdatasync where the platform has it, else fsync."""
    getattr(os, "fdatasync", os.fsync)(handle)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk, where the platform can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
