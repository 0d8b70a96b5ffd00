"""An append-only file of records that survives the death of its writer at any byte.

A file is a header (magic, and an id of sixteen hex digits drawn when the file is made), then records: length, CRC-32, bytes.
``write`` alone survives kill -9 of the process; with ``sync`` each append also survives the loss of power.
A torn tail is cut off when the file is opened; every whole record before it is kept.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

MAGIC = b"polybot-journal-1 "
_HEADER_BYTES = len(MAGIC) + 17
_FRAME = struct.Struct("<II")


class Journal:
    """One journal file, open for appending. Only one process may have it open."""

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self.path = path
        self._sync = sync
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)
        head = self._file.read(_HEADER_BYTES)
        if len(head) < _HEADER_BYTES:
            head = MAGIC + os.urandom(8).hex().encode() + b"\n"
            self._file.seek(0)
            self._file.truncate()
            self._file.write(head)
        elif not head.startswith(MAGIC):
            self._file.close()
            raise ValueError(f"{path} is not a journal")
        self.id = head[len(MAGIC) :].strip().decode()
        end = _end_of_whole_records(self._file.fileno(), path)
        self._file.truncate(end)
        self._file.seek(end)

    def append(self, record: bytes) -> None:
        """Add one record; when this returns it survives kill -9, and with ``sync`` the loss of power."""
        self._file.write(_FRAME.pack(len(record), zlib.crc32(record)) + record)
        if self._sync:
            _data_sync(self._file.fileno())

    def records(self) -> Iterator[bytes]:
        """Every whole record, oldest first."""
        return read_journal(self.path)

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path) -> Iterator[bytes]:
    """Every whole record of a journal file, oldest first; a torn tail is left out. The file may be open elsewhere."""
    with path.open("rb") as file:
        if not file.read(_HEADER_BYTES).startswith(MAGIC):
            raise ValueError(f"{path} is not a journal")
        while True:
            frame = file.read(_FRAME.size)
            if len(frame) < _FRAME.size:
                return
            length, crc = _FRAME.unpack(frame)
            record = file.read(length)
            if len(record) < length or zlib.crc32(record) != crc:
                return
            yield record


def _end_of_whole_records(handle: int, path: Path) -> int:
    """The offset behind the last whole record."""
    end = _HEADER_BYTES
    for record in read_journal(path):
        end += _FRAME.size + len(record)
    return end


def _data_sync(handle: int) -> None:
    """fdatasync where the platform has it, else fsync."""
    getattr(os, "fdatasync", os.fsync)(handle)
