"""The runs of a grid in worker processes. Which worker plays which run, and when, changes nothing of any result.

Workers are spawned, never forked, so that it is the same on every platform; each opens its recording itself. How far they are they write
into shared memory, from which the parent shows a bar; there it also finds the word to stop.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from pipeline.base.errors import Interrupted, PolybotError
from polybot.backtest.plan import RunPlan
from polybot.backtest.result import RunResult, decode, encode
from polybot.backtest.run import backtest

Shown = Callable[[int, int], None]
"""Told how many frames all runs have played so far, and how many runs are done."""
LOOK_S = 0.2

_progress: Any = None
"""In a worker: the frames played of each run, and at the end the word to stop."""


def run_grid(plans: Sequence[RunPlan], workers: int = 0, shown: Shown = lambda frames, runs: None) -> list[RunResult]:
    """Play every run and return the results in the order of the plans. ``workers`` 0 is one for each processor, at most one a run.

    Raises what a run raises: the first that fails ends the others.
    """
    workers = min(workers or os.cpu_count() or 1, len(plans))
    if workers <= 1:
        return _alone(plans, shown)
    context = multiprocessing.get_context("spawn")
    progress = context.Array("q", len(plans) + 1, lock=False)
    found: dict[int, RunResult] = {}
    with ProcessPoolExecutor(workers, context, _begin, (progress,)) as pool:
        waiting: dict[Future[bytes], int] = {pool.submit(_play, plan, place): place for place, plan in enumerate(plans)}
        try:
            while waiting:
                done, _ = wait(waiting, LOOK_S, FIRST_COMPLETED)
                for future in done:
                    found[waiting.pop(future)] = decode(future.result())
                shown(sum(progress[: len(plans)]), len(found))
        except BaseException as error:
            progress[len(plans)] = 1
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise PolybotError("a worker ended before its run was done; is there memory enough? try --workers 1") from None
            raise
    return [found[place] for place in range(len(plans))]


def _alone(plans: Sequence[RunPlan], shown: Shown) -> list[RunResult]:
    """All runs in this process, one after the other."""
    found: list[RunResult] = []
    before = 0

    def tell(frames: int) -> None:
        shown(before + frames, len(found))

    for plan in plans:
        result = backtest(plan, tell)
        found.append(result)
        before += result.played.messages
        shown(before, len(found))
    return found


def _begin(progress: Any) -> None:
    """A worker starts: Ctrl-C is the parent's to answer."""
    global _progress
    _progress = progress
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _play(plan: RunPlan, place: int) -> bytes:
    def tell(frames: int) -> None:
        _progress[place] = frames
        if _progress[len(_progress) - 1]:
            raise Interrupted("stopped")

    tell(0)
    result = backtest(plan, tell)
    _progress[place] = result.played.messages
    return encode(result)
