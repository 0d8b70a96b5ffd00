"""The user channel: a websocket on which the venue tells of our orders and trades. It replays nothing.

Source: user-channel page, seen 2026-11-22: the first frame carries the credentials, PING every 10 s is answered by PONG.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import msgspec
from websockets.exceptions import ConnectionClosed

from pipeline.base.clock import Clock
from pipeline.base.settings import VenueSection
from pipeline.venue.clob.wallet import ApiCredentials
from pipeline.venue.link import PING, Emit, Link

USER_LINK = "user"


class UserChannel(Link):
    """One link, for the orders of one account in all markets. What it sends is told nobody: the first frame holds the secrets."""

    def __init__(
        self,
        url: str,
        settings: VenueSection,
        emit: Emit,
        clock: Clock,
        rng: random.Random,
        credentials: Callable[[], ApiCredentials],
    ) -> None:
        super().__init__(USER_LINK, url, settings, emit, clock, rng)
        self._credentials = credentials

    def opening_frames(self) -> list[bytes]:
        """The subscription, with the credentials of this moment."""
        told = self._credentials()
        auth = {"apiKey": told.key, "secret": told.secret, "passphrase": told.passphrase}
        return [msgspec.json.encode({"type": "user", "auth": auth})]

    def is_final(self, code: int | None, reason: str) -> bool:
        """No close is: there is always something to come."""
        return False

    async def send(self, data: bytes) -> None:
        """Send one text frame if connected."""
        socket = self._socket
        if socket is None:
            return
        try:
            await socket.send(data.decode())
        except ConnectionClosed:
            return

    async def _ping(self) -> None:
        """Send PING in its interval, and end a connection on which nothing is heard any more."""
        heard, silent_ms = self.frames, 0
        while True:
            await asyncio.sleep(self._settings.ping_interval_ms / 1_000)
            heard, silent_ms = self.frames, 0 if self.frames != heard else silent_ms + self._settings.ping_interval_ms
            if silent_ms >= self._settings.link_silence_ms:
                self.drop("silent")
                return
            await self.send(PING)
