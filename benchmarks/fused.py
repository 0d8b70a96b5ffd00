"""From a frame's receipt to its order at the relayer in one process (``polybot up --fused``), beside a bare thread and loop of pyzmq."""

from __future__ import annotations

from benchmarks.hops import Ways, ways_between
from benchmarks.latency import EAGER, RATES, rows
from benchmarks.live import LiveRun, run_live
from benchmarks.machine import Options
from benchmarks.table import Figure

GOOD_MS: dict[int, dict[str, float]] = {1_000: {"p50": 0.4, "p99": 1.0}, 10_000: {}}
EXCELLENT_MS: dict[int, dict[str, float]] = {1_000: {"p50": 0.2, "p99": 0.5}, 10_000: {}}


def figures(options: Options) -> list[Figure]:
    """Percentiles of each run at both paces."""
    found: list[Figure] = []
    for rate in RATES:
        done: list[LiveRun] = []
        bare: list[Ways] = []
        for _ in range(options.live_runs):
            bare.append(ways_between(rate, options.bare_seconds, fused=True))
            done.append(run_live(rate, options.seconds, EAGER, timed=True, fused=True))
        found += rows(rate, "fused", done, bare, GOOD_MS[rate], EXCELLENT_MS[rate], "pyzmq, thread to loop")
    return found
