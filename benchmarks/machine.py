"""What machine the figures are from, how long to measure, and runs in turns: machines drift, so only figures of one round are compared."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import zmq


@dataclass(frozen=True)
class Options:
    """How to measure: rounds, the seconds of each live run that count, and the paces of the venue to try.

    ``live_runs`` are the rounds of figures whose runs are live. ``quick`` takes smaller tapes and fewer tokens; ``peers`` is a folder of
    ready environments of other engines, ``compiled`` an environment with a compiled Polybot in it.
    """

    runs: int = 5
    live_runs: int = 3
    seconds: float = 60.0
    rates: tuple[int, ...] = (3_000, 5_000, 7_000, 10_000)
    quick: bool = False
    peers: Path | None = None
    compiled: Path | None = None

    @property
    def bare_seconds(self) -> float:
        """How long bare hops are measured in each round: they settle at once, and a message of theirs is not an order but a frame."""
        return min(self.seconds, 5 if self.quick else 20)


def machine() -> str:
    """Processor, cores, load and the versions that matter, in one line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    versions = f"Python {platform.python_version()}, libzmq {zmq.zmq_version()}, SQLite {sqlite3.sqlite_version}"
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} cores{load}, {platform.system()}, {versions}"


def interleave(runs: int, *measures: Callable[[], float]) -> list[tuple[float, ...]]:
    """Run each measure in turn, ``runs`` times round, after one round that does not count."""
    for measure in measures:
        measure()
    rounds = [[measure() for measure in measures] for _ in range(runs)]
    return [tuple(column) for column in zip(*rounds, strict=True)]
