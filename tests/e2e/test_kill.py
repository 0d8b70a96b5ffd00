"""Any process may be killed while everything runs: it comes back, the others go on, and the books are right again."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

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
