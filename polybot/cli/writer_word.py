"""What the writer of a running pipeline says of its database: asked on its stream, as a database that fails cannot tell."""

from __future__ import annotations

import time
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.base.settings import BusSection
from pipeline.messages.control import WRITER_STATE_KEY, WriterState

PATIENCE_S = 3.0
"""A writer that waits for a lock answers after a second."""


def writer_line(bus: BusSection, patience_s: float = PATIENCE_S) -> str:
    """One line if a writer runs in this state directory and cannot store what it gets, or does not answer; "" otherwise."""
    if not _writer_runs(Path(bus.state_dir)):
        return ""
    said = _ask(bus, patience_s)
    if said is None:
        return f"the writer in {bus.state_dir} has not answered for {patience_s:g} s; nothing may reach the database"
    return "" if said.state == "ok" else f"persistence degraded: {said.reason}"


def _writer_runs(state_dir: Path) -> bool:
    lock = state_dir / "writer.lock"
    if not lock.is_file():
        return False
    try:
        with FileLock(lock).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _ask(bus: BusSection, patience_s: float) -> WriterState | None:
    from polybot.cli.onlooker import Onlooker

    until = time.monotonic() + patience_s
    with Onlooker(["committed"], bus, keys={"committed": [WRITER_STATE_KEY]}) as look:
        while time.monotonic() < until:
            for arrival in look.receive(50):
                if isinstance(arrival.message, WriterState):
                    return arrival.message
    return None
