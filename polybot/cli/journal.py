"""``polybot journal``: what the journals of a pipeline hold, record by record, and what of it the database has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from pipeline.base.config import load_config
from pipeline.base.errors import BadInput
from pipeline.base.printable import printable, printable_json
from pipeline.base.units import NS_PER_MS
from pipeline.bus.compose import journal_path
from pipeline.bus.journal_reading import Follower, Line, files_of, is_archived, journals, lines, read_file, read_moving
from pipeline.bus.journal_segments import Segment, base_name
from polybot.cli.journal_lines import KINDS, kind_of, object_of, text_line
from polybot.cli.options import config_option, json_option
from polybot.cli.output import Cell, Styled, counted, print_json, print_table
from polybot.cli.trading_words import show_time

_COLUMNS = ("segment", "state", "records", "from", "to", "begun", "last", "bytes", "backlog", "file")
_PAUSE_S = 0.25
LastSeq = Callable[[str], int | None]
"""The last number of the journal of this id that the database has; None if that is not known."""


@click.group()
def command() -> None:
    """Read the journals: what was promised to reach the database, also while the pipeline runs.

    \b
    Example:
      polybot journal list
      polybot journal show --kind fill
    """


def _state_dir_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="State directory of the pipeline.")(
        function
    )


def _db_url_option(function: Callable[..., Any]) -> Callable[..., Any]:
    told = "Database, e.g. sqlite:///./polybot.db. Default: the one that the journal belongs to."
    return click.option("--db-url", metavar="URL", help=told)(function)


@command.command("list")
@_state_dir_option
@json_option
@config_option
@_db_url_option
def list_journals(state_dir: Path | None, as_json: bool, config_path: Path | None, db_url: str | None) -> None:
    """List the segments of every journal: how many records, from when to when, and how many the database lacks.

    \b
    Example:
      polybot journal list --state-dir ./var
    """
    state_dir = _state_dir(config_path, state_dir)
    databases = _databases(config_path, state_dir, db_url)
    told = [_told(base, state_dir, databases) for base in journals(state_dir)]
    if as_json:
        print_json({"journals": told})
        return
    if not told:
        click.echo(f"No journals in {state_dir / 'journal'}. `polybot up` begins one.")
    for journal in told:
        _print_journal(journal)


@command.command("show")
@click.option("--role", default="executor", show_default=True, metavar="ROLE", help="Whose journal.")
@click.option("--since", type=click.IntRange(min=1), default=1, metavar="SEQ", help="Only records from this number on.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="Only this kind; may be given several times."
)
@click.option("--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("--file", "file", type=click.Path(path_type=Path), metavar="PATH", help="Only this segment, archived or not.")
@_state_dir_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with every field.")
@config_option
@_db_url_option
def show(
    role: str,
    since: int,
    kinds: tuple[str, ...],
    follow: bool,
    file: Path | None,
    state_dir: Path | None,
    as_json: bool,
    config_path: Path | None,
    db_url: str | None,
) -> None:
    """Show the records of a role's journal, archived segments included: one line each, with whether the database has it.

    It only reads: the pipeline may run. Damage and torn tails are told on standard error.

    \b
    Example:
      polybot journal show --since 100 --kind fill
      polybot journal show --follow --json
    """
    if file is not None and follow:
        raise BadInput("--follow goes with a journal, not with --file; leave one of them out")
    state_dir = _state_dir(config_path, state_dir)
    databases = _databases(config_path, state_dir, db_url)
    base = None if file is not None else _journal_of(state_dir, role, databases, db_url)
    paths = files_of(state_dir, base) if base is not None else [] if file is None else [file]
    last_seq = _last_seq(
        databases, role, base_name(file) if base is None and file is not None else base.name if base is not None else ""
    )
    follower = Follower(base, 0) if base is not None and follow else None
    shown = 0
    producers: dict[str, int | None] = {}

    def say(said: Iterable[Line]) -> int:
        last = 0
        for line in said:
            last = max(last, line.seq)
            if kinds and kind_of(line.message) not in kinds:
                continue
            committed = _is_committed(line, producers, last_seq)
            told = object_of(line, committed)
            click.echo(printable_json(msgspec.json.encode(told).decode()) if as_json else printable(text_line(line, committed)))
        return last

    for path in paths:
        segment = read_file(path) if base is None else read_moving(state_dir, base, path)
        _tell_of_damage(segment, is_last=path == paths[-1])
        shown = max(shown, say(lines(segment, max(since - 1, shown))))
    if follower is not None:
        follower.skip_to(max(since - 1, shown))
        try:
            while True:
                producers.clear()
                say(follower.news())
                time.sleep(_PAUSE_S)
        except KeyboardInterrupt:
            return


def _state_dir(config_path: Path | None, given: Path | None) -> Path:
    found = given if given is not None else Path(load_config(config_path).settings.bus.state_dir)
    if given is not None and not found.is_dir():
        raise BadInput(f"--state-dir {found}: there is no such folder")
    return found


def _databases(config_path: Path | None, state_dir: Path, given: str | None) -> list[str]:
    """The database given; else all that the sessions of the state directory wrote, the last one's first, and the configured one."""
    from polybot.session_database import session_databases

    if given is not None:
        return [given]
    return list(dict.fromkeys([*session_databases(state_dir), load_config(config_path).settings.db.url]))


def _journal_of(state_dir: Path, role: str, databases: list[str], given: str | None) -> Path:
    """The journal of a role for the first of these databases that has one; where there is a single one, that."""
    from processes.options import database_name

    found = journals(state_dir, role)
    for db_url in databases:
        wanted = journal_path(state_dir, role, database_name(db_url))
        if wanted in found:
            return wanted
    if len(found) == 1:
        return found[0]
    if not found:
        others = sorted({base.name.partition("-")[0] for base in journals(state_dir)})
        there = f"there are journals of {', '.join(others)}" if others else "there is none at all; `polybot up` begins one"
        raise BadInput(f"{state_dir / 'journal'}: no journal of {role}; {there}")
    names = ", ".join(base.name for base in found)
    which = f" and none for {given}" if given is not None else ""
    raise BadInput(f"{role} has several journals{which}: {names}; choose with --db-url, or a segment with --file")


def _last_seq(databases: list[str], role: str, name: str) -> LastSeq:
    """Asks the one of these databases that a journal of this name belongs to, read-only; one that is not there knows nothing of it."""
    from pipeline.store.journal import last_seq
    from pipeline.store.open import open_store
    from processes.options import database_name

    def ask(journal_id: str) -> int | None:
        own = [url for url in databases if name == journal_path(Path(), role, database_name(url)).name]
        if not own:
            return None
        try:
            with open_store(own[0], read_only=True) as store, store.connect() as conn:
                return last_seq(conn, f"{role}@{journal_id}")
        except BadInput:
            return None

    return ask


def _is_committed(line: Line, known: dict[str, int | None], last_seq: LastSeq) -> bool | None:
    if is_archived(line.segment):
        return True
    journal_id = line.segment.journal_id
    if journal_id not in known:
        known[journal_id] = last_seq(journal_id)
    last = known[journal_id]
    return None if last is None else line.seq <= last


def _tell_of_damage(segment: Segment, *, is_last: bool) -> None:
    if segment.damage:
        click.echo(segment.told_damage(), err=True)
    if segment.torn_bytes:
        what = "a record that is being written, or was not finished" if is_last else "a record that was not finished"
        click.echo(
            f"{segment.path}: behind record {segment.last_seq}, at offset {segment.end}, {what}: {segment.torn_bytes} bytes",
            err=True,
        )


def _told(base: Path, state_dir: Path, databases: list[str]) -> dict[str, Any]:
    segments = [read_moving(state_dir, base, path) for path in files_of(state_dir, base)]
    journal_id = next((segment.journal_id for segment in reversed(segments) if segment.journal_id), "")
    last = _last_seq(databases, base.name.partition("-")[0], base.name)(journal_id)
    rows = list(_segment_rows(segments, last))
    backlog = None if last is None else sum(row["backlog"] for row in rows)
    return {
        "journal": base.name, "id": journal_id, "segments": rows, "bytes": sum(row["bytes"] for row in rows),
        "last_seq": max((segment.last_seq for segment in segments), default=0), "committed_seq": last, "backlog": backlog,
    }  # fmt: skip


def _segment_rows(segments: list[Segment], last: int | None) -> Iterator[dict[str, Any]]:
    for segment in segments:
        times = [line.message.ts_ns for line in lines(segment) if line.is_record]
        state = "archived" if is_archived(segment) else "open" if segment is segments[-1] else "closed"
        if segment.damage:
            state += ", damaged"
        lacking = 0 if is_archived(segment) or last is None else sum(entry.seq > last for entry in segment.entries)
        yield {
            "segment": segment.number, "state": state, "records": len(segment.entries), "session": segment.session_id,
            "first_seq": segment.entries[0].seq if segment.entries else None, "last_seq": segment.last_seq,
            "begun_ns": times[0] if times else None, "last_ns": times[-1] if times else None,
            "bytes": segment.path.stat().st_size, "backlog": lacking, "checkpoint": segment.checkpoint is not None,
            "file": str(segment.path),
        }  # fmt: skip


def _print_journal(journal: dict[str, Any]) -> None:
    unknown = journal["backlog"] is None
    backlog = (
        "backlog unknown (its database is not known, or cannot be read)"
        if unknown
        else f"backlog {counted(journal['backlog'], 'record')}"
    )
    size = f"{counted(len(journal['segments']), 'segment')}, {counted(journal['bytes'], 'byte')}"
    title = f"{journal['journal']} ({journal['id']}): last record {journal['last_seq']}, {backlog}, {size}"
    print_table(_COLUMNS, [_cells(row, unknown) for row in journal["segments"]], title=title, right=("bytes", "backlog"))


def _cells(row: dict[str, Any], unknown: bool) -> list[Cell]:
    times: list[Cell] = [None if ns is None else show_time(ns // NS_PER_MS) for ns in (row["begun_ns"], row["last_ns"])]
    state = Styled(row["state"], "red") if "damaged" in row["state"] else row["state"]
    backlog = None if unknown else row["backlog"]
    span: list[Cell] = [row["first_seq"], row["last_seq"] if row["records"] else None]
    return [row["segment"], state, row["records"], *span, *times, row["bytes"], backlog, row["file"]]
