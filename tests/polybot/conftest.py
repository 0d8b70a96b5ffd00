"""Commands as a user types them, and what they leave in a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from polybot.cli import main

SNAPSHOT = '{"type":"snapshot","seq":1,"bids":[[0.40,100.0]],"asks":[[0.47,100.0]]}'
THREE_LINES = (SNAPSHOT, '{"type":"delta","seq":2}', '{"type":"delta","seq":3,"bids":[[0.41,10.0]]}')
"""The example of the generic stream: a snapshot, a delta that only counts, one changed level."""


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """Commands set up logging for their whole process; a test must not inherit the standard error of another."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Database:
    """A database file as a test looks at it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True) as conn:
            return conn.execute(sql).fetchall()

    def one(self, sql: str) -> Any:
        ((value,),) = self.rows(sql)
        return value

    def counts(self, *tables: str) -> dict[str, int]:
        return {table: self.one(f"SELECT count(*) FROM {table}") for table in tables}

    @property
    def is_untouched(self) -> bool:
        """There is no file, or one without a row of data and without an owner."""
        if not self.path.exists():
            return True
        tables = {name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        owned = "meta" in tables and self.rows("SELECT value FROM meta WHERE key = 'venue'")
        return not owned and not any(self.one(f"SELECT count(*) FROM {name}") for name in tables - {"alembic_version", "meta"})


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return Database(tmp_path / "polybot.db")


Cli = Callable[..., Result]


@pytest.fixture
def cli() -> Cli:
    """Run the command line in this process; standard output and standard error are apart."""

    def run(*words: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words], prog_name="polybot")

    return run


@pytest.fixture
def told(cli: Cli) -> Callable[..., str]:
    """The one line that a command which must be refused says, with exit code 2 and nothing on standard output."""

    def run(*words: object) -> str:
        result = cli(*words)
        assert result.exit_code == 2, (result.stdout, result.stderr, result.exception)
        assert result.stdout == ""
        assert result.stderr.startswith("polybot: ")
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr.removeprefix("polybot: ").rstrip("\n")

    return run


@pytest.fixture
def lines_file(tmp_path: Path) -> Callable[..., Path]:
    """A file of the given lines."""

    def write(*lines: str, name: str = "lines.jsonl") -> Path:
        file = tmp_path / name
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return file

    return write


@pytest.fixture
def three_lines(lines_file: Callable[..., Path]) -> Path:
    return lines_file(*THREE_LINES, name="three.jsonl")
