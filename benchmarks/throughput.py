"""The six processes fed by the offline venue at an even pace: the highest that they hold without a gap, a drop or a death."""

from __future__ import annotations

import sys

from benchmarks.live import LiveRun, run_live
from benchmarks.machine import Options
from benchmarks.table import Figure

GOOD, EXCELLENT = 3_000, 10_000


def figures(options: Options) -> list[Figure]:
    """Each pace in turn, the slowest first, until one is not held (twice, as a machine that others use has its moods)."""
    found: list[Figure] = []
    best = 0.0
    for rate in options.rates:
        run = run_live(rate, options.seconds)
        if not run.held:
            run = run_live(rate, options.seconds)
        found.append(Figure(f"paced at {rate:,} frames/s: handled", "frames/s", (run.pace,), note=_told(run)))
        print(f"{found[-1].name} {run.pace:,.0f}: {found[-1].note}", file=sys.stderr)
        if not run.held:
            break
        best = float(rate)
    highest = Figure(f"highest pace held for {options.seconds:g} s, six processes", "frames/s", (best,), GOOD, EXCELLENT)
    return [highest, *found]


def _told(run: LiveRun) -> str:
    """What was lost, and what it cost."""
    told = [f"{name} {number}" for name, number in run.lost.items()] + list(run.deaths)
    if run.behind_ms > 100:
        told.append(f"the venue was {run.behind_ms:.0f} ms behind")
    cores = ", ".join(f"{role} {share:.2f}" for role, share in run.cpu.items() if share >= 0.01)
    return f"{'; '.join(told) or 'nothing lost'}; cores {sum(run.cpu.values()):.2f}: {cores}"
