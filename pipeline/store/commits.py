"""The writer's transactions: one after another, or a single one that is committed at the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Connection
from sqlalchemy.engine import Transaction
from sqlalchemy.exc import OperationalError

from pipeline.base.errors import PolybotError
from pipeline.store.open import Store

_HEALABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
    }
)


class DatabaseUnavailable(PolybotError):
    """The database cannot be written just now: locked, disk full, read-only or failing. The transaction was rolled back."""


class Commits:
    """The one writing connection of a store, opened at its first use by the thread that uses it.

    ``once``: every ``transaction`` is part of a single one, which ``close`` commits; without ``close`` nothing is kept.
    """

    def __init__(self, store: Store, *, once: bool = False) -> None:
        self._store, self._once = store, once
        self._conn: Connection | None = None
        self._single: Transaction | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction. Raises DatabaseUnavailable when it fails for a reason that may pass; in ``once`` all is lost then."""
        try:
            conn = self._open()
            if self._single is not None:
                yield conn
            else:
                with conn.begin():
                    yield conn
        except OperationalError as error:
            if self._once or not is_healable(error):
                raise
            raise DatabaseUnavailable(str(error.orig)) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees what is written so far."""
        if self._single is not None:
            yield self._open()
        else:
            with self._store.connect() as conn:
                yield conn

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
            conn = self._store.connect_for_writing()
            if self._once:
                self._single = conn.begin()
            self._conn = conn
        return self._conn


def is_healable(error: OperationalError) -> bool:
    """Whether the database may be writable again later."""
    return cast(int, getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF in _HEALABLE
