"""Whether commands are taken: not before the writer was heard, what the venue holds is known, and the books are there, nor at the end."""

from __future__ import annotations

FOR_WRITER, FOR_BOOKS, STOPPED = "waiting for the writer", "waiting for books", "executor stopped"
FOR_VENUE = "reconciling with the venue"


class Readiness:
    """``accepts`` and, while it is False, the ``reason``. Books are waited for until ``due_ns`` at most, the venue without an end."""

    def __init__(self, books_wait_ns: int, reconciled: bool = True) -> None:
        self._reconciled = reconciled
        self.accepts = False
        self.reason = FOR_WRITER
        self.due_ns: int | None = None
        self._books_wait_ns = books_wait_ns

    def on_writer(self, now_ns: int) -> None:
        """The writer has said what it holds; only the first time counts."""
        if self.reason == FOR_WRITER:
            if self._reconciled:
                self._wait(now_ns)
            else:
                self.reason = FOR_VENUE

    def on_reconciled(self, now_ns: int) -> None:
        """What the venue holds is known; only the first time counts."""
        self._reconciled = True
        if self.reason == FOR_VENUE:
            self._wait(now_ns)

    def on_books_lost(self, now_ns: int) -> bool:
        """Who makes the books has started again; whether that ends the taking of commands."""
        if not self.accepts:
            return False
        self._wait(now_ns)
        return True

    def on_stop(self) -> None:
        """The end."""
        self.accepts, self.reason, self.due_ns = False, STOPPED, None

    def check(self, all_books: bool, now_ns: int) -> bool:
        """Begin to take commands if nothing more is waited for; whether it begins at this moment."""
        if self.due_ns is None or not (all_books or now_ns >= self.due_ns):
            return False
        self.accepts, self.reason, self.due_ns = True, "", None
        return True

    def _wait(self, now_ns: int) -> None:
        self.accepts, self.reason, self.due_ns = False, FOR_BOOKS, now_ns + self._books_wait_ns
