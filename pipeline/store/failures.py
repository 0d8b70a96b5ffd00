"""Why a database cannot be written, in words for the person who can help: what is wrong, and what to do."""

from __future__ import annotations

import codecs
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sqlalchemy.exc import DBAPIError


@dataclass(frozen=True, slots=True)
class Failure:
    """``heals``: the same file may be written again later; otherwise it is damaged and is not to be touched. ``code`` is SQLite's name."""

    reason: str
    advice: str
    heals: bool = True
    code: str = ""

    @property
    def text(self) -> str:
        """One line."""
        return f"{self.reason}; {self.advice}"


_KINDS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("disk full", "make room on the disk of {file}"),
    sqlite3.SQLITE_IOERR: (
        "disk error",
        "look at the disk of {file}: its health, its quota, the limit on the size of files",
    ),
    sqlite3.SQLITE_BUSY: ("database locked", "end the other program that writes to {file}"),
    sqlite3.SQLITE_LOCKED: ("database locked", "end the other program that writes to {file}"),
    sqlite3.SQLITE_PROTOCOL: ("database locked", "end the other program that writes to {file}"),
    sqlite3.SQLITE_READONLY: ("database read-only", "give this user the right to write {file} and its folder"),
    sqlite3.SQLITE_PERM: ("database read-only", "give this user the right to write {file} and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("database cannot be opened", "see that {file} and its folder are there and may be written"),
    sqlite3.SQLITE_NOMEM: ("out of memory", "end what else takes memory on this machine"),
}
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOOKED_AT, _SHOWN = 512, 40
DAMAGE_ADVICE = (
    "nothing more is written to it: stop the pipeline, look with `polybot db check`, and put a backup in its place; "
    "what trading did is kept in the journal and is stored at the next start"
)


def failure_of(error: DBAPIError | sqlite3.Error, path: Path | None) -> Failure | None:
    """What stands behind an error of SQLite's; None if it says nothing about the file or its disk, as a broken constraint."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    code = cast(int, getattr(orig, "sqlite_errorcode", 0))
    name = cast(str, getattr(orig, "sqlite_errorname", ""))
    file = "the database in memory" if path is None else str(path)
    if code & 0xFF == sqlite3.SQLITE_NOTADB and path is not None and (line := text_in(path)):
        return Failure(
            f"{file} is a text file, not a database: it begins {line!r}", "give another --db-url", heals=False, code=name
        )
    if code & 0xFF in _DAMAGED:
        return Failure(f"{file} is damaged ({name})", DAMAGE_ADVICE, heals=False, code=name)
    kind = _KINDS.get(code & 0xFF)
    if kind is None:
        return None
    return Failure(kind[0], kind[1].format(file=file), code=name)


def text_in(path: Path) -> str:
    """The beginning of a file that is text, as CSV and JSON are, and so never was a database; "" for all others."""
    try:
        with path.open("rb") as file:
            text = codecs.getincrementaldecoder("utf-8")().decode(file.read(_LOOKED_AT))
    except (OSError, UnicodeDecodeError):
        return ""
    if not all(letter.isprintable() or letter.isspace() for letter in text):
        return ""
    return next((line.strip()[:_SHOWN] for line in text.splitlines() if line.strip()), "")


def unreadable(error: DBAPIError, path: Path) -> str:
    """The line about a file that cannot be read as a database: damaged, or never one."""
    damaged = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT
    advice = "look with `polybot db check`, and put a backup in its place" if damaged else "give another --db-url"
    return f"{path}: cannot be read as a database: {error.orig}; {advice}"
