"""One raw frame of a market data stream in, messages out. Pure: no clock, no socket, the same frame gives the same messages.

The frame tells what it is: ``event_type`` is the venue's market channel, ``type`` the generic stream. A frame is refused whole
(BadFrame) or taken whole.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from pipeline.base.errors import BadFrame
from pipeline.base.nesting import SHORT, nests_too_deeply
from pipeline.messages import Message
from pipeline.messages.market import BookSource, VenueBook
from pipeline.venue import generic
from pipeline.venue.events import EVENT_TYPES, VenueEvent, event_of, to_book, to_messages
from pipeline.venue.generic import GenericRules, decode_plain, plain_delta, to_message

HEARTBEATS = (b"PONG", b"PING")
HEARTBEAT = "heartbeat"
EMPTY_LIST = "empty_list"
UNKNOWN_NAMES = 64
"""How many names of unknown events are counted each by its own; the rest together."""

_frames: msgspec.json.Decoder[Any] = msgspec.json.Decoder(VenueEvent | list[VenueEvent])
_trees: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=str)
_TOKEN = re.compile(rb'"asset_id"\s*:\s*"(\d{1,90})"')
MOST_NAMED = 50
_FAILURES = (msgspec.DecodeError, ValueError, RecursionError)


class FrameDecoder:
    """Frames to messages. Holds only totals: ``counts`` of what was skipped, by name."""

    def __init__(self, rules: GenericRules | None = None, only_market: str = "") -> None:
        """``rules`` fill what a generic frame leaves out; ``only_market`` skips events of any other market."""
        self.rules = rules or GenericRules()
        self.only_market = only_market
        self.counts: dict[str, int] = {}
        self._generic_last = False

    def decode(self, data: bytes, ts_ns: int) -> list[Message]:
        """The messages of one frame received at ``ts_ns``, in its order. Raises BadFrame; then nothing was counted."""
        if len(data) >= SHORT and nests_too_deeply(data):
            raise BadFrame("nested too deeply")
        if self._generic_last:
            delta = plain_delta(data, ts_ns, self.rules)
            if delta is not None:
                return [delta]
            frame = decode_plain(data)
            if frame is not None:
                found = to_message(frame, ts_ns, self.rules)
                if type(found) is str:
                    self._count([found])
                    return []
                return [found]  # type: ignore[list-item]
        try:
            event = _frames.decode(data)
        except _FAILURES:
            return self._decode_slowly(data, ts_ns)
        self._generic_last = False
        skipped: list[str] = []
        if type(event) is list:
            if not event:
                skipped.append(EMPTY_LIST)
            messages: list[Message] = []
            for one in event:
                messages += self._venue(one, ts_ns, skipped)
        else:
            messages = self._venue(event, ts_ns, skipped)
        if skipped:
            self._count(skipped)
        return messages

    def _venue(self, event: Any, ts_ns: int, skipped: list[str]) -> list[Message]:
        if self.only_market and event.market != self.only_market:
            skipped.append(generic.OTHER_MARKET)
            return []
        return to_messages(event, ts_ns, skipped)

    def _decode_slowly(self, data: bytes, ts_ns: int) -> list[Message]:
        """Heartbeats, unknown events, generic frames that are not plainly written, and all that must be refused with a reason."""
        text = data.strip()
        if text in HEARTBEATS:
            self._count([HEARTBEAT])
            return []
        if not text:
            raise BadFrame("the frame is empty")
        try:
            tree = _trees.decode(text)
        except RecursionError:
            raise BadFrame("nested too deeply") from None
        except ValueError as error:
            raise BadFrame(f"not JSON: {error}") from None
        skipped: list[str] = []
        messages: list[Message] = []
        for item in tree if isinstance(tree, list) else (tree,):
            messages += self._one(item, ts_ns, skipped)
        self._count(skipped)
        return messages

    def _one(self, tree: Any, ts_ns: int, skipped: list[str]) -> list[Message]:
        if not isinstance(tree, dict):
            raise BadFrame(f"expected an object, got {str(tree)[:60]!r}")
        if tree.get("event_type") is not None:
            name = tree["event_type"]
            if not isinstance(name, str):
                raise BadFrame("event_type: expected a text")
            if name not in EVENT_TYPES:
                skipped.append(f"unknown:{name}")
                return []
            return self._venue(event_of(tree, name), ts_ns, skipped)
        frame = generic.frame_of(tree)
        self._generic_last = True
        found = to_message(frame, ts_ns, self.rules)
        if isinstance(found, str):
            skipped.append(found)
            return []
        return [found]

    def _count(self, names: list[str]) -> None:
        for name in names:
            name = name[:48]
            if name not in self.counts and len(self.counts) >= UNKNOWN_NAMES:
                name = "unknown:others"
            self.counts[name] = self.counts.get(name, 0) + 1


def named_tokens(data: bytes) -> list[str]:
    """The tokens that a frame names which cannot be decoded; at most 50."""
    return list(dict.fromkeys(token.decode() for token in _TOKEN.findall(data)))[:MOST_NAMED]


def decode_books(body: bytes, ts_ns: int, source: BookSource, rules: GenericRules | None = None) -> list[VenueBook]:
    """The books in the body of ``/book`` (an object) or ``/books`` (an array, any order, perhaps incomplete), or generic snapshots.

    A venue book has ``asset_id``. Raises BadFrame for anything else.
    """
    if nests_too_deeply(body):
        raise BadFrame("nested too deeply")
    try:
        tree = _trees.decode(body)
    except RecursionError:
        raise BadFrame("nested too deeply") from None
    except ValueError as error:
        raise BadFrame(f"not JSON: {error}") from None
    books: list[VenueBook] = []
    for item in tree if isinstance(tree, list) else [tree]:
        if not isinstance(item, dict):
            raise BadFrame(f"expected a book, got {str(item)[:60]!r}")
        if "asset_id" in item:
            books.append(to_book(event_of({**item, "event_type": "book"}, "book"), ts_ns, source))
            continue
        found = to_message(generic.frame_of({"type": "snapshot", **item}), ts_ns, rules or GenericRules(), source)
        if not isinstance(found, VenueBook):
            raise BadFrame("expected a snapshot of a book")
        books.append(found)
    return books
