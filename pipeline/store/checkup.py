"""Whether a database is sound: its pages, its references, its schema, what it holds, and who writes to it. Nothing is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.store import migrate
from pipeline.store.failures import text_in
from pipeline.store.lock import lock_holder
from pipeline.store.schema import metadata

_AT_MOST = 20
"""Complaints of one kind that are told."""
_STEPS = 20_000
"""Instructions of SQLite's machine between two signs of progress."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and what to do."""

    what: str
    advice: str


@dataclass(frozen=True)
class Checkup:
    """What was seen. ``schema`` None: it has none. ``holder``: who writes to it, e.g. "process 4711"; "" if nobody does.

    ``counts`` are rows by table; a table that cannot be counted is left out. ``findings`` is empty for a sound database.
    """

    file: str
    bytes: int
    wal_bytes: int
    schema: str | None
    wanted_schema: str
    venue: str
    holder: str
    integrity: str
    foreign_keys: str
    counts: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def check_up(path: Path, shown: Callable[[int], None] = lambda done: None) -> Checkup:
    """Look at every page and every reference; ``shown`` hears of progress. It reads beside a running writer.

    Raises BadInput if there is no such file. Whatever is wrong with it is a finding.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; check --db-url")
    look = _Look(path, shown)
    try:
        look.look()
    except sqlite3.DatabaseError as error:
        look.damaged(str(error))
    finally:
        look.conn.close()
    wal = path.with_name(f"{path.name}-wal")
    return Checkup(
        file=str(path),
        bytes=path.stat().st_size,
        wal_bytes=wal.stat().st_size if wal.is_file() else 0,
        schema=look.schema,
        wanted_schema=migrate.HEAD,
        venue=look.venue,
        holder=lock_holder(path) or "",
        integrity=look.integrity,
        foreign_keys=look.foreign_keys,
        counts=look.counts,
        findings=tuple(look.findings),
    )


class _Look:
    """One look at one file, as far as it comes."""

    def __init__(self, path: Path, shown: Callable[[int], None]) -> None:
        self.path = path
        self.schema: str | None = None
        self.venue = ""
        self.integrity = self.foreign_keys = "not checked"
        self.counts: dict[str, int] = {}
        self.findings: list[Finding] = []
        self._shown, self._done = shown, 0
        self.conn = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        self.conn.set_progress_handler(self._progress, _STEPS)

    def _progress(self) -> int:
        self._done += 1
        self._shown(self._done)
        return 0

    def look(self) -> None:
        """From what matters most to what is only told."""
        ask = self.conn.execute
        ask("BEGIN")
        ours = ask("PRAGMA application_id").fetchone()[0] == migrate.APPLICATION_ID
        tables = {name for (name,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not ours:
            self.findings.append(Finding("it is not a database of Polybot's", "give another --db-url"))
        self._pages()
        self._references()
        self._schema(tables)
        for name in metadata.tables:
            if name in tables:
                self.counts[name] = ask(f'SELECT count(*) FROM "{name}"').fetchone()[0]

    def damaged(self, told: str) -> None:
        """SQLite gave up."""
        line = text_in(self.path)
        if line:
            self.integrity = "not a database"
            self.findings.append(Finding(f"the file is text, not a database: it begins {line!r}", "give another --db-url"))
            return
        self.integrity = "damaged"
        self.findings.append(Finding(f"the file is damaged: {told}", _WAY_OUT))

    def _pages(self) -> None:
        told = [row[0] for row in self.conn.execute(f"PRAGMA integrity_check({_AT_MOST})")]
        self.integrity = "ok" if told == ["ok"] else "damaged"
        if told != ["ok"]:
            first = told[0].splitlines()[-1]
            self.findings.append(Finding(f"the file is damaged: {first} ({len(told)} complaints or more)", _WAY_OUT))

    def _references(self) -> None:
        broken: dict[tuple[str, str], int] = {}
        for table, _row, parent, _key in self.conn.execute("PRAGMA foreign_key_check"):
            broken[table, parent] = broken.get((table, parent), 0) + 1
        self.foreign_keys = "broken" if broken else "ok"
        for (table, parent), count in broken.items():
            what = f"{count} rows of {table} refer to rows of {parent} that are not there"
            self.findings.append(Finding(what, "restore a backup, or export what is needed into another database"))

    def _schema(self, tables: set[str]) -> None:
        if "alembic_version" in tables:
            row = self.conn.execute("SELECT version_num FROM alembic_version").fetchone()
            self.schema = None if row is None else str(row[0])
        if "meta" in tables:
            row = self.conn.execute("SELECT value FROM meta WHERE key = 'venue'").fetchone()
            self.venue = "" if row is None else str(row[0])
        if self.schema is not None and self.schema < migrate.HEAD:
            advice = "any command that writes to it brings it up to date, e.g. `polybot up`"
            self.findings.append(Finding(f"its schema is {self.schema}, and this Polybot's is {migrate.HEAD}", advice))
        elif self.schema is not None and self.schema > migrate.HEAD:
            what = f"its schema is {self.schema}, newer than this Polybot's {migrate.HEAD}"
            self.findings.append(Finding(what, "use the version of Polybot that made it, or a later one"))


_WAY_OUT = (
    "stop the pipeline, keep this file aside, and put the latest backup in its place (`polybot db backup` makes them); "
    "what trading did since then is in the executor's journal and is stored at the next start"
)
