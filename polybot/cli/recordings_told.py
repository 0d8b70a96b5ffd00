"""What ``polybot recordings`` prints of recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from polybot.cli.output import Cell, Styled, counted, print_line, print_table
from polybot.coverage.told import gap_length, healed, percent, show_length, show_moment
from polybot.recordings.examining import Examined, tokens_of
from polybot.recordings.listing import Listed

_UNITS = ("B", "kB", "MB", "GB", "TB")
NOTES_SHOWN = 40
GAPS_SHOWN = 40


def show_size(size: int) -> str:
    """Bytes in their largest unit: ``2.3 MB``."""
    amount, unit = float(size), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1_000, unit + 1
    return f"{size} B" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def print_list(found: Sequence[Listed], looked_in: str) -> None:
    """A row a recording; what cannot be read says why below."""
    rows: list[list[Cell]] = [
        [
            listed.name,
            Styled(listed.state, "red") if listed.problem else listed.state,
            listed.venue or None,
            show_moment(listed.first_ns, fraction=False) if listed.first_ns else None,
            show_length(listed.last_ns - listed.first_ns) if listed.first_ns else None,
            f"{listed.frames:,}",
            show_size(listed.bytes),
            str(listed.path),
        ]
        for listed in found
    ]
    columns = ("name", "what", "venue", "begun (UTC)", "span", "frames", "size", "path")
    print_table(
        columns,
        rows,
        right=("frames", "size"),
        empty=f"No recording in {looked_in}. `polybot up` and `polybot record` make some.",
    )
    for listed in found:
        if listed.problem:
            print_line(listed.problem, err=True)


def print_examined(found: Examined) -> None:
    """The answer of ``info``."""
    venue = f", venue {found.venue}" if found.venue else ""
    print_line(f"{found.path}: {found.kind}{venue}")
    rates, frames = found.rates, sum(found.frames.values())
    span = f"{show_moment(found.first_ns)} to {show_moment(found.last_ns)} UTC, {show_length(found.last_ns - found.first_ns)}"
    facts: list[tuple[str, str]] = [
        ("span", span),
        ("frames", f"{frames:,}: {_counts(found.frames)}"),
        ("lines", f"{sum(found.kinds.values()):,}: {_counts(found.kinds)}"),
        (
            "rate",
            f"{rates.mean:,.1f} frames/s in the mean, {rates.p99:,} in the 99th percentile of seconds, {rates.most:,} at most",
        ),
        ("size", f"{show_size(found.bytes)}, {show_size(found.unpacked_bytes)} unpacked"),
        *(("made", made.text) for made in found.made),
        ("integrity", _integrity(found)),
        ("books", _books(found)),
    ]
    print_table(("", ""), facts)
    _print_damage(found)
    if tokens := tokens_of(found):
        click.echo()
        rows = [
            (
                token["question"] or None,
                token["name"],
                token["token_id"],
                percent(token["proved_ns"], token["observed_ns"]),
                token["gaps"],
            )
            for token in tokens
        ]
        print_table(("market", "outcome", "token", "proved %", "gaps"), rows, right=("proved %", "gaps"))
    _print_gaps(found)
    if found.told:
        click.echo()
        rows_told = [(show_moment(note.ts_ns), note.kind.replace("_", " "), note.text) for note in found.told[:NOTES_SHOWN]]
        print_table(("at", "what", ""), rows_told)
        more = len(found.told) - len(rows_told) + found.told_left_out
        if more:
            click.echo(f"and {counted(more, 'further note')}; --json has more")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _integrity(found: Examined) -> str:
    if not found.segments:
        return "no checksums: only recordings have them"
    states: dict[str, int] = {}
    for checked in found.segments:
        states[checked.told] = states.get(checked.told, 0) + 1
    return ", ".join(f"{counted(count, 'segment')} {told}" for told, count in states.items())


def _books(found: Examined) -> str:
    coverage = found.coverage
    if coverage is None:
        return found.without
    tokens = tokens_of(found)
    proved, observed = sum(token["proved_ns"] for token in tokens), sum(token["observed_ns"] for token in tokens)
    checks = coverage.checks
    hashes = f"; {counted(checks.done, 'hash check')}, {checks.missed:,} missed" if checks.done else ""
    gaps = counted(len(coverage.gaps), "gap")
    return f"{counted(len(tokens), 'token')}, proved {percent(proved, observed)} % of the time, {gaps}{hashes}"


def _print_damage(found: Examined) -> None:
    for checked in found.segments:
        if checked.state in ("changed", "missing") or checked.torn:
            print_line(f"{checked.path}: {checked.told}", err=True)


def _print_gaps(found: Examined) -> None:
    gaps = found.coverage.gaps if found.coverage else []
    if not gaps:
        return
    click.echo()
    rows = [(token.name, show_moment(gap.start_ns), gap_length(gap), gap.cause, healed(gap)) for token, gap in gaps[:GAPS_SHOWN]]
    print_table(("token", "gap from", "for", "cause", "healed by"), rows, right=("for",))
    if len(gaps) > GAPS_SHOWN:
        click.echo(f"and {counted(len(gaps) - GAPS_SHOWN, 'further gap')}; `polybot coverage` lists all")
