"""The writer's transactions: one after another, or a single one that is committed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec
from sqlalchemy import Connection
from sqlalchemy.engine import Transaction
from sqlalchemy.exc import DatabaseError

from pipeline.base.errors import PolybotError
from pipeline.store.failures import Failure, failure_of
from pipeline.store.open import Store
from pipeline.store.retention import prune_samples

_COUNTED_TO = 0x7FFF_FFFF
"""The count begins anew after so many: SQLite's field is of 32 bits."""


class DatabaseUnavailable(PolybotError):
    """The database cannot be read or written: locked, disk full, read-only, failing or damaged. What was begun was rolled back."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What came of the use of the database with this ``number``, from 1: how it failed, or how many rows it pruned."""

    number: int
    pruned: int = 0
    failure: Failure | None = None


def commits_so_far(conn: Connection) -> int:
    """How many transactions of writers a database has seen; each counts itself in SQLite's ``user_version``."""
    return int(conn.exec_driver_sql("PRAGMA user_version").scalar_one())


class Commits:
    """The one writing connection of a store, opened at its first use by the thread that uses it.

    ``once``: every ``transaction`` is part of a single one, which ``close`` commits; without ``close`` nothing is kept. ``told`` is given
    each outcome that depends on more than what was written here.
    """

    def __init__(self, store: Store, *, once: bool = False, told: Callable[[Outcome], None] = lambda outcome: None) -> None:
        self._store, self._once, self._told = store, once, told
        self._conn: Connection | None = None
        self._single: Transaction | None = None
        self._patient = True
        self.used = 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction. Raises DatabaseUnavailable when the file or its disk makes it fail; in ``once`` all is lost then.

        The next one has a connection of its own, which finds the file as it is then, and hardly waits for a lock: its caller has
        more to do than to wait for something that may last.
        """
        self.used += 1
        try:
            conn = self._open()
            if self._single is not None:
                yield conn
            else:
                with conn.begin():
                    yield conn
                    conn.exec_driver_sql(f"PRAGMA user_version = {(commits_so_far(conn) + 1) & _COUNTED_TO}")
                if not self._patient:
                    self._patient = True
                    self._abandon()
        except DatabaseError as error:
            failure = self._failure(error)
            self._patient = False
            self._abandon()
            raise DatabaseUnavailable(failure) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees what is written so far. Raises DatabaseUnavailable as ``transaction`` does."""
        self.used += 1
        if self._single is not None:
            yield self._open()
            return
        try:
            with self._store.connect() as conn:
                yield conn
        except DatabaseError as error:
            raise DatabaseUnavailable(self._failure(error)) from error

    def prune(self, conn: Connection, before_ms: int, at_most: int) -> int:
        """Within a transaction: delete samples of the market from before ``before_ms``, so many; returns how many there were."""
        pruned = prune_samples(conn, before_ms, at_most)
        if pruned:
            self._told(Outcome(self.used, pruned=pruned))
        return pruned

    def recall(self, outcome: Outcome) -> None:
        """What came of a use that is still to come, when all is done again; ``CommitsAgain`` makes it come so."""
        raise ValueError(f"these are not asked again: {outcome}")

    def close(self) -> None:
        """Commit a single transaction, and close the connection."""
        if self._conn is None:
            return
        if self._single is not None:
            self._single.commit()
            self._single = None
        self._conn.close()
        self._conn = None

    def _failure(self, error: DatabaseError) -> Failure:
        """What stands behind an error; one that says nothing about the file or its disk goes on."""
        failure = None if self._once else failure_of(error, self._store.path)
        if failure is None:
            raise error
        self._told(Outcome(self.used, failure=failure))
        return failure

    def _open(self) -> Connection:
        if self._conn is None:
            conn = self._store.connect_for_writing(patient=self._patient)
            if self._once:
                self._single = conn.begin()
            self._conn = conn
        return self._conn

    def _abandon(self) -> None:
        """Let go of a connection that failed."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(DatabaseError):
                conn.close()


class CommitsAgain(Commits):
    """The transactions of an earlier life, done again in another file: what failed then fails, and nothing is pruned.

    So the file holds all that was ever written. Raises ScratchFailed where it cannot be written now.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._known: dict[int, Outcome] = {}

    def recall(self, outcome: Outcome) -> None:
        self._known[outcome.number] = outcome

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._as_then(), super().transaction() as conn:
            yield conn

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._as_then(), super().reading() as conn:
            yield conn

    def prune(self, conn: Connection, before_ms: int, at_most: int) -> int:
        outcome = self._known.get(self.used)
        return 0 if outcome is None else outcome.pruned

    @contextmanager
    def _as_then(self) -> Iterator[None]:
        then = self._known.pop(self.used + 1, None)
        if then is not None and then.failure is not None:
            self.used += 1
            raise DatabaseUnavailable(then.failure)
        if then is not None:
            self._known[then.number] = then
        try:
            yield
        except DatabaseUnavailable as error:
            raise ScratchFailed(f"{self._store.path}, in which the writer writes again, cannot be written: {error}") from error


class ScratchFailed(OSError):
    """The file in which earlier transactions are done again cannot be written: no word of the writer's."""
