"""What `polybot status` says of a writer that cannot store: asked of the writer itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq
from filelock import FileLock
from sqlalchemy import event

from pipeline.base.clock import SystemClock
from pipeline.base.settings import BusSection
from pipeline.bus.runner import Runner
from pipeline.bus.stage import Identity
from pipeline.bus.transport import choose_transport
from pipeline.store.open import open_store
from polybot.cli.writer_word import writer_line
from processes.writer import Writer


@contextmanager
def running_writer(tmp_path: Path, *, can_write: bool) -> Iterator[BusSection]:
    """A writer on its sockets in a state directory, holding its lock as its process does."""
    bus = BusSection(state_dir=str(tmp_path / "var"))
    (tmp_path / "var").mkdir(mode=0o700)
    stop, context = threading.Event(), zmq.Context()
    transport = choose_transport(bus)
    with open_store(f"sqlite:///{tmp_path / 'polybot.db'}") as store, FileLock(tmp_path / "var" / "writer.lock"):
        if not can_write:
            event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))
        runner = Runner(Writer(store), Identity("s", "s.writer", "writer"), SystemClock(), transport, context)
        running = threading.Thread(target=runner.run, args=(lambda: not stop.is_set(),))
        running.start()
        try:
            yield bus
        finally:
            stop.set()
            running.join()
            context.destroy(linger=0)


def test_a_writer_that_cannot_store_says_why_and_what_to_do(tmp_path: Path) -> None:
    with running_writer(tmp_path, can_write=False) as bus:
        line, until = "", time.monotonic() + 20
        while not line and time.monotonic() < until:  # its own first row is what it cannot store
            line = writer_line(bus)
        assert line.startswith("persistence degraded: database read-only; give this user the right to write")


def test_nothing_is_said_of_a_writer_that_is_well_or_not_there(tmp_path: Path) -> None:
    assert writer_line(BusSection(state_dir=str(tmp_path / "none"))) == ""
    with running_writer(tmp_path, can_write=True) as bus:
        assert writer_line(bus) == ""
    assert writer_line(bus) == ""


def test_a_writer_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with FileLock(tmp_path / "writer.lock"):
        assert "has not answered for 0.1 s" in writer_line(BusSection(state_dir=str(tmp_path)), patience_s=0.1)
