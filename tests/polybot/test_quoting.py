"""`QuoterRunner`: a quoter on a stream with a database in memory; the same stream gives the same trades."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from pipeline.base.settings import SpreadCaptureSection
from pipeline.strategy.base import Targets, View
from polybot import FakeRelayer, QuoterRunner, SpreadCapture

SNAPSHOT = '{"type":"snapshot","seq":1,"ts_ms":1780000000000,"bids":[[0.40,100.0]],"asks":[[0.47,100.0]]}'
ORDERS = "SELECT market_id, outcome_id, side, price_e6, size_e6, filled_e6, status, ts_ms FROM orders ORDER BY rowid"


async def each(lines: list[str]) -> AsyncIterator[str]:
    for line in lines:
        yield line


def rows(runner: QuoterRunner, sql: str) -> list[tuple[object, ...]]:
    with runner.store.connect() as conn:
        return [tuple(row) for row in conn.exec_driver_sql(sql).all()]


def test_the_same_stream_gives_the_same_orders_and_fills(repository: Path):
    lines = (repository / "recordings" / "sample.jsonl").read_text().splitlines()
    runs = []
    for _ in range(2):
        runner = QuoterRunner("mkt-1")
        done = asyncio.run(runner.run(each(lines)))
        fills = rows(runner, "SELECT side, price_e6, size_e6, ts_ms FROM fills ORDER BY rowid")
        runs.append((done, rows(runner, ORDERS), fills))
    assert runs[0] == runs[1]
    assert runs[0][0].messages == 200
    assert len(runs[0][1]) == runs[0][0].orders > 10
    assert len(runs[0][2]) == runs[0][0].fills > 10


def test_orders_carry_strategy_and_mode_and_none_is_left_open():
    runner = QuoterRunner("mkt-1", SpreadCapture.from_settings(SpreadCaptureSection()), relayer=FakeRelayer("0.25"))
    done = asyncio.run(runner.run(each([SNAPSHOT])))
    assert (done.orders, done.fills) == (2, 2)
    assert rows(runner, "SELECT DISTINCT strategy, mode, status FROM orders") == [("spread_capture", "fake", "cancelled")]
    assert rows(runner, "SELECT size_e6 * 4 FROM fills") == rows(runner, "SELECT size_e6 FROM orders")


def test_a_relayer_that_fills_nothing_leaves_no_profit():
    done = asyncio.run(QuoterRunner("mkt-1", relayer=FakeRelayer("0")).run(each([SNAPSHOT])))
    assert (done.orders, done.fills, done.pnl_e6) == (2, 0, 0)


class Watcher:
    """A strategy of one's own that only looks."""

    name = "watcher"
    min_requote_interval_ns = 0
    min_change_ticks = 1
    max_book_age_ns = 60_000_000_000

    def __init__(self) -> None:
        self.seen: list[int | None] = []

    def refusal(self, view: View) -> str:
        return ""

    def decide(self, view: View) -> Targets:
        self.seen.append(view.book.bids[0].price_e6 if view.book.bids else None)
        return Targets(reason="only looking")


def test_any_strategy_can_be_run():
    watcher = Watcher()
    done = asyncio.run(QuoterRunner("mkt-1", watcher).run(each([SNAPSHOT, '{"type":"delta","seq":2,"bids":[[0.41,1]]}'])))
    assert watcher.seen[-1] == 410_000
    assert done.orders == 0


def test_an_empty_stream_does_nothing():
    done = asyncio.run(QuoterRunner("mkt-1").run(each([])))
    assert (done.messages, done.orders, done.fills, done.pnl_e6) == (0, 0, 0, 0)


def test_a_runner_can_run_again():
    runner = QuoterRunner("mkt-1")
    for _ in range(2):
        assert asyncio.run(runner.run(each([SNAPSHOT]))).orders == 2
    assert rows(runner, "SELECT count(*) FROM orders") == [(4,)]
