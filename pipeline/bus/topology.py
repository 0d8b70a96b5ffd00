"""The one table of who sends what to whom. Nothing else names streams, endpoints, peers, limits or policies.

The one that is alone binds; the ones that are many connect. On an XPUB/SUB stream the binder speaks and the connected listen;
on a PUSH/PULL stream the connected speak and the binder listens. The topic of a message is ``<stream>.<key>``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.messages import Message
from pipeline.messages.control import BookWanted, Committed, Heartbeat, JobDue, WriterState
from pipeline.messages.market import (
    BadFeedFrame,
    BestBidAsk,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    MarketResolved,
    MarketUniverse,
    NewMarket,
    TickSizeChange,
    TradePrint,
    VenueBook,
    VenuePriceChange,
    VenueTrade,
)
from pipeline.messages.orders import (
    CancelAll,
    CancelEverything,
    CancelOrder,
    ConvertSet,
    ExecSnapshot,
    Fill,
    Halt,
    MergePair,
    OrderUpdate,
    PlaceOrder,
    PlanEnded,
    Resume,
    StrategyAlive,
    TradingHalted,
    TradingResumed,
)
from pipeline.messages.records import (
    AuditRecord,
    BookEvents,
    BookLevels,
    BookStateChanged,
    FeedGap,
    FillRecord,
    HaltRecord,
    HashChecks,
    MarketStatus,
    MarketVersion,
    Markout,
    Opportunity,
    OrderIntent,
    OrderRecord,
    PortfolioRow,
    RewardEstimate,
    RunEnded,
    RunStarted,
)

Kind = Literal["pubsub", "pushpull"]
WhenFull = Literal["supersede", "resync", "count", "journal", "raise", "expire"]

SCHEDULER, GATEWAY, BOOK_BUILDER, STRATEGY, EXECUTOR, WRITER = (
    "scheduler",
    "gateway",
    "book_builder",
    "strategy",
    "executor",
    "writer",
)
SUPERVISOR, CLI = "supervisor", "cli"
ROLES = (WRITER, EXECUTOR, STRATEGY, BOOK_BUILDER, GATEWAY, SCHEDULER)
"""The six roles, in the order in which a lockstep run serves them."""


DURABLE = "persist.durable"
"""The stream of records that are never lost."""


@dataclass(frozen=True)
class Stream:
    """One row of the table. ``carries`` lists every kind of message; ``hwm`` counts frames."""

    name: str
    kind: Kind
    binds: str
    connects: tuple[str, ...]
    carries: tuple[type[Message], ...]
    hwm: int
    when_full: WhenFull
    port: int
    """The port on loopback where a platform has no ipc transport, added to ``[bus] base_port``."""
    pack: int = 1
    """The most messages that may leave as one frame; 1: each by itself, at once."""
    patience_ms: int = 0
    """How long a message may wait for others to leave with it; 0: no longer than it takes to handle what has arrived already."""
    hurries: bool = False
    """What a turn says on it leaves when the turn ends, whatever else has arrived already."""
    every_message: tuple[str, ...] = ()
    """Receivers that must see every message of a ``supersede`` stream; a gap in ``seq`` makes them resynchronise."""

    @property
    def senders(self) -> tuple[str, ...]:
        return (self.binds,) if self.kind == "pubsub" else self.connects

    @property
    def receivers(self) -> tuple[str, ...]:
        return self.connects if self.kind == "pubsub" else (self.binds,)


STREAMS: tuple[Stream, ...] = (
    Stream(
        "universe",
        "pubsub",
        binds=SCHEDULER,
        connects=(GATEWAY, BOOK_BUILDER, STRATEGY, EXECUTOR),
        carries=(MarketUniverse,),
        hwm=100,
        when_full="supersede",
        port=0,
    ),
    Stream(
        "control",
        "pubsub",
        binds=SCHEDULER,
        connects=(GATEWAY, BOOK_BUILDER, STRATEGY, EXECUTOR, WRITER),
        carries=(JobDue,),
        hwm=100,
        when_full="resync",
        port=1,
    ),
    Stream(
        "feed",
        "pubsub",
        binds=GATEWAY,
        connects=(BOOK_BUILDER,),
        carries=(
            VenueBook,
            VenuePriceChange,
            BookDelta,
            VenueTrade,
            TickSizeChange,
            BestBidAsk,
            NewMarket,
            MarketResolved,
            FeedStatus,
            BadFeedFrame,
        ),
        hwm=2_500,
        when_full="resync",
        port=2,
        pack=32,
    ),
    Stream(
        "resync",
        "pushpull",
        binds=GATEWAY,
        connects=(BOOK_BUILDER,),
        carries=(BookWanted,),
        hwm=1_000,
        when_full="count",
        port=3,
    ),
    Stream(
        "book",
        "pubsub",
        binds=BOOK_BUILDER,
        connects=(STRATEGY, EXECUTOR),
        carries=(BookSnapshot, TradePrint, MarketResolved),
        hwm=2_500,
        when_full="supersede",
        port=4,
        pack=32,
        every_message=(EXECUTOR,),
    ),
    Stream(
        "command",
        "pushpull",
        binds=EXECUTOR,
        connects=(STRATEGY,),
        carries=(PlaceOrder, CancelOrder, CancelAll, MergePair, ConvertSet, PlanEnded, StrategyAlive),
        hwm=64,
        when_full="expire",
        port=5,
        pack=16,
        hurries=True,
    ),
    Stream(
        "operator",
        "pushpull",
        binds=EXECUTOR,
        connects=(CLI, SCHEDULER),
        carries=(Halt, Resume, CancelEverything),
        hwm=64,
        when_full="raise",
        port=6,
    ),
    Stream(
        "exec",
        "pubsub",
        binds=EXECUTOR,
        connects=(STRATEGY, SCHEDULER),
        carries=(ExecSnapshot, OrderUpdate, Fill, TradingHalted, TradingResumed),
        hwm=1_000,
        when_full="resync",
        port=7,
        pack=32,
    ),
    Stream(
        "persist.durable",
        "pushpull",
        binds=WRITER,
        connects=(EXECUTOR,),
        carries=(OrderRecord, OrderIntent, FillRecord, AuditRecord, HaltRecord),
        hwm=1_000,
        when_full="journal",
        port=8,
    ),
    Stream(
        "persist.lossy",
        "pushpull",
        binds=WRITER,
        connects=(SCHEDULER, GATEWAY, BOOK_BUILDER, STRATEGY, EXECUTOR),
        carries=(
            BookEvents,
            BookLevels,
            TradePrint,
            MarketVersion,
            MarketStatus,
            BookStateChanged,
            FeedGap,
            HashChecks,
            Opportunity,
            PortfolioRow,
            Markout,
            RewardEstimate,
            RunStarted,
            RunEnded,
        ),
        hwm=625,
        when_full="count",
        port=9,
        pack=16,
        patience_ms=10,
    ),
    Stream(
        "committed",
        "pubsub",
        binds=WRITER,
        connects=(EXECUTOR,),
        carries=(Committed, WriterState),
        hwm=100,
        when_full="supersede",
        port=10,
    ),
    Stream(
        "health",
        "pushpull",
        binds=SUPERVISOR,
        connects=(SCHEDULER, GATEWAY, BOOK_BUILDER, STRATEGY, EXECUTOR, WRITER),
        carries=(Heartbeat,),
        hwm=1_000,
        when_full="count",
        port=11,
    ),
)

STREAM = {stream.name: stream for stream in STREAMS}
SUPERSEDED: frozenset[type[Message]] = frozenset({BookSnapshot, MarketUniverse, Committed, WriterState})
"""State kinds: complete in themselves, so that a receiver that has fallen behind may handle only the newest of each topic."""


def sends(role: str) -> tuple[Stream, ...]:
    """The streams a role speaks on."""
    return tuple(stream for stream in STREAMS if role in stream.senders)


def receives(role: str) -> tuple[Stream, ...]:
    """The streams a role listens to."""
    return tuple(stream for stream in STREAMS if role in stream.receivers)


def routes(role: str) -> dict[type[Message], tuple[Stream, ...]]:
    """For each kind of message a role may send, the streams it goes to (a TradePrint goes to two)."""
    found: dict[type[Message], list[Stream]] = {}
    for stream in sends(role):
        for kind in stream.carries:
            found.setdefault(kind, []).append(stream)
    return {kind: tuple(streams) for kind, streams in found.items()}
