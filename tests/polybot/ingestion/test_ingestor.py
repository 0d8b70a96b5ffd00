"""`OrderbookIngestor`: one market's books, message by message, each committed when `process` returns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from pipeline.base.units import NS_PER_MS
from pipeline.store.open import Store, open_store
from polybot.ingestion import OrderbookIngestor

SNAPSHOT = {"type": "snapshot", "seq": 1, "bids": [[0.40, 100.0]], "asks": [[0.47, 100.0]]}
GAP = {"type": "delta", "seq": 9, "bids": [[0.41, 10.0]]}


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store("sqlite:///:memory:") as opened:
        yield opened


def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    with store.connect() as conn:
        return [tuple(row) for row in conn.exec_driver_sql(sql).all()]


def delta(seq: int, price: float = 0.41, change: float = 10.0, **more: object) -> dict[str, object]:
    return {"type": "delta", "seq": seq, "bids": [[price, change]], **more}


def test_objects_texts_and_bytes_are_the_same_to_it(store):
    ingestor = OrderbookIngestor(store, "mkt-1")
    ingestor.process(SNAPSHOT, ts_ms=1_000)
    ingestor.process('{"type":"delta","seq":2,"bids":[[0.41,10.0]]}', ts_ms=1_001)
    ingestor.process(b'{"type":"delta","seq":3,"bids":[["0.41","-10"]]}', ts_ms=1_002)
    assert rows(store, "SELECT seq, price_e6, size_e6, change_e6 FROM orderbook_events ORDER BY id") == [
        (2, 410_000, 10_000_000, 10_000_000),
        (3, 410_000, 0, -10_000_000),
    ]


def test_a_row_has_the_time_that_was_given_else_the_messages_own(store):
    ingestor = OrderbookIngestor(store, "mkt-1")
    ingestor.process(SNAPSHOT | {"ts_ms": 1_780_000_000_000})
    ingestor.process(delta(2, ts_ms=1_780_000_000_500))
    ingestor.process(delta(3), ts_ms=1_780_000_001_000)
    assert ingestor.now_ms == 1_780_000_001_000
    assert rows(store, "SELECT ts_ms, ts_ns FROM orderbook_events ORDER BY id") == [
        (ts_ms, ts_ms * NS_PER_MS) for ts_ms in (1_780_000_000_500, 1_780_000_001_000)
    ]


def test_what_cannot_be_understood_is_counted_and_changes_nothing(store):
    ingestor = OrderbookIngestor(store, "mkt-1")
    ingestor.process(SNAPSHOT, ts_ms=1_000)
    for bad in ("{", '{"type":"delta"}', '{"type":"delta","seq":2,"bids":[[2,1]]}'):
        ingestor.process(bad, ts_ms=1_001)
    assert ingestor.counts()["bad_frames"] == 2
    assert ingestor.counts()["invalid"] == 1
    assert rows(store, "SELECT count(*) FROM orderbook_events") == [(0,)]


def test_a_snapshot_row_can_be_asked_for_at_any_time(store):
    ingestor = OrderbookIngestor(store, "mkt-1")
    ingestor.process(SNAPSHOT, ts_ms=1_000)
    ingestor.process(delta(2), ts_ms=2_000)
    ingestor.persist_snapshot_now(3_000)
    assert rows(store, "SELECT seq, ts_ms, best_bid_e6, best_ask_e6 FROM orderbook_snapshots ORDER BY id") == [
        (1, 1_000, 400_000, 470_000),
        (2, 3_000, 410_000, 470_000),
    ]


def test_a_snapshot_asked_for_before_anything_came_stores_none(store):
    OrderbookIngestor(store, "mkt-1").persist_snapshot_now(1_000)
    assert rows(store, "SELECT count(*) FROM orderbook_snapshots") == [(0,)]


def test_old_events_are_pruned_and_counted(store):
    ingestor = OrderbookIngestor(store, "mkt-1")
    ingestor.process(SNAPSHOT, ts_ms=1_000)
    for seq in range(2, 12):
        ingestor.process(delta(seq), ts_ms=1_000 * seq)
    assert ingestor.prune_events_before(6_000) == 4
    assert rows(store, "SELECT min(ts_ms), count(*) FROM orderbook_events") == [(6_000, 6)]
    assert ingestor.prune_events_before(6_000) == 0


def test_a_provider_heals_a_first_delta_and_a_gap(store):
    asked: list[str] = []

    def provide(market_id: str) -> dict[str, object]:
        asked.append(market_id)
        return {"seq": 8, "bids": [["0.40", "50"]], "asks": [["0.47", "100"]]}

    ingestor = OrderbookIngestor(store, "mkt-1", snapshot_provider=provide)
    ingestor.process(GAP, ts_ms=1_000)
    assert asked == ["mkt-1"]
    assert ingestor.counts()["resync_first_delta"] == 1
    assert rows(store, "SELECT new FROM book_states ORDER BY id DESC LIMIT 1") == [("VERIFIED",)]
    assert rows(store, "SELECT seq, size_e6 FROM orderbook_events") == [(9, 10_000_000)]


def test_a_provider_without_a_snapshot_leaves_the_market_waiting(store):
    ingestor = OrderbookIngestor(store, "mkt-1", snapshot_provider=lambda market_id: None)
    ingestor.process(GAP, ts_ms=1_000)
    assert ingestor.counts()["books_failed"] == 1
    assert rows(store, "SELECT count(*) FROM orderbook_snapshots") == [(0,)]


def test_a_provider_may_be_asynchronous(store):
    async def provide(market_id: str) -> dict[str, object]:
        await asyncio.sleep(0)
        return {"seq": 8, "bids": [["0.40", "50"]], "asks": [["0.47", "100"]]}

    async def session() -> None:
        ingestor = OrderbookIngestor(store, "mkt-1", snapshot_provider=provide)
        ingestor.process(GAP, ts_ms=1_000)
        await ingestor.settle()
        ingestor.close()

    asyncio.run(session())
    assert rows(store, "SELECT seq, size_e6 FROM orderbook_events") == [(9, 10_000_000)]


def test_several_ingestors_share_a_store_and_each_has_runs_of_its_own(store):
    first, second = (OrderbookIngestor(store, market_id) for market_id in ("mkt-1", "mkt-2"))
    for ingestor in (first, second):
        ingestor.process(SNAPSHOT, ts_ms=1_000)
    for ingestor in (second, first):
        ingestor.process(delta(2), ts_ms=1_001)
        ingestor.close()
    assert rows(store, "SELECT market_id, count(*), count(DISTINCT run_id) FROM orderbook_events GROUP BY 1") == [
        ("mkt-1", 1, 1),
        ("mkt-2", 1, 1),
    ]
    assert rows(store, "SELECT count(*), count(DISTINCT session), count(*) FILTER (WHERE ended_ns IS NULL) FROM runs") == [
        (8, 2, 0)
    ]


def test_after_close_another_run_begins(store):
    ingestor = OrderbookIngestor(store, "mkt-1")
    for _ in range(2):
        ingestor.process(SNAPSHOT, ts_ms=1_000)
        ingestor.close()
    assert rows(store, "SELECT count(*), count(DISTINCT run_id) FROM orderbook_snapshots") == [(2, 2)]
    assert ingestor.counts() == {}
