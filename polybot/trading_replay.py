"""A recorded file traded over: the live stages in lockstep, with strategies and a relayer, into a database."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import BadInput
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Arrival
from pipeline.messages import Message
from pipeline.messages.edges import RawFrame
from pipeline.messages.market import Market
from pipeline.messages.orders import Mode, PlanEnded
from pipeline.messages.records import Opportunity
from pipeline.recording.playback import Playback
from pipeline.recording.source import FrameSource, open_frames
from pipeline.store.open import open_store
from pipeline.strategy.base import Strategy
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.trading.limits import Limits
from pipeline.trading.policy import FeedPolicy
from pipeline.venue.relayers import relayer_of
from polybot.composition import Composition, generic_market, new_composition_id
from polybot.quoting import Quoted, quoted
from processes.executor import Executor
from processes.gateway import Gateway
from processes.strategy import StrategyEngine

ALL_MARKETS = "all"
LAST_ANSWERS_MS = 1_000
"""How much longer than its own deadlines a plan that the end of a recording met is waited for."""


@dataclass
class Seen:
    """What the strategies said while a file was traded over."""

    opportunities: list[Opportunity] = field(default_factory=list)
    ends: dict[str, PlanEnded] = field(default_factory=dict)

    def take(self, arrival: Arrival) -> None:
        """Every message of every stream."""
        msg: Message = arrival.message
        if isinstance(msg, Opportunity):
            self.opportunities.append(msg)
        elif isinstance(msg, PlanEnded):
            self.ends[msg.decision.plan_id] = msg

    @property
    def outcomes(self) -> dict[str, int]:
        """How many plans ended in which state."""
        return dict(Counter(end.outcome for end in self.ends.values()))


@dataclass(frozen=True)
class Traded:
    """What came of it. ``quoted`` counts messages, orders and fills, with the profit at the last mids, simulated."""

    path: Path
    mode: Mode
    markets: tuple[Market, ...]
    quoted: Quoted
    seen: Seen


def trade_file(
    path: Path,
    markets_of: Callable[[FrameSource], Sequence[Market]],
    db_url: str,
    settings: Settings,
    *,
    strategies: Sequence[Strategy] = (),
    dutch_book: DutchRules | None = None,
    market: str = "",
    outcome_id: str = "yes",
    shown: Callable[[int], None] = lambda done: None,
) -> Traded:
    """Trade over ``path`` in the markets that ``markets_of`` chooses from it. Raises BadInput for what cannot be played.

    ``market`` and ``outcome_id`` are meant where a generic line names none. Orders, fills, audits and opportunities go to the database;
    the fills of a relayer that matches against the books are of mode ``replay``.
    """
    source = open_frames(path, market=market or path.stem, start_ns=time.time_ns())
    markets = tuple(markets_of(source))
    relayer, told_mode = relayer_of(settings)
    mode: Mode = "fake" if told_mode == "fake" else "replay"
    policy = FeedPolicy(settings.confidence)
    session_id, seen = new_composition_id(), Seen()
    ttl_ns, depth = settings.execution.command_ttl_ms * NS_PER_MS, settings.book.depth
    engine = StrategyEngine(strategies, session_id, ttl_ns, policy, dutch_book, depth=depth)
    executor = Executor(relayer, Limits.of(settings), mode, depth=depth)
    # On a recording of the venue only what is followed is about tokens that are traded; a generic one is about one market.
    gateway = Gateway(
        market=market if source.venue == "generic" else "", outcome_id=outcome_id, mirror=False, strict=source.strict
    )
    playback = Playback(source.messages(), shown=shown)
    with open_store(db_url) as store:
        run = Composition(
            store,
            gateway,
            markets=markets,
            venue=source.venue or "generic",
            source=str(path),
            edges=[playback],
            traders=(engine, executor),
            start_ns=playback.next_ns() or 0,
            session_id=session_id,
            tap=seen.take,
        )
        run.lockstep.run(until=lambda: gateway.ended)
        if engine.dutch is not None and engine.dutch.is_busy:
            # The recording is over, and a plan is not: its answers come, on the books as they are.
            limit_ms = settings.dutch_book.deadline_ms + settings.dutch_book.unwind_ms + LAST_ANSWERS_MS
            run.pass_time(run.lockstep.clock.now_ns() + limit_ms * NS_PER_MS)
        counts = gateway.counts()
        run.finish()
        if not counts["messages"]:
            raise BadInput(f"{path}: no line is about market {market or ALL_MARKETS}; check the MARKET_ID")
        return Traded(path, mode, markets, quoted(run, market), seen)


def chosen_market(source: FrameSource, market_id: str, outcome_id: str) -> Market:
    """The market to quote. Raises BadInput if the file does not know it, or not this outcome."""
    if source.venue == "generic":
        return generic_market(market_id, outcome_id)
    found = next((each for each in source.markets if market_id in (each.market_id, each.slug)), None)
    if found is None:
        raise BadInput(f"{source.path}: has no market {market_id}; {_known(source)}")
    words = {word for outcome in found.outcomes for word in (outcome.token_id, outcome.name, outcome.name.lower())}
    if outcome_id not in words:
        names = ", ".join(outcome.name for outcome in found.outcomes)
        raise BadInput(f"market {market_id} has no outcome {outcome_id}; it has {names}, or give a token id")
    return found


def chosen_set(source: FrameSource, market_id: str) -> tuple[Market, ...]:
    """The markets among which to look for sets: all, those of an event, or the outcomes of one generic market. Raises BadInput."""
    if source.venue == "generic":
        if market_id == ALL_MARKETS:
            raise BadInput(f"{source.path}: lines of the generic stream need a MARKET_ID of their own, not {ALL_MARKETS}")
        return (generic_market(market_id, *_outcomes_in(source, market_id)),)
    if market_id == ALL_MARKETS:
        return source.markets
    named = next((each for each in source.markets if market_id in (each.market_id, each.slug)), None)
    event_id = named.event_id if named is not None else market_id
    found = tuple(each for each in source.markets if event_id and event_id in (each.event_id, each.event_slug))
    if not found:
        raise BadInput(f"{source.path}: has no market or event {market_id}; {_known(source)}")
    return found


def _known(source: FrameSource) -> str:
    if not source.markets:
        return "it names no markets; give a recording with markets.json, or lines of the generic stream"
    return f"it has {', '.join(each.slug or each.market_id for each in source.markets[:4])}"


class _Words(msgspec.Struct, gc=False):
    """What a generic line says of whom it is about."""

    market: Any = None
    outcome_id: Any = None
    data: Any = None


_words = msgspec.json.Decoder(_Words)


def _outcomes_in(source: FrameSource, market_id: str) -> list[str]:
    """The outcomes of a market that the lines of a generic file name, in their order; ``yes`` for lines that name none."""
    found: dict[str, None] = {}
    for msg in source.messages():
        if not isinstance(msg, RawFrame):
            continue
        try:
            line = _words.decode(msg.data)
        except msgspec.DecodeError:
            continue  # the replay itself says where it is and what is wrong with it
        inner = line.data if isinstance(line.data, dict) else {}
        market, outcome = line.market or inner.get("market"), line.outcome_id or inner.get("outcome_id")
        if market in (None, market_id):
            found.setdefault(str(outcome or "yes"))
    return list(found)
