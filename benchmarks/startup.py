"""From ``polybot up`` to the first book on the screen: in a terminal of its own, as a person starts it, with the offline venue."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.live import bytecode, config_in
from benchmarks.machine import Options
from benchmarks.table import Figure
from pipeline.base.config import write_effective

GOOD_S, EXCELLENT_S = 3.0, 1.5
LIMIT_S = 60.0
SHOWN = b"VERIFIED"
"""What the screen says of a book that is there and proved."""


def start_up(fused: bool = False) -> float:
    """Seconds from starting the command to a screen with a proved book. Raises TimeoutError."""
    with tempfile.TemporaryDirectory(prefix="polybot-bench-") as folder:
        place = Path(folder)
        config = config_in(place, {})
        write_effective(config, place / "config.json")
        places = ("--config", str(place / "config.json"), "--port", str(config.settings.fake_venue.port))
        words = [sys.executable, "-m", "polybot.cli", "up", *places, "--db-url", config.settings.db.url]
        screen, terminal = pty.openpty()
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "160", "LINES": "60", "PYTHONPYCACHEPREFIX": str(bytecode())}
        began = time.monotonic()
        started = subprocess.Popen(
            [*words, *(["--fused"] if fused else [])], stdin=terminal, stdout=terminal, stderr=terminal, env=environment
        )
        os.close(terminal)
        try:
            return _until_shown(screen, began, lambda: started.poll() is None)
        finally:
            started.send_signal(signal.SIGINT)
            while started.poll() is None:
                _read(screen, 0.1)
            os.close(screen)


def _until_shown(screen: int, began: float, lives: Callable[[], bool]) -> float:
    seen = b""
    while SHOWN not in seen:
        if not lives() or time.monotonic() > began + LIMIT_S:
            raise TimeoutError(f"no book after {time.monotonic() - began:.0f} s; the screen ends with {seen[-500:]!r}")
        seen += _read(screen, 0.05)
    return time.monotonic() - began


def _read(screen: int, seconds: float) -> bytes:
    if not select.select([screen], [], [], seconds)[0]:
        return b""
    try:
        return os.read(screen, 65_536)
    except OSError:  # the other side is closed
        return b""


def figures(options: Options) -> list[Figure]:
    """Both ways in turns; one start before them that does not count, as it writes the byte code."""
    start_up()
    pairs = [(start_up(), start_up(fused=True)) for _ in range(options.runs)]
    return [
        Figure(
            f"start-up to the first book on the screen, {name}", "s", tuple(pair[column] for pair in pairs), GOOD_S, EXCELLENT_S
        )
        for column, name in enumerate(("six processes", "fused"))
    ]
