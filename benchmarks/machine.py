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
class Figure:
    """One measured figure: its runs, and what it is held against."""

    name: str
    unit: str
    runs: tuple[float, ...]
    target: float | None = None
    more_is_better: bool = True

    @property
    def median(self) -> float:
        return statistics.median(self.runs)


def machine() -> str:
    """Processor, cores and the versions that matter, in one line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    versions = f"Python {platform.python_version()}, libzmq {zmq.zmq_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, {versions}"


def interleave(runs: int, *measures: Callable[[], float]) -> list[tuple[float, ...]]:
    """Run each measure in turn, ``runs`` times round, after one round that does not count."""
    for measure in measures:
        measure()
    rounds = [[measure() for measure in measures] for _ in range(runs)]
    return [tuple(column) for column in zip(*rounds, strict=True)]


def report(figures: Sequence[Figure], out: Path | None) -> None:
    """Print the table and write the JSON."""
    print(machine())
    head = f"{'figure':<58} {'median':>12} {'min':>12} {'max':>12} {'target':>12}  unit"
    print(head)
    for figure in figures:
        target = "-" if figure.target is None else f"{figure.target:,.6g}"
        row = f"{figure.name:<58} {figure.median:>12,.6g} {min(figure.runs):>12,.6g} {max(figure.runs):>12,.6g} {target:>12}"
        print(f"{row}  {figure.unit}")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        body = {"machine": machine(), "figures": [asdict(figure) | {"median": figure.median} for figure in figures]}
        out.write_text(json.dumps(body, indent=2) + "\n")
        print(f"written to {out}", file=sys.stderr)
