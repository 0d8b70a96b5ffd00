"""``polybot recordings``: what was recorded, listed, examined, cut, merged and converted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

from polybot.cli.options import config_option, json_option
from polybot.cli.output import Progress, counted, print_json, print_line

F = TypeVar("F", bound=Callable[..., Any])
_MOMENTS = "2026-11-22T10:30:00.5 (UTC), +90s or +2min after the beginning, or nanoseconds"


@click.group()
def command() -> None:
    """Handle recordings: everything that came from outside, as it came.

    \b
    Example:
      polybot recordings list
      polybot recordings info recordings/fake-venue-10min
    """
    root = click.get_current_context().find_root()
    if root.get_parameter_source("log_level") is not ParameterSource.COMMANDLINE:
        from pipeline.base.log import set_up_logging

        set_up_logging(
            "error", sys.stderr
        )  # what a recording's feed went through is the answer of info, and no news for the others


def _out_option(what: str) -> Callable[[F], F]:
    return click.option("--out", required=True, type=click.Path(path_type=Path), metavar="OUT", help=f"{what}; not there yet.")


def _tell_bad_lines(count: int) -> None:
    if count:
        print_line(f"{counted(count, 'line')} that could not be read left out", err=True)


def _verify_option(function: F) -> F:
    return click.option("--no-verify", is_flag=True, help="Take a recording although its checksums say that it was changed.")(
        function
    )


@command.command("list")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER]...")
@click.option("--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="State directory. Default: [bus] state_dir.")
@json_option
@config_option
def list_command(folders: tuple[Path, ...], state_dir: Path | None, as_json: bool, config_path: Path | None) -> None:
    """List the recordings in ./recordings, in the runs of the state directory and in each FOLDER, the newest first.

    Other files of frames beside them are listed too, with what is in them.

    \b
    Example:
      polybot recordings list
      polybot recordings list /data/captures --json
    """
    from pipeline.base.config import load_config
    from pipeline.base.errors import BadInput
    from polybot.cli.recordings_told import print_list
    from polybot.recordings.listing import list_recordings

    for given in (*folders, *((state_dir,) if state_dir else ())):
        if not given.exists():
            raise BadInput(f"{given}: there is no such folder; give one with recordings in it")
    state = state_dir or Path(load_config(config_path).settings.bus.state_dir)
    with Progress("looking at", unit="recordings") as progress:
        found = list_recordings(state, folders, progress.show)
    if as_json:
        print_json({"recordings": [listed.as_object() for listed in found]})
    else:
        print_list(found, ", ".join(map(str, (Path("recordings"), state / "runs", *folders))))


@command.command("info")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--market", default="", metavar="MARKET_ID", help="What lines are about that name no market.")
@json_option
@config_option
def info(path: Path, market: str, as_json: bool, config_path: Path | None) -> None:
    """Tell what PATH holds: tokens, span, frames, rates, gaps, how long each book was proved, size, and whether it is unchanged.

    PATH is a recording or anything that `polybot replay` reads; it is played through the stages that run live. The exit code is 1 if a
    segment is not as it was finished.

    \b
    Example:
      polybot recordings info recordings/fake-venue-10min
      polybot recordings info var/runs/SESSION/recording --json
    """
    from pipeline.base.config import load_config
    from polybot.cli.recordings_told import print_examined
    from polybot.recordings.examining import as_object, examine

    with Progress("reading", unit="lines") as progress:

        def show(done: int, total: int | None) -> None:
            progress.total = total
            progress.show(done)

        found = examine(path, load_config(config_path).settings, market=market, shown=show)
    if as_json:
        print_json(as_object(found))
    else:
        print_examined(found)
    if found.is_damaged:
        sys.exit(1)


@command.command("cut")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--from", "since", metavar="WHEN", help=f"From this moment on: {_MOMENTS}. Default: the beginning.")
@click.option("--to", "until", metavar="WHEN", help="Before this moment. Default: the end.")
@click.option(
    "--market", "markets", multiple=True, metavar="MARKET", help="Only this market: its id, slug or a token. Several times."
)
@_out_option("Folder of the cut")
@_verify_option
@json_option
def cut(
    path: Path, since: str | None, until: str | None, markets: tuple[str, ...], out: Path, no_verify: bool, as_json: bool
) -> None:
    """Cut a stretch, or some markets, out of the recording PATH: a recording that is complete in itself.

    It opens with the books as they stood at its first moment, marked as made, so that every later hash still verifies. Where a change is
    half told at that moment it begins a little earlier. Frames stay as they came, byte for byte; one that is about other markets too is
    cut to its part and marked.

    \b
    Example:
      polybot recordings cut recordings/fake-venue-10min --from +2min --to +3min --out /tmp/minute
      polybot recordings cut recordings/fake-venue-10min --market incumbent-stays-until-december --out /tmp/one
    """
    from polybot.coverage.told import show_length, show_moment
    from polybot.recordings.cutting import cut_recording, span_of
    from polybot.recordings.moments import moment_ns

    first_ns, _ = span_of(path) if since or until else (0, 0)
    from_ns = moment_ns(since, "--from", first_ns) if since else 0
    to_ns = moment_ns(until, "--to", first_ns) if until else 0
    with Progress("cutting", unit="lines") as progress:
        done = cut_recording(
            path, out, from_ns=from_ns, to_ns=to_ns, market_words=markets, verify=not no_verify, shown=progress.show
        )
    if as_json:
        print_json({"out": str(out), **asdict(done)})
        return
    span = f"{show_moment(done.start_ns)} to {show_moment(done.last_ns)} UTC, {show_length(done.last_ns - done.start_ns)}"
    print_line(f"{counted(done.lines, 'line')} of {path} in {out}: {span}, {counted(done.markets, 'market')}")
    if done.left_out:
        books = counted(len(done.left_out), "book")
        print_line(f"{books} could not be trusted at that moment and come when the recording heals them", err=True)
    _tell_bad_lines(done.bad_lines)


@command.command("merge")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH PATH...")
@_out_option("Folder of the merged recording")
@_verify_option
@json_option
def merge(paths: tuple[Path, ...], out: Path, no_verify: bool, as_json: bool) -> None:
    """Merge recordings of one venue, of the same or different tokens, by the time at which each line was received.

    What two of them have from the same recorder is kept once; cuts merged again are the whole. Links of different recorders that ran at the
    same time get names of their own. Where nobody recorded in between, it says so.

    \b
    Example:
      polybot recordings merge var/runs/ONE/recording var/runs/TWO/recording --out recordings/both
    """
    from polybot.recordings.merging import merge_recordings

    with Progress("merging", unit="lines") as progress:
        done = merge_recordings(paths, out, verify=not no_verify, shown=progress.show)
    if as_json:
        print_json({"out": str(out), **asdict(done)})
        return
    twice = f"; {counted(done.dropped, 'line')} were there twice" if done.dropped else ""
    print_line(f"{counted(done.lines, 'line')} of {len(paths)} recordings in {out}{twice}")
    for renamed in done.renamed:
        print_line(renamed)
    _tell_bad_lines(done.bad_lines)


@command.command("convert")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--to", "form", type=click.Choice(["parquet", "csv", "frames"]), help="Default: csv if OUT ends so, else parquet, and back."
)
@click.option("--market", default="", metavar="MARKET_ID", help="What lines are about that name no market.")
@_out_option("Folder of the tables or of the recording, or the CSV file")
@_verify_option
@json_option
def convert(path: Path, form: str | None, market: str, out: Path, no_verify: bool, as_json: bool) -> None:
    """Convert a recording, or any file of frames, to Parquet tables or level-2 CSV; or such tables, or a file of frames, to a recording.

    Parquet is a folder with frames.parquet (every line as it came: a recording made of it has the same bytes) and level2.parquet (each
    change of a level, each trade).

    \b
    Example:
      polybot recordings convert recordings/fake-venue-10min --out /tmp/tables
      polybot recordings convert /tmp/tables --out /tmp/again
      polybot recordings convert recordings/sample.jsonl --market mkt-1 --out /tmp/changes.csv
    """
    from polybot.recordings.converting import Form, convert_recording, form_for

    chosen = cast("Form", form) if form else form_for(path, out)
    with Progress("converting", unit="lines") as progress:
        done = convert_recording(path, out, chosen, market=market, verify=not no_verify, shown=progress.show)
    if as_json:
        print_json({"out": str(out), **asdict(done)})
    else:
        told = ", ".join(
            f"{counted(rows, 'row' if chosen != 'frames' else 'line')} in {name}" for name, rows in done.rows.items()
        )
        print_line(f"{path} as {chosen} in {out}: {told}")
