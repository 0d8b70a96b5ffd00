"""``python -m benchmarks``: measure, print a table, write JSON. See benchmarks/README.md."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

import click

from benchmarks.machine import Options, machine
from benchmarks.table import Figure, report

GROUPS = (
    "codec",
    "hop",
    "book",
    "verify",
    "replay",
    "backtest",
    "latency",
    "fused",
    "throughput",
    "writer",
    "startup",
    "memory",
)
RESULTS = Path(__file__).parent / "results"
FULL, QUICK = Options(), Options(runs=2, live_runs=1, seconds=8, rates=(5_000, 10_000), quick=True)

ROUNDS = f"Rounds of each figure; {FULL.runs} (live ones {FULL.live_runs}), quick {QUICK.runs} ({QUICK.live_runs})."


def _rates(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        return tuple(int(word) for word in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value}: expected whole numbers with commas between them") from None


@click.command()
@click.argument("groups", nargs=-1, type=click.Choice(GROUPS))
@click.option("--quick", is_flag=True, help="Everything in some six minutes: fewer rounds, shorter runs, smaller tapes.")
@click.option(
    "--runs",
    type=click.IntRange(1),
    help=f"Rounds of each figure; {FULL.runs} (live {FULL.live_runs}), quick {QUICK.runs} ({QUICK.live_runs}).",
)
@click.option("--seconds", type=float, help=f"How long each live run counts; {FULL.seconds:g}, quick {QUICK.seconds:g}.")
@click.option("--rates", callback=_rates, help="Paces to try, frames/s, e.g. 5000,10000.")
@click.option(
    "--peers",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="POLYBOT_BENCH_PEERS",
    help="Ready environments of other engines; made under benchmarks/.peers otherwise.",
)
@click.option(
    "--compiled",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="An environment with a compiled Polybot (docs/compiled.md), to be measured beside this one in `backtest`.",
)
@click.option("--json", "out", type=click.Path(path_type=Path), help="Where the JSON goes; under benchmarks/results otherwise.")
def main(
    groups: tuple[str, ...],
    quick: bool,
    runs: int | None,
    seconds: float | None,
    rates: tuple[int, ...] | None,
    peers: Path | None,
    compiled: Path | None,
    out: Path | None,
) -> None:
    """Measure GROUPS (all of them without any) and print medians with the machine they are from.

    \b
    Example:
      uv run python -m benchmarks --quick
      uv run python -m benchmarks replay backtest --runs 3
      uv run python -m benchmarks throughput --seconds 10 --rates 3000,5000
    """
    usual = QUICK if quick else FULL
    options = Options(
        runs or usual.runs, runs or usual.live_runs, seconds or usual.seconds, rates or usual.rates, quick, peers, compiled
    )
    before, began = machine(), time.monotonic()
    figures: list[Figure] = []
    modules = {group: importlib.import_module(f"benchmarks.{group}") for group in groups or GROUPS}
    try:
        for group, module in modules.items():
            print(f"{time.monotonic() - began:5.0f} s  {group}", file=sys.stderr)
            figures += module.figures(options)
    finally:
        # What an error or Ctrl-C ends was measured all the same.
        report(figures, out or RESULTS / time.strftime("%Y%m%d-%H%M%S.json"), before)


if __name__ == "__main__":
    main()
