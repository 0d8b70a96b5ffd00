"""The websocket side of the fake venue: who has subscribed to what, and what waits to be sent to them.

The manners are those of the live market channel: a list of books answers a subscription, text PING is answered by text PONG, a
PING or anything unreadable before a subscription closes with 1008, a reader too slow with 1013, and the end of all its markets with 1000.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from itertools import count
from typing import Any

from pipeline.base import events
from pipeline.base.log import get_logger
from pipeline.fake_venue.scenarios import Faults
from pipeline.fake_venue.source import Source
from pipeline.fake_venue.wire import CUSTOM, RESOLVED, Frame

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

BAD_SUBSCRIPTION = (1008, "invalid subscription payload")
TOO_SLOW = (1013, "slow consumer: send buffer full")
ALL_RESOLVED = (1000, "all subscribed assets resolved")
CLOSE_TIMEOUT_S = 1.0


class Link:
    """One connection: its subscription, and its outgoing queue of at most ``queue_bytes``."""

    def __init__(self, number: int, queue_bytes: int) -> None:
        self.number = number
        self.tokens: dict[str, None] = {}
        self.custom = False
        self.subscribed = False
        self.sent = 0
        self.closing: tuple[int, str] | None = None
        self._queue_bytes = queue_bytes
        self._waiting_bytes = 0
        self._queue: deque[str] = deque()
        self._wake = asyncio.Event()

    def put(self, text: str) -> None:
        """Queue one frame. A queue that is full ends the link."""
        if self.closing is not None:
            return
        self._waiting_bytes += len(text)
        if self._waiting_bytes > self._queue_bytes:
            self._queue.clear()
            self.close(*TOO_SLOW)
            return
        self._queue.append(text)
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Close once the queue has been sent."""
        self.closing = self.closing or (code, reason)
        self._wake.set()

    async def run(self, send: Send) -> tuple[int, str]:
        """Send what is queued until the link is to be closed; the code and reason to close with."""
        queue = self._queue
        while True:
            while queue:
                text = queue.popleft()
                self._waiting_bytes -= len(text)
                await send({"type": "websocket.send", "text": text})
                self.sent += 1
            if self.closing is not None:
                return self.closing
            self._wake.clear()
            await self._wake.wait()

    async def too_slow(self) -> None:
        """Return when the queue has overflowed, even while a send is stuck."""
        while self.closing != TOO_SLOW:
            await self._wake.wait()
            if self.closing != TOO_SLOW:
                await asyncio.sleep(0.05)


async def serve_link(link: Link, receive: Receive, send: Send, heard: Callable[[Link, str], None]) -> None:
    """Hear and send on an accepted connection until either end closes it; ``heard`` is given each text."""
    reader = asyncio.ensure_future(_read(link, receive, heard))
    writer = asyncio.ensure_future(link.run(send))
    watcher = asyncio.ensure_future(link.too_slow())
    tasks = (reader, writer, watcher)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not reader.done() and link.closing is not None:
            writer.cancel()
            code, reason = link.closing
            closing = asyncio.ensure_future(send({"type": "websocket.close", "code": code, "reason": reason}))
            await asyncio.wait((closing, reader), timeout=CLOSE_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            closing.cancel()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(link: Link, receive: Receive, heard: Callable[[Link, str], None]) -> None:
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        heard(link, event.get("text") or "")


class Hub:
    """All links, and the way of each frame to those who subscribed to it."""

    def __init__(self, source: Source, faults: Faults, queue_bytes: int) -> None:
        self.source = source
        self.faults = faults
        self.links: dict[int, Link] = {}
        self.first_link = asyncio.Event()
        self._queue_bytes = queue_bytes
        self._numbers = count(1)
        self._readers: dict[tuple[tuple[str, ...], bool], list[Link]] = {}

    def publish(self, frames: Iterable[Frame], now_ns: int) -> None:
        """Queue frames for those who are to have them."""
        faulty = self.faults.active(now_ns)
        for frame in frames:
            readers = self._readers_of(frame)
            if faulty:
                for link in readers:
                    for text in self.faults.outgoing(link.number, frame, now_ns):
                        link.put(text)
            else:
                for link in readers:
                    link.put(frame.text)
            if frame.kind == RESOLVED:
                self._end_settled()
        if faulty:
            self._take_socket_faults(now_ns)

    def close_all(self, code: int, reason: str) -> None:
        """End every link once its queue is sent."""
        for link in self.links.values():
            link.close(code, reason)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket connection (an ASGI application)."""
        await receive()
        await send({"type": "websocket.accept"})
        link = Link(next(self._numbers), self._queue_bytes)
        self.links[link.number] = link
        get_logger().info(events.FAKE_CLIENT_CONNECTED, link=link.number)
        try:
            await serve_link(link, receive, send, self.heard)
        finally:
            del self.links[link.number]
            self._readers.clear()
            get_logger().info(events.FAKE_CLIENT_LEFT, link=link.number, sent=link.sent)

    def heard(self, link: Link, text: str) -> None:
        """One frame from a client."""
        if text == "PING" and link.subscribed:
            link.put("PONG")
            return
        try:
            wanted = json.loads(text)
        except ValueError:
            wanted = None
        if not isinstance(wanted, dict) or not self._subscribe(link, wanted):
            link.close(*BAD_SUBSCRIPTION)

    def _subscribe(self, link: Link, wanted: dict[str, Any]) -> bool:
        """A first subscription or a later change of it; False if it is neither."""
        token_ids = wanted.get("assets_ids")
        operation = wanted.get("operation", "" if link.subscribed else "subscribe")
        opening = str(wanted.get("type", "")).lower() == "market"
        if not isinstance(token_ids, list) or not all(isinstance(token_id, str) for token_id in token_ids):
            return False
        if not (opening or (link.subscribed and operation in ("subscribe", "unsubscribe"))):
            return False
        self._readers.clear()
        link.custom = bool(wanted.get("custom_feature_enabled", link.custom))
        link.subscribed = True
        if operation == "unsubscribe":
            for token_id in token_ids:
                link.tokens.pop(token_id, None)
            return True
        link.tokens.update(dict.fromkeys(token_ids))
        self.faults.renewed(link.number, token_ids)
        self.first_link.set()
        if wanted.get("initial_dump", True):
            books = self.faults.opening(link.number, token_ids)
            if books is not None:
                link.put(books)
        return True

    def _readers_of(self, frame: Frame) -> list[Link]:
        key = (frame.token_ids, frame.kind in CUSTOM)
        readers = self._readers.get(key)
        if readers is None:
            readers = self._readers[key] = [
                link
                for link in self.links.values()
                if link.subscribed
                and (link.custom or not key[1])
                and (not frame.token_ids or any(token_id in link.tokens for token_id in frame.token_ids))
            ]
        return readers

    def _end_settled(self) -> None:
        for link in self.links.values():
            if link.tokens and all(self.source.is_settled(token_id) for token_id in link.tokens):
                link.close(*ALL_RESOLVED)

    def _take_socket_faults(self, now_ns: int) -> None:
        for link in self.links.values():
            for text in self.faults.due(link.number, now_ns):
                link.put(text)
            closing = self.faults.closes(link.number, now_ns)
            if closing is not None:
                link.close(*closing)
        self.faults.swept()
