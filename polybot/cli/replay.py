"""``polybot replay``: a recorded file into a database."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from pipeline.base.errors import Interrupted
from pipeline.base.memory import hold_collections, settle
from polybot.cli.options import config_option, db_url_option, json_option
from polybot.cli.output import Progress, counted, print_json, show_doubts


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("market_id")
@click.option("--outcome", default="yes", show_default=True, help="The outcome of generic lines that name none.")
@click.option("--columns", "mapping", metavar="NAME=COLUMN,...", help="Columns of level-2 CSV, e.g. time=ts,token=id,kind=.")
@click.option(
    "--snapshots", type=click.Path(path_type=Path), help="JSON file that answers requests for a fresh book after a gap."
)
@json_option
@config_option
@db_url_option
def command(
    file: Path,
    market_id: str,
    outcome: str,
    mapping: str | None,
    snapshots: Path | None,
    as_json: bool,
    config_path: object,
    db_url: str,
) -> None:
    """Replay FILE into a database for the market MARKET_ID, through the stages that run live.

    FILE is JSON lines of the generic stream or of the venue's frames, a recording of Polybot's own, a capture that keeps frames in a
    field of its lines, or level-2 CSV; plain or gzip. MARKET_ID `all` takes every market of a file that names them. The whole file is one
    transaction; the same file for the same market again writes nothing.

    \b
    Example:
      polybot replay recordings/sample.jsonl mkt-1 --db-url sqlite:///./polybot.db
    """
    hold_collections()
    from pipeline.recording.level2 import parse_columns
    from polybot.replaying import replay_file

    settle()
    columns = None if mapping is None else parse_columns(mapping)
    with Progress("replaying", unit="lines") as progress:
        try:
            done = replay_file(
                file, market_id, db_url, outcome_id=outcome, columns=columns, snapshots=snapshots, shown=progress.show
            )
        except KeyboardInterrupt:
            raise Interrupted(f"replay of {file} was interrupted; nothing written") from None
    if as_json:
        print_json(dataclasses.asdict(done) | {"path": str(done.path)})
    elif done.already:
        click.echo(f"{file} was replayed for {market_id} before; nothing written")
    else:
        brought = ", ".join(
            counted(number, word)
            for number, word in ((done.snapshots, "snapshot"), (done.deltas, "delta"), (done.trades, "trade"))
        )
        doubts = show_doubts(done.doubts, done.bad_frames)
        click.echo(f"replayed {counted(done.frames, 'line')}: {brought}; {counted(done.rows, 'row')} written{doubts}")
