"""The writer's transactions: one after another, or a single one that is committed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.engine import Transaction
from sqlalchemy.exc import DatabaseError

from pipeline.base.errors import PolybotError
from pipeline.store.failures import Failure, failure_of
from pipeline.store.open import Store


class DatabaseUnavailable(PolybotError):
    """The database cannot be read or written: locked, disk full, read-only, failing or damaged. What was begun was rolled back."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Commits:
    """The one writing connection of a store, opened at its first use by the thread that uses it.

    ``once``: every ``transaction`` is part of a single one, which ``close`` commits; without ``close`` nothing is kept.
    """

    def __init__(self, store: Store, *, once: bool = False) -> None:
        self._store, self._once = store, once
        self._conn: Connection | None = None
        self._single: Transaction | None = None
        self._patient = True

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction. Raises DatabaseUnavailable when the file or its disk makes it fail; in ``once`` all is lost then.

        The next one has a connection of its own, which finds the file as it is then, and hardly waits for a lock: its caller has
        more to do than to wait for something that may last.
        """
        try:
            conn = self._open()
            if self._single is not None:
                yield conn
            else:
                with conn.begin():
                    yield conn
                if not self._patient:
                    self._patient = True
                    self._abandon()
        except DatabaseError as error:
            failure = None if self._once else failure_of(error, self._store.path)
            if failure is None:
                raise
            self._patient = False
            self._abandon()
            raise DatabaseUnavailable(failure) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees what is written so far. Raises DatabaseUnavailable as ``transaction`` does."""
        if self._single is not None:
            yield self._open()
            return
        try:
            with self._store.connect() as conn:
                yield conn
        except DatabaseError as error:
            failure = None if self._once else failure_of(error, self._store.path)
            if failure is None:
                raise
            raise DatabaseUnavailable(failure) from error

    def close(self) -> None:
        """Commit a single transaction, and close the connection."""
        if self._conn is None:
            return
        if self._single is not None:
            self._single.commit()
            self._single = None
        self._conn.close()
        self._conn = None

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
