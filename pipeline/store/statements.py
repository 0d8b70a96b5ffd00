"""Core's compiled SQL as plain text, for ``exec_driver_sql`` with plain tuples: a tuple holds the named columns in their order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite

_DIALECT = sqlite.dialect()
ROWS_A_STATEMENT = 50
"""A row costs 0.6 of what it does alone when so many share a statement; more of them gain nothing, and SQLite takes 999 values."""


@cache
def columns(table: Table) -> tuple[str, ...]:
    """The columns that a row tuple of a table holds, in order: all but an ``id`` that SQLite draws."""
    return tuple(column.name for column in table.columns if column.name != "id")


@cache
def insert_sql(table: Table, names: tuple[str, ...] | None = None) -> str:
    """An INSERT of the named columns; without names of those of ``columns``."""
    return str(table.insert().compile(dialect=_DIALECT, column_keys=list(names or columns(table))))


@cache
def insert_many_sql(table: Table, rows: int) -> str:
    """An INSERT of so many rows of the columns of ``columns``."""
    head, values, row = insert_sql(table).partition(" VALUES ")
    return head + values + ", ".join([row] * rows)


def insert_rows(conn: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add many rows, as fast as SQLite takes them."""
    together = min(ROWS_A_STATEMENT, 999 // len(columns(table)))
    whole = len(rows) - len(rows) % together
    if whole:
        joined = [tuple(chain.from_iterable(rows[start : start + together])) for start in range(0, whole, together)]
        conn.exec_driver_sql(insert_many_sql(table, together), joined)
    if whole < len(rows):
        conn.exec_driver_sql(insert_sql(table), list(rows[whole:]))


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
