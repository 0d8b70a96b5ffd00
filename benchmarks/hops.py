"""The way of a message through bare pyzmq, in as many processes as the pipeline has between a frame and its order."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent / "peers" / "hops.py"
SETTLE_S = 0.5
CHAIN = (("last",), ("middle", "two", "three"), ("middle", "one", "two"), ("first",))
Ways = list[tuple[int, int]]
"""Nanoseconds of each message: from the receipt in the thread, and of that from the loop's sending."""


def ways_between(rate: int, seconds: float, fused: bool = False) -> Ways:
    """Four processes with three hops between them, at an even pace; ``fused``: one process, a thread and a loop."""
    with tempfile.TemporaryDirectory(prefix="pb-") as folder:
        roles = (("alone",),) if fused else CHAIN
        started = [_start(folder, *words) for words in (*roles, ("venue", str(rate), str(seconds + SETTLE_S)))]
        try:
            told, _ = started[0].communicate(timeout=seconds + 60)
            for process in started[1:]:
                process.wait(timeout=10)
        finally:
            for process in started:
                process.kill()
                process.wait()
    ways: Ways = [(whole, between) for whole, between in json.loads(told)]
    return ways[int(rate * SETTLE_S) :]


def _start(folder: str, role: str, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(SCRIPT), role, folder, *words], stdout=subprocess.PIPE)
