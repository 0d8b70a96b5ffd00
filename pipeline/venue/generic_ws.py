"""The generic stream as an edge: one websocket that sends frames until it closes normally."""

from __future__ import annotations

import asyncio
import random

import msgspec

from pipeline.base.clock import Clock
from pipeline.base.errors import BadInput
from pipeline.base.settings import VenueSection
from pipeline.messages import Message
from pipeline.messages.edges import FeedEnded, FollowTokens
from pipeline.venue.link import NORMAL_CLOSE, Emit, Link


def generic_subscription(market: str) -> bytes:
    """The frame that asks a generic server for one market; the protocol asks for none, and a server may ignore it."""
    return msgspec.json.encode({"type": "subscribe", "channel": "l2", "market": market})


class _GenericLink(Link):
    text_ping = False

    def __init__(
        self,
        url: str,
        settings: VenueSection,
        emit: Emit,
        clock: Clock,
        rng: random.Random,
        opening: bytes | None,
        max_messages: int | None,
    ) -> None:
        super().__init__("generic", url, settings, emit, clock, rng)
        self._opening, self._max_messages = opening, max_messages
        self._was_open = False

    def opening_frames(self) -> list[bytes]:
        self._was_open = True
        return [] if self._opening is None else [self._opening]

    def is_final(self, code: int | None, reason: str) -> bool:
        return code == NORMAL_CLOSE

    def wants_more(self) -> bool:
        return self._max_messages is None or self.frames < self._max_messages

    def on_refused(self, reason: str) -> None:
        if not self._was_open:
            raise BadInput(f"{self.url}: cannot connect: {reason}; is the server running, and the address right?")


class GenericFeed:
    """The edge. Says RawFrame, FrameSent, LinkEvent and, last, FeedEnded: after a normal close or ``max_messages`` frames.

    A connection lost in any other way is made again; one that never came about raises BadInput.
    """

    name = "generic_ws"
    accepts: tuple[type[Message], ...] = (FollowTokens,)

    def __init__(
        self,
        url: str,
        settings: VenueSection,
        clock: Clock,
        rng: random.Random,
        *,
        subscribe: bytes | None = None,
        max_messages: int | None = None,
    ) -> None:
        """``subscribe`` is sent when the connection opens (``generic_subscription``)."""
        self.url, self._settings, self._clock, self._rng = url, settings, clock, rng
        self._subscribe, self._max_messages = subscribe, max_messages

    def take(self, msg: Message) -> None:
        """The stream has what it has."""

    async def run(self, emit: Emit) -> None:
        """Work until the stream ends, say so, and stay until cancelled."""
        link = _GenericLink(self.url, self._settings, emit, self._clock, self._rng, self._subscribe, self._max_messages)
        reason = await link.run()
        emit(FeedEnded(ts_ns=self._clock.now_ns(), reason=reason))
        await asyncio.Event().wait()
