"""Reading input logs: the segments of a life, whole, torn or compressed, as events with what was said to them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

import msgspec

from pipeline.base.errors import BadInput
from pipeline.bus import input_log as log
from pipeline.bus.input_log import ANY_VERSION, INPUTS_MAGIC, log_of
from pipeline.bus.journal import scan
from pipeline.bus.stage import Arrival, Gap, PeerStarted
from pipeline.messages import Message, checkpoint, control, edges, market, orders, records

KINDS: tuple[type[Message], ...] = tuple(
    kind
    for module in (checkpoint, control, edges, market, orders, records)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message and kind.__module__ == module.__name__
)
"""Every kind of message there is."""

AnyMessage = Union[KINDS]  # type: ignore[valid-type]  # noqa: UP007
_block = msgspec.msgpack.Decoder(tuple[int, int, list[bytes]]).decode
_DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    log.HEAD: msgspec.msgpack.Decoder(tuple[int, str, str, str, str, str, msgspec.Raw]),
    log.SENDER: msgspec.msgpack.Decoder(tuple[int, str, str, str]),
    log.RECOVERS: msgspec.msgpack.Decoder(tuple[int, AnyMessage]),
    log.INPUT: msgspec.msgpack.Decoder(tuple[int, int, int, int, AnyMessage]),
    log.GAP: msgspec.msgpack.Decoder(tuple[int, int, Gap]),
    log.PEER: msgspec.msgpack.Decoder(tuple[int, int, PeerStarted]),
    log.SUBSCRIBED: msgspec.msgpack.Decoder(tuple[int, int, str]),
    log.ANSWER: msgspec.msgpack.Decoder(tuple[int, int, int]),
    log.LEARNED: msgspec.msgpack.Decoder(tuple[int, Any]),
    log.SAID: msgspec.msgpack.Decoder(tuple[int, int, int, list[bytes]]),
    log.MARK: msgspec.msgpack.Decoder(tuple[int, dict[str, int], int | None, bytes]),
}
_plain = msgspec.msgpack.Decoder(tuple[int, int])
any_message = msgspec.msgpack.Decoder(AnyMessage).decode
_PIECE = 64 * 1024
NAMES = {
    log.RECOVER: "recovery",
    log.CHECKPOINT: "checkpoint",
    log.START: "start",
    log.TIMER: "timer",
    log.GAP: "gap",
    log.PEER: "new run of a sender",
    log.SUBSCRIBED: "new subscriber",
    log.ANSWER: "state for a subscriber",
    log.REMIND: "reminder",
    log.WIND_UP: "winding up",
    log.STOP: "stop",
}
"""What events other than messages are called."""


@dataclass(frozen=True, slots=True)
class Head:
    """Whose log it is. ``code`` is the version of the program that wrote it, ``premises`` what the stage was made from besides the
    configuration, in MessagePack.
    """

    role: str
    session_id: str
    run_id: str
    producer: str
    code: str
    premises: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """How many messages an event was answered with, the hash of all messages so far, and those that were kept, in MessagePack."""

    count: int
    crc: int
    kept: list[bytes]


@dataclass(frozen=True, slots=True)
class Mark:
    """A stage after an event: its totals, its next timer, and what it holds, in MessagePack."""

    counts: dict[str, int]
    timer_ns: int | None
    state: bytes


@dataclass(slots=True)
class Event:
    """One thing that a stage was asked, by its number from 1, and what followed. ``given`` is what it was asked with, ``learned`` what it
    came to know from outside meanwhile.
    """

    number: int
    kind: int
    now_ns: int
    given: Any = None
    learned: list[Any] = field(default_factory=list)
    said: Said | None = None
    mark: Mark | None = None

    def told(self) -> str:
        """What it is, in words."""
        if self.kind == log.INPUT:
            return f"{type(self.given.message).__name__} from {self.given.producer}"
        more = f" {self.given}" if isinstance(self.given, str) else ""
        return NAMES[self.kind] + more


@dataclass(slots=True)
class LifeLog:
    """The log of one process life. ``open`` it, then go through ``events`` once; the rest is known afterwards.

    ``ended``: the stage had said its last words. ``faults`` are what is wrong with the files, in words: damage, a missing segment, a
    block that does not follow on the one before. A torn tail is no fault: so a killed process leaves it.
    """

    run_id: str
    files: list[Path]
    head: Head | None = None
    ended: bool = False
    faults: list[str] = field(default_factory=list)
    senders: list[tuple[str, str, str]] = field(default_factory=list)
    """Whom it heard: stream, producer and run."""
    _parts: Iterator[bytes] | None = None

    def open(self) -> Head | None:
        """Who wrote it; None if not even that can be read."""
        self._parts = self._entries()
        first = next(self._parts, None)
        if first is not None and _number(first) == log.HEAD:
            _, role, session_id, run_id, producer, code, premises = self._decoded(first)
            self.head = Head(role, session_id, run_id, producer, code, bytes(premises))
        return self.head

    def events(self) -> Iterator[Event]:
        """What the stage was asked, in order."""
        senders = self.senders
        recovered: list[Message] = []
        waiting: Event | None = None
        number = 0
        assert self._parts is not None
        for entry in self._parts:
            kind = _number(entry)
            found = self._decoded(entry)
            if kind == log.SAID and waiting is not None:
                waiting.said = Said(*found[1:])
            elif kind == log.LEARNED and waiting is not None:
                waiting.learned.append(found[1])
            elif kind == log.MARK and waiting is not None:
                waiting.mark = Mark(*found[1:])
            elif kind == log.SENDER:
                senders.append(found[1:])
            elif kind == log.RECOVERS:
                recovered.append(found[1])
            elif kind == log.END:
                self.ended = True
            elif kind > log.END:
                if waiting is not None:
                    yield waiting
                number += 1
                waiting = Event(number, kind, found[1])
                if kind == log.INPUT:
                    stream, producer, run_id = senders[found[2]]
                    waiting.given = Arrival(stream, producer, run_id, found[3], found[4])
                elif kind == log.RECOVER:
                    waiting.given = recovered
                elif len(found) > 2:
                    waiting.given = found[2]
        if waiting is not None:
            yield waiting

    def _decoded(self, entry: bytes) -> Any:
        try:
            return _DECODERS.get(_number(entry), _plain).decode(entry)
        except msgspec.DecodeError as error:
            raise BadInput(f"{self.files[0]}: cannot be understood: {error}; use the version of Polybot that wrote it") from None

    def _entries(self) -> Iterator[bytes]:
        """The entries of all segments up to the first damage; that, and what does not fit together, is noted in ``faults``."""
        before, expected, events = 0, 1, 0
        for index, path in enumerate(self.files):
            number = (log_of(path) or ("", 0))[1]
            if number != expected:
                self.faults.append(f"{path.parent}: segment {expected} of {self.run_id} is missing")
                return
            expected += 1
            data, fault = _bytes_of(path)
            if fault:
                self.faults.append(f"{path}: {fault}")
            if not data.startswith(INPUTS_MAGIC) and data.startswith(ANY_VERSION):
                raise BadInput(f"{path}: was written by another version of Polybot; verify it with that one")
            if not data.startswith(INPUTS_MAGIC):
                if data or index < len(self.files) - 1:
                    self.faults.append(f"{path}: is not an input log")
                return
            found = scan(data, len(INPUTS_MAGIC))
            torn = len(data) - found.end
            for spot in found.damage:
                self.faults.append(f"{path}: {spot.length} bytes at offset {spot.offset} are damaged")
            if torn and index < len(self.files) - 1:
                self.faults.append(f"{path}: {torn} bytes at offset {found.end} are damaged")
            whole_to = found.damage[0].offset if found.damage else len(data)
            for offset, block in found.records:
                if offset > whole_to:
                    return
                first, previous, entries = _block(block)
                if (first, previous) != (events, before):
                    self.faults.append(f"{path}: what stands at offset {offset} does not follow on what stands before it")
                before = zlib.crc32(block)
                for entry in entries:
                    events += _number(entry) > log.END
                    yield entry
            if fault or found.damage:
                return


def lives(folder: Path) -> list[LifeLog]:
    """The lives of which a folder has logs, by run. A segment that is here plain and compressed is read plain."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.glob("*.log.*"), reverse=True):
        place = log_of(path)
        if place is not None:
            found.setdefault(place[0], {})[place[1]] = path
    return [LifeLog(run_id, [segments[number] for number in sorted(segments)]) for run_id, segments in sorted(found.items())]


def _number(entry: bytes) -> int:
    """The kind of an entry: the first of a short array, itself a small number."""
    return entry[1]


def _bytes_of(path: Path) -> tuple[bytes, str]:
    """A segment, unpacked, and what is wrong with its packing: what stands before that is there."""
    parts: list[bytes] = []
    try:
        if path.suffix != ".gz":
            return path.read_bytes(), ""
        unpacker = zlib.decompressobj(wbits=31)
        packed = path.read_bytes()
        for at in range(0, len(packed), _PIECE):
            parts.append(unpacker.decompress(packed[at : at + _PIECE]))
    except OSError as error:
        return b"", f"cannot be read: {error.strerror or error}"
    except zlib.error as error:
        return b"".join(parts), f"is damaged: {error}"
    return b"".join(parts), "" if unpacker.eof else "is cut off"
