"""``polybot db``: check, copy, shrink and prune the database."""

from __future__ import annotations

import time
from pathlib import Path

import click

from pipeline.base.config import load_config
from pipeline.base.errors import BadInput, PolybotError
from pipeline.base.units import NS_PER_MS
from polybot.cli.moments import MOMENT_HELP, parse_moment
from polybot.cli.options import config_option, db_url_option, json_option, stored_db_url_option
from polybot.cli.output import Progress, counted, print_json, print_table
from polybot.cli.trading_words import show_time


@click.group()
def command() -> None:
    """Check, copy, shrink and prune the database.

    \b
    Example:
      polybot db check
      polybot db backup --out backups/polybot.db
    """


@command.command()
@json_option
@config_option
@stored_db_url_option
def check(as_json: bool, config_path: Path | None, db_url: str) -> None:
    """Look at every page, every reference, the schema and the counts, and say who writes to it. Nothing is changed.

    It may run beside the pipeline. Exit code 1 if anything is wrong; each finding says what to do.

    \b
    Example:
      polybot db check --db-url sqlite:///./polybot-fake.db
    """
    from pipeline.store.checkup import check_up

    with Progress("checking", unit="steps") as progress:
        seen = check_up(_file_of(db_url), progress.show)
    if as_json:
        import dataclasses

        print_json(dataclasses.asdict(seen) | {"ok": not seen.findings})
    else:
        rows = [
            ("file", f"{seen.file} ({_megabytes(seen.bytes)}, log {_megabytes(seen.wal_bytes)})"),
            ("integrity", seen.integrity),
            ("references", seen.foreign_keys),
            ("schema", f"{seen.schema or 'none'} (this Polybot's: {seen.wanted_schema})"),
            ("data of", seen.venue or "no venue"),
            ("written by", seen.holder or "nobody"),
            ("rows", ", ".join(f"{name} {count:,}" for name, count in seen.counts.items() if count) or "none"),
        ]
        print_table(("", ""), rows)
        for finding in seen.findings:
            click.echo(f"{finding.what}; {finding.advice}")
    if seen.findings:
        raise PolybotError(f"{seen.file}: {counted(len(seen.findings), 'finding')}")


@command.command()
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Default: beside the database, with the time in its name."
)
@json_option
@config_option
@stored_db_url_option
def backup(out: Path | None, as_json: bool, config_path: Path | None, db_url: str) -> None:
    """Copy the database as it is at this moment, also while the pipeline runs.

    The copy is one file, checked, readable by its owner only, and appears when it is whole. To go back to it: stop the pipeline, move the
    database and the files beside it (-wal, -shm) away, and copy the backup to its place.

    \b
    Example:
      polybot db backup --out backups/polybot.db
    """
    from pipeline.store.backup import back_up

    path = _file_of(db_url)
    target = out or path.with_name(f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}{path.suffix or '.db'}")
    with Progress("copying", unit="pages") as progress:

        def show(done: int, total: int) -> None:
            progress.total = total
            progress.show(done)

        size = back_up(path, target, show)
    if as_json:
        print_json({"database": str(path), "file": str(target), "bytes": size})
    else:
        click.echo(f"{path} copied to {target} ({_megabytes(size)})")


@command.command()
@json_option
@config_option
@db_url_option
def vacuum(as_json: bool, config_path: Path | None, db_url: str) -> None:
    """Write the database anew without the room that deleted rows left. Refused while somebody writes to it.

    \b
    Example:
      polybot db vacuum
    """
    from pipeline.store.backup import vacuum as shrink

    path = _file_of(db_url)
    with Progress("writing anew", unit="steps") as progress:
        before, after = shrink(path, progress.show)
    if as_json:
        print_json({"file": str(path), "bytes_before": before, "bytes_after": after})
    else:
        click.echo(f"{path}: {_megabytes(before)} before, {_megabytes(after)} after")


@command.command()
@click.option("--before", metavar="WHEN", help=f"{MOMENT_HELP}. Default: [ingestion] retention_ms ago.")
@click.option("--yes", is_flag=True, help="Delete. Without it, it is only said what would go.")
@json_option
@config_option
@db_url_option
def prune(before: str | None, yes: bool, as_json: bool, config_path: Path | None, db_url: str) -> None:
    """Delete old samples of the market and old copies of records. Says first what would go.

    Orders, fills, audits and the catalogue stay whatever their age. The pipeline does the same by itself, by
    [ingestion] retention_ms. Refused while somebody writes to it; `polybot db vacuum` gives the room back.

    \b
    Example:
      polybot db prune --before 30d
      polybot db prune --before 30d --yes
    """
    from pipeline.store.open import open_store
    from pipeline.store.retention import count_samples, prune_samples

    now_ms = time.time_ns() // NS_PER_MS
    if before is None:
        before_ms = now_ms - load_config(config_path).settings.ingestion.retention_ms
    else:
        before_ms = parse_moment(before, "--before", now_ms)
    _file_of(db_url)
    with open_store(db_url, read_only=not yes) as store:
        with store.connect() as conn:
            found = {name: count for name, count in count_samples(conn, before_ms).items() if count}
        total, gone = sum(found.values()), 0
        if yes:
            with Progress("deleting", total, unit="rows") as progress:
                while True:
                    with store.begin() as conn:
                        deleted = prune_samples(conn, before_ms, _ROWS)
                    gone += deleted
                    progress.show(gone)
                    if deleted < _ROWS:
                        break
    if as_json:
        print_json({"before_ms": before_ms, "rows": found, "deleted": gone, "dry_run": not yes})
        return
    print_table(("table", "rows"), list(found.items()), empty=f"Nothing is older than {show_time(before_ms)}.")
    if yes:
        click.echo(f"{counted(gone, 'row')} from before {show_time(before_ms)} deleted; `polybot db vacuum` gives the room back")
    elif total:
        click.echo(
            f"{counted(total, 'row')} from before {show_time(before_ms)} would go; nothing was deleted: add --yes to do it"
        )


_ROWS = 20_000
"""Rows that one transaction deletes."""


def _file_of(db_url: str) -> Path:
    """The file of a database that is there. Raises BadInput."""
    from pipeline.store.url import path_of_url

    path = path_of_url(db_url)
    if path is None:
        raise BadInput(f"database URL {db_url!r}: a database in memory lives in one process; give sqlite:///path/to/file.db")
    if not path.is_file():
        raise BadInput(f"database URL {db_url!r}: there is no file {path}; check the path, or fill it first")
    return path


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
