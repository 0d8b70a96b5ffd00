"""``run_ingestion_session``: a stream of messages into a database, with periodic snapshots and pruning."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pipeline.base.errors import BadInput
from polybot.ingestion.ingestor import Frame, OrderbookIngestor, SnapshotProvider


async def run_ingestion_session(
    market_id: str,
    messages: AsyncIterator[Frame],
    ingestor: OrderbookIngestor,
    snapshot_provider: SnapshotProvider | None = None,
    snapshot_interval_ms: int = 60_000,
    prune_interval_ms: int = 300_000,
    retention_ms: int = 604_800_000,
) -> int:
    """Process every message, with a snapshot row every ``snapshot_interval_ms`` and event rows kept for ``retention_ms``; how many came.

    The intervals run on the messages' time: their ``ts_ms``, or that of their receipt; 0 does that work never. ``snapshot_provider``
    answers for fresh books and may be asynchronous; give it here or to the ingestor.

    >>> import asyncio
    >>> from polybot import OrderbookIngestor, open_store, run_ingestion_session
    >>> async def stream():
    ...     yield {"type": "snapshot", "seq": 1, "bids": [[0.40, 100.0]], "asks": [[0.47, 100.0]]}
    ...     yield {"type": "delta", "seq": 2, "asks": [[0.46, 5.0]]}
    >>> with open_store("sqlite:///:memory:") as store:
    ...     asyncio.run(run_ingestion_session("mkt-1", stream(), OrderbookIngestor(store, "mkt-1")))
    2
    """
    if ingestor.market_id != market_id:
        raise BadInput(f"the ingestor is for market {ingestor.market_id}, not {market_id}; make one for each market")
    if snapshot_provider is not None:
        ingestor.snapshot_provider = snapshot_provider
    done = 0
    snapshot_ms = prune_ms = None
    try:
        async for message in messages:
            ingestor.process(message)
            await ingestor.settle()
            done += 1
            now_ms = ingestor.now_ms
            snapshot_ms = now_ms if snapshot_ms is None else snapshot_ms
            prune_ms = now_ms if prune_ms is None else prune_ms
            if snapshot_interval_ms and now_ms - snapshot_ms >= snapshot_interval_ms:
                snapshot_ms = now_ms
                ingestor.persist_snapshot_now(now_ms)
            if prune_interval_ms and now_ms - prune_ms >= prune_interval_ms:
                prune_ms = now_ms
                ingestor.prune_events_before(now_ms - retention_ms)
    finally:
        ingestor.close()
    return done
