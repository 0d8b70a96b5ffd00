"""Named faults: what a feed does on a bad day, on demand. Pure: it stands between a source and the sockets; time is handed in.

A fault is started by its name and ends by itself, after a time or a number of frames. ``token`` and ``link`` narrow it down;
without a link it strikes all of them alike. What each one takes is in ``OPTIONS``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.fake_venue import inject
from pipeline.fake_venue.source import Source
from pipeline.fake_venue.wire import LAST_TRADE, PRICE_CHANGE, Frame

LIST_FRAME_BYTES = 432_179
STORM_PERIOD_NS = NS_PER_S // 2
FORGET_NS = 30 * NS_PER_S
REORDER_NS = 123 * NS_PER_MS

FEED_FAULTS = {
    "freeze-one-token": "one token gets nothing more until it is subscribed to again, all others do (seconds=30)",
    "silent-socket": "PING is answered, nothing else is sent (seconds=30)",
    "drop-frame": "the next price_change frames are lost (count=1)",
    "duplicate": "the next price_change frames come twice (count=1)",
    "swap-entries": "the next price_change frames come again with their entries swapped (count=1)",
    "reorder-across-tokens": "frames of one market come after later ones of another (count=1)",
    "late-trade": "the next trades are told 2.9 s late (count=1)",
    "wrong-hash": "the next price_change frames have a hash that nothing fits (count=1)",
    "truncated-frame": "the next price_change frames are cut in half (count=1)",
}
LINK_FAULTS = {
    "ghost-rest-book": "/book and /books answer 0.01 against 0.99 with an old timestamp (seconds=30)",
    "slow-consumer-close": "the links that are open are closed with 1013, slow consumer",
    "reconnect-storm": "links are closed twice a second, and again when they come back (seconds=5)",
    "list-frame-432kB": "the next list frames are as long as the longest ever seen (count=1)",
}
FAULTS = {**FEED_FAULTS, **LINK_FAULTS, **inject.FAULTS}
"""Every fault by name, with what it does and its defaults."""
SECONDS = {"freeze-one-token": 30, "silent-socket": 30, "ghost-rest-book": 30, "reconnect-storm": 5}
"""The faults that end after a time; the others end after a number of frames, or at once."""
_BY_COUNT = ("token", "link", "count")
OPTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(FEED_FAULTS, _BY_COUNT),
    **dict.fromkeys(inject.FAULTS, ("token",)),
    "freeze-one-token": ("token", "link", "seconds"),
    "silent-socket": ("link", "seconds"),
    "ghost-rest-book": ("token", "seconds"),
    "slow-consumer-close": ("link",),
    "reconnect-storm": ("link", "seconds"),
    "list-frame-432kB": ("count",),
    "new-market-flood": ("count",),
}
"""What each fault can be told."""


class UnknownFault(ValueError):
    """No fault has this name."""


def check_fault(name: str, given: Sequence[str]) -> None:
    """Raises UnknownFault for a name that there is not, ValueError for an option that the fault does not take."""
    if name not in FAULTS:
        raise UnknownFault(f"no fault is called {name}; known are {', '.join(sorted(FAULTS))}")
    for option in given:
        if option not in OPTIONS[name]:
            raise ValueError(f"{name} takes no {option}; it takes {', '.join(OPTIONS[name])}")


@dataclass(eq=False)
class Fault:
    """One fault under way. ``left`` counts the frames it may still strike; None where it ends by time alone.

    ``cured`` are the links that a renewed subscription has freed of it.
    """

    name: str
    token_id: str | None
    link: int | None
    until_ns: int
    left: int | None
    started_ns: int
    held: dict[int, tuple[Frame, int]] = field(default_factory=dict)
    late: list[tuple[int, int, str]] = field(default_factory=list)
    cured: set[int] = field(default_factory=set)
    _frame: Frame | None = None
    _hit: bool = False

    def strikes(self, frame: Frame, kind: str | None) -> bool:
        """This frame is struck; decided once a frame, whatever number of links get it."""
        if frame is self._frame:
            return self._hit
        self._frame = frame
        wanted = (kind is None or frame.kind == kind) and (self.token_id is None or self.token_id in frame.token_ids)
        self._hit = wanted and (self.left is None or self.left > 0)
        if self._hit and self.left is not None:
            self.left -= 1
        return self._hit

    def is_over(self, now_ns: int) -> bool:
        """Nothing more will come of it. What is still held for a link that has gone is forgotten with it."""
        if self.left is None:
            return now_ns >= self.until_ns
        due_ns = [due_ns for _, due_ns in self.held.values()] + [due_ns for due_ns, *_ in self.late]
        return not self.left and all(now_ns > due + FORGET_NS for due in due_ns)


class Faults:
    """The faults of one server."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.strikers: list[Fault] = []
        """The faults that made the last ``outgoing`` something else than its frame."""
        self._running: list[Fault] = []
        self._injected: list[Frame] = []
        self._long_lists = 0
        self._storm: dict[int, int] = {}

    def running(self, now_ns: int) -> list[str]:
        """The names of the faults under way."""
        return [fault.name for fault in self._running if not fault.is_over(now_ns)]

    def start(self, name: str, now_ns: int, options: Mapping[str, str]) -> dict[str, Any]:
        """Begin a fault; what it will do, as JSON would hold it. Options: those of ``OPTIONS``, as texts.

        Raises UnknownFault, and ValueError for an option that does not fit.
        """
        check_fault(name, tuple(options))
        whole = {key: _whole(key, options[key]) for key in ("link", "count", "seconds") if key in options}
        token_id, count = options.get("token"), whole.get("count", 1)
        if token_id is not None and self._source.rest_book(token_id) is None:
            raise ValueError(f"token {token_id} has no open book here")
        told: dict[str, Any] = {"fault": name, "at_ns": now_ns, **whole}
        if name in inject.FAULTS:
            frames, token_id = inject.frames_of(name, self._source, token_id, whole.get("count"))
            self._injected.extend(frames)
            return {**told, "token": token_id, "frames": len(frames)}
        if name == "list-frame-432kB":
            self._long_lists += count
            return {**told, "count": count}
        if name == "freeze-one-token" and token_id is None:
            token_id = inject.busiest_token(self._source)
        if token_id is not None:
            told["token"] = token_id
        if name in SECONDS:
            told["seconds"] = seconds = whole.get("seconds", SECONDS[name])
            left = None
        elif name == "slow-consumer-close":
            seconds, left = 1, None
        else:
            seconds, left, told["count"] = 0, count, count
        self._running.append(Fault(name, token_id, whole.get("link"), now_ns + seconds * NS_PER_S, left, now_ns))
        return told

    def injected(self) -> list[Frame]:
        """Frames made by faults since the last call."""
        frames, self._injected = self._injected, []
        return frames

    def active(self, now_ns: int) -> bool:
        """Some fault is under way; those that are over are forgotten."""
        if self._running:
            self._running = [fault for fault in self._running if not fault.is_over(now_ns)]
        return bool(self._running)

    def outgoing(self, link: int, frame: Frame, now_ns: int) -> list[str]:
        """What is sent to a link in place of a frame."""
        texts = [frame.text]
        self.strikers = []
        for fault in self._running:
            if fault.link in (None, link) and link not in fault.cured:
                struck = [out for text in texts for out in _strike(fault, link, frame, text, now_ns)]
                if struck != texts:
                    self.strikers.append(fault)
                texts = struck
        return texts

    def due(self, link: int, now_ns: int) -> list[str]:
        """What was held back from a link and is due."""
        texts: list[str] = []
        if self.is_silent(link):
            return texts
        for fault in self._running:
            held = fault.held.get(link)
            if held is not None and held[1] <= now_ns:
                texts.append(fault.held.pop(link)[0].text)
            ripe = [item for item in fault.late if item[0] <= now_ns and item[1] == link]
            for item in ripe:
                fault.late.remove(item)
                texts.append(item[2])
        return texts

    def renewed(self, link: int, token_ids: Sequence[str]) -> None:
        """A link has subscribed to these tokens, which thaws those of them that were frozen there."""
        for fault in self._running:
            if fault.name == "freeze-one-token" and fault.token_id in token_ids:
                fault.cured.add(link)

    def opening(self, link: int, token_ids: Sequence[str]) -> str | None:
        """The list frame that answers a subscription to these tokens; None while the link is silent."""
        if self.is_silent(link):
            return None
        text = self._source.list_frame(token_ids)
        if not self._long_lists:
            return text
        self._long_lists -= 1
        return inject.lengthened(text, LIST_FRAME_BYTES)

    def is_silent(self, link: int) -> bool:
        """Nothing but PONG is sent to this link."""
        return any(fault.name == "silent-socket" and fault.link in (None, link) for fault in self._running)

    def closes(self, link: int, now_ns: int) -> tuple[int, str] | None:
        """The code and reason with which this link is closed now; None if it is not."""
        for fault in self._running:
            if fault.link not in (None, link):
                continue
            if fault.name == "slow-consumer-close" and self._storm.get(link) != fault.started_ns:
                self._storm[link] = fault.started_ns
                return 1013, "slow consumer: send buffer full"
            if fault.name == "reconnect-storm" and (now_ns - fault.started_ns) // STORM_PERIOD_NS != self._storm.get(link):
                first = link not in self._storm
                self._storm[link] = (now_ns - fault.started_ns) // STORM_PERIOD_NS
                if not first or now_ns - fault.started_ns < STORM_PERIOD_NS:
                    return 1012, "service restart"
        return None

    def swept(self) -> None:
        """Every link has been asked for: a close that strikes those which are open has struck."""
        self._running = [fault for fault in self._running if fault.name != "slow-consumer-close"]

    def rest_book(self, token_id: str) -> dict[str, Any] | None:
        """CLOB ``/book``, or the ghost of one."""
        book = self._source.rest_book(token_id)
        ghosts = any(fault.name == "ghost-rest-book" and fault.token_id in (None, token_id) for fault in self._running)
        return inject.ghost(book) if book is not None and ghosts else book


def _strike(fault: Fault, link: int, frame: Frame, text: str, now_ns: int) -> list[str]:
    if fault.name == "silent-socket":
        return []
    if fault.name == "freeze-one-token":
        return _without(frame, text, fault.token_id) if fault.token_id in frame.token_ids else [text]
    if fault.name == "late-trade":
        if fault.strikes(frame, LAST_TRADE):
            fault.late.append((now_ns + 2_900 * NS_PER_MS, link, text))
            return []
        return [text]
    if fault.name == "reorder-across-tokens":
        return _reorder(fault, link, frame, text, now_ns)
    change = _CHANGES.get(fault.name)
    return change(text) if change is not None and fault.strikes(frame, PRICE_CHANGE) else [text]


def _reorder(fault: Fault, link: int, frame: Frame, text: str, now_ns: int) -> list[str]:
    """Hold a frame until another market's has gone out; never behind its own market's next one."""
    held = fault.held.pop(link, None)
    if held is not None:
        return [held[0].text, text] if set(held[0].token_ids) & set(frame.token_ids) else [text, held[0].text]
    if fault.strikes(frame, PRICE_CHANGE):
        fault.held[link] = (frame, now_ns + REORDER_NS)
        return []
    return [text]


def _without(frame: Frame, text: str, token_id: str | None) -> list[str]:
    """The frame without one token's entries; nothing if it is about that token alone."""
    if frame.kind != PRICE_CHANGE:
        return [text] if len(frame.token_ids) > 1 else []
    body = _body(text)
    if body is None:
        return []
    left = [entry for entry in body["price_changes"] if entry["asset_id"] != token_id]
    return [_spaced({**body, "price_changes": left})] if left else []


def _swapped(text: str) -> list[str]:
    body = _body(text)
    return [text] if body is None else [text, _spaced({**body, "price_changes": body["price_changes"][::-1]})]


def _wrong_hash(text: str) -> list[str]:
    body = _body(text)
    if body is None:
        return [text]
    for entry in body["price_changes"]:
        entry["hash"] = entry["hash"][::-1]
    return [_spaced(body)]


def _body(text: str) -> dict[str, Any] | None:
    """A frame's content; None where another fault has cut it before."""
    try:
        body: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return body


def _spaced(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(", ", ":"))


def _whole(name: str, text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"{name}={text}: expected a whole number")
    return int(text)


_CHANGES: dict[str, Callable[[str], list[str]]] = {
    "drop-frame": lambda text: [],
    "duplicate": lambda text: [text, text],
    "swap-entries": _swapped,
    "wrong-hash": _wrong_hash,
    "truncated-frame": lambda text: [text[: len(text) // 2]],
}
