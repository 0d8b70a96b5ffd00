"""State that has piled up: of each topic and kind only the newest message is kept, and only what is kept is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.bus import codec
from pipeline.bus.spoken import Subscribed
from pipeline.bus.stage import Arrival, Gap, PeerStarted
from pipeline.bus.topology import SUPERSEDED

Incoming = Arrival | Gap | PeerStarted | Subscribed


class Pack:
    """A frame of several messages of a stream, decoded when the first of them is wanted. ``start`` is where they begin."""

    __slots__ = ("_frame", "_messages", "_producer", "_run_id", "_start", "_stream")

    def __init__(self, stream: str, frame: bytes, start: int) -> None:
        self._stream, self._frame, self._start = stream, frame, start
        self._producer = self._run_id = ""
        self._messages: list[tuple[int, Any]] = []

    def arrival(self, place: int) -> Arrival:
        """One of its messages."""
        if not self._messages:
            self._producer, self._run_id, self._messages = codec.pack_decoder(self._stream)(self._frame[self._start :])
        seq, message = self._messages[place]
        return Arrival(self._stream, self._producer, self._run_id, seq, message)


class Unread:
    """One message of state in a pack, of which no more is known than whom it is about."""

    __slots__ = ("key", "kind", "pack", "place")

    def __init__(self, pack: Pack, place: int, kind: str, key: str) -> None:
        self.pack, self.place, self.kind, self.key = pack, place, kind, key


def newest(found: Sequence[Incoming | Unread]) -> list[Incoming]:
    """Without every message of state that a later one of the same topic and kind replaces."""
    seen: set[tuple[str, str]] = set()
    kept: list[Incoming] = []
    for item in reversed(found):
        if type(item) is Unread:
            mark = (item.kind, item.key)
            if mark in seen:
                continue
            seen.add(mark)
            kept.append(item.pack.arrival(item.place))
            continue
        if isinstance(item, Arrival) and type(item.message) in SUPERSEDED:
            mark = (type(item.message).__name__, item.message.key)
            if mark in seen:
                continue
            seen.add(mark)
        kept.append(item)  # type: ignore[arg-type]
    kept.reverse()
    return kept
