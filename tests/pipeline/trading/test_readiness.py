"""Commands are taken from when writer and books are there until the end, or until the books are lost."""

from __future__ import annotations

from pipeline.trading.readiness import FOR_BOOKS, FOR_WRITER, STOPPED, Readiness


def test_it_waits_for_the_writer_then_for_books_but_not_for_ever() -> None:
    ready = Readiness(100)
    assert (ready.accepts, ready.reason, ready.due_ns) == (False, FOR_WRITER, None)
    assert not ready.check(True, 50)
    ready.on_writer(50)
    ready.on_writer(90)
    assert (ready.accepts, ready.reason, ready.due_ns) == (False, FOR_BOOKS, 150)
    assert not ready.check(False, 149)
    assert ready.check(False, 150)
    assert (ready.accepts, ready.reason, ready.due_ns) == (True, "", None)
    assert not ready.check(True, 151)


def test_lost_books_are_waited_for_again() -> None:
    ready = Readiness(100)
    assert not ready.on_books_lost(0)
    ready.on_writer(0)
    assert ready.check(True, 0)
    assert ready.on_books_lost(10)
    assert (ready.accepts, ready.due_ns) == (False, 110)
    assert not ready.on_books_lost(11)
    assert ready.check(True, 12)


def test_after_the_end_nothing_is_taken() -> None:
    ready = Readiness(0)
    ready.on_writer(0)
    ready.on_stop()
    assert not ready.check(True, 10**18)
    assert (ready.accepts, ready.reason) == (False, STOPPED)
