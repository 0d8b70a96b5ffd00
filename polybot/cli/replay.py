"""``polybot replay``: a recorded file into a database; or a past session again, to see that it says the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from click.core import ParameterSource

from pipeline.base.errors import Interrupted
from pipeline.base.memory import hold_collections, settle
from polybot.cli.options import config_option, db_url_option, json_option
from polybot.cli.output import Progress, counted, print_json, show_doubts


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.argument("market_id", required=False)
@click.option("--outcome", default="yes", show_default=True, help="The outcome of generic lines that name none.")
@click.option("--columns", "mapping", metavar="NAME=COLUMN,...", help="Columns of level-2 CSV, e.g. time=ts,token=id,kind=.")
@click.option(
    "--snapshots", type=click.Path(path_type=Path), help="JSON file that answers requests for a fresh book after a gap."
)
@click.option("--verify", "run", metavar="RUN", help="Ask the stages of a session of `up` again: its name, or `last`.")
@click.option("--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="With --verify: where sessions are kept.")
@click.option(
    "--param", "params", multiple=True, metavar="SECTION.KEY=VALUE", help="With --verify: with another setting. Repeatable."
)
@json_option
@config_option
@db_url_option
def command(
    file: Path | None,
    market_id: str | None,
    outcome: str,
    mapping: str | None,
    snapshots: Path | None,
    run: str | None,
    state_dir: Path | None,
    params: tuple[str, ...],
    as_json: bool,
    config_path: Path | None,
    db_url: str,
) -> None:
    """Replay FILE into a database for the market MARKET_ID, through the stages that run live.

    FILE is JSON lines of the generic stream or of the venue's frames, a recording of Polybot's own, a capture that keeps frames in a
    field of its lines, or level-2 CSV; plain or gzip. MARKET_ID `all` takes every market of a file that names them. The whole file is one
    transaction; the same file for the same market again writes nothing.

    With --verify nothing is written: every process life of a session (whose inputs were logged) goes through its stage again, and each
    message, decision, signed order and state is compared with the original, and every row with the session's database (--db-url: where
    it is now). Exit code 1: something differs, and the first difference is shown with both sides. With --param that is the first decision
    that another setting changes.

    \b
    Example:
      polybot replay recordings/sample.jsonl mkt-1 --db-url sqlite:///./polybot.db
      polybot replay --verify last
      polybot replay --verify last --param spread_capture.size=10
    """
    if run is not None:
        from polybot.cli.verifying import check_alone, verify_session

        check_alone([("FILE", file), ("--columns", mapping), ("--snapshots", snapshots)])
        named = click.get_current_context().get_parameter_source("db_url") is ParameterSource.COMMANDLINE
        verify_session(run, state_dir, config_path, params, db_url if named else "", as_json)
        return
    if file is None or market_id is None:
        raise click.UsageError("give FILE and MARKET_ID, or --verify RUN for a session of `up`")
    if params or state_dir is not None:
        raise click.UsageError("--param and --state-dir go with --verify RUN")
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
