"""Copies of a database while it is written to, and giving back the room that deleted rows left."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from pipeline.base.errors import BadInput, PolybotError
from pipeline.store import migrate
from pipeline.store.commits import DatabaseUnavailable
from pipeline.store.failures import failure_of
from pipeline.store.lock import WriterLock

_PAGES = 512
"""Pages copied between two signs of progress."""
_STEPS = 20_000
_BUSY_S = 2.0


def back_up(path: Path, out: Path, shown: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Copy a database as it is at this moment to ``out``, which appears whole or not at all; returns its size in bytes.

    It may be written to meanwhile: the copy is one state, and the writer does not wait. ``shown`` hears (done, total) pages. The copy is
    one file without a log beside it, readable by its owner only, and its pages are checked. Raises BadInput if ``out`` is there already
    or cannot be written, PolybotError if the database is damaged or cannot be read.
    """
    _check_ours(path)
    if out.exists():
        raise BadInput(f"{out}: is there already; give another --out")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(path, part, shown)
        _sync(part)
        part.replace(out)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written: {error.strerror}; give a file in a folder that is there, with room") from None
    except sqlite3.Error as error:
        is_full = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
        failure = failure_of(error, out if is_full else path)
        raise PolybotError(f"no backup was made: {failure.text if failure else error}") from None
    finally:
        for file in (part, part.with_name(f"{part.name}-journal")):
            file.unlink(missing_ok=True)
    return out.stat().st_size


def _copy(path: Path, part: Path, shown: Callable[[int, int], None]) -> None:
    with closing(_connect(path, "ro")) as source, closing(sqlite3.connect(part, isolation_level=None)) as target:
        # A transaction held from here to the end: every page is of one state, and nothing a writer does makes the copy begin anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(target, pages=_PAGES, progress=lambda _, left, total: shown(total - left, total), sleep=0.05)
        target.execute("PRAGMA journal_mode = DELETE")
        told = target.execute("PRAGMA quick_check(1)").fetchone()[0]
        if told != "ok":
            raise PolybotError(f"no backup was made: {path} is damaged: {told}; see `polybot db check`")


def vacuum(path: Path, shown: Callable[[int], None] = lambda done: None) -> tuple[int, int]:
    """Write the database anew without the room that deleted rows left; returns its size in bytes before and after.

    Raises DatabaseBusy naming the pid of a live writer, BadInput if the disk has no room for a second copy.
    """
    _check_ours(path)
    lock = WriterLock(path)
    lock.acquire()
    try:
        before = path.stat().st_size
        free = shutil.disk_usage(path.resolve().parent).free
        if free < 2 * before:
            megabytes = 2 * before // 1_000_000
            raise BadInput(f"{path}: a vacuum needs {megabytes} MB on its disk, and {free // 1_000_000} MB are free; make room")
        done = 0

        def progress() -> int:
            nonlocal done
            done += 1
            shown(done)
            return 0

        with closing(_connect(path, "rw")) as conn:
            conn.set_progress_handler(progress, _STEPS)
            conn.execute("VACUUM")
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return before, path.stat().st_size
    except sqlite3.Error as error:
        failure = failure_of(error, path)
        if failure is None:
            raise
        raise DatabaseUnavailable(failure) from None
    finally:
        lock.release()


def _check_ours(path: Path) -> None:
    """Raises BadInput for a file that is not there or not ours, PolybotError for one that cannot be read."""
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; check --db-url")
    try:
        with closing(_connect(path, "ro")) as conn:
            if conn.execute("PRAGMA application_id").fetchone()[0] != migrate.APPLICATION_ID:
                raise BadInput(f"{path}: this database is not Polybot's; give another --db-url")
    except sqlite3.Error as error:
        failure = failure_of(error, path)
        raise PolybotError(failure.text if failure else f"{path}: {error}") from None


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=_BUSY_S)


def _sync(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())
