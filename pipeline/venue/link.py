"""One websocket connection and its life: connect, be heard, go silent, be lost, connect again. For the edges of this room."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidProxy, InvalidURI, WebSocketException

from pipeline.base.clock import Clock, monotonic_ns
from pipeline.base.errors import BadInput
from pipeline.base.settings import VenueSection
from pipeline.messages import Message
from pipeline.messages.edges import FrameSent, LinkEvent, RawFrame
from pipeline.messages.market import LinkState
from pipeline.venue.backoff import Backoff

Emit = Callable[[Message], None]
PING = b"PING"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CLOSE_TIMEOUT_S = 0.2
"""The library may take five times as long when frames still wait to be read."""
NORMAL_CLOSE = 1000
SETTLED = "resolved"
"""What the reason of a normal close holds when every token of the socket is settled (``all subscribed assets resolved``)."""


class Link:
    """A connection that is kept alive. Subclasses say what to send when it opens and what a normal close means.

    ``text_ping``: send the text PING every ``ping_interval_ms``. Who watches the link ends a connection with ``drop``.
    """

    text_ping = True

    def __init__(self, link_id: str, url: str, settings: VenueSection, emit: Emit, clock: Clock, rng: random.Random) -> None:
        self.link_id, self.url, self._settings = link_id, url, settings
        self._emit, self._clock = emit, clock
        self._backoff = Backoff(settings.reconnect_min_ms, settings.reconnect_max_ms, rng)
        self._socket: ClientConnection | None = None
        self._dropped = ""
        self.frames = 0

    # --- what a subclass says --------------------------------------------------------------------------------------

    def token_ids(self) -> tuple[str, ...]:
        """The tokens that this link carries."""
        return ()

    def opening_frames(self) -> list[bytes]:
        """What is sent as soon as the connection is open."""
        return []

    def is_final(self, code: int | None, reason: str) -> bool:
        """Whether a close ends this link for good."""
        return code == NORMAL_CLOSE and SETTLED in reason

    def wants_more(self) -> bool:
        """Asked after each frame; False closes the link for good."""
        return True

    # --- life ------------------------------------------------------------------------------------------------------

    async def run(self) -> str:
        """Keep connected until a close is final; returns its reason. Raises BadInput for an address that is none."""
        while True:
            self.say("connecting", self.url)
            try:
                final, reason = await self._connect_once()
            except (InvalidURI, InvalidProxy) as error:
                raise BadInput(f"{self.url}: not a websocket address: {error}; it begins with ws:// or wss://") from None
            except (OSError, TimeoutError, WebSocketException) as error:
                final, reason = False, _reason(error)
                self.on_refused(reason)
            if final:
                self.say("closed", reason)
                return reason
            self.say("down", reason)
            await asyncio.sleep(self._backoff.next_s())

    def on_refused(self, reason: str) -> None:
        """A connection could not be made; the link tries again unless this raises."""

    async def send(self, data: bytes) -> None:
        """Send one text frame if connected, and tell that it was sent; a connection that is just closing swallows it."""
        socket = self._socket
        if socket is None:
            return
        try:
            await socket.send(data.decode())
        except ConnectionClosed:
            return
        self._emit(FrameSent(ts_ns=self._clock.now_ns(), link_id=self.link_id, data=data, mono_ns=monotonic_ns()))

    def drop(self, reason: str) -> None:
        """End the connection without a word, if there is one; it is made again."""
        if self._socket is not None:
            self._dropped = reason
            self._socket.transport.abort()

    async def _connect_once(self) -> tuple[bool, str]:
        """One connection from open to close: whether the close is final, and why it closed."""
        async with connect(
            self.url,
            max_size=self._settings.max_frame_bytes,
            compression=None,
            close_timeout=CLOSE_TIMEOUT_S,
            open_timeout=10,
            **self._options(),
        ) as socket:
            self._socket, self._dropped = socket, ""
            pinger: asyncio.Task[None] | None = None
            try:
                for data in self.opening_frames():
                    await self.send(data)
                self.say("up")
                if self.text_ping:
                    pinger = asyncio.create_task(self._ping())
                return await self._receive(socket)
            finally:
                self._socket = None
                if pinger is not None:
                    pinger.cancel()

    def _options(self) -> dict[str, Any]:
        """The protocol's own pings only where there is no text PING; never a proxy to this machine itself."""
        options: dict[str, Any] = {"ping_interval": None} if self.text_ping else {}
        if urlsplit(self.url).hostname in LOOPBACK:
            options["proxy"] = None
        return options

    async def _receive(self, socket: ClientConnection) -> tuple[bool, str]:
        emit, clock, link_id = self._emit, self._clock, self.link_id
        try:
            while True:
                data = await socket.recv(decode=False)
                self.frames += 1
                emit(
                    RawFrame(
                        ts_ns=clock.now_ns(),
                        link_id=link_id,
                        data=bytes(data),
                        mono_ns=monotonic_ns(),
                        where=f"{link_id}:{self.frames}",
                    )
                )
                self._backoff.reset()
                if not self.wants_more():
                    return True, "enough"
        except ConnectionClosed as error:
            if self._dropped:
                return False, self._dropped
            closed = error.rcvd
            code, reason = (closed.code, closed.reason) if closed is not None else (None, "")
            return self.is_final(code, reason), _reason(error)

    async def _ping(self) -> None:
        """Send PING in its interval."""
        while True:
            await asyncio.sleep(self._settings.ping_interval_ms / 1_000)
            await self.send(PING)

    def say(self, state: LinkState, reason: str = "") -> None:
        """Tell that the link is in a state."""
        self._emit(
            LinkEvent(
                ts_ns=self._clock.now_ns(),
                link_id=self.link_id,
                state=state,
                reason=reason,
                token_ids=self.token_ids(),
                mono_ns=monotonic_ns(),
            )
        )


def _reason(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]
