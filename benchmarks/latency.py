"""From a frame's receipt to the order that it leads to, at the relayer: risk-checked and journalled, over ipc between six processes.

Its peer is the same way through bare pyzmq in the same round: a thread that hears, a loop, and three hops between four processes, at the
same pace. What the pipeline does besides (decode, book, proof, strategy, risk, journal) is what the ratio shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from benchmarks.hops import Ways, ways_between
from benchmarks.live import LiveRun, run_live
from benchmarks.machine import Options
from benchmarks.percentiles import percentile_of
from benchmarks.table import Figure

RATES = (1_000, 10_000)
PARTS = ("p50", "p99", "p99.9")
GOOD_MS = {1_000: {"p50": 0.8, "p99": 3.0}, 10_000: {"p50": 1.5, "p99": 10.0}}
EXCELLENT_MS = {1_000: {"p50": 0.4, "p99": 1.5}, 10_000: {"p50": 0.7, "p99": 4.0}}
TIMES_BARE = 1.5
"""What p50 may be of the bare hops."""
EAGER: dict[str, dict[str, Any]] = {
    "strategy": {
        "spread_capture": False,
        "dutch_book": False,
        "custom": {"eager": {"class": "benchmarks.eager:Eager"}},
    },
    "execution": {"batch_wait_ms": 0},
    "rate_limits": {"orders_per_s": 5_000, "orders_burst": 5_000, "cancels_per_s": 5_000, "cancels_burst": 5_000},
    "risk": {"max_total_notional_usdc": Decimal(100_000), "max_market_usdc": Decimal(50_000), "max_event_usdc": Decimal(100_000)},
}
"""A strategy that moves a quote of each market with some twenty frames a second, and nothing that keeps its orders waiting."""
HALVES: tuple[tuple[str, Callable[[tuple[int, int]], int]], ...] = (
    ("frame to decision", lambda way: way[0]),
    ("decision to relayer", lambda way: way[1]),
)


def figures(options: Options) -> list[Figure]:
    """Percentiles of each run at both paces; only orders that a frame prompted count, not those of a timer."""
    found: list[Figure] = []
    for rate in RATES:
        done: list[LiveRun] = []
        bare: list[Ways] = []
        for _ in range(options.live_runs):
            bare.append(ways_between(rate, options.bare_seconds))
            done.append(run_live(rate, options.seconds, EAGER, timed=True))
        found += rows(rate, "six processes", done, bare, GOOD_MS[rate], EXCELLENT_MS[rate], "pyzmq, as many hops", TIMES_BARE)
        for name, pick in HALVES:
            runs = tuple(percentile_of([pick(way) for way in run.waits_ns], "p50") / 1e6 for run in done)
            found.append(Figure(f"of it {name}, {rate:,} frames/s, p50", "ms", runs))
    return found


def rows(
    rate: int,
    how: str,
    done: Sequence[LiveRun],
    bare: Sequence[Ways],
    good: dict[str, float],
    excellent: dict[str, float],
    peer_name: str,
    aim: float | None = None,
) -> list[Figure]:
    """A row for each percentile, beside the same of the bare hops."""
    found = []
    for part in PARTS:
        runs = tuple(percentile_of([sum(way) for way in run.waits_ns], part) / 1e6 for run in done)
        peer = tuple(percentile_of([whole for whole, _ in ways], part) / 1e6 for ways in bare)
        found.append(
            Figure(
                f"frame to order, {rate:,} frames/s, {part}, {how}",
                "ms",
                runs,
                good.get(part),
                excellent.get(part),
                peer_name,
                peer,
                aim if part == "p50" else None,
                note=told(done) if part == "p50" else "",
            )
        )
    return found


def told(done: Sequence[LiveRun]) -> str:
    """Orders, the pace, and what was lost."""
    lost = [f"{name} {by}" for run in done for name, by in run.lost.items()] + [death for run in done for death in run.deaths]
    paces = sorted(run.pace for run in done)
    cores = sorted(sum(run.cpu.values()) for run in done)[len(done) // 2]
    orders = sum(len(run.waits_ns) for run in done)
    return f"{orders:,} orders, {paces[0]:,.0f} frames/s at least, {'; '.join(lost) or 'nothing lost'}, {cores:.2f} cores"
