"""Core's compiled SQL as plain text, for ``exec_driver_sql`` with plain tuples: a tuple holds the named columns in their order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite

_DIALECT = sqlite.dialect()


@cache
def columns(table: Table) -> tuple[str, ...]:
    """The columns that a row tuple of a table holds, in order: all but an ``id`` that SQLite draws."""
    return tuple(column.name for column in table.columns if column.name != "id")


@cache
def insert_sql(table: Table, names: tuple[str, ...] | None = None) -> str:
    """An INSERT of the named columns; without names of those of ``columns``."""
    return str(table.insert().compile(dialect=_DIALECT, column_keys=list(names or columns(table))))


@cache
def insert_missing_sql(table: Table, names: tuple[str, ...]) -> str:
    """An INSERT that leaves a row alone whose key is there already."""
    statement = sqlite.insert(table).on_conflict_do_nothing()
    return str(statement.compile(dialect=_DIALECT, column_keys=list(names)))


@cache
def upsert_sql(table: Table, names: tuple[str, ...], key: tuple[str, ...], keep: tuple[str, ...] = ()) -> str:
    """An INSERT that replaces the row with the same key, but for its key and the columns to keep."""
    statement = sqlite.insert(table)
    replaced = {name: statement.excluded[name] for name in names if name not in key and name not in keep}
    return str(
        statement.on_conflict_do_update(index_elements=list(key), set_=replaced).compile(
            dialect=_DIALECT, column_keys=list(names)
        )
    )


def names_of(table: Table, without: Sequence[str] = ()) -> tuple[str, ...]:
    """All columns of a table but some, in order."""
    return tuple(column.name for column in table.columns if column.name not in without)
