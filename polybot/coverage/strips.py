"""One row of the heat map as inline SVG: a rectangle for each stretch in one state, a stack where a column saw several."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from polybot.coverage.columns import Column, Columns
from polybot.coverage.model import Coverage, Note, TokenCoverage
from polybot.coverage.shares import NOT_OBSERVED, WORDS, Part, times_of
from polybot.coverage.told import percent, show_moment

HEIGHT = 24
LEAST = 4
"""The least height of a state that is not proved, so that a short doubt is seen."""
_STACKED = ("VERIFIED", "QUIET", "UNVERIFIED", NOT_OBSERVED, "DEAD", "STALE", "PENDING", "RESYNCING", "SUSPECT")
"""From the bottom up."""
_LOUD = {"down": 3, "resumed": 3, "torn": 3, "refused": 2, "bad_line": 2, "ended": 1, "closed": 1, "started": 0, "up": 0}
_WORDS_OF = {NOT_OBSERVED: "not observed"}


def token_strip(token: TokenCoverage, columns: Columns) -> str:
    """The row of a token."""
    cells = columns.cells(token.cells)
    drawn: list[str] = []
    run: list[Column] = []
    run_of: tuple[str, str] | None = None
    for column in columns.all:
        parts = cells.get(column.start_ns, {})
        alone = _alone(parts, column)
        if run and (alone is None or alone != run_of or column.after_break):
            drawn.append(_rectangle(run, run_of))
            run = []
        if alone is None:
            drawn.append(_stack(parts, column))
        else:
            run.append(column)
            run_of = alone
    if run:
        drawn.append(_rectangle(run, run_of))
    return _svg(columns, drawn)


def source_strip(coverage: Coverage, columns: Columns) -> str:
    """The row of the source itself: when anybody watched, and a mark for each column with notes."""
    drawn = []
    for start_ns, end_ns in coverage.observed:
        x = columns.x_of(start_ns)
        width = max(columns.x_of(end_ns) - x, columns.units / 2_000)
        title = _title(f"{show_moment(start_ns)} to {show_moment(end_ns)}\nwatched")
        drawn.append(f'<rect class="w" x="{x:.3f}" y="8" width="{width:.3f}" height="8">{title}</rect>')
    marked: dict[int, list[Note]] = {}
    for note in coverage.notes:
        marked.setdefault(int(columns.x_of(note.ts_ns) * 2), []).append(note)
    width = max(columns.units / 400, 0.3)
    for notes in marked.values():
        loudest = max(notes, key=lambda note: _LOUD.get(note.kind, 0))
        told = "\n".join(f"{show_moment(note.ts_ns)} {note.text}" for note in notes[:8])
        more = f"\nand {len(notes) - 8} more" if len(notes) > 8 else ""
        x = min(columns.x_of(loudest.ts_ns), columns.units - width)
        drawn.append(
            f'<rect class="mark{_LOUD.get(loudest.kind, 0)}" x="{x:.3f}" y="2" width="{width:.3f}" height="20">{_title(told + more)}</rect>'
        )
    return _svg(columns, drawn)


def _alone(parts: dict[str, Part], column: Column) -> tuple[str, str] | None:
    """(state, reason) that a column was in throughout; None if there were several."""
    times = times_of(parts, column.whole_ns)
    if len(times) != 1:
        return None
    (state,) = times
    return state, parts[state].reason if state in parts else ""


def _rectangle(run: list[Column], run_of: tuple[str, str] | None) -> str:
    state, reason = run_of or (NOT_OBSERVED, "")
    title = _title(f"{_period(run[0], run[-1])}\n{_line(state, '', reason)}")
    width = run[-1].x + 1 - run[0].x
    return f'<rect class="{state}" x="{run[0].x}" width="{width}" height="{HEIGHT}">{title}</rect>'


def _stack(parts: dict[str, Part], column: Column) -> str:
    """A column with several states, the proved ones at the bottom."""
    times = times_of(parts, column.whole_ns)
    states = [state for state in _STACKED if times.get(state)]
    heights = {state: HEIGHT * times[state] / column.whole_ns for state in states}
    for state in states:
        if heights[state] < LEAST and state not in ("VERIFIED", "QUIET"):
            heights[state] = LEAST
    scale = HEIGHT / sum(heights.values())
    rows, y = [], float(HEIGHT)
    for state in states:
        height = heights[state] * scale
        y -= height
        rows.append(f'<rect class="{state}" x="{column.x}" y="{y:.2f}" width="1" height="{height:.2f}"/>')
    lines = (
        _line(state, f" {percent(times[state], column.whole_ns)} %", parts[state].reason if state in parts else "")
        for state in WORDS
        if times.get(state)
    )
    title = _title("\n".join((_period(column, column), *lines)))
    return f"<g>{title}{''.join(rows)}</g>"


def _period(first: Column, last: Column) -> str:
    day, end = show_moment(first.start_ns, fraction=False), show_moment(last.end_ns, fraction=False)
    return f"{day} to {end[11:] if end[:10] == day[:10] else end}"


def _line(state: str, share: str, reason: str) -> str:
    return f"{_WORDS_OF.get(state, state)}{share}" + (f": {reason}" if reason else "")


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>"


def _svg(columns: Columns, drawn: Iterable[str]) -> str:
    breaks = (
        f'<rect class="b" x="{column.x - 1.9:.1f}" width="1.8" height="{HEIGHT}"/>'
        for column in columns.all
        if column.after_break
    )
    return f'<svg viewBox="0 0 {columns.units} {HEIGHT}" preserveAspectRatio="none" role="img">{"".join(drawn)}{"".join(breaks)}</svg>'
