"""The fused process with a stopwatch at its relayer, as ``timed_executor`` is the executor with one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from benchmarks.live import WAITS
from benchmarks.timed_executor import TimedCarrier
from pipeline.base.config import Config
from processes.executor import Executor
from processes.fused import build, run_fused
from processes.options import process_options


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Run the four roles as one process, and write the way of each order to the file that the benchmark named."""
    built = build(config, session_id)
    [executor] = [part.stage for part in built.parts if isinstance(part.stage, Executor)]
    carrier = executor.desk.carrier = TimedCarrier(executor.desk.carrier)
    try:
        run_fused(built.parts, config, session_id)
    finally:
        built.close()
        Path(os.environ[WAITS]).write_text(json.dumps(carrier.waits_ns))


if __name__ == "__main__":
    main()
