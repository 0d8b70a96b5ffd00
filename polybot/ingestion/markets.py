"""Bring the market catalogue of a database up to date, from a program.

.. code-block:: python

    from pipeline.store.open import open_store
    from pipeline.venue.gamma import GammaHttpClient
    from polybot.ingestion.markets import refresh_markets

    with open_store("sqlite:///./polybot.db") as store, GammaHttpClient("https://gamma-api.polymarket.com") as client:
        print(refresh_markets(store, client), "markets are new or changed")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from pipeline.base.clock import Clock, SystemClock
from pipeline.messages.market import Market
from pipeline.messages.records import MarketVersion
from pipeline.store.catalogue import append_version
from pipeline.store.markets import stored_markets
from pipeline.store.open import Store, claim_venue
from pipeline.store.runs import Run, next_run_id, save_run
from pipeline.venue.gamma import GammaHttpClient

PRODUCER = "refresh_markets"


def refresh_markets(
    store: Store, client: GammaHttpClient, *, on_read: Callable[[int], None] | None = None, clock: Clock | None = None
) -> int:
    """Store all open markets of a catalogue, and those that closed since; return how many were written or updated.

    An unchanged market writes nothing. It is one transaction: if the catalogue fails half-way, nothing is written. ``on_read`` is
    called with the number of markets read so far. What the catalogue lists that is not a market is in ``client.refused``.
    Raises CatalogueUnavailable, and WrongDatabase if the database belongs to another venue.
    """
    time = clock or SystemClock()
    read = 0

    def counted(pages: Iterable[list[Market]]) -> Iterable[Market]:
        nonlocal read
        for page in pages:
            yield from page
            read += len(page)
            if on_read is not None:
                on_read(read)

    with store.begin() as conn:
        claim_venue(conn, client.venue)
        run = _begin_run(conn, client, time.now_ns())
        open_before = {market.market_id for market in stored_markets(conn) if not market.closed}
        seen: set[str] = set()
        written = _write(conn, run.id, counted(client.pages_of_markets()), client.venue, time, seen)
        gone = sorted(open_before - seen)
        written += _write(conn, run.id, counted(client.markets_by_id(gone, closed=True)), client.venue, time, seen)
        run.ended_ns, run.reason = time.now_ns(), "done"
        run.counts = f'{{"read":{read},"written":{written},"refused":{len(client.refused)}}}'
        save_run(conn, run)
    return written


def _write(conn: Connection, run_id: int, markets: Iterable[Market], venue: str, clock: Clock, seen: set[str]) -> int:
    """Store markets as they come; how many of them wrote anything."""
    written = 0
    for market in markets:
        if market.market_id not in seen:
            seen.add(market.market_id)
            now_ns = clock.now_ns()
            written += append_version(conn, run_id, MarketVersion(ts_ns=now_ns, market=market, valid_from_ns=now_ns, venue=venue))
    return written


def _begin_run(conn: Connection, client: GammaHttpClient, now_ns: int) -> Run:
    run = Run(
        id=next_run_id(conn),
        producer=PRODUCER,
        run=f"{PRODUCER}-{now_ns}",
        started_ns=now_ns,
        role=PRODUCER,
        pid=os.getpid(),
        source=client.base_url,
    )
    save_run(conn, run)
    return run
