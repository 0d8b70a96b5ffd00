"""Open a database: ours or new, locked for its one writer, migrated, and set up the same way on every connection."""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from pipeline.base.errors import BadInput, WrongDatabase
from pipeline.store import migrate
from pipeline.store.failures import failure_of, unreadable
from pipeline.store.leftovers import take_away_empty_wal
from pipeline.store.lock import WriterLock
from pipeline.store.runs import next_run_id
from pipeline.store.url import existing_folder, path_of_url

Connect = Callable[[], sqlite3.Connection]
Synchronous = Literal["OFF", "NORMAL", "FULL"]

CLAIMING_VENUES = ("fake", "polymarket")
"""Venues whose data makes a database theirs; any other source is neutral."""
_BUSY_MS, _MOMENT_MS = 1_000, 20
_LOG_PAGES = 250
"""Pages in SQLite's write-ahead log after which a commit carries them into the database, a megabyte. Four times as many, SQLite's own
measure, give the same rows a second, and every thirtieth commit of 1,000 rows takes three times as long."""


class Store:
    """One open database. A writer's store holds the lock until ``close``. Threads may share a store, never a connection.

    A database in memory lives until ``close``; readers of it also see what is not committed yet.
    """

    def __init__(
        self,
        engine: Engine,
        db_url: str,
        path: Path | None,
        *,
        read_only: bool,
        lock: WriterLock | None = None,
        memory: sqlite3.Connection | None = None,
    ) -> None:
        self.engine = engine
        self.db_url = db_url
        self.path = path
        self.read_only = read_only
        self._lock, self._memory = lock, memory
        self._held: list[Connection] = []
        self._drawing = threading.Lock()
        self._last_run_id = 0

    def connect(self) -> Connection:
        """A connection for reading: what it reads first begins a transaction, which sees one state until it ends."""
        return self.engine.connect()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A connection inside a write transaction: committed at the end, rolled back if an error leaves the block."""
        with self.connect_for_writing() as conn, conn.begin():
            yield conn

    def connect_for_writing(self, *, patient: bool = True) -> Connection:
        """A connection whose transactions hold SQLite's write lock from their start; closed with the store.

        It waits a second for a lock that somebody else holds; one that is not ``patient``, a moment.
        """
        if self.read_only:
            raise BadInput(f"{self.db_url}: was opened for reading only")
        self._held = [conn for conn in self._held if not conn.closed]
        conn = self.engine.connect().execution_options(polybot_writes=True)
        self._held.append(conn)
        if not patient and isinstance(conn.connection.driver_connection, sqlite3.Connection):
            conn.connection.driver_connection.execute(f"PRAGMA busy_timeout = {_MOMENT_MS}")
        return conn

    def draw_run_id(self, conn: Connection) -> int:
        """An id for a new run: above every stored one, and never given twice, as writers of one store may save theirs later."""
        with self._drawing:
            self._last_run_id = max(self._last_run_id + 1, next_run_id(conn))
            return self._last_run_id

    @property
    def venue(self) -> str | None:
        """Whose data this is, if any venue has claimed it."""
        with self.connect() as conn:
            return venue_of(conn)

    def close(self) -> None:
        """Roll back what is not committed, close, and give the lock back."""
        for conn in self._held:
            conn.close()
        self.engine.dispose()
        if self._memory is not None:
            self._memory.close()
        if self.read_only and self.path is not None:
            take_away_empty_wal(self.path)
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def open_store(
    db_url: str,
    venue: str | None = None,
    read_only: bool = False,
    wal: bool = True,
    synchronous: Synchronous = "NORMAL",
    must_write: bool = True,
) -> Store:
    """Open the database of a URL; a context manager.

    ``venue`` (fake, polymarket) claims a database for its data. A writer's database is created and migrated when needed. Raises
    BadInput for an unusable URL or path, WrongDatabase if it is not ours or another venue's, DatabaseBusy if another process
    writes to it. ``synchronous`` FULL also survives the loss of power with what was last committed, NORMAL without it. Without
    ``must_write`` a database that needs nothing done is opened although it cannot be written just now (locked, disk full, read-only).
    """
    path = path_of_url(db_url)
    if path is None:
        return _open_memory(db_url, venue, read_only)
    existing_folder(path, db_url)
    if read_only:
        return _open_for_reading(db_url, path, venue)
    return _open_for_writing(db_url, path, venue, wal, synchronous, must_write)


def check_store(path: Path, venue: str) -> None:
    """Raises WrongDatabase where ``open_store`` would refuse to write for this venue. Nothing is made, changed or waited for."""
    if not path.is_file() or not path.stat().st_size:
        return
    _check_before_writing(path)
    store = Store(_engine(_connector(path, "ro"), None), "", path, read_only=True)
    with store, suppress(OperationalError), store.connect() as conn:
        if migrate.is_ours(conn):
            _refuse_naming(conn, venue, path)


def venue_of(conn: Connection) -> str | None:
    """The venue that a database belongs to; None while it is neutral."""
    value = conn.exec_driver_sql("SELECT value FROM meta WHERE key = 'venue'").scalar()
    return None if value is None else str(value)


def claim_venue(conn: Connection, venue: str) -> None:
    """Make a neutral database a venue's. Raises WrongDatabase if it is another's; a neutral source changes nothing."""
    refuse_other_venue(conn, venue)
    if venue in CLAIMING_VENUES and venue_of(conn) is None:
        conn.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('venue', ?)", (venue,))


def refuse_other_venue(conn: Connection, venue: str) -> None:
    """Raises WrongDatabase if the database is another venue's; claims nothing."""
    owner = venue_of(conn)
    if venue in CLAIMING_VENUES and owner not in (None, venue):
        raise WrongDatabase(f"it holds data of venue {owner}, and this is data of venue {venue}; give another --db-url")


def _refuse_naming(conn: Connection, venue: str, path: Path) -> None:
    try:
        refuse_other_venue(conn, venue)
    except WrongDatabase as error:
        raise WrongDatabase(_naming(path, str(error))) from None


def _open_memory(db_url: str, venue: str | None, read_only: bool) -> Store:
    if read_only:
        raise BadInput(f"database URL {db_url!r}: a database in memory lives in one process; give sqlite:///path/to/file.db")
    uri = f"file:polybot-{uuid.uuid4().hex}?mode=memory&cache=shared"

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        raw.execute("PRAGMA read_uncommitted = ON")
        return raw

    store = Store(_engine(connect, "OFF"), db_url, None, read_only=False, memory=connect())
    with store.begin() as conn:
        migrate.migrate(conn)
        claim_venue(conn, venue or "")
    return store


def _open_for_reading(db_url: str, path: Path, venue: str | None) -> Store:
    if not path.is_file():
        raise BadInput(f"database URL {db_url!r}: there is no file {path}; check the path, or fill it first")
    store = Store(_engine(_connector(path, "ro"), None), db_url, path, read_only=True)
    try:
        with store.connect() as conn:
            _check_ours(conn, path)
            if migrate.revision_of(conn) != migrate.HEAD:
                raise WrongDatabase(
                    f"{path}: its schema is {migrate.revision_of(conn)} and this Polybot reads {migrate.HEAD}; "
                    "a command that writes to it migrates an older one"
                )
            owner = venue_of(conn)
        if venue in CLAIMING_VENUES and owner not in (None, venue):
            raise WrongDatabase(f"{path}: it holds data of venue {owner}, not of {venue}; give another --db-url")
    except OperationalError as error:
        store.close()
        raise BadInput(f"{path}: cannot be read: {error.orig}") from None
    except DatabaseError as error:
        store.close()
        raise WrongDatabase(unreadable(error, path)) from None
    except WrongDatabase:
        store.close()
        raise
    return store


def _open_for_writing(db_url: str, path: Path, venue: str | None, wal: bool, synchronous: Synchronous, must_write: bool) -> Store:
    if path.exists():
        _check_before_writing(path)
    lock = WriterLock(path)
    lock.acquire()
    store = Store(_engine(_connector(path, "rw"), synchronous), db_url, path, read_only=False, lock=lock)
    try:
        _private_file(path)
        with store.connect() as conn:
            mode = conn.exec_driver_sql("PRAGMA journal_mode").scalar()
            if mode != ("wal" if wal else "delete"):
                conn.rollback()
                _journal_mode(path, "WAL" if wal else "DELETE")
        if must_write or not _needs_nothing(store, venue or ""):
            with store.begin() as conn:
                if not migrate.is_empty(conn):
                    _check_ours(conn, path)
                migrate.migrate(conn)
                claim_venue(conn, venue or "")
    except WrongDatabase as error:
        store.close()
        raise WrongDatabase(_naming(path, str(error))) from None
    except (DatabaseError, OSError, sqlite3.Error) as error:
        store.close()
        failure = failure_of(error, path) if isinstance(error, DatabaseError) else None
        advice = "" if failure is None else f"; {failure.text}"
        raise BadInput(f"{path}: cannot be opened for writing: {getattr(error, 'orig', error)}{advice}") from None
    return store


def _needs_nothing(store: Store, venue: str) -> bool:
    """Whether a database is ours, of this schema, and claimed as it is to be. Raises WrongDatabase for another venue's."""
    with store.connect() as conn:
        if not migrate.is_ours(conn) or migrate.revision_of(conn) != migrate.HEAD:
            return False
        refuse_other_venue(conn, venue)
        return venue not in CLAIMING_VENUES or venue_of(conn) is not None


def _check_before_writing(path: Path) -> None:
    """Refuse a file that is not ours before anything is created beside it."""
    if path.stat().st_size == 0:
        return
    engine = _engine(_connector(path, "ro"), None)
    try:
        with engine.connect() as conn:
            if not migrate.is_empty(conn):
                _check_ours(conn, path)
    except OperationalError:
        return  # cannot be read just now (an unfinished transaction to recover): it is checked again under the lock
    except DatabaseError as error:
        raise WrongDatabase(unreadable(error, path)) from None
    finally:
        engine.dispose()


def _check_ours(conn: Connection, path: Path) -> None:
    if not migrate.is_ours(conn):
        raise WrongDatabase(f"{path}: this database is not Polybot's; give another --db-url")


def _naming(path: Path, told: str) -> str:
    return told if told.startswith(str(path)) else f"{path}: {told}"


def _private_file(path: Path) -> None:
    """Create the file readable by its owner only, and take others' rights from an existing one."""
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _journal_mode(path: Path, mode: str) -> None:
    """Change the journal mode, which no transaction may surround."""
    raw = _connector(path, "rw")()
    try:
        raw.execute(f"PRAGMA journal_mode = {mode}")
    finally:
        raw.close()


def _connector(path: Path, mode: Literal["ro", "rw"]) -> Connect:
    uri = f"{path.resolve().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1_000)

    return connect


def _engine(connect: Connect, synchronous: Synchronous | None) -> Engine:
    """An engine whose transactions begin where we say so: at once for writing, at the first read for reading."""
    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def set_up(raw: sqlite3.Connection, _record: Any) -> None:
        raw.execute("PRAGMA foreign_keys = ON")
        if synchronous is not None:
            raw.execute(f"PRAGMA synchronous = {synchronous}")
            raw.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("polybot_writes") else "BEGIN")

    return engine
