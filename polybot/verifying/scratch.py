"""The writer of a session asked again, in all its lives, into a file of its own; and what its database holds, row by row."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.bus.input_reading import Head
from pipeline.store.lock import lock_holder
from pipeline.store.open import Store, open_store
from pipeline.store.premises import Premises, begin_like, premises_of
from pipeline.store.same_rows import SameRows, compare_rows
from pipeline.store.url import path_of_url
from processes.writer import Writer, stage_of


@dataclass(frozen=True)
class Rows:
    """What comparing the rows gave; ``unknown`` says why they could not be compared."""

    found: SameRows | None = None
    unknown: str = ""


class Scratch:
    """The file in which a session's writer writes again. Its lives come in order: ``begin``, then the stage is asked, then ``end``.

    A writer that was killed in the turn of a commit may have made it or not: its log cannot tell, what its database was afterwards
    can. So the file is kept as it was before such a turn. ``faults`` are what does not fit together, in words.
    """

    def __init__(self, folder: Path, config: Config) -> None:
        self._file, self._before = folder / "again.db", folder / "before.db"
        self._config = config
        self._store: Store | None = None
        self._first_run = 0
        self.faults: list[str] = []

    def begin(self, head: Head) -> Writer:
        """The writer of a life, on what the lives before it wrote."""
        premises = msgspec.msgpack.decode(head.premises, type=Premises)
        if not self._file.exists():
            self._first_run = premises.next_run_id
            self._store = self._open()
            with self._store.begin() as conn:
                begin_like(conn, premises)
        else:
            if not self._is(self._file, premises) and self._before.exists() and self._is(self._before, premises):
                shutil.copyfile(self._before, self._file)
            self._store = self._open()
            if not self._is(self._file, premises):
                self.faults.append(f"{head.run_id}: its database was not as the life before it had left it")
        self._before.unlink(missing_ok=True)
        return stage_of(self._store, self._config.settings, again=True)

    def before_doubt(self) -> None:
        """The last turn of a killed life comes: whether what it committed stayed is not known."""
        shutil.copyfile(self._file, self._before)

    def end(self) -> None:
        """The life is over; what it had not committed is lost."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def rows(self, db_url: str, still_runs: bool, shown: Callable[[int], None]) -> Rows:
        """Compare what a database holds of the session with what was written again. ``still_runs``: the last life may not have ended."""
        try:
            path = path_of_url(db_url)
            if path is None or not path.is_file():
                return Rows(unknown=f"{db_url}: there is no such file; --db-url names another one")
            if still_runs and lock_holder(path) is not None:
                return Rows(unknown=f"{path}: is being written")
            with open_store(db_url, read_only=True) as store:
                found = self._compare(self._file, store, shown)
                if found.found is not None and found.found.difference is not None and self._before.exists():
                    without = self._compare(self._before, store, shown)
                    if without.found is not None and without.found.difference is None:
                        return without
                return found
        except BadInput as error:
            return Rows(unknown=str(error))

    def _compare(self, file: Path, store: Store, shown: Callable[[int], None]) -> Rows:
        with _opened(file) as again, again.connect() as here, store.connect() as there:
            last = premises_of(here).next_run_id - 1
            own = here.exec_driver_sql("SELECT run FROM runs WHERE id = ?", (self._first_run,)).scalar()
            if there.exec_driver_sql("SELECT id FROM runs WHERE run = ?", (own,)).scalar() != self._first_run:
                return Rows(unknown=f"{store.path}: holds nothing of this session; --db-url names another one")
            return Rows(compare_rows(there, here, self._first_run, last, shown))

    def _open(self) -> Store:
        return open_store(_url(self._file), venue=self._config.settings.venue.name, wal=False, synchronous="OFF")

    def _is(self, file: Path, premises: Premises) -> bool:
        with _opened(file) as store, store.connect() as conn:
            return premises_of(conn) == premises


def _opened(file: Path) -> Store:
    return open_store(_url(file), read_only=True)


def _url(file: Path) -> str:
    return f"sqlite:///{file.as_posix()}"
