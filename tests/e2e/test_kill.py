"""Any process may be killed while everything runs: it comes back, the others go on, and the books are right again."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")

RIGHT_AGAIN_S = 2.0


def test_each_role_killed_comes_back_and_books_are_verified_again_within_two_seconds(up):
    pipeline = up()
    pipeline.until(pipeline.trades, 15, "quotes on verified books")
    took = {}
    for role in ("writer", "executor", "strategy", "book_builder", "gateway", "scheduler"):
        before = pipeline.pids()
        killed_ns = time.time_ns()
        began = time.monotonic()
        os.kill(before[role], signal.SIGKILL)
        pipeline.until(lambda role=role, before=before: pipeline.pids()[role] != before[role], 2, f"{role} started again")
        pipeline.until(lambda since=killed_ns: _verified_since(pipeline, since), 10, f"verified books after {role} was killed")
        took[role] = round(time.monotonic() - began, 2)
        placed = pipeline.model.placed
        pipeline.until(lambda placed=placed: pipeline.model.placed > placed, 8, f"new orders after {role} was killed")
        after = pipeline.pids()
        assert {name: pid for name, pid in after.items() if name != role} == {n: p for n, p in before.items() if n != role}
    assert max(took.values()) < RIGHT_AGAIN_S, took
    pipeline.send(signal.SIGINT)
    assert pipeline.wait(5) == 0, pipeline.said
    assert pipeline.left_behind() == []


def _verified_since(pipeline, since_ns: int) -> bool:
    """No book is in doubt, and some of them were proved from frames that came after ``since_ns``."""
    books = pipeline.books.values()
    fresh = [book for book in books if book.verified_ns > since_ns]
    return len(fresh) >= 3 and all(book.state in ("VERIFIED", "QUIET") for book in books)
