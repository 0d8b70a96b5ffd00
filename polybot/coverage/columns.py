"""The columns of the heat map: equal stretches of the hours that were watched, with a break where nobody watched in between."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.base.units import NS_PER_S
from polybot.coverage.model import Coverage
from polybot.coverage.shares import HOUR_NS, Cells, grid, regrouped

MOST_COLUMNS = 160
BREAK = 2
"""The width of a break, in columns."""
_HOURS = (1, 2, 3, 4, 6, 12, 24, 48, 168, 336, 672)
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800)
_LABELS = 9


@dataclass(frozen=True)
class Column:
    """One column: ``whole_ns`` of it belong to the window; ``x`` is its left edge, in columns. ``after_break``: a break is before it."""

    start_ns: int
    end_ns: int
    whole_ns: int
    x: int
    after_break: bool


class Columns:
    """All columns of a coverage. ``width_ns`` is what each stands for, ``units`` the width of all with their breaks, in columns."""

    def __init__(self, coverage: Coverage) -> None:
        hours = coverage.hours
        self.width_ns = _width(coverage)
        self.all: list[Column] = []
        x = 0
        for start_ns, whole_ns in _stretches(hours, coverage, self.width_ns):
            after_break = bool(self.all) and start_ns > self.all[-1].start_ns + self.width_ns
            x += BREAK * after_break
            self.all.append(Column(start_ns, start_ns + self.width_ns, whole_ns, x, after_break))
            x += 1
        self.units = max(1, x)
        self._starts = [column.start_ns for column in self.all]

    def cells(self, cells: Cells) -> Cells:
        """A token's cells in the width of the columns."""
        return regrouped(cells, self.width_ns)

    def x_of(self, ts_ns: int) -> float:
        """Where a moment is, in columns; one inside a break is at its end."""
        place = bisect_right(self._starts, ts_ns) - 1
        if place < 0:
            return 0.0
        column = self.all[place]
        if ts_ns >= column.end_ns and place + 1 < len(self.all):
            return float(self.all[place + 1].x)
        return column.x + min(1.0, (ts_ns - column.start_ns) / self.width_ns)

    def labels(self) -> list[tuple[float, str]]:
        """(place from 0 to 1, text) of the times under the heat map: at round times and after breaks, none over another."""
        if not self.all:
            return []
        step_ns = next((s for s in _STEPS_S if self.width_ns * len(self.all) <= _LABELS * s * NS_PER_S), _STEPS_S[-1]) * NS_PER_S
        found: list[tuple[float, str]] = []
        day = ""
        for column in self.all:
            if column is not self.all[0] and not column.after_break and column.start_ns % step_ns:
                continue
            place = column.x / self.units
            if found and place - found[-1][0] < 0.012 * len(found[-1][1]) + 0.01:
                continue
            moment = datetime.fromtimestamp(column.start_ns // NS_PER_S, UTC)
            text = moment.strftime("%H:%M" if column.start_ns % (60 * NS_PER_S) == 0 else "%H:%M:%S")
            if moment.strftime("%d %b") != day:
                day = moment.strftime("%d %b")
                text = f"{day}, {text}"
            found.append((place, text))
        return found


def _width(coverage: Coverage) -> int:
    if coverage.width_ns < HOUR_NS:
        return coverage.width_ns
    for hours in _HOURS:
        if len({hour // (hours * HOUR_NS) for hour in coverage.hours}) <= MOST_COLUMNS:
            return hours * HOUR_NS
    return _HOURS[-1] * HOUR_NS


def _stretches(hours: dict[int, int], coverage: Coverage, width_ns: int) -> list[tuple[int, int]]:
    """(start, nanoseconds inside the window) of each column."""
    found: dict[int, int] = {}
    for hour in hours:
        if width_ns > HOUR_NS:
            start_ns = hour - hour % width_ns
            found[start_ns] = found.get(start_ns, 0) + hours[hour]
        else:
            for start_ns, whole_ns in grid(max(hour, coverage.start_ns), min(hour + HOUR_NS, coverage.end_ns), width_ns):
                found[start_ns] = whole_ns
    return sorted(found.items())
