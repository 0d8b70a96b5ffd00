"""Coverage as rows for a terminal and as an object for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.base.units import NS_PER_S
from polybot.coverage.model import Checks, Coverage, GapSpan, Hour
from polybot.coverage.shares import HOUR_NS, NOT_OBSERVED, WORDS, Times

_HEALED = {
    "": "not healed",
    "batch": "a batch whose hash matched",
    "book": "a whole book whose hash matched",
    "late trade": "a trade, told late, that explained the hash",
    "same book": "the venue gave the book that was proved before",
    "contiguous seq": "the next number in line",
}


def percent(part: int, whole: int) -> str:
    """A share with one decimal; 0 and 100 are said of nothing and of all only."""
    if not part or not whole:
        return "0" if whole else "-"
    if part == whole:
        return "100"
    tenths = min(999, max(1, (part * 2_000 // whole + 1) // 2))
    return f"{tenths // 10}.{tenths % 10}"


def show_length(ns: int) -> str:
    """A length of time in its two largest units: ``0.120 s``, ``12.3 s``, ``3 min 20 s``, ``5 h 2 min``, ``40 d 3 h``."""
    if ns < 10 * NS_PER_S:
        return f"{ns // 1_000_000 / 1_000:.3f} s"
    if ns < 60 * NS_PER_S:
        return f"{ns // 100_000_000 / 10:.1f} s"
    seconds = ns // NS_PER_S
    for unit, length, below, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= length:
            rest = seconds % length // part
            return f"{seconds // length} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{seconds} s"


def show_moment(ns: int, *, fraction: bool = True) -> str:
    """UTC; to the millisecond, or to the second."""
    text = datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{ns % NS_PER_S // 1_000_000:03d}" if fraction else text


def gap_length(gap: GapSpan) -> str:
    """How long a gap lasted, as text."""
    return "open" if gap.end_ns is None else show_length(gap.end_ns - gap.start_ns)


def healed(gap: GapSpan) -> str:
    """What healed a gap, in words."""
    return _HEALED.get(gap.healed_by, gap.healed_by)


def shown_states(times: Times) -> list[str]:
    """The states that took any time, the best first."""
    return [word for word in WORDS if times.get(word)]


Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""(columns, rows)"""


def hour_rows(coverage: Coverage) -> Rows:
    """(columns, rows): a row for each token and hour, and one for all of them."""
    states = shown_states(coverage.totals)
    columns = ("token", "hour", *(word.replace("_", " ") for word in states), "gaps", "checks", "matched", "undecided")
    rows: list[tuple[str, ...]] = [
        (token.name, show_moment(hour.start_ns)[:16], *_cells(states, hour.times, hour.whole_ns, hour.gaps, hour.checks))
        for token in coverage.tokens
        for hour in coverage.hours_of(token)
    ]
    totals = coverage.totals
    every = _cells(states, totals, sum(totals.values()), len(coverage.gaps), coverage.checks)
    return columns, [*rows, ("all", "all", *every)]


def _cells(states: list[str], times: Times, whole_ns: int, gaps: int, checks: Checks) -> tuple[str, ...]:
    counts = (gaps, checks.done, checks.matched, checks.undecided)
    return (*(percent(times.get(word, 0), whole_ns) for word in states), *map(str, counts))


def gap_rows(coverage: Coverage) -> Rows:
    """(columns, rows): every gap in order of time."""
    rows: list[tuple[str, ...]] = []
    for token, gap in coverage.gaps:
        end = "-" if gap.end_ns is None else show_moment(gap.end_ns)
        rows.append((token.name, show_moment(gap.start_ns), end, gap_length(gap), gap.cause, healed(gap)))
    return ("token", "gap from", "to", "for", "cause", "healed by"), rows


def as_object(coverage: Coverage) -> dict[str, Any]:
    """Everything, in nanoseconds. ``times_ns`` of an hour add up to its ``whole_ns``; an hour that nobody watched is not listed."""
    totals = coverage.totals
    gaps = [gap for _, gap in coverage.gaps]
    return {
        "source": coverage.source,
        "kind": coverage.kind,
        "start_ns": coverage.start_ns,
        "end_ns": coverage.end_ns,
        "observed": [{"start_ns": start, "end_ns": end} for start, end in coverage.observed],
        "hours_left_out": hours_left_out(coverage),
        "total": _times(totals, sum(totals.values()))
        | {
            "gaps": len(gaps),
            "open_gaps": sum(gap.end_ns is None for gap in gaps),
            "hash_checks": _checks(coverage.checks),
        },
        "tokens": [
            {
                "token_id": token.token_id,
                "market_id": token.market_id,
                "name": token.name,
                **_times(token.times(coverage.whole_ns), coverage.whole_ns),
                "hours": [_hour(hour) for hour in coverage.hours_of(token)],
                "gaps": [
                    {"start_ns": gap.start_ns, "end_ns": gap.end_ns, "cause": gap.cause, "healed_by": gap.healed_by}
                    for gap in sorted(token.gaps, key=lambda gap: gap.start_ns)
                ],
            }
            for token in coverage.tokens
        ],
        "notes": [{"ts_ns": note.ts_ns, "kind": note.kind, "text": note.text} for note in coverage.notes],
        "notes_left_out": coverage.notes_left_out,
    }


def hours_left_out(coverage: Coverage) -> int:
    """How many hours between the first and the last were watched by nobody."""
    hours = list(coverage.hours)
    return (hours[-1] - hours[0]) // HOUR_NS + 1 - len(hours) if hours else 0


def _hour(hour: Hour) -> dict[str, Any]:
    moment = datetime.fromtimestamp(hour.start_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "hour": moment,
        "start_ns": hour.start_ns,
        **_times(hour.times, hour.whole_ns),
        "gaps": hour.gaps,
        "hash_checks": _checks(hour.checks),
    }


def _times(times: Times, whole_ns: int) -> dict[str, Any]:
    known = {word: times[word] for word in WORDS if times.get(word)}
    shares = {word: round(ns / whole_ns, 6) for word, ns in known.items()} if whole_ns else {}
    return {"whole_ns": whole_ns, "observed_ns": whole_ns - known.get(NOT_OBSERVED, 0), "times_ns": known, "shares": shares}


def _checks(checks: Checks) -> dict[str, int]:
    return {"done": checks.done, "matched": checks.matched, "missed": checks.missed, "undecided": checks.undecided}
