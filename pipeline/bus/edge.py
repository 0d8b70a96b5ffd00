"""Edge threads: what needs asyncio or slow HTTP lives beside the loop and shares nothing with it but frozen messages."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import zmq

from pipeline.messages import Message

Emit = Callable[[Message], None]
NOBLOCK = int(zmq.NOBLOCK)


class AsyncEdge(Protocol):
    """One connection to the outside. ``run`` and ``take`` are called in the edge's own event loop."""

    name: str
    accepts: tuple[type[Message], ...]

    async def run(self, emit: Emit) -> None:
        """Work until cancelled; hand each thing heard to ``emit``."""

    def take(self, msg: Message) -> None:
        """A request from the stage."""


class Inbox:
    """Messages from edge threads to one loop. The loop polls ``socket``; a thread appends and wakes it."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], name: str) -> None:
        self._address = f"inproc://edges-{name}-{id(self)}"
        self._context = context
        self.socket = context.socket(zmq.PULL)
        self.socket.bind(self._address)
        self._waiting: deque[Message] = deque()
        self._is_open = self._is_woken = False
        self.failure: BaseException | None = None

    def open_emit(self) -> tuple[Emit, Callable[[], None]]:
        """An ``emit`` for one thread, and what closes it; call both in that thread."""
        append = self._waiting.append
        wake, close = self.open_wake()

        def emit(msg: Message) -> None:
            append(msg)
            wake()

        return emit, close

    def open_wake(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """The same for a thread that wants the loop to look at something else."""
        self._is_open = True
        socket = self._context.socket(zmq.PUSH)
        socket.setsockopt(zmq.SNDHWM, 8)
        socket.connect(self._address)

        def wake() -> None:
            if self._is_woken:
                return
            self._is_woken = True
            try:
                socket.send(b"", NOBLOCK)
            except zmq.Again:
                return  # a wake-up is already on its way

        return wake, lambda: socket.close(linger=0)

    def take(self, at_most: int, *, is_ready: bool = True) -> list[Message]:
        """What has been emitted, oldest first. Raises what killed an edge. ``is_ready``: a poll may have found ``socket`` readable."""
        if not self._is_open:
            return []
        if is_ready:
            with suppress(zmq.Again):
                self.socket.recv(NOBLOCK)  # two threads may have woken us at once: then the next poll finds the other one's
            self._is_woken = False  # between the two: who finds it set has added before this, and is found below
        waiting = self._waiting
        found = [waiting.popleft() for _ in range(min(len(waiting), at_most))] if waiting else []
        if not found and self.failure is not None:
            raise self.failure
        return found

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def close(self) -> None:
        self.socket.close(linger=0)


class EdgeThread:
    """One edge in a thread with an event loop of its own. An edge that raises ends its process through the inbox."""

    def __init__(self, edge: AsyncEdge, inbox: Inbox) -> None:
        self.edge, self._inbox = edge, inbox
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name=edge.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def send(self, msg: Message) -> bool:
        """Hand a request to the edge; False once it is closed."""
        if self._loop.is_closed():
            return False
        try:
            self._loop.call_soon_threadsafe(self.edge.take, msg)
        except RuntimeError:
            return False
        return True

    def stop(self, timeout_s: float = 2.0) -> None:
        """Cancel the edge and wait for its thread."""
        if self._thread.is_alive() and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._cancel)
            except RuntimeError:
                return
        self._thread.join(timeout_s)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        emit, close = self._inbox.open_emit()
        try:
            self._task = self._loop.create_task(self.edge.run(emit))
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            return
        except BaseException as error:
            self._inbox.failure = error
            raise
        finally:
            close()
            self._loop.close()
