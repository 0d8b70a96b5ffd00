"""Several links that carry the same tokens, made one feed: what one of them has told already is left out, what another lost is put in.

Messages are told apart by what they say, not by when they came; what one link says twice is passed on twice, as there is a change that is
made, undone and made again in one millisecond. A message that comes late, because the link that would have brought it first lost it, is
followed once more by all that came after it for its token: sizes are totals, so the book comes out right.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from pipeline.market.venue_time import time_ms
from pipeline.messages import Message
from pipeline.messages.market import VenueBook, VenuePriceChange

KEPT = 512
"""How many messages are remembered of each token: several seconds of the busiest, far more than two links are apart."""


@dataclass(slots=True, eq=False)
class _Said:
    """One message: how often each link has said it, and its place among a token's books and changes."""

    msg: Message
    times: dict[str, int]
    at_ms: int = 0
    key: tuple[str, str] = ("", "")


@dataclass(slots=True, eq=False)
class _Told:
    """The last messages of one token. ``log`` holds books and changes by the venue's time."""

    said: OrderedDict[Hashable, _Said] = field(default_factory=OrderedDict)
    log: list[_Said] = field(default_factory=list)
    trimmed: bool = False


class Arbiter:
    """What was told of each token lately, in the venue's order."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._told: dict[str, _Told] = {}
        self._counts = dict.fromkeys(("told_twice", "filled_in", "told_too_late"), 0)

    def take(self, link_id: str, found: Iterable[Message]) -> list[Message]:
        """What is to be passed on of the messages of one frame of a link."""
        out: list[Message] = []
        for msg in found:
            told = self._told.get(msg.key)
            if told is None:
                told = self._told[msg.key] = _Told()
            said = self._new(told, link_id, msg)
            if said is None:
                self._counts["told_twice"] += 1
            elif isinstance(msg, (VenuePriceChange, VenueBook)):
                said.key = (msg.venue_ts or "", msg.hash or "")
                said.at_ms = time_ms(msg.venue_ts)
                out += self._in_order(told, link_id, said)
            else:
                out.append(msg)
        return out

    def forget(self, token_ids: Sequence[str]) -> None:
        """No link carries these tokens any longer: what comes next is a beginning."""
        for token_id in token_ids:
            self._told.pop(token_id, None)

    def counts(self) -> dict[str, int]:
        """Totals since the start."""
        return dict(self._counts)

    def _new(self, told: _Told, link_id: str, msg: Message) -> _Said | None:
        """The message, if a link says it more often than any link has before."""
        what = _what(msg)
        said = told.said.get(what)
        if said is not None:
            most = max(said.times.values())
            said.times[link_id] = times = said.times.get(link_id, 0) + 1
            if times <= most:
                return None
            said = told.said[what] = _Said(msg, said.times)
            return said
        said = told.said[what] = _Said(msg, {link_id: 1})
        if len(told.said) > 2 * self._kept:
            told.said.popitem(last=False)
        return said

    def _in_order(self, told: _Told, link_id: str, said: _Said) -> list[Message]:
        """A book or a change that was not told before."""
        log = told.log
        place = _place(log, link_id, said)
        later = log[place:]
        if later and (
            isinstance(said.msg, VenueBook)
            or any(type(other.msg) is VenueBook for other in later)
            or (place == 0 and told.trimmed)
        ):
            self._counts["told_too_late"] += 1
            return []
        log.insert(place, said)
        if len(log) > 2 * self._kept:
            del log[: self._kept]
            told.trimmed = True
        self._counts["filled_in"] += bool(later)
        return [said.msg, *(other.msg for other in later)]


def _place(log: list[_Said], link_id: str, said: _Said) -> int:
    """Where a message belongs: behind the rest of its batch, else behind all that is not later, but never before what its link told."""
    place = len(log)
    while place and log[place - 1].at_ms > said.at_ms:
        place -= 1
    end = place
    while end and log[end - 1].at_ms == said.at_ms:
        if log[end - 1].key == said.key or link_id in log[end - 1].times:
            return end
        end -= 1
    return place


def _what(msg: Message) -> Hashable:
    """A message without the time at which it reached us."""
    values = msgspec.structs.astuple(msg)
    at = msg.__struct_fields__.index("ts_ns")
    return type(msg), values[:at], values[at + 1 :]
