"""What a role does, without sockets, threads or time: messages in, messages out. The same class runs everywhere."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import msgspec

from pipeline.messages import Message

EDGE = "edge"
"""The stream on which a stage hears its own edges."""


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A message with its envelope: the stream it came on, who sent it in which run, and its number there."""

    stream: str
    producer: str
    run_id: str
    seq: int
    message: Message


class Gap(msgspec.Struct, frozen=True, gc=False):
    """``seq`` of one topic jumped: messages from one sender were lost. Only on streams whose policy is resync or count."""

    stream: str
    topic: str
    producer: str
    expected: int
    got: int


class PeerStarted(msgspec.Struct, frozen=True, gc=False):
    """A sender on a stream is a new run: what it said before is history."""

    stream: str
    producer: str
    run_id: str


class Notes(Protocol):
    """Where a stage notes what cannot be told from its inputs: the log of its life, if one is kept."""

    def learned(self, fact: Any) -> None:
        """What it learned from outside while it was asked, as plain values; ``Stage.recall`` is given it when it is asked again."""

    def flush(self) -> None:
        """Have all that was noted survive kill -9: for a stage that is about to do what cannot be taken back."""


class NoNotes:
    """Nobody keeps a log."""

    def learned(self, fact: Any) -> None:
        """Forget it."""

    def flush(self) -> None:
        """There is nothing to keep."""


class Stage:
    """One role. Subclasses override what they need; every method returns (or yields) the messages to send.

    ``now_ns`` is the runner's clock: the only time a stage may use. A message that no stream of the role carries goes to the
    role's edges (``pipeline.bus.edge``); what an edge says arrives through ``handle`` like everything else.
    """

    role: ClassVar[str]
    notes: Notes = NoNotes()
    """For a stage that owns something outside, as the writer its database; set by who runs it."""

    def recover(self, records: Iterable[Message]) -> None:
        """The durable records of earlier lives of this role, oldest first, from its journal. Called once, before ``start``.

        The first may be what ``checkpoint`` returned in an earlier life; the records are those that came after it.
        """

    def checkpoint(self, now_ns: int) -> Message | None:
        """What all durable records so far amount to, so that ``recover`` needs only this and what follows.

        None if every record is needed. Asked only while nothing that the stage returned is still being sent.
        """
        return None

    def premises(self) -> Any:
        """What it was made from besides the configuration, as plain values: with them and its input log it can be asked again.

        Asked at most once, before everything else.
        """
        return None

    def recall(self, fact: Any) -> None:
        """What was learned in the turn that is about to be asked again. Called only for a stage that notes facts."""

    def state(self, turn: int) -> Any:
        """What is held, as plain values, for comparison with another run of the same inputs; where all of it would be too much, a part,
        by the number of the ``turn``. Changes nothing. Totals and timers need not be in it.
        """
        return None

    def start(self, now_ns: int) -> Iterable[Message]:
        """Called once, before anything else."""
        return ()

    def receive(self, arrival: Arrival, now_ns: int) -> Iterable[Message]:
        """One message with its envelope. Override it only where the sender matters."""
        return self.handle(arrival.message, now_ns)

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """One message."""
        return ()

    def hears(self, kind: type[Message]) -> bool:
        """Whether ``handle`` does anything with messages of this kind; asked once, where nothing but ``handle`` would take them."""
        return True

    def missed(self, gap: Gap, now_ns: int) -> Iterable[Message]:
        """Messages of a topic were lost; the runner has counted it and asks the publisher for the topic's current state."""
        return ()

    def peer_started(self, peer: PeerStarted, now_ns: int) -> Iterable[Message]:
        """A sender restarted."""
        return ()

    def current(self, topic: str) -> Iterable[Message]:
        """The state behind every topic that starts with ``topic``, for a new subscriber."""
        return ()

    def next_timer_ns(self) -> int | None:
        """When ``on_timer`` wants to be called next; None: never."""
        return None

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        """Called when ``now_ns`` has reached ``next_timer_ns()``; must move it on."""
        return ()

    def reminders(self) -> Iterable[Message]:
        """What is said again every 250 ms of the machine's time, so that who missed it hears it. Never called in lockstep."""
        return ()

    def wind_up(self, now_ns: int) -> Iterable[Message]:
        """Called once before ``stop``, while edges still answer. The loop goes on, for a bounded time, until ``is_wound_up``."""
        return ()

    @property
    def is_wound_up(self) -> bool:
        """Nothing more is waited for before ``stop``."""
        return True

    def stop(self, now_ns: int) -> Iterable[Message]:
        """Called once, last: what must still be said."""
        return ()

    def counts(self) -> dict[str, int]:
        """Totals since the start, for heartbeats and summaries."""
        return {}


class InlineEdge(Protocol):
    """An edge that runs in its stage's own thread: replayed recordings, fakes. Deterministic."""

    accepts: tuple[type[Message], ...]

    def take(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """A message from the stage; the answers come back to it at once."""

    def next_ns(self) -> int | None:
        """When ``due`` has something next; None: nothing more will come unasked."""

    def due(self, now_ns: int) -> Iterable[Message]:
        """What is due by ``now_ns``, in order."""


class RecordedEdge(InlineEdge, Protocol):
    """An inline edge whose messages depend on nothing that happens meanwhile: they may be drawn without asking for their times first."""

    def ahead(self, to_ns: int | None) -> Generator[Message, None, None]:
        """The messages up to ``to_ns`` (None: all), one after another; who stops in between finds the next where it was."""


@dataclass(frozen=True)
class Identity:
    """Who is running: one ``session_id`` for a whole ``up``, one ``run_id`` for each start of a process."""

    session_id: str
    run_id: str
    producer: str


@dataclass
class StagePlan:
    """A stage with what it needs around it, for a composition."""

    stage: Stage
    edges: list[InlineEdge] = field(default_factory=list)
