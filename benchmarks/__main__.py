"""``python -m benchmarks``: measure, print a table, write JSON. See benchmarks/README.md."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import click

from benchmarks.machine import Figure, Options, machine, report

GROUPS = ("replay", "throughput", "latency", "fused", "hop", "verify", "memory", "startup")
RESULTS = Path(__file__).parent / "results"


def _rates(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value}: expected whole numbers with commas between them") from None


@click.command()
@click.argument("groups", nargs=-1, type=click.Choice(GROUPS))
@click.option(
    "--runs", default=5, show_default=True, help="Rounds of each figure; of the quick ones, one more that does not count."
)
@click.option("--seconds", default=30.0, show_default=True, help="How long each run of the six processes counts.")
@click.option("--rates", default="1000,2000,5000,7000,10000", show_default=True, callback=_rates, help="Paces to try, frames/s.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Where the JSON goes; under benchmarks/results otherwise.")
def main(groups: tuple[str, ...], runs: int, seconds: float, rates: tuple[int, ...], out: Path | None) -> None:
    """Measure GROUPS (all of them without any) and print medians with the machine they are from.

    \b
    Example:
      uv run python -m benchmarks replay --runs 3
      uv run python -m benchmarks throughput --seconds 10 --rates 3000,5000
    """
    before = machine()
    figures: list[Figure] = []
    for group in groups or GROUPS:
        figures += importlib.import_module(f"benchmarks.{group}").figures(Options(runs, seconds, rates))
    report(figures, out or RESULTS / time.strftime("%Y%m%d-%H%M%S.json"), before)


if __name__ == "__main__":
    main()
