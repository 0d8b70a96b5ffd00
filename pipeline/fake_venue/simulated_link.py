"""The fake venue without sockets: an inline edge that stands where the gateway's websocket and HTTP edges stand, on time handed in.

Frames take the same way as over real sockets: source, faults, the links that carry their tokens. What a connection would do is done
in simulated time: subscriptions, list frames, PING, closes, reconnects with a growing wait, and answers to requests for books.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Protocol

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.fake_venue import clob, gamma
from pipeline.fake_venue.scenarios import Fault, Faults
from pipeline.fake_venue.source import Source
from pipeline.fake_venue.wire import RESOLVED, Frame
from pipeline.messages import Message
from pipeline.messages.edges import (
    SPOT_CHECK,
    FetchBooks,
    FollowTokens,
    FrameSent,
    LinkEvent,
    RawFrame,
    Reconnect,
    RestBody,
    Resubscribe,
)
from pipeline.messages.market import LinkState

ALL_RESOLVED = "all subscribed assets resolved"


@dataclass(frozen=True)
class LinkRules:
    """How far away the venue is (one way, and a whole HTTP request at least and at most), and how its sockets are kept.

    ``redundant``: two sockets for the same tokens.
    """

    latency_ns: int = 60 * NS_PER_MS
    rest_ns: tuple[int, int] = (80 * NS_PER_MS, 300 * NS_PER_MS)
    tokens_per_socket: int = 200
    redundant: bool = False
    ping_ns: int = 10 * NS_PER_S
    reconnect_ns: tuple[int, int] = (500 * NS_PER_MS, 30 * NS_PER_S)


class Witness(Protocol):
    """Who sees what really happened, besides what the reader gets."""

    def happened(self, frames: Sequence[Frame], now_ns: int) -> object:
        """The venue has just made these frames, all at once; what is returned is handed to ``told`` when they have arrived."""

    def told(self, what: object, now_ns: int) -> None:
        """The last of those frames has been handled, or would have been."""

    def struck(self, frame: Frame, link_id: str, faults: Sequence[Fault], due_ns: int) -> None:
        """A link gets something else in place of a frame, at ``due_ns``."""


class NoWitness:
    """Nobody looks."""

    def happened(self, frames: Sequence[Frame], now_ns: int) -> object:
        return None

    def told(self, what: object, now_ns: int) -> None:
        """Nothing."""

    def struck(self, frame: Frame, link_id: str, faults: Sequence[Fault], due_ns: int) -> None:
        """Nothing."""


@dataclass
class SimulatedLink:
    """One socket: its tokens, and the number of its present connection at the venue (0: none)."""

    link_id: str
    tokens: tuple[str, ...]
    number: int = 0
    subscribed: bool = False
    closing: bool = False
    ended: bool = False
    wait_ns: int = 0


@dataclass(frozen=True, slots=True)
class _Coming:
    """What is under way from the venue to one connection: a text, or the close with its reason. Without a link: a word to the witness."""

    due_ns: int
    link: SimulatedLink | None
    number: int
    text: str
    is_close: bool = False
    what: object = field(default=None)


class SimulatedVenue:
    """The edge. Hears FollowTokens, FetchBooks, Resubscribe and Reconnect; says RawFrame, FrameSent, LinkEvent and RestBody. Deterministic.

    ``faults`` are the source's; start them between two turns. ``rng`` spreads the times of HTTP answers and reconnects only.
    """

    accepts: tuple[type[Message], ...] = (FollowTokens, FetchBooks, Resubscribe, Reconnect)

    def __init__(
        self, source: Source, faults: Faults, rng: Random, rules: LinkRules | None = None, witness: Witness | None = None
    ) -> None:
        self.source, self.faults, self.rules = source, faults, rules or LinkRules()
        self.links: list[SimulatedLink] = []
        self._rng = rng
        self._witness: Witness = witness or NoWitness()
        self._numbers = count(1)
        self._order = count()
        self._coming: deque[_Coming] = deque()
        self._later: list[tuple[int, int, Callable[[int], Iterable[Message]]]] = []
        self._readers: dict[tuple[str, ...], list[SimulatedLink]] = {}

    # --- the edge --------------------------------------------------------------------------------------------------

    def take(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """A request of the gateway; most answers come later."""
        match msg:
            case FollowTokens():
                self._follow(msg.token_ids, now_ns)
            case FetchBooks():
                low, high = self.rules.rest_ns
                whole_ns = self._rng.randint(low, high)
                self._at(now_ns + whole_ns // 2, lambda at_ns: self._read_books(msg, at_ns, at_ns + whole_ns - whole_ns // 2))
            case Resubscribe():
                return [
                    out for link in self.links if link.link_id == msg.link_id for out in self._renew(link, msg.token_ids, now_ns)
                ]
            case Reconnect():
                return [out for link in self.links if link.link_id == msg.link_id for out in self._lose(link, msg.reason, now_ns)]
        return ()

    def next_ns(self) -> int | None:
        """When something arrives or happens next."""
        due_ns = self.source.next_ns()
        if self._later and (due_ns is None or self._later[0][0] < due_ns):
            due_ns = self._later[0][0]
        if self._coming and (due_ns is None or self._coming[0].due_ns < due_ns):
            due_ns = self._coming[0].due_ns
        return due_ns

    def due(self, now_ns: int) -> Iterator[Message]:
        """What has arrived. The caller handles each message before it takes the next."""
        while (at_ns := self.next_ns()) is not None and at_ns <= now_ns:
            if self._coming and self._coming[0].due_ns == at_ns:
                yield from self._arrive(self._coming.popleft())
            elif self._later and self._later[0][0] == at_ns:
                yield from heapq.heappop(self._later)[2](at_ns)
            else:
                self._happen(at_ns)

    # --- the venue's end -------------------------------------------------------------------------------------------

    def _happen(self, now_ns: int) -> None:
        """The next thing happens at the venue."""
        frames = self.faults.injected() + self.source.advance(now_ns, 1)
        faulty = self.faults.active(now_ns)
        due_ns = now_ns + self.rules.latency_ns
        for frame in frames:
            for link in self._readers_of(frame):
                texts = self.faults.outgoing(link.number, frame, now_ns) if faulty else [frame.text]
                if faulty and self.faults.strikers:
                    self._witness.struck(frame, link.link_id, self.faults.strikers, due_ns)
                for text in texts:
                    self._coming.append(_Coming(due_ns, link, link.number, text))
            if frame.kind == RESOLVED:
                self._end_settled(due_ns)
        if faulty:
            self._take_socket_faults(now_ns, due_ns)
        if frames:
            self._coming.append(_Coming(due_ns, None, 0, "", what=self._witness.happened(frames, now_ns)))

    def _readers_of(self, frame: Frame) -> list[SimulatedLink]:
        readers = self._readers.get(frame.token_ids)
        if readers is None:
            wanted = set(frame.token_ids)
            readers = self._readers[frame.token_ids] = [
                link for link in self.links if link.subscribed and (not wanted or not wanted.isdisjoint(link.tokens))
            ]
        return readers

    def _take_socket_faults(self, now_ns: int, due_ns: int) -> None:
        for link in self.links:
            if not link.subscribed:
                continue
            for text in self.faults.due(link.number, now_ns):
                self._coming.append(_Coming(due_ns, link, link.number, text))
            closing = self.faults.closes(link.number, now_ns)
            if closing is not None:
                self._close(link, due_ns, *closing)
        self.faults.swept()

    def _end_settled(self, due_ns: int) -> None:
        for link in self.links:
            if link.subscribed and all(self.source.is_settled(token_id) for token_id in link.tokens):
                self._close(link, due_ns, 1000, ALL_RESOLVED)

    def _close(self, link: SimulatedLink, due_ns: int, code: int, reason: str) -> None:
        """Nothing more is sent on a connection after its close."""
        link.subscribed, link.closing = False, True
        self._readers.clear()
        self._coming.append(_Coming(due_ns, link, link.number, f"received {code} {reason}", is_close=True))

    def _subscribed(self, link: SimulatedLink, number: int, token_ids: Sequence[str], now_ns: int) -> Iterable[Message]:
        """A subscription reaches the venue."""
        if number == link.number and not link.closing:
            link.subscribed = True
            self._readers.clear()
            self.faults.renewed(number, token_ids)
            opening = self.faults.opening(number, token_ids)
            if opening is not None:
                self._coming.append(_Coming(now_ns + self.rules.latency_ns, link, number, opening))
        return ()

    def _read_books(self, asked: FetchBooks, now_ns: int, due_ns: int) -> Iterable[Message]:
        """A request for books reaches the venue; the answer is what stands there at this moment."""
        if len(asked.token_ids) == 1:
            found = clob.answer(self.faults.rest_book, "/book", {"token_id": asked.token_ids[0]}, now_ns)
            name = f"GET /book?token_id={asked.token_ids[0]}"
        else:
            found = clob.books(self.faults.rest_book, [{"token_id": token_id} for token_id in asked.token_ids])
            name = f"POST /books ({len(asked.token_ids)} tokens)"
        assert found is not None
        answer = RestBody(
            ts_ns=due_ns,
            request=name,
            status=found.status,
            body=gamma.encode(found.body),
            request_id=asked.request_id,
            token_ids=asked.token_ids,
            mono_ns=due_ns,
            cause=asked.cause if asked.cause == SPOT_CHECK else "",
        )
        self._at(due_ns, lambda at_ns: (answer,))
        return ()

    # --- the reader's end ------------------------------------------------------------------------------------------

    def _follow(self, token_ids: Sequence[str], now_ns: int) -> None:
        """Spread the tokens over sockets; called once, as the tokens of a trial do not change."""
        room = self.rules.tokens_per_socket
        for start in range(0, len(token_ids), room):
            name = f"ws-{start // room + 1}"
            for link_id in (name, f"{name}b") if self.rules.redundant else (name,):
                link = SimulatedLink(link_id, tuple(token_ids[start : start + room]))
                self.links.append(link)
                self._at(now_ns, lambda at_ns, link=link: self._connect(link, at_ns))  # type: ignore[misc]

    def _arrive(self, coming: _Coming) -> Iterator[Message]:
        link, now_ns = coming.link, coming.due_ns
        if link is None:
            self._witness.told(coming.what, now_ns)
        elif coming.number != link.number:
            return  # of a connection that is gone
        elif coming.is_close:
            yield from self._lose(link, coming.text, now_ns)
        else:
            link.wait_ns = 0
            yield self._frame(link, coming.text, now_ns)

    def _connect(self, link: SimulatedLink, now_ns: int) -> Iterator[Message]:
        yield self._say(link, "connecting", now_ns)
        link.number, link.closing = next(self._numbers), False
        self._at(now_ns + 2 * self.rules.latency_ns, lambda at_ns: self._open(link, link.number, at_ns))

    def _open(self, link: SimulatedLink, number: int, now_ns: int) -> Iterator[Message]:
        if number != link.number:
            return
        wanted = {"type": "market", "assets_ids": list(link.tokens), "custom_feature_enabled": True}
        yield FrameSent(ts_ns=now_ns, link_id=link.link_id, data=json.dumps(wanted).encode(), mono_ns=now_ns)
        yield self._say(link, "up", now_ns)
        self._at(now_ns + self.rules.latency_ns, lambda at_ns: self._subscribed(link, number, link.tokens, at_ns))
        self._at(now_ns + self.rules.ping_ns, lambda at_ns: self._ping(link, number, at_ns))

    def _renew(self, link: SimulatedLink, token_ids: Sequence[str], now_ns: int) -> Iterator[Message]:
        """End the subscription to some tokens and begin it afresh, on a link that is open."""
        if not link.subscribed:
            return
        for operation in ("unsubscribe", "subscribe"):
            wanted = {"operation": operation, "assets_ids": list(token_ids), "custom_feature_enabled": True}
            yield FrameSent(ts_ns=now_ns, link_id=link.link_id, data=json.dumps(wanted).encode(), mono_ns=now_ns)
        number = link.number
        self._at(now_ns + self.rules.latency_ns, lambda at_ns: self._subscribed(link, number, token_ids, at_ns))

    def _ping(self, link: SimulatedLink, number: int, now_ns: int) -> Iterator[Message]:
        """Text PING, answered also by a link that is silent otherwise."""
        if number != link.number or link.ended:
            return
        yield FrameSent(ts_ns=now_ns, link_id=link.link_id, data=b"PING", mono_ns=now_ns)
        self._at(now_ns + 2 * self.rules.latency_ns, lambda at_ns: self._pong(link, number, at_ns))
        self._at(now_ns + self.rules.ping_ns, lambda at_ns: self._ping(link, number, at_ns))

    def _pong(self, link: SimulatedLink, number: int, now_ns: int) -> Iterator[Message]:
        if number == link.number:
            yield self._frame(link, "PONG", now_ns)

    def _lose(self, link: SimulatedLink, reason: str, now_ns: int) -> Iterator[Message]:
        """The connection is gone: for good where all its markets have ended, else until it is made again."""
        if not link.number:
            return
        link.number, link.subscribed = 0, False
        self._readers.clear()
        if ALL_RESOLVED in reason:
            link.ended = True
            yield self._say(link, "closed", now_ns, reason)
            return
        yield self._say(link, "down", now_ns, reason)
        low, high = self.rules.reconnect_ns
        link.wait_ns = min(max(link.wait_ns * 2, low), high)
        self._at(now_ns + self._rng.randint(link.wait_ns // 2, link.wait_ns), lambda at_ns: self._connect(link, at_ns))

    # --- small steps -----------------------------------------------------------------------------------------------

    def _at(self, due_ns: int, do: Callable[[int], Iterable[Message]]) -> None:
        heapq.heappush(self._later, (due_ns, next(self._order), do))

    def _frame(self, link: SimulatedLink, text: str, now_ns: int) -> RawFrame:
        return RawFrame(ts_ns=now_ns, link_id=link.link_id, data=text.encode(), mono_ns=now_ns)

    def _say(self, link: SimulatedLink, state: LinkState, now_ns: int, reason: str = "") -> LinkEvent:
        return LinkEvent(ts_ns=now_ns, link_id=link.link_id, state=state, reason=reason, token_ids=link.tokens, mono_ns=now_ns)
