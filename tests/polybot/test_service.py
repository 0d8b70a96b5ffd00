"""`ServiceRunner`: several markets at once in one database, each with its own stream, its own runs and its own end."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from pipeline.base.errors import BadInput
from pipeline.fake_venue.mock_ws import MockStream, read_lines
from polybot import MarketSpec, ServiceRunner

SNAPSHOT = '{"type":"snapshot","seq":1,"bids":[[0.40,100.0]],"asks":[[0.47,100.0]]}'


def test_markets_are_quoted_side_by_side_and_their_rows_do_not_mix(db, repository: Path):
    lines = read_lines(repository / "recordings" / "sample.jsonl")
    names = ["mkt-1", "mkt-2", "mkt-3"]
    with ExitStack() as streams:
        urls = [streams.enter_context(MockStream(lines).running()).url for _ in names]
        specs = [MarketSpec(name, "yes", url) for name, url in zip(names, urls, strict=True)]
        results = asyncio.run(ServiceRunner(db.url).run_markets(specs))
    assert [(result.spec.market_id, result.error) for result in results] == [(name, "") for name in names]
    assert all(result.quoted is not None and result.quoted.messages == 200 for result in results)
    assert db.rows("SELECT market_id, count(DISTINCT run_id), count(*) FROM orderbook_events GROUP BY 1") == [
        (name, 1, 286) for name in names
    ]
    assert db.rows("SELECT market_id FROM orders GROUP BY 1 ORDER BY 1") == [(name,) for name in names]
    assert db.rows("SELECT count(*), count(DISTINCT session), count(*) FILTER (WHERE ended_ns IS NULL) FROM runs") == [(18, 3, 0)]
    assert db.one("SELECT count(*) FROM orders JOIN runs ON runs.id = orders.run_id WHERE runs.role != 'executor'") == 0


def test_a_market_that_fails_does_not_stop_the_others(db):
    with MockStream([SNAPSHOT]).running() as stream:
        specs = [
            MarketSpec("gone", "yes", "ws://127.0.0.1:1"),
            MarketSpec("good", "yes", stream.url),
            MarketSpec("odd", "yes", "http://127.0.0.1"),
        ]
        gone, good, odd = asyncio.run(ServiceRunner(db.url).run_markets(specs))
    assert (gone.quoted, odd.quoted) == (None, None)
    assert gone.error.startswith("ws://127.0.0.1:1: cannot connect")
    assert odd.error.startswith("http://127.0.0.1: not a websocket address")
    assert good.error == "" and good.quoted is not None and good.quoted.orders == 2


def test_a_market_takes_no_more_messages_than_its_spec_says(db, repository: Path):
    with MockStream(read_lines(repository / "recordings" / "sample.jsonl")).running() as stream:
        spec = MarketSpec("mkt-1", "yes", stream.url, subscribe=False, max_messages=20)
        (result,) = asyncio.run(ServiceRunner(db.url).run_markets([spec]))
    assert result.quoted is not None and result.quoted.messages == 20
    assert db.one("SELECT last_seq FROM market_status") == 20


def test_a_market_given_twice_and_an_unusable_database_are_refused(db):
    spec = MarketSpec("mkt-1", "yes", "ws://127.0.0.1:1")
    with pytest.raises(BadInput, match="mkt-1 is given twice"):
        asyncio.run(ServiceRunner(db.url).run_markets([spec, spec]))
    assert not db.path.exists()
    with pytest.raises(BadInput, match="PostgreSQL"):
        asyncio.run(ServiceRunner("postgresql://h/d").run_markets([spec]))


def test_no_markets_are_no_results(db):
    assert asyncio.run(ServiceRunner(db.url).run_markets([])) == []


def test_it_can_be_stopped_and_what_came_is_kept(db):
    async def cancelled(url: str) -> None:
        committed = asyncio.Event()
        event.listen(Engine, "commit", told := lambda _: committed.set())
        running = asyncio.ensure_future(ServiceRunner(db.url).run_markets([MarketSpec("mkt-1", "yes", url)]))
        try:
            async with asyncio.timeout(20):
                while not (db.path.exists() and has_rows(db)):
                    await committed.wait()
                    committed.clear()
        finally:
            event.remove(Engine, "commit", told)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with MockStream([SNAPSHOT, SNAPSHOT], interval_ms=30_000).running() as slow:
        asyncio.run(cancelled(slow.url))
    assert db.one("SELECT count(*) FROM runs WHERE ended_ns IS NULL") == 0
    assert db.one("SELECT count(*) FROM orders WHERE status NOT IN ('cancelled', 'filled', 'matched')") == 0


def has_rows(db) -> bool:
    tables = db.rows("SELECT name FROM sqlite_master WHERE name = 'orderbook_snapshots'")
    return bool(tables) and db.one("SELECT count(*) FROM orderbook_snapshots") == 1
