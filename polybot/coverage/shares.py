"""Time by state: exact sums of nanoseconds in cells of one width. What nobody saw is NOT_OBSERVED, never guessed.

Cells lie on a grid from the epoch on; a cell's key is its first nanosecond. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.base.units import NS_PER_S

HOUR_NS = 3_600 * NS_PER_S
NOT_OBSERVED = "NOT_OBSERVED"
STATES = ("VERIFIED", "QUIET", "UNVERIFIED", "PENDING", "SUSPECT", "RESYNCING", "STALE", "DEAD")
"""The states of confidence, the best first."""
WORDS = (*STATES, NOT_OBSERVED)
PROVED = frozenset({"VERIFIED", "QUIET"})

Interval = tuple[int, int]
"""(start_ns, end_ns), the end not included."""
Times = dict[str, int]
"""Nanoseconds by state."""

_WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600)


class Part:
    """The time of one state in one cell, and the reason that held it longest there."""

    __slots__ = ("longest_ns", "ns", "reason")

    def __init__(self, ns: int = 0, longest_ns: int = 0, reason: str = "") -> None:
        self.ns, self.longest_ns, self.reason = ns, longest_ns, reason

    def add(self, ns: int, longest_ns: int, reason: str) -> None:
        """Add a stretch."""
        self.ns += ns
        if longest_ns > self.longest_ns:
            self.longest_ns, self.reason = longest_ns, reason


Cells = dict[int, dict[str, Part]]


def time_shares(changes: Iterable[tuple[int, str]], start_ns: int, end_ns: int, width_ns: int = HOUR_NS) -> dict[int, Times]:
    """The time in each state, by cell, of a book that went to ``state`` at ``ts_ns`` for each (ts_ns, state), in order of time.

    Every cell that the window from ``start_ns`` to ``end_ns`` touches is there, and its times add up to its part of the window; what
    comes before the first change is NOT_OBSERVED.
    """
    cells: Cells = {}
    for since_ns, until_ns, state in spans_of(changes, end_ns):
        spread(cells, width_ns, max(since_ns, start_ns), until_ns, state)
    return {cell: times_of(cells.get(cell, {}), ns) for cell, ns in grid(start_ns, end_ns, width_ns)}


def spans_of(changes: Iterable[tuple[int, str]], end_ns: int) -> Iterator[tuple[int, int, str]]:
    """(start, end, state) of each state that lasted, up to ``end_ns``."""
    held: tuple[int, str] | None = None
    for ts_ns, state in changes:
        if held is not None and min(ts_ns, end_ns) > held[0]:
            yield held[0], min(ts_ns, end_ns), held[1]
        held = (ts_ns, state)
    if held is not None and end_ns > held[0]:
        yield held[0], end_ns, held[1]


def spread(cells: Cells, width_ns: int, start_ns: int, end_ns: int, state: str, reason: str = "") -> None:
    """Add a stretch in one state to the cells that it touches."""
    while start_ns < end_ns:
        cell_ns = start_ns - start_ns % width_ns
        until_ns = min(end_ns, cell_ns + width_ns)
        parts = cells.setdefault(cell_ns, {})
        part = parts.get(state)
        if part is None:
            part = parts[state] = Part()
        part.add(until_ns - start_ns, until_ns - start_ns, reason)
        start_ns = until_ns


def regrouped(cells: Cells, width_ns: int) -> Cells:
    """The same times in wider cells; ``width_ns`` is a multiple of the old width."""
    found: Cells = {}
    for cell_ns, parts in cells.items():
        wide = found.setdefault(cell_ns - cell_ns % width_ns, {})
        for state, part in parts.items():
            wide.setdefault(state, Part()).add(part.ns, part.longest_ns, part.reason)
    return found


def times_of(parts: dict[str, Part], whole_ns: int) -> Times:
    """The times of one cell, of which ``whole_ns`` are asked about: what is missing was not observed."""
    found = {state: part.ns for state, part in parts.items()}
    missing = whole_ns - sum(found.values())
    return {**found, NOT_OBSERVED: missing} if missing > 0 else found


def grid(start_ns: int, end_ns: int, width_ns: int) -> Iterator[tuple[int, int]]:
    """(cell, nanoseconds of it inside the window) of every cell that the window touches."""
    cell_ns = start_ns - start_ns % width_ns if start_ns < end_ns else end_ns
    while cell_ns < end_ns:
        yield cell_ns, min(end_ns, cell_ns + width_ns) - max(start_ns, cell_ns)
        cell_ns += width_ns


def added(times: Iterable[Times]) -> Times:
    """The sum by state."""
    found: Times = {}
    for each in times:
        for state, ns in each.items():
            found[state] = found.get(state, 0) + ns
    return found


def without(start_ns: int, end_ns: int, holes: Sequence[Interval]) -> Iterator[Interval]:
    """What is left of a stretch outside the holes, which are in order and do not overlap."""
    for hole_start, hole_end in holes:
        if hole_end <= start_ns:
            continue
        if hole_start >= end_ns:
            break
        if hole_start > start_ns:
            yield start_ns, hole_start
        start_ns = hole_end
    if start_ns < end_ns:
        yield start_ns, end_ns


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time as intervals in order that do not touch."""
    found: list[Interval] = []
    for start_ns, end_ns in sorted(intervals):
        if found and start_ns <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end_ns))
        elif start_ns < end_ns:
            found.append((start_ns, end_ns))
    return found


def width_for(window_ns: int, columns: int = 150) -> int:
    """The narrowest usual width of which at most so many cells fill the window; an hour at most. Each divides an hour."""
    for seconds in _WIDTHS_S:
        if window_ns <= columns * seconds * NS_PER_S:
            return seconds * NS_PER_S
    return HOUR_NS
