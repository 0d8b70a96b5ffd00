"""What machine the figures are from, and how they are shown: medians of interleaved runs, with their spread."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import zmq


@dataclass(frozen=True)
class Options:
    """How to measure: rounds, the seconds of each live run that count, and the paces of the venue to try."""

    runs: int = 5
    seconds: float = 30.0
    rates: tuple[int, ...] = (1_000, 2_000, 5_000, 7_000, 10_000)


@dataclass(frozen=True)
class Figure:
    """One measured figure: its runs, and what it is held against.

    ``limit`` are the runs of the bare limit (the least that the same work costs without Polybot) from the same rounds.
    """

    name: str
    unit: str
    runs: tuple[float, ...]
    target: float | None = None
    limit: tuple[float, ...] = ()
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def of_limit(self) -> float | None:
        """The median over the rounds of figure : bare limit; machines drift, so only figures of one round are compared."""
        return statistics.median([a / b for a, b in zip(self.runs, self.limit, strict=True)]) if self.limit else None


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


def report(figures: Sequence[Figure], out: Path | None, machine_before: str) -> None:
    """Print the table, and write the JSON."""
    print(machine_before)
    print(f"{'figure':<54} {'median':>11} {'min':>11} {'max':>11} {'target':>10} {'of limit':>8}  unit")
    for figure in figures:
        target = "-" if figure.target is None else f"{figure.target:,.6g}"
        ratio = "-" if figure.of_limit is None else f"{figure.of_limit:.2f}"
        row = f"{figure.name:<54} {figure.median:>11,.6g} {min(figure.runs):>11,.6g} {max(figure.runs):>11,.6g}"
        print(f"{row} {target:>10} {ratio:>8}  {figure.unit}" + (f"  ({figure.note})" if figure.note else ""))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        told = [asdict(figure) | {"median": figure.median, "of_limit": figure.of_limit} for figure in figures]
        out.write_text(json.dumps({"machine": machine_before, "figures": told}, indent=2) + "\n", encoding="utf-8")
        print(f"written to {out}", file=sys.stderr)
