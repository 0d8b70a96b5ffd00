"""The runs of a grid, spread over worker processes. Which worker plays which run, and when, changes nothing of any result."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from polybot.backtest.plan import RunPlan
from polybot.backtest.result import RunResult, decode
from polybot.backtest.run import backtest
from polybot.backtest.workers import Workers

Shown = Callable[[int, int], None]
"""Told how many frames all runs have played so far, and how many runs are done."""
LOOK_S = 0.2


def run_grid(plans: Sequence[RunPlan], workers: int = 0, shown: Shown = lambda frames, runs: None) -> list[RunResult]:
    """Play every run and return the results in the order of the plans. ``workers`` 0 is one for each processor, at most one a run.

    Raises what a run raises: the first that fails ends the others.
    """
    workers = min(workers or os.cpu_count() or 1, len(plans))
    if workers <= 1:
        return _alone(plans, shown)
    found: dict[int, RunResult] = {}
    waiting = list(enumerate(plans))[::-1]
    with Workers(workers, len(plans)) as crew:
        while len(found) < len(plans):
            while waiting and crew.idle:
                place, plan = waiting.pop()
                crew.play(plan, place)
            for place, encoded in crew.done(LOOK_S):
                found[place] = decode(encoded)
            shown(sum(crew.frames), len(found))
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
