"""``polybot export``: any table or view of the database as CSV or Parquet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import click

from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_MS
from polybot.cli.moments import MOMENT_HELP, parse_moment
from polybot.cli.options import config_option, json_option, stored_db_url_option
from polybot.cli.output import Progress, counted, print_json


@click.command()
@click.argument("table")
@click.option("--since", metavar="WHEN", help=f"From this moment on: {MOMENT_HELP}.")
@click.option("--until", metavar="WHEN", help="Before this moment.")
@click.option("--format", "file_format", type=click.Choice(["csv", "parquet"]), help="Default: by the ending of --out, else csv.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Default: TABLE.csv or TABLE.parquet in this folder."
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
@config_option
@stored_db_url_option
def command(
    table: str,
    since: str | None,
    until: str | None,
    file_format: str | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    config_path: Path | None,
    db_url: str,
) -> None:
    """Write the rows of TABLE to a file, all of them or those of a period, as they are at this moment.

    TABLE is any table, with whole millionths in columns that end in _e6, or its _plain view, with decimals to the last digit. It reads
    beside a running pipeline. The file appears when it is whole. --json says what was written. In CSV, text that begins as a formula does
    (= + - @, a tab) or with an apostrophe has an apostrophe before it: take one off to have the text back. Numbers are never changed.

    \b
    Example:
      polybot export fills_plain --since 7d --out fills.parquet
      polybot export orderbook_events --since 2026-11-22T10:00 --until 2026-11-22T11:00
    """
    from pipeline.store.export import count_rows, read_rows, source_of
    from pipeline.store.open import open_store
    from polybot.export_files import Format, open_rows, whole_file

    now_ms = time.time_ns() // NS_PER_MS
    since_ms = None if since is None else parse_moment(since, "--since", now_ms)
    until_ms = None if until is None else parse_moment(until, "--until", now_ms)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise BadInput(f"--since {since} is not before --until {until}")
    source = source_of(table)
    chosen = cast("Format", file_format or ("parquet" if out is not None and out.suffix == ".parquet" else "csv"))
    target = out or Path(f"{table}.{chosen}")
    done = 0
    with open_store(db_url, read_only=True) as store, store.connect() as conn, whole_file(target, replace=force) as part:
        total = count_rows(conn, source, since_ms, until_ms)
        file = open_rows(part, chosen, source.columns)
        try:
            with Progress("exporting", total, unit="rows") as progress:
                for rows in read_rows(conn, source, since_ms, until_ms):
                    file.write(rows)
                    done += len(rows)
                    progress.show(done)
        finally:
            file.close()
    if as_json:
        told = {"table": table, "file": str(target), "format": chosen, "rows": done, "bytes": target.stat().st_size}
        columns = [{"name": column.name, "kind": column.kind} for column in source.columns]
        print_json(told | {"since_ms": since_ms, "until_ms": until_ms, "time": source.time, "columns": columns})
    else:
        click.echo(f"{counted(done, 'row')} of {table} written to {target}")
