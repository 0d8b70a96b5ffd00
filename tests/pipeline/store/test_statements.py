from typing import Any

import pytest
from sqlalchemy import Connection

from pipeline.store.open import Store
from pipeline.store.schema import orderbook_events
from pipeline.store.statements import ROWS_A_STATEMENT, insert_values

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
