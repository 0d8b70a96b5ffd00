"""Inserts as plain text, for ``exec_driver_sql`` with plain tuples: a tuple holds the named columns in their order.

The text is what Core compiles, word for word (a test compares them), without the millisecond that it takes for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite

_quoted = sqlite.dialect().identifier_preparer.quote
ROWS_A_STATEMENT = 50
"""A row costs 0.6 of what it does alone when so many share a statement; more of them gain nothing."""
MOST_VALUES = 999
"""Values that any SQLite takes in one statement."""


@cache
def columns(table: Table) -> tuple[str, ...]:
    """The columns that a row tuple of a table holds, in order: all but an ``id`` that SQLite draws."""
    return tuple(column.name for column in table.columns if column.name != "id")


@cache
def insert_sql(table: Table, names: tuple[str, ...] | None = None) -> str:
    """An INSERT of the named columns; without names of those of ``columns``."""
    chosen = [column.name for column in table.columns if column.name in (names or columns(table))]
    return f"INSERT INTO {_quoted(table.name)} ({', '.join(map(_quoted, chosen))}) VALUES ({', '.join('?' * len(chosen))})"


@cache
def insert_many_sql(table: Table, rows: int, shared: int = 0) -> str:
    """An INSERT of so many rows of the columns of ``columns``; the values of the first ``shared`` columns come first, once for all."""
    head, _, _ = insert_sql(table).partition(" VALUES ")
    own = len(columns(table)) - shared
    first = ", ".join(f"?{number}" for number in range(1, shared + 1))
    starts = range(shared + 1, shared + 1 + rows * own, own)
    several = (", ".join([*([first] if first else []), *(f"?{start + place}" for place in range(own))]) for start in starts)
    return f"{head} VALUES {', '.join(f'({row})' for row in several)}"


def insert_values(conn: Connection, table: Table, values: list[Any], shared: tuple[Any, ...] = ()) -> None:
    """Add many rows, as fast as SQLite takes them: their ``values`` one row after another, without those of the first columns if
    these are ``shared`` by all rows.
    """
    own = len(columns(table)) - len(shared)
    together = min(ROWS_A_STATEMENT, (MOST_VALUES - len(shared)) // own)
    step = together * own
    whole = len(values) - len(values) % step
    for rows, start, stop in ((together, 0, whole), (1, whole, len(values))):
        if start < stop:
            step = rows * own
            given = [shared + tuple(values[at : at + step]) for at in range(start, stop, step)]
            conn.exec_driver_sql(insert_many_sql(table, rows, len(shared)), given)


@cache
def insert_missing_sql(table: Table, names: tuple[str, ...]) -> str:
    """An INSERT that leaves a row alone whose key is there already."""
    return f"{insert_sql(table, names)} ON CONFLICT DO NOTHING"


@cache
def upsert_sql(table: Table, names: tuple[str, ...], key: tuple[str, ...], keep: tuple[str, ...] = ()) -> str:
    """An INSERT that replaces the row with the same key, but for its key and the columns to keep."""
    replaced = [_quoted(column.name) for column in table.columns if column.name in names and column.name not in (*key, *keep)]
    changes = ", ".join(f"{name} = excluded.{name}" for name in replaced)
    return f"{insert_sql(table, names)} ON CONFLICT ({', '.join(map(_quoted, key))}) DO UPDATE SET {changes}"


def names_of(table: Table, without: Sequence[str] = ()) -> tuple[str, ...]:
    """All columns of a table but some, in order."""
    return tuple(column.name for column in table.columns if column.name not in without)
