"""One backtest: an input through gateway, book builder, strategy engine and executor in lockstep, on paper, with nothing written.

These are the classes that run live, on the transport that has no sockets; there is no second engine. Time is the recording's. Books are
checked for their age as often as live, and equity is noted once a second of the recording's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.base.clock import EventClock
from pipeline.base.errors import BadFrame, BadInput
from pipeline.base.log import set_up_logging_once
from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import StagePlan
from pipeline.bus.topology import SCHEDULER, WRITER
from pipeline.messages import Message
from pipeline.messages.control import JobDue
from pipeline.messages.edges import RawFrame
from pipeline.messages.market import MarketUniverse
from pipeline.recording.playback import Playback
from pipeline.trading.limits import Limits
from pipeline.trading.policy import FeedPolicy, allowed_states
from pipeline.trading.rate_limits import RateLimits
from pipeline.venue.decode import FrameDecoder
from pipeline.venue.generic import GenericRules
from pipeline.venue.paper_relayer import PaperRelayer
from polybot.backtest.collector import Collector
from polybot.backtest.equity import Sampler
from polybot.backtest.figures import finished
from polybot.backtest.plan import RunPlan, strategy_of
from polybot.backtest.result import RunResult
from polybot.backtest.source import Input
from processes.book_builder import BookBuilder
from processes.executor import Executor
from processes.gateway import Gateway
from processes.strategy import StrategyEngine

SESSION = "backtest"
SAMPLE_NS = NS_PER_S
LAST_ANSWERS_MS = 1_000
"""How much longer than its own deadlines a plan that the end of a recording met is waited for."""
Shown = Callable[[int], None]


@dataclass
class Stages:
    """The stages of one run, and what keeps what they say."""

    gateway: Gateway
    builder: BookBuilder
    engine: StrategyEngine
    executor: Executor
    collector: Collector
    playback: Playback
    lockstep: Lockstep


def backtest(plan: RunPlan, shown: Shown = lambda done: None, loaded: Sequence[Message] | None = None) -> RunResult:
    """Play one run from beginning to end; ``loaded`` is what ``plan.given`` holds, if it was read before (``decoded``).

    Raises BadInput for what cannot be played.
    """
    set_up_logging_once()
    began = time.perf_counter()
    window = _Window(plan.from_ns, plan.to_ns)
    stages = _stages(plan, window, shown, loaded)
    sampler = Sampler(stages.executor, stages.collector)
    _play(stages, plan, window, sampler)
    if not stages.gateway.counts()["messages"]:
        raise BadInput(f"{plan.given.source}: no line of it is about the markets to trade; check --market")
    if not stages.collector.opened:
        raise BadInput(f"{plan.given.source}: has nothing between --from and --to; it ends before")
    result = finished(plan, stages.collector, sampler, stages.executor, stages.builder.counts(), (window.start_ns, window.end_ns))
    result.played.messages = stages.playback.played - 1
    result.seconds = time.perf_counter() - began
    return result


def decoded(given: Input) -> list[Message]:
    """All that an input holds, with its frames decoded as the gateway decodes them. Raises BadInput for a frame that it would refuse."""
    decoder = FrameDecoder(GenericRules(_only(given), given.outcome), only_market=_only(given))
    found: list[Message] = []
    for msg in given.messages():
        if type(msg) is not RawFrame:
            found.append(msg)
            continue
        try:
            found += decoder.decode(msg.data, msg.ts_ns)
        except BadFrame as error:
            raise BadInput(f"{msg.where or given.source}: {error}") from None
    return found


def _stages(plan: RunPlan, window: _Window, shown: Shown, loaded: Sequence[Message] | None) -> Stages:
    settings, given = plan.settings, plan.given
    policy = FeedPolicy(settings.confidence)
    strategies, dutch_book = strategy_of(settings, plan.strategy)
    ttl_ns = settings.execution.command_ttl_ms * NS_PER_MS
    relayer = PaperRelayer.from_settings(settings.paper, allowed_states("replay", policy))
    collector = Collector(SESSION, {market.market_id: market.token_ids for market in given.markets})
    relayer.on_rest = collector.on_rest
    gateway = Gateway(market=_only(given), outcome_id=given.outcome, mirror=False, strict=given.strict)
    builder = BookBuilder(
        depth=settings.book.depth,
        batch_close_ms=settings.book.batch_close_ms,
        resync=given.answers,
        staleness_ms=settings.ingestion.staleness_ms,
        resyncs_per_minute=settings.book.resyncs_per_minute,
        rows=False,
    )
    engine = StrategyEngine(strategies, SESSION, ttl_ns, policy, dutch_book, depth=settings.book.depth)
    executor = Executor(
        relayer,
        Limits.of(settings),
        "replay",
        rates=RateLimits.from_settings(settings.rate_limits),
        batch_wait_ns=settings.execution.batch_wait_ms * NS_PER_MS,
        books_wait_ns=settings.execution.books_wait_ms * NS_PER_MS,
        depth=settings.book.depth,
    )
    playback = Playback(window.cut(given.messages() if loaded is None else loaded), shown=shown)
    lockstep = Lockstep(
        [StagePlan(gateway, [playback]), builder, engine, executor, collector],
        EventClock(playback.next_ns() or 0),
        session_id=SESSION,
        source=given.source,
    )
    return Stages(gateway, builder, engine, executor, collector, playback, lockstep)


def _only(given: Input) -> str:
    """The market that is played of generic lines; "" for all."""
    return given.word if given.kind == "generic" else ""


class _Window:
    """The time traded in. What comes before ``from_ns`` is played, so that books are there, and nothing is traded on it."""

    def __init__(self, from_ns: int, to_ns: int) -> None:
        self.from_ns, self.to_ns = from_ns, to_ns
        self.start_ns = self.end_ns = 0

    def cut(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The messages up to the end of the window."""
        to_ns = self.to_ns
        for msg in messages:
            if to_ns and msg.ts_ns > to_ns:
                return
            if msg.ts_ns > self.end_ns:
                self.end_ns = msg.ts_ns
            yield msg


def _play(stages: Stages, plan: RunPlan, window: _Window, sampler: Sampler) -> None:
    """Play to the end, a second of the recording's time after the other; silences are skipped once nothing can change in them."""
    lockstep, gateway, playback = stages.lockstep, stages.gateway, stages.playback
    settings = plan.settings
    lockstep.start()
    now_ns = lockstep.clock.now_ns()
    universe = MarketUniverse(ts_ns=now_ns, markets=plan.given.markets, source=plan.given.source, version=1)
    lockstep.inject(SCHEDULER, universe)
    check_ns = settings.ingestion.staleness_interval_ms * NS_PER_MS
    silent_after_ns = settings.ingestion.staleness_ms * NS_PER_MS + 2 * max(check_ns, SAMPLE_NS)
    due_ns, check_due_ns, quiet_ns = now_ns, now_ns + check_ns, 0
    while True:
        if not stages.collector.opened and due_ns >= window.from_ns:
            window.start_ns = due_ns
            lockstep.inject(WRITER, stages.collector.open(due_ns))
        lockstep.run(until=lambda: gateway.ended, to_ns=due_ns)
        if gateway.ended:
            break
        if check_ns and due_ns >= check_due_ns:
            lockstep.inject(SCHEDULER, JobDue(ts_ns=due_ns, job="staleness"))
            lockstep.run(to_ns=due_ns)
            check_due_ns += check_ns
        if stages.collector.opened:
            sampler.sample(due_ns)
        next_ns = playback.next_ns() or due_ns
        quiet_ns = quiet_ns + SAMPLE_NS if next_ns > due_ns + SAMPLE_NS else 0
        due_ns += SAMPLE_NS
        if quiet_ns > silent_after_ns:
            due_ns += max(0, (next_ns - due_ns) // SAMPLE_NS) * SAMPLE_NS
            check_due_ns = max(check_due_ns, due_ns)
    if stages.engine.dutch is not None and stages.engine.dutch.is_busy:
        # The recording is over, and a plan is not: its answers come, on the books as they are.
        limit_ms = settings.dutch_book.deadline_ms + settings.dutch_book.unwind_ms + LAST_ANSWERS_MS
        lockstep.run(to_ns=lockstep.clock.now_ns() + limit_ms * NS_PER_MS)
    window.end_ns = max(window.end_ns, window.start_ns)
    if stages.collector.opened:
        sampler.sample(max(lockstep.clock.now_ns(), window.end_ns), last=True)
    lockstep.stop()
