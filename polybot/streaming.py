"""A live websocket into a lockstep run: frames as they come, timers as time passes, until the stream ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable

from pipeline.base.clock import SystemClock
from pipeline.base.settings import VenueSection
from pipeline.bus.compose import Lockstep
from pipeline.bus.edge import AsyncEdge
from pipeline.bus.topology import GATEWAY
from pipeline.messages import Message
from pipeline.messages.edges import FeedEnded, RawFrame
from pipeline.venue.generic_ws import GenericFeed, generic_subscription
from pipeline.venue.market_ws import MarketFeed

_TICK_S = 0.1
Shown = Callable[[int], None]


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


def generic_feed(url: str, market_id: str, *, subscribe: bool, max_messages: int | None) -> GenericFeed:
    """The edge of the generic stream at ``url``."""
    frame = generic_subscription(market_id) if subscribe else None
    return GenericFeed(url, VenueSection(), SystemClock(), random.Random(), subscribe=frame, max_messages=max_messages)


def venue_feed(url: str) -> MarketFeed:
    """The edge of the venue's market channel at ``url``."""
    return MarketFeed(url, VenueSection(), SystemClock(), random.Random())


async def run_stream(
    run: Lockstep,
    edge: AsyncEdge,
    max_messages: int | None = None,
    *,
    for_s: float | None = None,
    shown: Shown = lambda done: None,
) -> int:
    """Feed a lockstep run from an edge until the stream ends, ``max_messages`` frames came or ``for_s`` seconds passed; how many came.

    The run is not stopped here. Raises BadInput if the connection never came about.
    """
    clock = SystemClock()
    ended = asyncio.Event()
    frames = 0

    def emit(msg: Message) -> None:
        nonlocal frames
        if ended.is_set():
            return
        frames += type(msg) is RawFrame
        shown(frames)
        run.run(to_ns=msg.ts_ns)
        run.hear(GATEWAY, msg)
        run.run_until_idle()
        if type(msg) is FeedEnded or (max_messages is not None and frames >= max_messages):
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
