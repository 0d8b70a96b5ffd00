"""``ServiceRunner``: several markets at once, each quoted on its own stream, in one process and one database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.base.clock import SystemClock
from pipeline.base.errors import PolybotError
from pipeline.base.settings import Settings
from pipeline.store.open import Store, open_store
from pipeline.strategy.spread import SpreadCapture
from polybot.quoting import Quoted, quoted, quoting
from polybot.streaming import generic_feed, run_stream


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
    >>> from polybot import MarketSpec, ServiceRunner
    >>> asyncio.run(ServiceRunner("sqlite:///:memory:").run_markets([MarketSpec("mkt-1", "yes", "ws://127.0.0.1:9")]))[0].quoted is None
    True
    """

    def __init__(self, db_url: str, settings: Settings | None = None) -> None:
        self.db_url = db_url
        self.settings = settings or Settings()

    async def run_markets(self, specs: Sequence[MarketSpec]) -> list[MarketResult]:
        """Run every market until its stream ends; the results in the order of ``specs``. Raises BadInput for an unusable database."""
        with open_store(self.db_url) as store:
            return await asyncio.gather(*(self._run(store, spec) for spec in specs))

    async def _run(self, store: Store, spec: MarketSpec) -> MarketResult:
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
        feed = generic_feed(spec.ws_url, spec.market_id, subscribe=spec.subscribe, max_messages=spec.max_messages)
        error = ""
        frames = 0
        try:
            frames = await run_stream(run.lockstep, feed, spec.max_messages)
        except PolybotError as failure:
            error = str(failure)
        run.finish()
        return MarketResult(spec, None if error else quoted(run, spec.market_id, frames), error)
