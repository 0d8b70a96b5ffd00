"""``ServiceRunner``: several markets at once, each quoted on its own stream, in one process and one database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.base.clock import SystemClock
from pipeline.base.errors import BadInput, PolybotError
from pipeline.base.settings import Settings
from pipeline.store.open import Store, open_store
from pipeline.strategy.spread import SpreadCapture
from polybot.quoting import Quoted, quoted, quoting
from polybot.streaming import checked_ws_url, generic_feed, run_stream


@dataclass(frozen=True)
class MarketSpec:
    """One market to run: its ids, where its stream is, whether to ask for it, and how many messages to take (None: until it ends)."""

    market_id: str
    outcome_yes_id: str
    ws_url: str
    subscribe: bool = True
    max_messages: int | None = None


@dataclass(frozen=True)
class MarketResult:
    """How one market's run ended: what it did, or the error that ended it."""

    spec: MarketSpec
    quoted: Quoted | None
    error: str = ""


class ServiceRunner:
    """Quote several markets concurrently against the fake relayer. One market that fails does not stop the others.

    Every market has stages of its own, in lockstep; they share the database and its one writer's lock.

    >>> import asyncio
    >>> from pipeline.fake_venue.mock_ws import MockStream
    >>> from polybot import MarketSpec, ServiceRunner
    >>> lines = ['{"type":"snapshot","seq":1,"bids":[[0.40,100.0]],"asks":[[0.47,100.0]]}']
    >>> with MockStream(lines).running() as stream:
    ...     specs = [MarketSpec("mkt-1", "yes", stream.url), MarketSpec("mkt-2", "yes", "ws://nobody.invalid")]
    ...     results = asyncio.run(ServiceRunner("sqlite:///:memory:").run_markets(specs))
    >>> results[0].quoted.orders, results[0].error
    (2, '')
    >>> results[1].quoted, results[1].error.split(":")[0]
    (None, 'ws')
    """

    def __init__(self, db_url: str, settings: Settings | None = None) -> None:
        self.db_url = db_url
        self.settings = settings or Settings()

    async def run_markets(self, specs: Sequence[MarketSpec]) -> list[MarketResult]:
        """Run every market until its stream ends; the results in the order of ``specs``.

        Raises BadInput for a database that cannot be used, or a market that is given twice.
        """
        names = [spec.market_id for spec in specs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise BadInput(f"market {twice} is given twice; give each market once")
        with open_store(self.db_url) as store:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._run(store, spec)) for spec in specs]
            return [task.result() for task in tasks]

    async def _run(self, store: Store, spec: MarketSpec) -> MarketResult:
        try:
            checked_ws_url(spec.ws_url)
        except BadInput as failure:
            return MarketResult(spec, None, str(failure))
        quoter = SpreadCapture.from_settings(self.settings.spread_capture)
        run = quoting(
            store,
            spec.market_id,
            spec.outcome_yes_id,
            quoter,
            settings=self.settings,
            source=spec.ws_url,
            start_ns=SystemClock().now_ns(),
        )
        feed = generic_feed(
            spec.ws_url, spec.market_id, subscribe=spec.subscribe, max_messages=spec.max_messages, settings=self.settings.venue
        )
        error = ""
        try:
            await run_stream(run.lockstep, feed, spec.max_messages)
        except PolybotError as failure:
            error = str(failure)
        finally:
            run.finish()
        return MarketResult(spec, None if error else quoted(run, spec.market_id), error)
