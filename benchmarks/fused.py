"""From a frame's receipt to its order at the relayer, in one process and in four, in turns, so that both meet the same machine."""

from __future__ import annotations

from benchmarks.latency import EAGER, percentile, told
from benchmarks.live import LiveRun, run_live
from benchmarks.machine import Options
from benchmarks.table import Figure

RATE = 1_000
TARGET_MS = {"p50": 0.2, "p99": 0.5}


def figures(options: Options) -> list[Figure]:
    """p50 and p99 of both, and how much of the time of four processes the one takes."""
    apart: list[LiveRun] = []
    together: list[LiveRun] = []
    for _ in range(options.runs):
        apart.append(run_live(RATE, options.seconds, EAGER, timed=True))
        together.append(run_live(RATE, options.seconds, EAGER, timed=True, fused=True))
    found: list[Figure] = []
    for part, target in TARGET_MS.items():
        four = tuple(percentile([sum(way) for way in run.waits_ns], part) for run in apart)
        one = tuple(percentile([sum(way) for way in run.waits_ns], part) for run in together)
        name = f"frame to order, {RATE:,} frames/s, {part}"
        found.append(Figure(f"{name}, fused", "ms", one, target, note=told(together)))
        found.append(Figure(f"{name}, six processes", "ms", four, note=told(apart)))
        shares = tuple(100 * each / other for each, other in zip(one, four, strict=True))
        found.append(Figure(f"{name}, fused of six processes", "%", shares))
    return found
