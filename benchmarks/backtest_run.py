"""Polybot's backtest of a generic tape, as one run in a process of its own: what the scripts under ``peers`` are for other engines.

The live stage classes in lockstep, spread_capture with its defaults on paper, with risk, rate limits and 100 ms of latency.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from pipeline.base.config import load_config
from polybot.backtest.plan import make_plans
from polybot.backtest.run import backtest, decoded
from polybot.backtest.source import look

DEFAULTS = Path(__file__).resolve().parents[1] / "config" / "default.toml"


def play(tape: str, mode: str) -> dict[str, object]:
    """``memory``: messages are decoded before the clock starts. ``raw``: from opening the file to the result.

    ``look_s`` is the first look at the file (checksum, markets), which ``polybot backtest`` takes before it plays a grid of runs.
    """
    began = time.perf_counter()
    given = look(tape, market="mkt-1")
    look_s = time.perf_counter() - began
    [plan] = make_plans([given], load_config(DEFAULTS), "spread_capture", [], ("pessimistic",))
    loaded = decoded(given) if mode == "memory" else None
    began, cpu = time.perf_counter(), time.process_time()
    result = backtest(plan, loaded=loaded)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {
        "events": result.played.messages,
        "seconds": seconds,
        "cpu_s": cpu_s,
        "look_s": look_s,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000,
        "orders": len(result.orders),
        "fills": len(result.fills),
        "run_hash": result.run_hash,
    }


if __name__ == "__main__":
    print(json.dumps(play(sys.argv[1], sys.argv[2])))
