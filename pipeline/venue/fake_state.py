"""Ask the offline venue which state it was told to be in, so that the relayer beside it answers orders accordingly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import get_args
from urllib.parse import urlsplit

import msgspec

from pipeline.base.clock import SystemClock
from pipeline.messages import Message
from pipeline.messages.edges import VenueStateSeen
from pipeline.messages.orders import VenueState

PATH = "/admin/status"
EVERY_S = 0.5
PATIENCE_S = 2.0
STATES: tuple[VenueState, ...] = get_args(VenueState)


class _Status(msgspec.Struct):
    venue_state: str = "normal"


class FakeVenueState:
    """Read ``/admin/status`` twice a second and say each state that differs from the one before. A venue that is away says nothing."""

    name = "venue-state"
    accepts: tuple[type[Message], ...] = ()

    def __init__(self, url: str, every_s: float = EVERY_S) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._every_s = parts.hostname or "127.0.0.1", parts.port or 80, every_s

    def take(self, msg: Message) -> None:
        """Nothing is asked of it."""

    async def run(self, emit: Callable[[Message], None]) -> None:
        """Until cancelled."""
        told: VenueState = "normal"
        clock = SystemClock()
        while True:
            state = state_of(await self._read())
            if state is not None and state != told:
                told = state
                emit(VenueStateSeen(ts_ns=clock.now_ns(), state=state))
            await asyncio.sleep(self._every_s)

    async def _read(self) -> bytes:
        """The whole answer; empty where there is none in time."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    writer.write(f"GET {PATH} HTTP/1.0\r\nHost: {self._host}\r\n\r\n".encode())
                    return await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return b""


def state_of(answer: bytes) -> VenueState | None:
    """The state that an HTTP answer tells; None if it is no such answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0] + b" ":
        return None
    try:
        told = msgspec.json.decode(body, type=_Status).venue_state
    except msgspec.DecodeError:
        return None
    return next((state for state in STATES if state == told), None)
