"""``python -m benchmarks``: measure, print a table, write JSON. See benchmarks/README.md."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import click

from benchmarks.machine import Figure, machine, report

GROUPS = ("replay", "hop", "verify")
RESULTS = Path(__file__).parent / "results"


@click.command()
@click.argument("groups", nargs=-1, type=click.Choice(GROUPS))
@click.option("--runs", default=5, show_default=True, help="Rounds of each figure; one more is run first and not counted.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Where the JSON goes; under benchmarks/results otherwise.")
def main(groups: tuple[str, ...], runs: int, out: Path | None) -> None:
    """Measure GROUPS (all of them without any) and print medians with the machine they are from.

    \b
    Example:
      uv run python -m benchmarks replay --runs 3
    """
    before = machine()
    figures: list[Figure] = []
    for group in groups or GROUPS:
        figures += importlib.import_module(f"benchmarks.{group}").figures(runs)
    report(figures, out or RESULTS / time.strftime("%Y%m%d-%H%M%S.json"), before)


if __name__ == "__main__":
    main()
