"""`run_ingestion_session`: every message, with snapshots and pruning on the messages' own time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from pipeline.base.errors import BadInput
from pipeline.store.open import Store, open_store
from polybot.ingestion import OrderbookIngestor, run_ingestion_session

START_MS = 1_780_000_000_000


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store("sqlite:///:memory:") as opened:
        yield opened


def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    with store.connect() as conn:
        return [tuple(row) for row in conn.exec_driver_sql(sql).all()]


async def a_minute() -> AsyncIterator[dict[str, object]]:
    """A snapshot, and a delta each second after it."""
    yield {"type": "snapshot", "seq": 1, "ts_ms": START_MS, "bids": [[0.40, 100.0]], "asks": [[0.47, 100.0]]}
    for number in range(1, 61):
        yield {"type": "delta", "seq": 1 + number, "ts_ms": START_MS + 1_000 * number, "bids": [[0.41, 1]]}


def test_snapshots_are_stored_and_old_events_pruned_as_the_messages_time_goes_on(store):
    done = asyncio.run(
        run_ingestion_session(
            "mkt-1",
            a_minute(),
            OrderbookIngestor(store, "mkt-1"),
            snapshot_interval_ms=20_000,
            prune_interval_ms=30_000,
            retention_ms=10_000,
        )
    )
    assert done == 61
    assert rows(store, "SELECT (ts_ms - 1780000000000) / 1000 FROM orderbook_snapshots ORDER BY id") == [
        (0,),
        (20,),
        (40,),
        (60,),
    ]
    assert rows(store, "SELECT min(seq), max(seq) FROM orderbook_events") == [(51, 61)]
    assert rows(store, "SELECT last_seq, deltas FROM market_status") == [(61, 60)]


def test_intervals_of_0_do_nothing(store):
    ingestor = OrderbookIngestor(store, "mkt-1")
    asyncio.run(run_ingestion_session("mkt-1", a_minute(), ingestor, snapshot_interval_ms=0, prune_interval_ms=0, retention_ms=0))
    assert rows(store, "SELECT count(*) FROM orderbook_snapshots") == [(1,)]
    assert rows(store, "SELECT count(*) FROM orderbook_events") == [(60,)]


def test_an_asynchronous_provider_of_the_session_is_awaited(store):
    async def provide(market_id: str) -> dict[str, object]:
        await asyncio.sleep(0)
        return {"seq": 6, "bids": [["0.40", "50"]], "asks": [["0.47", "100"]]}

    async def late() -> AsyncIterator[str]:
        yield '{"type":"delta","seq":7,"bids":[[0.41,5]]}'

    asyncio.run(run_ingestion_session("mkt-1", late(), OrderbookIngestor(store, "mkt-1"), provide))
    assert rows(store, "SELECT new FROM book_states ORDER BY id DESC LIMIT 1") == [("VERIFIED",)]


def test_an_ingestor_of_another_market_is_refused(store):
    with pytest.raises(BadInput, match="the ingestor is for market mkt-2, not mkt-1"):
        asyncio.run(run_ingestion_session("mkt-1", a_minute(), OrderbookIngestor(store, "mkt-2")))


def test_a_stream_that_breaks_ends_the_run_with_what_came_before(store):
    async def breaking() -> AsyncIterator[str]:
        yield '{"type":"snapshot","seq":1,"bids":[],"asks":[]}'
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        asyncio.run(run_ingestion_session("mkt-1", breaking(), OrderbookIngestor(store, "mkt-1")))
    assert rows(store, "SELECT count(*) FROM orderbook_snapshots") == [(1,)]
    assert rows(store, "SELECT count(*) FROM runs WHERE ended_ns IS NULL") == [(0,)]
