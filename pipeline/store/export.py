"""Any table or plain view as rows to be written elsewhere: its columns with their kinds, narrowed to a period. Amounts stay exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Integer, Table

from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_MS
from pipeline.store.schema import metadata
from pipeline.store.views import LEVELS_VIEW, PLAIN_TABLES, levels_sql, plain_name, plain_sql

Kind = Literal["whole", "text", "amount"]
"""Whole numbers; text; amounts, which come as whole millionths and are to be shown as decimals."""

_TIMES = ("ts_ms", "ts_ns", "started_ns", "last_update_ts_ms", "valid_from_ns")
"""The column a period means, the first of these that a table has."""
_BATCH = 10_000


@dataclass(frozen=True)
class Column:
    """One column of an export."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Source:
    """What is exported. ``time`` is the column of a period; "" where rows have no time. ``relation`` is SQL behind FROM."""

    name: str
    columns: tuple[Column, ...]
    relation: str
    time: str
    has_rowid: bool


def source_names() -> list[str]:
    """Everything that can be exported: tables, then views."""
    return [*metadata.tables, *(plain_name(table) for table in PLAIN_TABLES), LEVELS_VIEW]


def source_of(name: str) -> Source:
    """A table or view by its name. Raises BadInput for a name that is not known."""
    table = metadata.tables.get(name)
    if table is not None:
        return Source(name, tuple(_column(column) for column in table.columns), table.name, _time_of(table), has_rowid=True)
    if name == LEVELS_VIEW:
        return Source(name, _LEVELS, f"({levels_sql(scale='')})", "ts_ms", has_rowid=False)
    for plain in PLAIN_TABLES:
        if name == plain_name(plain):
            return Source(name, tuple(_plain_columns(plain)), f"({plain_sql(plain, scale='')})", _time_of(plain), has_rowid=False)
    raise BadInput(f"export: there is no table {name}; there are: {', '.join(source_names())}")


def count_rows(conn: Connection, source: Source, since_ms: int | None, until_ms: int | None) -> int:
    """How many rows of the period there are."""
    where, values = _period(source, since_ms, until_ms)
    return int(conn.exec_driver_sql(f"SELECT count(*) FROM {source.relation}{where}", values).scalar_one())


def read_rows(conn: Connection, source: Source, since_ms: int | None, until_ms: int | None) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of the period in batches: from ``since_ms`` on and before ``until_ms``; None has no bound.

    Rows of a table are in the order in which they were stored, those of a period in the order of their time. Raises BadInput if
    a period is asked of rows without a time.
    """
    where, values = _period(source, since_ms, until_ms)
    order = [source.time] if where else []
    order += ["rowid"] if source.has_rowid else []
    names = ", ".join(f'"{column.name}"' for column in source.columns)
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    result = conn.exec_driver_sql(f"SELECT {names} FROM {source.relation}{where}{ordered}", values)
    while batch := result.fetchmany(_BATCH):
        yield [tuple(row) for row in batch]


def _period(source: Source, since_ms: int | None, until_ms: int | None) -> tuple[str, tuple[int, ...]]:
    asked = [(sign, at) for sign, at in ((">=", since_ms), ("<", until_ms)) if at is not None]
    if not asked:
        return "", ()
    if not source.time:
        raise BadInput(f"export: rows of {source.name} have no time; leave --since and --until out")
    scale = NS_PER_MS if source.time.endswith("_ns") else 1
    conditions = " AND ".join(f"{source.time} {sign} ?" for sign, _ in asked)
    return f" WHERE {conditions}", tuple(at * scale for _, at in asked)


def _time_of(table: Table) -> str:
    return next((name for name in _TIMES if name in table.columns), "")


def _column(column: Any) -> Column:
    return Column(str(column.name), "whole" if isinstance(column.type, Integer) else "text")


def _plain_columns(table: Table) -> Iterator[Column]:
    for column in table.columns:
        if column.name.endswith("_e6"):
            yield Column(str(column.name).removesuffix("_e6"), "amount")
        else:
            yield _column(column)
        if column.name == "ts_ms":
            yield Column("time", "text")


_LEVELS = (
    Column("snapshot_id", "whole"),
    Column("market_id", "text"),
    Column("outcome_id", "text"),
    Column("seq", "whole"),
    Column("ts_ms", "whole"),
    Column("side", "text"),
    Column("level", "whole"),
    Column("price", "amount"),
    Column("size", "amount"),
)
