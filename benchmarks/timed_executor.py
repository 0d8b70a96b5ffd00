"""The executor with a stopwatch at its relayer: how long from a frame's receipt to the order it led to, journalled and risk-checked."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.live import WAITS
from pipeline.base.config import Config
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.orders import PlaceOrder
from processes.executor import build
from processes.options import process_options, run_process


class TimedCarrier:
    """Hands everything on to a relayer, and notes how long each order that a frame prompted took: to its decision, and from there."""

    def __init__(self, relayer: Any) -> None:
        self._relayer = relayer
        self.waits_ns: list[tuple[int, int, int]] = []
        """When each order got here, how long its decision had taken, and how long it took from there."""

    def submit_many(self, orders: Sequence[PlaceOrder], now_ns: int) -> Iterable[RelayerEvent]:
        """Note, then send."""
        at_ns = time.time_ns()
        prompted = [order.decision for order in orders if order.decision.frame_ns]
        self.waits_ns += [(at_ns, decision.decided_ns - decision.frame_ns, at_ns - decision.decided_ns) for decision in prompted]
        return self._relayer.submit_many(orders, now_ns)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._relayer, name)


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Carry out orders as the executor does, and write the way of each to the file that the benchmark named."""
    executor = build(config)
    carrier = executor.desk.carrier = TimedCarrier(executor.desk.carrier)
    try:
        run_process(executor, config, session_id)
    finally:
        Path(os.environ[WAITS]).write_text(json.dumps(carrier.waits_ns))


if __name__ == "__main__":
    main()
