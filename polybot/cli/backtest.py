"""``polybot backtest``: a strategy over recordings, for every set of parameters and fill model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from polybot.cli.options import config_option, json_option
from polybot.cli.output import Progress, print_json, print_table

if TYPE_CHECKING:
    from polybot.backtest.plan import RunPlan
    from polybot.backtest.result import RunResult


@click.command()
@click.argument("recordings", nargs=-1, required=True, metavar="RECORDING...")
@click.option(
    "--strategy", default="spread_capture", show_default=True, help="Or dutch_book, or a NAME of [strategy.custom.NAME]."
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=V[,V...]",
    help="Values to try, e.g. edge=0.01,0.02; of another section by its name: paper.latency_ms=50,200.",
)
@click.option(
    "--fill-model",
    "models",
    default="pessimistic",
    show_default=True,
    metavar="MODEL[,MODEL...]",
    help="pessimistic, proportional, optimistic, or all: what is assumed of cancels ahead of our orders.",
)
@click.option("--market", "wanted", multiple=True, metavar="MARKET", help="Trade only this market or event (id or slug).")
@click.option("--outcome", default="yes", show_default=True, help="The outcome of generic lines that name none.")
@click.option(
    "--markets",
    "markets_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What the markets are: markets.json or CSV.",
)
@click.option(
    "--columns", "columns_text", metavar="MAP", help="The columns of level-2 rows, as for `replay`: time=timestamp,token=id."
)
@click.option(
    "--from", "from_text", metavar="MOMENT", help="Trade from here on, e.g. 2026-11-22T10:30; books are built from the start."
)
@click.option("--to", "to_text", metavar="MOMENT", help="Stop here.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="What drawn latencies depend on.")
@click.option("--workers", default=0, type=click.IntRange(min=0, max=256), help="Processes that play. Default: one a processor.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="A new folder for all results; `polybot compare` reads it."
)
@click.option("--parquet", is_flag=True, help="With --out: trades, orders and equity of each run as Parquet too.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="One page that opens offline.")
@json_option
@config_option
def command(
    recordings: tuple[str, ...],
    strategy: str,
    params: tuple[str, ...],
    models: str,
    wanted: tuple[str, ...],
    outcome: str,
    markets_file: Path | None,
    columns_text: str | None,
    from_text: str | None,
    to_text: str | None,
    seed: int,
    workers: int,
    out: Path | None,
    parquet: bool,
    html: Path | None,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Play each RECORDING through the stages that run live, with a strategy, and tell what it would have brought.

    A RECORDING is what `polybot replay` takes, level-2 rows in CSV or Parquet, sampled books, or a database (a file or sqlite:///...).
    Every combination of recording, parameters and fill model is one run; each is repeatable to the byte, which its hash shows. Orders
    are matched on paper; profit is simulated, and nothing is sent or stored but what --out and --html name.

    \b
    Example:
      polybot backtest recordings/fake-venue-10min --param edge=0.01,0.02 --fill-model all --html backtest.html
    """
    from pipeline.base.errors import BadInput
    from polybot.backtest.folder import check_folder, write_folder, write_page
    from polybot.backtest.told import as_object

    if parquet and out is None:
        raise BadInput("--parquet: needs --out DIR, the folder to write to")
    if html is not None:
        from polybot.backtest.page import page, require_bokeh

        require_bokeh()
        if not html.absolute().parent.is_dir() or html.is_dir():
            raise BadInput(f"--html {html}: cannot be written there; give a file in a folder that is there")
    if parquet:
        from polybot.backtest.folder import require_pyarrow

        require_pyarrow()
    plans = _plans(
        recordings, strategy, params, models, wanted, outcome, markets_file, columns_text, (from_text, to_text), seed, config_path
    )
    check_folder(out)
    results = _played(plans, workers)
    if out is not None:
        write_folder(out, results, parquet=parquet)
    if html is not None:
        write_page(html, page(results))
    if as_json:
        print_json([as_object(result) for result in results])
    else:
        _print(results)
    for told, place in (("results", out), ("page", html)):
        if place is not None:
            click.echo(f"{told} written to {place}", err=True)


def _plans(
    recordings: tuple[str, ...],
    strategy: str,
    params: tuple[str, ...],
    models: str,
    wanted: tuple[str, ...],
    outcome: str,
    markets_file: Path | None,
    columns_text: str | None,
    moments: tuple[str | None, str | None],
    seed: int,
    config_path: Path | None,
) -> list[RunPlan]:
    import time

    from pipeline.base.config import load_config
    from pipeline.base.errors import BadInput
    from pipeline.base.units import NS_PER_MS
    from pipeline.recording.level2 import parse_columns
    from polybot.backtest.plan import make_plans, parse_choice, parse_models
    from polybot.backtest.source import chosen, look
    from polybot.cli.moments import parse_moment

    config = load_config(config_path)
    choices = [parse_choice(text) for text in params]
    names = [name for name, _ in choices]
    if len(set(names)) < len(names):
        raise BadInput(f"--param {max(names, key=names.count)}: is given twice; put its values in one, with commas")
    from_ns, to_ns = (
        0 if text is None else parse_moment(text, option, time.time_ns() // NS_PER_MS) * NS_PER_MS
        for text, option in zip(moments, ("--from", "--to"), strict=True)
    )
    columns = None if columns_text is None else parse_columns(columns_text)
    fill_models = parse_models(models)
    make_plans([], config, strategy, choices, fill_models)
    with Progress("looking at the recordings", unit="files") as progress:
        inputs = []
        for number, source in enumerate(recordings):
            progress.show(number)
            word = wanted[0] if len(wanted) == 1 else ""
            found = look(source, market=word, outcome=outcome, columns=columns, markets_file=markets_file)
            inputs.append(chosen(found, wanted))
            if found.kind == "recording":
                _warn_of_changes(Path(source))
    return make_plans(inputs, config, strategy, choices, fill_models, seed=seed, from_ns=from_ns, to_ns=to_ns)


def _warn_of_changes(recording: Path) -> None:
    """Say on standard error which segments are not what was recorded; they are played as they stand."""
    from pipeline.recording.checking import check_segments
    from pipeline.recording.reader import Recording

    if recording.is_dir():
        for checked in check_segments(recording, Recording(recording).segments):
            if checked.state in ("changed", "missing"):
                click.echo(f"{checked.path}: {checked.told}; the result is of what stands there", err=True)


def _played(plans: list[RunPlan], workers: int) -> list[RunResult]:
    from polybot.backtest.grid import run_grid

    total = sum(plan.given.lines for plan in plans) if all(plan.given.lines for plan in plans) else None
    label = f"{len(plans)} runs" if len(plans) > 1 else "playing"
    with Progress(label, total=total, unit="frames", after_s=1.0) as progress:
        return run_grid(plans, workers, lambda frames, runs: progress.show(frames))


def _print(results: list[RunResult]) -> None:
    from polybot.backtest.told import table

    columns, rows, numbers = table(results)
    print_table(columns, rows, right=numbers)
    played = results[0].played
    click.echo(
        f"\n{sum(result.played.messages for result in results):,} messages, strategy {played.strategy}, code {played.code}; simulated"
    )
