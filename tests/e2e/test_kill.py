"""Any process may be killed while everything runs: it comes back, the others go on, and the books are right again."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from processes.health_file import read_health

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")

PATIENCE_S = 10.0
"""Two seconds is what it takes on an idle machine; how long it took is printed, never asserted."""


def test_each_role_killed_comes_back_and_books_are_verified_again(up):
    pipeline = up()
    pipeline.until(pipeline.trades, 30, "quotes on verified books")
    took = {}
    for role in ("writer", "executor", "strategy", "book_builder", "gateway", "scheduler"):
        before = pipeline.pids()
        killed_ns = time.time_ns()
        began = time.monotonic()
        os.kill(before[role], signal.SIGKILL)
        pipeline.until(
            lambda role=role, before=before: pipeline.pids()[role] != before[role], PATIENCE_S, f"{role} started again"
        )
        pipeline.until(
            lambda since=killed_ns: _verified_since(pipeline, since), PATIENCE_S, f"verified books after {role} was killed"
        )
        took[role] = round(time.monotonic() - began, 2)
        placed = pipeline.model.placed
        pipeline.until(lambda placed=placed: pipeline.model.placed > placed, PATIENCE_S, f"new orders after {role} was killed")
        after = pipeline.pids()
        assert {name: pid for name, pid in after.items() if name != role} == {n: p for n, p in before.items() if n != role}
    _stopped_for_a_while(pipeline, "strategy", 2.0)
    print("seconds until the books were verified again:", took)
    pipeline.send(signal.SIGINT)
    assert pipeline.wait(5) == 0, pipeline.said
    assert pipeline.left_behind() == []


@pytest.mark.soak
@pytest.mark.parametrize(("role", "seconds"), [("strategy", 10.0), ("writer", 30.0), ("book_builder", 10.0)])
def test_a_role_that_stands_still_for_long_is_gone_on_without_and_wakes_up(up, tmp_path, role, seconds):
    (tmp_path / "patient.toml").write_text("[supervisor]\nheartbeat_timeout_ms = 60_000\n")
    pipeline = up("--config", "patient.toml")
    pipeline.until(pipeline.trades, 30, "quotes on verified books")
    before = {name: _memory_kb(pid) for name, pid in pipeline.pids().items()}
    _stopped_for_a_while(pipeline, role, seconds)
    pipeline.until(lambda: not _backlog(pipeline), PATIENCE_S, "every record in the database")
    grown = {name: _memory_kb(pid) - before[name] for name, pid in pipeline.pids().items()}
    health = read_health(pipeline.state_dir)
    told = {one.role: {name: one.counts.get(name, 0) for name in ("gaps", "dropped", "superseded")} for one in health.roles}
    print(f"{role} stood still for {seconds} s; kB more:", grown, "counts:", told)
    assert all(kb < 100_000 for kb in grown.values())
    pipeline.send(signal.SIGINT)
    assert pipeline.wait(8) == 0, pipeline.said


def _memory_kb(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _backlog(pipeline) -> int:
    """Records of the executor that are not in the database yet, as its last heartbeat said."""
    roles = {one.role: one for one in read_health(pipeline.state_dir).roles}
    return roles["executor"].counts.get("backlog", 1)


def _stopped_for_a_while(pipeline, role: str, seconds: float) -> None:
    """A process that stands still and wakes up again goes on: nothing is restarted, and orders are placed."""
    before = pipeline.pids()
    os.kill(before[role], signal.SIGSTOP)
    began = time.monotonic()
    pipeline.until(lambda: time.monotonic() - began >= seconds, seconds + 5, f"{role} stopped for a while")
    os.kill(before[role], signal.SIGCONT)
    woken_ns, placed = time.time_ns(), pipeline.model.placed
    pipeline.until(lambda: _verified_since(pipeline, woken_ns), PATIENCE_S, f"verified books after {role} woke up")
    pipeline.until(lambda: pipeline.model.placed > placed, PATIENCE_S, f"new orders after {role} woke up")
    assert pipeline.pids() == before


def _verified_since(pipeline, since_ns: int) -> bool:
    """No book is in doubt, and some of them were proved from frames that came after ``since_ns``."""
    books = pipeline.books.values()
    fresh = [book for book in books if book.verified_ns > since_ns]
    return len(fresh) >= 3 and all(book.state in ("VERIFIED", "QUIET") for book in books)
