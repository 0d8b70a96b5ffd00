"""A live websocket into a lockstep run: frames as they come, timers as time passes, until the stream ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from pipeline.base.clock import SystemClock
from pipeline.base.errors import BadInput
from pipeline.base.settings import VenueSection
from pipeline.bus.compose import Lockstep
from pipeline.bus.edge import AsyncEdge
from pipeline.bus.topology import GATEWAY
from pipeline.messages import Message
from pipeline.messages.edges import FeedEnded, LinkEvent, RawFrame
from pipeline.venue.generic_ws import GenericFeed, generic_subscription
from pipeline.venue.market_ws import MarketFeed

_TICK_S = 0.1
Shown = Callable[[int], None]
Feed = GenericFeed | MarketFeed


class Outward:
    """What a lockstep stage asks of an edge that lives in the surrounding event loop."""

    def __init__(self, edge: AsyncEdge) -> None:
        self.accepts: tuple[type[Message], ...] = edge.accepts
        self._edge = edge

    def take(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """Hand the request over; the answer comes as the edge hears it."""
        self._edge.take(msg)
        return ()

    def next_ns(self) -> int | None:
        """It keeps no time."""
        return None

    def due(self, now_ns: int) -> Iterable[Message]:
        """Nothing comes unasked this way."""
        return ()


class _Links:
    """How the sockets of an edge stand."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: dict[str, bool] = {}
        self._was_up = False

    def take(self, event: LinkEvent) -> bool:
        """Whether every socket is closed for good. Raises BadInput if the very first connection did not come about."""
        self._was_up |= event.state == "up"
        if event.state == "down" and not self._was_up:
            raise BadInput(f"{self._url}: cannot connect: {event.reason}; is the server running, and the address right?")
        self._open[event.link_id] = event.state != "closed"
        return not any(self._open.values())


def checked_ws_url(url: str) -> str:
    """The address. Raises BadInput if it is none of a websocket."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadInput(f"{url}: not a websocket address; give one such as ws://127.0.0.1:9000")
    return url


def generic_feed(
    url: str, market_id: str, *, subscribe: bool, max_messages: int | None, settings: VenueSection | None = None
) -> GenericFeed:
    """The edge of the generic stream at ``url``; ``[venue]`` of the configuration says how its socket behaves."""
    frame = generic_subscription(market_id) if subscribe else None
    return GenericFeed(
        url, settings or VenueSection(), SystemClock(), random.Random(), subscribe=frame, max_messages=max_messages
    )


def venue_feed(url: str, settings: VenueSection | None = None) -> MarketFeed:
    """The edge of the venue's market channel at ``url``."""
    return MarketFeed(url, settings or VenueSection(), SystemClock(), random.Random())


async def run_stream(
    run: Lockstep,
    edge: Feed,
    max_messages: int | None = None,
    *,
    for_s: float | None = None,
    shown: Shown = lambda done: None,
) -> int:
    """Feed a lockstep run from an edge until the stream ends, ``max_messages`` frames came or ``for_s`` seconds passed; how many came.

    A stream has ended when every socket of it is closed for good. The run is not stopped here. Raises BadInput if the connection
    never came about.
    """
    clock = SystemClock()
    links = _Links(edge.url)
    ended = asyncio.Event()
    frames = 0

    def emit(msg: Message) -> None:
        nonlocal frames
        if ended.is_set():
            return
        over = type(msg) is LinkEvent and links.take(msg)
        frames += type(msg) is RawFrame
        shown(frames)
        run.run(to_ns=msg.ts_ns)
        run.hear(GATEWAY, msg)
        run.run_until_idle()
        if over:
            run.hear(GATEWAY, FeedEnded(ts_ns=msg.ts_ns, reason="the stream closed"))
            run.run_until_idle()
            ended.set()
        elif type(msg) is FeedEnded or (max_messages is not None and frames >= max_messages):
            ended.set()

    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            run.run(to_ns=clock.now_ns())

    tasks = [asyncio.ensure_future(work) for work in (edge.run(emit), tick(), ended.wait())]
    try:
        done, _ = await asyncio.wait(tasks, timeout=for_s, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return frames
