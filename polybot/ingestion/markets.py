"""Bring the market catalogue of a database up to date, from a program.

The example reads the catalogue of the offline venue; the real one is at https://gamma-api.polymarket.com.

>>> from pipeline.base.clock import EventClock
>>> from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
>>> from pipeline.fake_venue.server import FakeVenueServer
>>> from polybot import GammaHttpClient, open_store, refresh_markets
>>> with FakeVenueServer(FakeExchange(ExchangePlan(), 0), EventClock()).running() as venue:
...     with open_store("sqlite:///:memory:") as store, GammaHttpClient(venue.url) as client:
...         first, again = refresh_markets(store, client), refresh_markets(store, client)
>>> first > 5, again
(True, 0)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import msgspec

from pipeline.base.clock import Clock, SystemClock
from pipeline.messages.market import Market
from pipeline.messages.records import MarketVersion
from pipeline.store.catalogue import append_version
from pipeline.store.markets import stored_markets
from pipeline.store.open import Store, claim_venue
from pipeline.store.runs import Run, save_run
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
    seen: set[str] = set()
    read = written = 0
    with store.begin() as conn:
        claim_venue(conn, client.venue)
        run = _run(store.draw_run_id(conn), client.base_url, time.now_ns())
        save_run(conn, run)
        open_before = {market.market_id for market in stored_markets(conn) if not market.closed}
        for page in _pages(client, open_before, seen):
            for market in page:
                if market.market_id not in seen:
                    seen.add(market.market_id)
                    now_ns = time.now_ns()
                    version = MarketVersion(ts_ns=now_ns, market=market, valid_from_ns=now_ns, venue=client.venue)
                    written += append_version(conn, run.id, version)
            read += len(page)
            if on_read is not None:
                on_read(read)
        run.ended_ns, run.reason = time.now_ns(), "done"
        run.counts = msgspec.json.encode({"read": read, "written": written, "refused": len(client.refused)}).decode()
        save_run(conn, run)
    return written


def _pages(client: GammaHttpClient, open_before: set[str], seen: set[str]) -> Iterator[list[Market]]:
    """All open markets; then, of those that were open in the database and were not among them, the ones that closed."""
    yield from client.pages_of_markets()
    yield from client.markets_by_id(sorted(open_before - seen), closed=True)


def _run(run_id: int, source: str, now_ns: int) -> Run:
    name = f"{PRODUCER}-{now_ns}"
    return Run(id=run_id, producer=PRODUCER, run=name, started_ns=now_ns, role=PRODUCER, pid=os.getpid(), source=source)
