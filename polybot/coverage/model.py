"""What coverage is made of: tokens with their time by state, their gaps and hash checks, and notes about the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from polybot.coverage.shares import HOUR_NS, Cells, Interval, Times, added, grid, regrouped, times_of

SourceKind = Literal["recording", "database"]


@dataclass(frozen=True)
class GapSpan:
    """A stretch of a feed that cannot be trusted. ``end_ns`` None: it was open when the source, or the run that saw it, ended."""

    start_ns: int
    end_ns: int | None
    cause: str
    healed_by: str = ""


@dataclass
class Checks:
    """Hash checks: those that are neither matched nor undecided missed."""

    done: int = 0
    matched: int = 0
    undecided: int = 0

    def add(self, done: int, matched: int, undecided: int) -> None:
        self.done += done
        self.matched += matched
        self.undecided += undecided

    @property
    def missed(self) -> int:
        return self.done - self.matched - self.undecided


@dataclass(frozen=True)
class Note:
    """Something that the source tells of itself: a link went down, the recorder was restarted, a frame was refused.

    ``kind`` is up, down, closed, resumed, torn, bad_line, refused, started, ended.
    """

    ts_ns: int
    kind: str
    text: str


@dataclass
class TokenCoverage:
    """One token: ``cells`` of the coverage's width, ``checks`` by hour. ``name`` is for people."""

    token_id: str
    market_id: str
    name: str
    cells: Cells = field(default_factory=dict)
    gaps: list[GapSpan] = field(default_factory=list)
    checks: dict[int, Checks] = field(default_factory=dict)

    def check(self, hour_ns: int, done: int, matched: int, undecided: int) -> None:
        """Add hash checks to an hour."""
        self.checks.setdefault(hour_ns, Checks()).add(done, matched, undecided)

    def times(self, whole_ns: int) -> Times:
        """All of its time by state, of ``whole_ns`` that are asked about."""
        return times_of(next(iter(regrouped(self.cells, 1 << 62).values()), {}), whole_ns)


@dataclass
class Coverage:
    """How the books of one source stood between ``start_ns`` and ``end_ns``.

    ``observed`` is when anybody watched at all; hours in which nobody did are left out everywhere. ``width_ns`` divides an hour.
    ``notes_left_out`` counts notes beyond those kept.
    """

    source: str
    kind: SourceKind
    start_ns: int
    end_ns: int
    width_ns: int
    tokens: list[TokenCoverage]
    observed: list[Interval]
    notes: list[Note]
    notes_left_out: int = 0

    @cached_property
    def hours(self) -> dict[int, int]:
        """The hours in which anybody watched, in order, and how many nanoseconds of each lie in the window."""
        return watched_hours(self.observed, self.start_ns, self.end_ns)

    @property
    def whole_ns(self) -> int:
        """The length of those hours: what the times of each token add up to."""
        return sum(self.hours.values())

    @property
    def totals(self) -> Times:
        """All tokens together."""
        return added(token.times(self.whole_ns) for token in self.tokens)

    @property
    def checks(self) -> Checks:
        """All hash checks together."""
        return all_checks(self.tokens)

    @property
    def gaps(self) -> list[tuple[TokenCoverage, GapSpan]]:
        """Every gap with its token, in order of time."""
        pairs = ((token, gap) for token in self.tokens for gap in token.gaps)
        return sorted(pairs, key=lambda pair: (pair[1].start_ns, pair[0].name))

    def hours_of(self, token: TokenCoverage) -> list[Hour]:
        """Each hour of a token with its times, hash checks and the gaps that began in it."""
        cells = regrouped(token.cells, HOUR_NS)
        gaps = Counter(gap.start_ns - gap.start_ns % HOUR_NS for gap in token.gaps)
        return [
            Hour(hour, whole, times_of(cells.get(hour, {}), whole), token.checks.get(hour, Checks()), gaps[hour])
            for hour, whole in self.hours.items()
        ]


def watched_hours(observed: Iterable[Interval], start_ns: int, end_ns: int) -> dict[int, int]:
    """The hours that touch an observed stretch, and how many nanoseconds of each lie between ``start_ns`` and ``end_ns``."""
    hours = {hour for start, end in observed for hour, _ in grid(start, end, HOUR_NS)}
    return {hour: min(end_ns, hour + HOUR_NS) - max(start_ns, hour) for hour in sorted(hours)}


def all_checks(tokens: Iterable[TokenCoverage]) -> Checks:
    """The hash checks of some tokens together."""
    total = Checks()
    for token in tokens:
        for checks in token.checks.values():
            total.add(checks.done, checks.matched, checks.undecided)
    return total


@dataclass(frozen=True)
class Hour:
    """One hour of one token: ``whole_ns`` of it lie in the window, and ``times`` add up to that."""

    start_ns: int
    whole_ns: int
    times: Times
    checks: Checks
    gaps: int


def named(tokens: Iterable[TokenCoverage]) -> list[TokenCoverage]:
    """In the order of their markets, the tokens of one beside each other in the order given."""
    place: dict[str, str] = {}
    found = list(tokens)
    for token in found:
        place.setdefault(token.market_id, token.name)
    return sorted(found, key=lambda token: (place[token.market_id], token.market_id))
