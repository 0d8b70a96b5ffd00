"""A database that cannot be written while the pipeline trades: no order is placed, and everything arrives once it is healed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from processes.health_file import read_health

pytestmark = [pytest.mark.soak, pytest.mark.skipif(sys.platform != "linux", reason="limits another process's files")]

PATIENCE_S = 15.0


@contextmanager
def locked(pipeline) -> Iterator[None]:
    stranger = sqlite3.connect(pipeline.folder / "fake.db", isolation_level=None, timeout=5)
    stranger.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        stranger.close()


@contextmanager
def no_room(pipeline) -> Iterator[None]:
    """The writer's files may not grow."""
    resource = pytest.importorskip("resource")
    pid = pipeline.pids()["writer"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("cause", [locked, no_room])
def test_trading_stands_still_while_nothing_can_be_stored_and_every_record_arrives_afterwards(
    up, cause: Callable[..., AbstractContextManager[None]]
) -> None:
    pipeline = up()
    pipeline.until(pipeline.trades, 30, "quotes on verified books")
    before = pipeline.pids()
    with cause(pipeline):
        pipeline.until(lambda: pipeline.model.halted, PATIENCE_S, "a halt")
        assert str(pipeline.model.halted).startswith("persistence degraded: d")
        shown = subprocess.run(
            [sys.executable, "-m", "polybot.cli", "status", "--state-dir", pipeline.state_dir, "--db-url", pipeline.db_url],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert "persistence degraded: d" in shown.stderr
        pipeline.look(1_000)
        placed = pipeline.model.placed
        for _ in range(30):
            pipeline.look(100)
        assert pipeline.model.placed == placed
    pipeline.until(lambda: pipeline.model.halted is None, PATIENCE_S, "the end of the halt")
    pipeline.until(lambda: pipeline.model.placed > placed, PATIENCE_S, "orders again")
    assert pipeline.pids() == before
    pipeline.until(lambda: _counts(pipeline, "executor").get("backlog") == 0, PATIENCE_S, "every record in the database")
    # The file of the session's health is a second old at most.
    pipeline.until(lambda: _counts(pipeline, "writer").get("degraded") == 1, PATIENCE_S, "the count of what was degraded")
    pipeline.close()
    assert _stored(pipeline.folder / "fake.db") == [("ok", 1)]
    assert "degraded 1 time" in "".join(pipeline.out)


def _counts(pipeline, role: str) -> dict[str, int]:
    roles = {one.role: one for one in read_health(pipeline.state_dir).roles}
    return roles[role].counts


def _stored(path: Path) -> list[tuple[object, ...]]:
    """Whether the file is sound, and the executor's records are there from the first to the last."""
    raw = sqlite3.connect(path)
    try:
        (sound,) = raw.execute("PRAGMA integrity_check").fetchone()
        return [
            (sound, first + count - last)
            for first, last, count in raw.execute("SELECT min(seq), max(seq), count(*) FROM journal GROUP BY producer")
        ]
    finally:
        raw.close()
