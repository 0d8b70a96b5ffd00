"""``polybot coverage``: how long each token's book was in which state, its gaps and its hash checks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from pipeline.base.errors import BadInput
from polybot.cli.options import config_option, json_option
from polybot.cli.output import Progress, print_json, print_table

if TYPE_CHECKING:
    from polybot.coverage.model import Coverage


@click.command()
@click.argument("recording", required=False, type=click.Path(path_type=Path))
@click.option("--db-url", metavar="URL", help="A database instead of a recording, e.g. sqlite:///./polybot.db.")
@click.option("--token", "token_id", default="", metavar="TOKEN_ID", help="Only this token.")
@click.option(
    "--market", "market_id", default="", metavar="MARKET_ID", help="What lines of a recording are about that name no market."
)
@click.option("--html", type=click.Path(path_type=Path), metavar="OUT", help="Write a heat map: one page that opens offline.")
@json_option
@config_option
def command(
    recording: Path | None,
    db_url: str | None,
    token_id: str,
    market_id: str,
    html: Path | None,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Show for each token and hour how long its book was in each state of confidence, and what its hash checks said.

    Gaps are listed with their start, end, cause and what healed them. RECORDING is anything that `polybot replay` reads; it is played
    through the stages that run live, and writes nothing. Time in which nobody watched, or before the first word about a book, is NOT
    OBSERVED. A share is never rounded to 0 or 100.

    \b
    Example:
      polybot coverage recordings/fake-venue-10min --html coverage.html
      polybot coverage --db-url sqlite:///./polybot-fake.db --json
    """
    if (recording is None) == (db_url is None):
        raise BadInput("coverage: give a RECORDING or --db-url URL, one of the two")
    coverage = _of_recording(recording, config_path, market_id, token_id) if recording else _of_database(db_url or "", token_id)
    if html is not None:
        from polybot.coverage.page import page

        try:
            html.write_text(page(coverage), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"--html {html}: cannot be written: {error.strerror}; give a file in a folder that is there") from None
        click.echo(f"heat map of {len(coverage.tokens):,} tokens written to {html}", err=as_json)
    if as_json:
        from polybot.coverage.told import as_object

        print_json(as_object(coverage))
    elif html is None:
        _print(coverage)


def _of_recording(path: Path, config_path: Path | None, market_id: str, token_id: str) -> Coverage:
    from pipeline.base.config import load_config
    from pipeline.base.log import set_up_logging
    from polybot.coverage.from_recording import cover_recording

    if click.get_current_context().find_root().get_parameter_source("log_level") is not ParameterSource.COMMANDLINE:
        set_up_logging("error", sys.stderr)  # what went wrong then is what is asked for, and comes as the answer
    with Progress("playing", unit="messages") as progress:

        def show(done: int, total: int | None) -> None:
            progress.total = total
            progress.show(done)

        return cover_recording(path, load_config(config_path).settings, market_id=market_id, token_id=token_id, shown=show)


def _of_database(db_url: str, token_id: str) -> Coverage:
    from pipeline.store.open import open_store
    from polybot.coverage.from_database import cover_database

    with open_store(db_url, read_only=True) as store, Progress("reading", unit="states") as progress:
        return cover_database(store, token_id=token_id, shown=progress.show)


def _print(coverage: Coverage) -> None:
    from polybot.coverage.told import gap_rows, hour_rows, hours_left_out, show_moment

    columns, rows = hour_rows(coverage)
    print_table(columns, rows, right=columns[2:], title="Share of each hour (UTC) in each state, in percent")
    columns, rows = gap_rows(coverage)
    click.echo()
    print_table(columns, rows, right=("for",), empty="No gap.")
    if coverage.notes:
        click.echo()
        print_table(
            ("at", "what", ""), [(show_moment(note.ts_ns), note.kind.replace("_", " "), note.text) for note in coverage.notes]
        )
    left_out = hours_left_out(coverage)
    if left_out:
        click.echo(f"\n{left_out:,} hours in between that nobody watched are left out.")
    if coverage.notes_left_out:
        click.echo(f"\n{coverage.notes_left_out:,} further notes are left out.")
