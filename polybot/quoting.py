"""``QuoterRunner``: a quoter on a stream, against the fake relayer, with a database in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from pipeline.base.clock import SystemClock
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS
from pipeline.bus.compose import Tap
from pipeline.bus.stage import Stage
from pipeline.store.open import Store, open_store
from pipeline.strategy.base import Strategy
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.policy import FeedPolicy
from pipeline.trading.risk import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from pipeline.venue.relayer import Relayer
from polybot.composition import Composition, generic_market, new_composition_id
from polybot.ingestion.ingestor import Frame, bytes_of, time_of
from processes.executor import Executor
from processes.gateway import Gateway
from processes.strategy import StrategyEngine


@dataclass(frozen=True)
class Quoted:
    """What a quoter did: counts, and its PnL in millionths of a dollar, *simulated*; None while a position cannot be valued."""

    market_id: str
    messages: int
    orders: int
    fills: int
    pnl_e6: int | None


def traders(quoter: Strategy, session_id: str, relayer: Relayer, settings: Settings) -> tuple[Stage, ...]:
    """The strategy engine and the executor around one quoter."""
    ttl_ns = settings.execution.command_ttl_ms * NS_PER_MS
    policy = FeedPolicy(settings.confidence)
    depth = settings.book.depth
    executor = Executor(relayer, Limits.from_settings(settings.risk, policy), mode="fake", depth=depth)
    return StrategyEngine([quoter], session_id, ttl_ns, policy, depth=depth), executor


def quoting(
    store: Store,
    market_id: str,
    outcome_id: str,
    quoter: Strategy,
    *,
    relayer: Relayer | None = None,
    settings: Settings | None = None,
    source: str = "",
    start_ns: int,
    session_id: str = "",
    tap: Tap | None = None,
) -> Composition:
    """A generic market's stages with a quoter and the fake relayer, in lockstep."""
    settings = settings or Settings()
    session_id = session_id or new_composition_id()
    relayer = relayer or FakeRelayer(settings.execution.fill_ratio)
    return Composition(
        store,
        Gateway(market=market_id, outcome_id=outcome_id, mirror=False),
        markets=[generic_market(market_id, outcome_id)],
        source=source,
        traders=traders(quoter, session_id, relayer, settings),
        session_id=session_id,
        start_ns=start_ns,
        tap=tap,
    )


def quoted(run: Composition, market_id: str) -> Quoted:
    """What a finished run did: its own orders and fills, and its profit with what is held valued at the last mids."""
    engine = next(stage for stage in run.traders if isinstance(stage, Executor))
    total: int | None = 0
    for holding in engine.ledger.portfolio:
        book = run.builder.shelf.find(holding.token_id)
        tops = None if book is None else book.book
        bid, ask = (None, None) if tops is None else (tops.best_bid, tops.best_ask)
        unrealised = holding.unrealised_e6(None if bid is None or ask is None else (bid + ask) // 2)
        total = None if total is None or unrealised is None else total + holding.realised_e6 - holding.fees_e6 + unrealised
    counts = engine.counts()
    return Quoted(market_id, run.gateway.counts()["frames"], counts["submitted"] + counts["refused"], counts["fills"], total)


class QuoterRunner:
    """Run a quoter over an event stream against the fake relayer, with an in-memory database that stays open in ``store``.

    ``quoter`` is any ``pipeline.strategy.base.Strategy``; the spread quoter of the configuration's defaults if none is given.
    ``relayer`` takes the orders; a FakeRelayer that fills half of each if none is given. Time is that of the messages (``ts_ms``), or
    of their receipt where they tell none.

    >>> import asyncio
    >>> from polybot import FakeRelayer, QuoterRunner, SpreadCapture
    >>> from pipeline.base.settings import SpreadCaptureSection
    >>> async def stream():
    ...     yield {"type": "snapshot", "seq": 1, "ts_ms": 1780000000000, "bids": [[0.40, 100.0]], "asks": [[0.47, 100.0]]}
    >>> quoter = SpreadCapture.from_settings(SpreadCaptureSection())
    >>> done = asyncio.run(QuoterRunner("mkt-1", quoter, relayer=FakeRelayer("0.5")).run(stream()))
    >>> done.orders, done.fills
    (2, 2)
    """

    def __init__(
        self,
        market_id: str,
        quoter: Strategy | None = None,
        outcome_id: str = "yes",
        relayer: Relayer | None = None,
    ) -> None:
        self.market_id, self.outcome_id = market_id, outcome_id
        self.quoter = quoter or SpreadCapture.from_settings(Settings().spread_capture)
        self.relayer = relayer or FakeRelayer(Settings().execution.fill_ratio)
        self.store = open_store("sqlite:///:memory:")

    async def run(self, messages: AsyncIterator[Frame]) -> Quoted:
        """Take every message, then cancel what is open. The same messages give the same orders if they tell their ``ts_ms``."""
        clock = SystemClock()
        run: Composition | None = None
        try:
            async for message in messages:
                ts_ns = time_of(message, clock)
                run = run or self._composition(ts_ns)
                run.feed(bytes_of(message), ts_ns)
        finally:
            if run is not None:
                run.finish()
        return Quoted(self.market_id, 0, 0, 0, 0) if run is None else quoted(run, self.market_id)

    def _composition(self, start_ns: int) -> Composition:
        return quoting(
            self.store,
            self.market_id,
            self.outcome_id,
            self.quoter,
            relayer=self.relayer,
            source="quoter",
            start_ns=start_ns,
        )
