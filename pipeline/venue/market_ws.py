"""The venue's market channel as an edge: the followed tokens spread over as many websockets as they need.

Subscriptions and heartbeat as in https://docs.polymarket.com/developers/CLOB/websocket/wss-overview (seen 2026-10-05): a first frame
with ``type``, later ones with ``operation``; text PING before a valid subscription would close the socket. Nothing is replayed after a
reconnect: the list frame that answers the subscription is the truth.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

import msgspec

from pipeline.base.clock import Clock
from pipeline.base.settings import VenueSection
from pipeline.messages import Message
from pipeline.messages.edges import FollowTokens, Reconnect, Resubscribe
from pipeline.venue.link import Emit, Link


def subscription(token_ids: Iterable[str]) -> bytes:
    """The first frame of a connection."""
    return msgspec.json.encode({"type": "market", "assets_ids": list(token_ids), "custom_feature_enabled": True})


def change_of_subscription(operation: str, token_ids: Iterable[str]) -> bytes:
    """A later frame: ``operation`` is subscribe or unsubscribe."""
    return msgspec.json.encode({"operation": operation, "assets_ids": list(token_ids), "custom_feature_enabled": True})


class _MarketLink(Link):
    """One socket and its tokens, in the order in which they were asked for. ``twin`` is a second socket for the same tokens."""

    def __init__(self, link_id: str, url: str, settings: VenueSection, emit: Emit, clock: Clock, rng: random.Random) -> None:
        super().__init__(link_id, url, settings, emit, clock, rng)
        self.tokens: dict[str, None] = {}
        self._sent: frozenset[str] = frozenset()
        self.task: asyncio.Task[str] | None = None
        self.twin: _MarketLink | None = None

    def token_ids(self) -> tuple[str, ...]:
        return tuple(self.tokens)

    def opening_frames(self) -> list[bytes]:
        self._sent = frozenset(self.tokens)
        return [subscription(self.tokens)]

    async def renew(self) -> None:
        """Bring an open connection to the tokens wanted now; a closed one learns them when it opens."""
        if self._socket is None:
            return
        gone = [token for token in self._sent if token not in self.tokens]
        fresh = [token for token in self.tokens if token not in self._sent]
        self._sent = frozenset(self.tokens)
        if gone:
            await self.send(change_of_subscription("unsubscribe", sorted(gone)))
        if fresh:
            await self.send(change_of_subscription("subscribe", fresh))
        if gone or fresh:
            self.say("up", "subscription changed")

    async def resubscribe(self, token_ids: Iterable[str]) -> None:
        """End the subscription to some tokens and begin it afresh, so that their books are sent again."""
        chosen = [token for token in token_ids if token in self._sent and token in self.tokens]
        if chosen:
            await self.send(change_of_subscription("unsubscribe", chosen))
            await self.send(change_of_subscription("subscribe", chosen))


class MarketFeed:
    """The edge. Says RawFrame, FrameSent and LinkEvent.

    Hears FollowTokens, whose tokens it carries exactly; Resubscribe and Reconnect, for a link that does not tell all it should.
    """

    name = "market_ws"
    accepts: tuple[type[Message], ...] = (FollowTokens, Resubscribe, Reconnect)

    def __init__(self, url: str, settings: VenueSection, clock: Clock, rng: random.Random) -> None:
        """``rng`` only spreads reconnects."""
        self.url, self._settings, self._clock, self._rng = url, settings, clock, rng
        self._wanted: tuple[str, ...] = ()
        self._changed = asyncio.Event()
        self._links: list[_MarketLink] = []
        self._numbers = 0
        self._renewals: list[Resubscribe] = []

    def take(self, msg: Message) -> None:
        """FollowTokens: the tokens to carry from here on. Resubscribe, Reconnect: see there."""
        match msg:
            case FollowTokens():
                self._wanted = msg.token_ids
                self._changed.set()
            case Resubscribe():
                self._renewals.append(msg)
                self._changed.set()
            case Reconnect():
                for link in self._sockets():
                    if link.link_id == msg.link_id:
                        link.drop(msg.reason)

    async def run(self, emit: Emit) -> None:
        """Keep the links until cancelled. Raises BadInput for an address that is none."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._changed.wait()
                    self._changed.clear()
                    await self._assign(emit, group)
                    renewals, self._renewals = self._renewals, []
                    for link in self._sockets():
                        for wanted in renewals:
                            if wanted.link_id == link.link_id:
                                await link.resubscribe(wanted.token_ids)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _assign(self, emit: Emit, group: asyncio.TaskGroup) -> None:
        """Drop the tokens that are no longer wanted, put the others where there is room, open and end links as needed."""
        wanted = dict.fromkeys(self._wanted)
        carried: set[str] = set()
        for link in self._links:
            link.tokens = {token: None for token in link.tokens if token in wanted}
            carried.update(link.tokens)
        waiting = [token for token in wanted if token not in carried]
        room = self._settings.tokens_per_socket
        for link in self._links:
            while waiting and len(link.tokens) < room:
                link.tokens[waiting.pop(0)] = None
        while waiting:
            self._numbers += 1
            link = _MarketLink(f"ws-{self._numbers}", self.url, self._settings, emit, self._clock, self._rng)
            link.tokens = dict.fromkeys(waiting[:room])
            waiting = waiting[room:]
            self._links.append(link)
            if self._settings.redundant_sockets:
                link.twin = _MarketLink(f"{link.link_id}b", self.url, self._settings, emit, self._clock, self._rng)
        for link in self._sockets():
            if not link.tokens:
                if link.task is not None:
                    link.task.cancel()
                    link.say("closed", "no token is followed")
            elif link.task is None or link.task.done():
                link.task = group.create_task(link.run(), name=link.link_id)
            else:
                await link.renew()
        self._links = [link for link in self._links if link.tokens]

    def _sockets(self) -> list[_MarketLink]:
        """Every link and its twin, which carries the same tokens."""
        found: list[_MarketLink] = []
        for link in self._links:
            found.append(link)
            if link.twin is not None:
                link.twin.tokens = link.tokens
                found.append(link.twin)
        return found
