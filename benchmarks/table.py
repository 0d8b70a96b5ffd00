"""Figures as one table and as JSON: what was measured, what was aimed for, and what a peer takes for the same in the same rounds."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LESS_IS_BETTER = frozenset({"ns", "us", "ms", "s", "kB", "MB", "% of a core"})
"""Units of costs; of every other unit more is better."""
HEAD = ("figure", "unit", "median", "min", "max", "good", "excellent", "is", "peer", "peer's", "ratio")
RIGHT = frozenset({"median", "min", "max", "good", "excellent", "peer's"})


@dataclass(frozen=True)
class Figure:
    """One measured figure: its runs, and what it is held against.

    ``peer`` are the runs of ``peer_name`` from the same rounds; ``aim`` is what the ratio of both should reach (or stay below, of a
    cost). ``missing`` says why there is no peer's figure; ``note`` is shown below the table.
    """

    name: str
    unit: str
    runs: tuple[float, ...]
    good: float | None = None
    excellent: float | None = None
    peer_name: str = ""
    peer: tuple[float, ...] = ()
    aim: float | None = None
    missing: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def peer_median(self) -> float | None:
        return statistics.median(self.peer) if self.peer else None

    @property
    def ratio(self) -> float | None:
        """The median over the rounds of figure : peer."""
        return statistics.median([a / b for a, b in zip(self.runs, self.peer, strict=True)]) if self.peer else None

    @property
    def is_cost(self) -> bool:
        """Whether less of it is better."""
        return self.unit in LESS_IS_BETTER

    @property
    def verdict(self) -> str:
        """``excellent``, ``good`` or ``misses``; "" where nothing was aimed for."""
        aimed = [(word, target) for word in ("excellent", "good") if (target := getattr(self, word)) is not None]
        reached = [word for word, target in aimed if self._reaches(self.median, target)]
        return reached[0] if reached else "misses" if aimed else ""

    @property
    def aim_verdict(self) -> str:
        """``reached`` or ``missed``: the ratio to the peer; "" without a peer or an aim."""
        if self.ratio is None or self.aim is None:
            return ""
        return "reached" if self._reaches(self.ratio, self.aim) else "missed"

    def _reaches(self, value: float, target: float) -> bool:
        return value <= target if self.is_cost else value >= target

    def told(self) -> dict[str, Any]:
        """Everything that the JSON says of it."""
        worked_out = ("median", "peer_median", "ratio", "verdict", "aim_verdict")
        return asdict(self) | {name: getattr(self, name) for name in worked_out}


def number(value: float | None) -> str:
    """Four significant digits at least, whole above a thousand; "-" for none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def cells(figure: Figure) -> tuple[str, ...]:
    """One row of the table."""
    ratio = "-" if figure.ratio is None else f"{figure.ratio:,.2f}"
    if figure.aim is not None:
        ratio += f" ({'<=' if figure.is_cost else '>='} {figure.aim:g}{', missed' if figure.aim_verdict == 'missed' else ''})"
    peer = f"{figure.peer_name} not there: {figure.missing}" if figure.missing else figure.peer_name or "-"
    return (
        figure.name,
        figure.unit,
        number(figure.median),
        number(min(figure.runs)),
        number(max(figure.runs)),
        number(figure.good),
        number(figure.excellent),
        figure.verdict or "-",
        peer,
        number(figure.peer_median),
        ratio,
    )


def lines(figures: Sequence[Figure]) -> list[str]:
    """The table, and below it what there is to say of single rows, by their names."""
    rows = [HEAD, *map(cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    shown = [
        "  ".join(
            cell.rjust(width) if name in RIGHT else cell.ljust(width) for name, cell, width in zip(HEAD, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    notes = [f"  {figure.name}: {figure.note}" for figure in figures if figure.note]
    return [shown[0], "-" * max(map(len, shown)), *shown[1:], *(["", *notes] if notes else [])]


def report(figures: Sequence[Figure], out: Path, machine_before: str) -> None:
    """Print the table, and write the JSON."""
    print(machine_before)
    print("\n".join(lines(figures)))
    out.parent.mkdir(parents=True, exist_ok=True)
    told = {"machine": machine_before, "figures": [figure.told() for figure in figures]}
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(f"written to {out}", file=sys.stderr)
