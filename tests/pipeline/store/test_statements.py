import pytest

from pipeline.store.open import Store
from pipeline.store.schema import orderbook_events
from pipeline.store.statements import ROWS_A_STATEMENT, insert_rows


@pytest.mark.parametrize("number", [0, 1, ROWS_A_STATEMENT - 1, ROWS_A_STATEMENT, ROWS_A_STATEMENT + 1, 3 * ROWS_A_STATEMENT + 7])
def test_every_row_is_inserted_once_and_in_order(store: Store, number: int) -> None:
    rows = [(1, "mkt-1", "yes", seq, seq * 3, seq * 3_000_000, "bid", 400_000, seq, -seq) for seq in range(number)]
    with store.begin() as conn:
        insert_rows(conn, orderbook_events, rows)
        found = conn.exec_driver_sql(
            "SELECT run_id, market_id, outcome_id, seq, ts_ms, ts_ns, side, price_e6, size_e6, change_e6 "
            "FROM orderbook_events ORDER BY id"
        ).all()
    assert [tuple(row) for row in found] == rows
