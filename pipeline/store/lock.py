"""One writer a database: an exclusive lock on a file beside it, and the holder's pid in another.

The pid has a file of its own because a locked file cannot be read everywhere (Windows) and a contender may empty it.
The operating system frees the lock when its holder dies, however it dies.
"""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.base.errors import BadInput, DatabaseBusy


class WriterLock:
    """The right to write to one database, from ``acquire`` to ``release``."""

    def __init__(self, database: Path) -> None:
        resolved = database.resolve()
        self.database = database
        self.path = resolved.with_name(resolved.name + ".lock")
        self.pid_path = resolved.with_name(resolved.name + ".pid")
        self._lock = FileLock(self.path, timeout=0, mode=0o600, thread_local=False)

    def acquire(self) -> None:
        """Take the lock. Raises DatabaseBusy naming the holder's pid."""
        try:
            self._lock.acquire()
        except Timeout:
            raise DatabaseBusy(
                f"{self.database}: {self._holder()} is writing to this database; stop it, or give another --db-url"
            ) from None
        except OSError as error:
            raise BadInput(f"{self.database}: cannot be locked: {error}; check the folder's permissions") from None
        handle = os.open(self.pid_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not held."""
        if self._lock.is_locked:
            self.pid_path.unlink(missing_ok=True)
            self._lock.release()

    def holder_if_held(self) -> str | None:
        """Who holds the lock; None if nobody does."""
        if not self.path.exists():
            return None
        try:
            with self._lock.acquire():
                return None
        except Timeout:
            return self._holder()
        except OSError:
            return None

    def _holder(self) -> str:
        try:
            return f"process {int(self.pid_path.read_text(encoding='ascii'))}"
        except (OSError, ValueError):
            return "another process"


def lock_holder(database: Path) -> str | None:
    """Who writes to a database, e.g. "process 4711"; None if nobody does. Nothing is created."""
    lock = WriterLock(database)
    return lock.holder_if_held()
