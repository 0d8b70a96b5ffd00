"""From a frame's receipt to the order that it leads to, at the relayer: risk-checked and journalled, over ipc between six processes."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from benchmarks.live import LiveRun, run_live
from benchmarks.machine import Options
from benchmarks.table import Figure

RATE = 1_000
GOOD_MS = {"p50": 0.8, "p99": 3.0}
EAGER: dict[str, dict[str, Any]] = {
    "spread_capture": {
        "edge": Decimal("0.001"),
        "min_requote_interval_ms": 1,
        "min_quote_lifetime_ms": 1,
        "max_mid_jump": Decimal(0),
        "volatility_widening": Decimal(0),
        "markout_widening": Decimal(0),
        "rewards": False,
        "max_inventory": Decimal(2_000),
        "max_exposure_usdc": Decimal(20_000),
    },
    "execution": {"batch_wait_ms": 0},
    "rate_limits": {"orders_per_s": 5_000, "orders_burst": 5_000, "cancels_per_s": 5_000, "cancels_burst": 5_000},
    "risk": {"max_total_notional_usdc": Decimal(100_000), "max_market_usdc": Decimal(50_000), "max_event_usdc": Decimal(100_000)},
}
"""A strategy that moves its quotes at every chance, and nothing that keeps its orders waiting."""


def figures(options: Options) -> list[Figure]:
    """p50 and p99 of each run, whole and in its two halves; only orders that a frame prompted count, not those of a timer."""
    done = [run_live(RATE, options.seconds, EAGER, timed=True) for _ in range(options.runs)]
    ways: tuple[tuple[str, Callable[[tuple[int, int]], int]], ...] = (
        ("frame to order at the relayer", sum),
        ("frame to decision", lambda way: way[0]),
        ("decision to relayer", lambda way: way[1]),
    )
    found: list[Figure] = []
    for name, pick in ways:
        for part, target in GOOD_MS.items():
            runs = tuple(percentile([pick(way) for way in run.waits_ns], part) for run in done)
            whole = name == ways[0][0]
            note = told(done) if whole and part == "p50" else ""
            found.append(Figure(f"{name}, {RATE:,} frames/s, {part}", "ms", runs, target if whole else None, note=note))
    return found


def percentile(waits_ns: Sequence[int], part: str) -> float:
    """In milliseconds. Raises ValueError if too few orders were placed to tell."""
    if len(waits_ns) < 20:
        raise ValueError(f"only {len(waits_ns)} orders were prompted by a frame; measure for longer")
    cuts = statistics.quantiles(waits_ns, n=100, method="inclusive")
    return cuts[int(part[1:]) - 1] / 1e6


def told(done: Sequence[LiveRun]) -> str:
    losses = sum(sum(run.lost.values()) for run in done)
    return f"{sum(len(run.waits_ns) for run in done):,} orders, {losses} losses"
