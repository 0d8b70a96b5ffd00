from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite

from pipeline.store.open import Store
from pipeline.store.schema import metadata, orderbook_events
from pipeline.store.statements import (
    ROWS_A_STATEMENT,
    columns,
    insert_missing_sql,
    insert_sql,
    insert_values,
    names_of,
    upsert_sql,
)

DIALECT = sqlite.dialect()
TABLES = list(metadata.tables.values())
NUMBERS = [0, 1, ROWS_A_STATEMENT - 1, ROWS_A_STATEMENT, ROWS_A_STATEMENT + 1, 3 * ROWS_A_STATEMENT + 7]


def own_rows(number: int) -> list[tuple[Any, ...]]:
    return [(seq, seq * 3, seq * 3_000_000, "bid", 400_000, seq, -seq) for seq in range(number)]


def stored(conn: Connection) -> list[tuple[Any, ...]]:
    found = conn.exec_driver_sql(
        "SELECT run_id, market_id, outcome_id, seq, ts_ms, ts_ns, side, price_e6, size_e6, change_e6 FROM orderbook_events ORDER BY id"
    )
    return [tuple(row) for row in found]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_row_is_inserted_once_and_in_order(store: Store, number: int) -> None:
    rows = [(1, "mkt-1", "yes", *own) for own in own_rows(number)]
    with store.begin() as conn:
        insert_values(conn, orderbook_events, [value for row in rows for value in row])
        assert stored(conn) == rows


@pytest.mark.parametrize("number", NUMBERS)
def test_what_all_rows_share_is_in_each_of_them(store: Store, number: int) -> None:
    with store.begin() as conn:
        insert_values(conn, orderbook_events, [value for row in own_rows(number) for value in row], (1, "mkt-1", "yes"))
        assert stored(conn) == [(1, "mkt-1", "yes", *own) for own in own_rows(number)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("names", [columns, names_of])
def test_a_statement_is_what_core_compiles(table: Table, names: Callable[[Table], tuple[str, ...]]) -> None:
    chosen = names(table)
    key, keep = chosen[:1], chosen[-1:]
    plain, special = table.insert(), sqlite.insert(table)
    replaced = {name: special.excluded[name] for name in chosen if name not in (*key, *keep)}
    for ours, core in (
        (insert_sql(table, chosen), plain),
        (insert_missing_sql(table, chosen), special.on_conflict_do_nothing()),
        *([(upsert_sql(table, chosen, key, keep), special.on_conflict_do_update(list(key), set_=replaced))] if replaced else []),
    ):
        assert ours == str(core.compile(dialect=DIALECT, column_keys=list(chosen)))
