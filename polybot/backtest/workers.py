"""Worker processes that play runs: spawned, never forked, so that it is the same on every platform.

Each has a pipe of its own to the parent and writes nothing anywhere else, so it can be ended at any moment. None outlives the parent,
however that ends; one that dies itself is noticed at once, also in the midst of its answer.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any

from pipeline.base.errors import PolybotError
from polybot.backtest.plan import RunPlan
from polybot.backtest.result import encode
from polybot.backtest.run import backtest


class Workers:
    """A few workers, with the runs that they play at the moment. As a context it ends them all, whatever they are doing."""

    def __init__(self, count: int, runs: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.frames: Any = context.Array("q", runs, lock=False)
        """How many frames of each run are played, as the workers tell it in shared memory."""
        self._processes: dict[Any, Any] = {}
        self._busy: dict[Any, int] = {}
        with _interrupts_held():
            for _ in range(count):
                here, there = context.Pipe()
                process = context.Process(target=_work, args=(there, self.frames), daemon=True)
                self._processes[here] = process
                process.start()
                there.close()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe, process in self._processes.items():
            if process.pid is not None:
                process.kill()
                process.join()
            pipe.close()

    @property
    def idle(self) -> int:
        """How many wait for a run."""
        return len(self._processes) - len(self._busy)

    def play(self, plan: RunPlan, place: int) -> None:
        """Give a run to an idle worker."""
        pipe = next(each for each in self._processes if each not in self._busy)
        self._busy[pipe] = place
        try:
            pipe.send((plan, place))
        except OSError:
            raise self._ended(pipe) from None

    def done(self, wait_s: float) -> Iterator[tuple[int, bytes]]:
        """The runs that are done by now or within ``wait_s``, encoded. Raises what a run refused, and PolybotError for a dead worker."""
        for ready in connection.wait(list(self._busy), wait_s):
            pipe: Any = ready
            try:
                answer = pipe.recv()
            except (EOFError, OSError):
                raise self._ended(pipe) from None
            if isinstance(answer, PolybotError):
                raise answer
            yield self._busy.pop(pipe), answer

    def _ended(self, pipe: Any) -> PolybotError:
        process = self._processes[pipe]
        process.join()
        code = process.exitcode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return PolybotError(f"a worker {how} before its run was done; is there memory enough? try --workers 1")


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C is the parent's to answer. What is started here never hears it; one that comes meanwhile is heard at the end."""
    if sys.platform == "win32":
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else the first start would do it, and hear interrupts again afterwards
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Any, frames: Sequence[int]) -> None:
    """A worker's life: a run after the other, until there is nobody to play for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            plan, place = pipe.recv()
        except EOFError:
            return
        try:
            answer: bytes | PolybotError = _played(plan, place, frames)
        except PolybotError as error:
            answer = error
        pipe.send(answer)


def _played(plan: RunPlan, place: int, frames: Any) -> bytes:
    def tell(done: int) -> None:
        frames[place] = done

    result = backtest(plan, tell)
    frames[place] = result.played.messages
    return encode(result)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
