"""Plays frames back: in lockstep, where the next frame is a timer, or paced, where it waits for its moment."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from decimal import Decimal

from pipeline.messages import Message
from pipeline.messages.edges import FeedEnded, FetchBooks, FollowTokens

END = "the recording ended"
SHOWN_EVERY = 0xFFF


class Playback:
    """An inline edge whose timer is the next recorded frame. After the last one it says FeedEnded, once.

    With ``answers`` false, requests for books are swallowed: a recording holds its own answers. ``shown`` is told now and then how
    many frames were ``played``.
    """

    def __init__(
        self, messages: Iterable[Message], *, answers: bool = False, shown: Callable[[int], None] = lambda played: None
    ) -> None:
        self.accepts: tuple[type[Message], ...] = (FollowTokens,) if answers else (FollowTokens, FetchBooks)
        self.played = 0
        self._shown = shown
        self._messages: Iterator[Message] = iter(messages)
        self._next: Message | None = None
        self._ended = False
        self._last_ns = 0
        self._move_on()

    def take(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """A recording follows nobody's wishes."""
        return ()

    def next_ns(self) -> int | None:
        """When the next frame was received; None after the end."""
        return None if self._next is None else self._next.ts_ns

    def due(self, now_ns: int) -> list[Message]:
        """The next frame, if it is due."""
        msg = self._next
        if msg is None or msg.ts_ns > now_ns:
            return []
        self.played += 1
        self._move_on()
        return [msg]

    def ahead(self, to_ns: int | None = None) -> Generator[Message, None, None]:
        """The frames up to ``to_ns``, one after another; who stops in between finds the next one where it would have been.

        Nothing that happens meanwhile changes them, which is why they may be drawn without asking for their times first.
        """
        limit_ns = sys.maxsize if to_ns is None else to_ns
        msg = self._next
        if msg is None or msg.ts_ns > limit_ns:
            return
        self._next = None
        played, last_ns = self.played + 1, self._last_ns
        try:
            yield msg
            for msg in self._messages:
                ts_ns = msg.ts_ns
                if ts_ns > last_ns:
                    last_ns = ts_ns
                if ts_ns > limit_ns:
                    self._next = msg
                    return
                played += 1
                if not played & SHOWN_EVERY:
                    self._shown(played)
                yield msg
        finally:
            self.played, self._last_ns = played, last_ns
            if self._next is None:
                self._move_on()

    def _move_on(self) -> None:
        if self._ended:
            self._next = None
            return
        self._next = next(self._messages, None)
        if self._next is None:
            self._ended = True
            self._next = FeedEnded(ts_ns=self._last_ns, reason=END)
        elif self._next.ts_ns > self._last_ns:
            self._last_ns = self._next.ts_ns


class PacedPlayback:
    """An edge for a running pipeline: frames come as far apart as they were recorded, ``speed`` times as fast.

    They keep their recorded time. ``speed`` 0 does not wait at all, which only a pipeline that is not paced by sockets stands.
    """

    name = "playback"

    def __init__(self, messages: Callable[[], Iterable[Message]], speed: Decimal = Decimal(1), *, answers: bool = False) -> None:
        self.accepts: tuple[type[Message], ...] = (FollowTokens,) if answers else (FollowTokens, FetchBooks)
        self._open, self._speed = messages, float(speed)
        self._followed = asyncio.Event()

    def take(self, msg: Message) -> None:
        """The first FollowTokens starts the playing: then the pipeline knows its markets."""
        if type(msg) is FollowTokens:
            self._followed.set()

    async def run(self, emit: Callable[[Message], None]) -> None:
        """Play to the end, say FeedEnded, and stay until cancelled."""
        await self._followed.wait()
        loop = asyncio.get_running_loop()
        began: float | None = None
        first_ns = last_ns = 0
        for number, msg in enumerate(self._open()):
            if began is None:
                began, first_ns = loop.time(), msg.ts_ns
            last_ns = max(last_ns, msg.ts_ns)
            if self._speed:
                wait = began + (msg.ts_ns - first_ns) / 1e9 / self._speed - loop.time()
                if wait > 0.0005:
                    await asyncio.sleep(wait)
                elif number % 256 == 0:
                    await asyncio.sleep(0)
            elif number % 256 == 0:
                await asyncio.sleep(0)
            emit(msg)
        emit(FeedEnded(ts_ns=last_ns, reason=END))
        await asyncio.Event().wait()
