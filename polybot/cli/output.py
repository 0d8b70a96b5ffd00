"""How commands print: tables for people, JSON for programs, a progress bar for those who wait; text from outside is made harmless.

Answers go to standard output, everything else to standard error. A table that is piped has plain, uncut columns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, TextIO

import click
import msgspec

from pipeline.base.printable import printable, printable_json


class Styled(NamedTuple):
    """A cell with a colour, such as ``Styled("STALE", "red")``; a pipe gets the text alone."""

    text: str
    style: str


Cell = str | int | Styled | None


def print_json(value: object) -> None:
    """Print any JSON-like value, message or struct (as an object), indented. Decimals become texts, so nothing is rounded."""
    click.echo(printable_json(msgspec.json.format(msgspec.json.encode(_named(value)), indent=2).decode()))


def print_line(text: str, err: bool = False) -> None:
    """Print one line that may hold text from outside, which cannot command the terminal: what would be obeyed is shown."""
    click.echo(printable(text), err=err)


def _named(value: object) -> object:
    """Structs as objects with field names, also those that are arrays on the wire."""
    if isinstance(value, msgspec.Struct):
        return {name: _named(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(name): _named(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_named(item) for item in value]
    return value


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    right: Collection[str] = (),
    title: str = "",
    empty: str = "Nothing to show.",
) -> None:
    """Print rows under headings. ``right`` names the columns of numbers; columns of whole numbers only are set right anyway.

    ``None`` is a dash. Columns that all have empty names have no line of headings.
    Without rows, ``empty`` is printed instead: say there what would bring some.
    """
    if not rows:
        click.echo(empty)
        return
    aligned = [name in right or all(isinstance(row[i], int) for row in rows) for i, name in enumerate(columns)]
    if sys.stdout.isatty():
        _print_rich(columns, rows, aligned, title)
    else:
        _print_plain(columns, rows, aligned, title)


def _text(cell: Cell) -> str:
    if isinstance(cell, Styled):
        return printable(cell.text)
    return "-" if cell is None else printable(str(cell))


def _print_plain(columns: Sequence[str], rows: Sequence[Sequence[Cell]], aligned: Sequence[bool], title: str) -> None:
    table = [[_text(cell) for cell in row] for row in rows]
    if any(columns):
        table.insert(0, list(columns))
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    if title:
        print_line(title)
    for line in table:
        cells = (
            text.rjust(width) if right else text.ljust(width) for text, width, right in zip(line, widths, aligned, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def _print_rich(columns: Sequence[str], rows: Sequence[Sequence[Cell]], aligned: Sequence[bool], title: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    named = any(columns)
    table = Table(
        box=SIMPLE_HEAD if named else None,
        show_header=named,
        title=Text(printable(title)) if title else None,
        title_justify="left",
        pad_edge=False,
    )
    for name, right in zip(columns, aligned, strict=True):
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=right)
    for row in rows:
        table.add_row(*(Text(_text(cell), style=cell.style if isinstance(cell, Styled) else "") for cell in row))
    Console().print(table)


def counted(number: int, word: str) -> str:
    """A number with its noun: ``1 snapshot``, ``2,000 deltas``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def show_dollars(amount_e6: int) -> str:
    """An amount to the cent, cut off towards zero, such as ``-$1.20``."""
    cents = abs(amount_e6) // 10_000
    return f"{'-' if amount_e6 < 0 and cents else ''}${cents // 100:,}.{cents % 100:02d}"


def show_doubts(counts: Mapping[str, int], bad_frames: int) -> str:
    """What went wrong with kept books, for the end of a line: ``; 2 resync_gap, 1 bad frame``; "" if nothing did."""
    told = [f"{number:,} {name}" for name, number in counts.items() if number]
    if bad_frames:
        told.append(counted(bad_frames, "bad frame"))
    return f"; {', '.join(told)}" if told else ""


class Progress:
    """One line on standard error, in a terminal only, and only for work that takes longer than ``after_s`` seconds.

    Use it as a context and call ``show(done)``; it costs next to nothing when it shows nothing.
    """

    def __init__(
        self,
        label: str,
        total: int | None = None,
        *,
        unit: str = "",
        out: TextIO | None = None,
        after_s: float = 2.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label, self.total, self._unit = label, total, unit
        self._out = sys.stderr if out is None else out
        self._now = now
        self._next = now() + after_s
        self._live = self._out.isatty()
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()

    def show(self, done: int) -> None:
        """Say how much is done; drawn at most ten times a second."""
        if not self._live or self._now() < self._next:
            return
        self._next = self._now() + 0.1
        line = f"{self._label} {done:,} {self._unit}".rstrip()
        if self.total:
            filled = min(20, 20 * done // self.total)
            line = f"{self._label} [{'#' * filled}{'.' * (20 - filled)}] {done:,} of {self.total:,} {self._unit}".rstrip()
        self._out.write("\r" + line.ljust(self._width))
        self._out.flush()
        self._width = max(self._width, len(line))
