import pytest

from pipeline.messages.market import Level
from pipeline.messages.records import BookEvents, BookLevels, FillRecord, LevelEvent
from pipeline.store.buffer import RowBuffer
from pipeline.store.journal import DurableRecord, append_records
from pipeline.store.open import Store
from pipeline.store.views import PLAIN_TABLES, plain_name

MS = 1_700_000_000_123
NS = MS * 1_000_000


def filled(store: Store) -> None:
    buffer = RowBuffer()
    event = LevelEvent(side="bid", price_e6=410_000, size_e6=110_500_000, change_e6=-10_000_000)
    buffer.take(1, BookEvents(ts_ns=NS, token_id="mkt-1/yes", market="mkt-1", seq=3, venue_ns=0, events=(event,)))
    bids, asks = (Level(410_000, 110_500_000), Level(400_000, 1_000_000)), (Level(475_000, 2_000_000),)
    levels = BookLevels(
        ts_ns=NS,
        token_id="mkt-1/yes",
        market="mkt-1",
        seq=3,
        venue_ns=NS,
        bids=bids,
        asks=asks,
        state="VERIFIED",
        cause="periodic",
    )
    buffer.take(1, levels)
    fill = FillRecord(
        ts_ns=NS,
        trade_id="t-1",
        client_order_id="o-1",
        strategy="spread",
        mode="fake",
        token_id="mkt-1/yes",
        market="mkt-1",
        side="BUY",
        price_e6=410_000,
        size_e6=12_340_000,
        notional_e6=5_059_400,
        fee_e6=0,
        liquidity="maker",
        status="matched",
    )
    with store.begin() as conn:
        buffer.write(conn)
        append_records(conn, "executor@1", [DurableRecord(1, 1, fill)])


def test_a_person_sees_dollars_shares_and_times(store: Store) -> None:
    filled(store)
    with store.connect() as conn:
        event = conn.exec_driver_sql(
            "SELECT market_id, outcome_id, seq, time, side, price, size, change FROM orderbook_events_plain"
        ).one()
        assert tuple(event) == ("mkt-1", "yes", 3, "2023-11-14 22:13:20.123", "bid", 0.41, 110.5, -10.0)
        snapshot = conn.exec_driver_sql("SELECT best_bid, best_ask, mid, state FROM orderbook_snapshots_plain").one()
        assert tuple(snapshot) == (0.41, 0.475, 0.4425, "VERIFIED")
        fill = conn.exec_driver_sql("SELECT price, size, notional, fee FROM fills_plain").one()
        assert tuple(fill) == (0.41, 12.34, 5.0594, 0.0)


def test_the_levels_of_a_snapshot_are_rows_with_the_best_first(store: Store) -> None:
    filled(store)
    with store.connect() as conn:
        rows = conn.exec_driver_sql("SELECT side, level, price, size FROM orderbook_levels_plain ORDER BY side, level")
        assert [tuple(row) for row in rows] == [("ask", 1, 0.475, 2.0), ("bid", 1, 0.41, 110.5), ("bid", 2, 0.4, 1.0)]


@pytest.mark.parametrize("name", [plain_name(table) for table in PLAIN_TABLES])
def test_every_plain_view_can_be_read(store: Store, name: str) -> None:
    with store.connect() as conn:
        assert conn.exec_driver_sql(f"SELECT * FROM {name}").all() == []
