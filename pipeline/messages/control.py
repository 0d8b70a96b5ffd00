"""Words about the pipeline itself: work that is due, books that are wanted, life signs, and what is safely on disk."""

from __future__ import annotations

from typing import Literal

from pipeline.messages import Message

PersistenceState = Literal["ok", "degraded", "stopped"]
"""All is well; the database cannot be written just now and is tried again; it is broken and is not touched any more."""

Job = Literal["snapshot", "prune", "gamma_refresh", "staleness", "spot_check"]


class JobDue(Message, frozen=True, kw_only=True, gc=False):
    """The scheduler says that a periodic job is due; who owns the job does it. ``number`` counts its turns."""

    job: Job
    number: int = 0

    @property
    def key(self) -> str:
        return self.job


FROZEN = "frozen"
"""The cause of a wanted book of a token that the feed leaves out: only the feed itself can heal it."""


class BookWanted(Message, frozen=True, kw_only=True, gc=False):
    """The book builder asks the gateway for a fresh book of one token; ``cause`` says why.

    ``last_seq`` is the last sequence number it holds on the generic stream, so that an older answer can be told.
    """

    token_id: str
    market: str
    cause: str
    last_seq: int | None = None

    @property
    def key(self) -> str:
        return self.token_id


class Heartbeat(Message, frozen=True, kw_only=True, gc=False):
    """A role lives: sent to the supervisor once a second. ``counts`` are totals since the process started."""

    role: str
    pid: int
    state: str = "running"
    counts: dict[str, int] = {}

    @property
    def key(self) -> str:
        return self.role


class StreamHead(Message, frozen=True, kw_only=True, gc=False):
    """Once a second each publisher says the last ``seq`` of every topic of a stream, so that a lost tail is noticed."""

    stream: str
    heads: dict[str, int]


class EndOfStream(Message, frozen=True, kw_only=True, gc=False):
    """The sender stops: nothing follows on this stream from this run."""

    stream: str


class Committed(Message, frozen=True, kw_only=True, gc=False):
    """The writer has on disk every durable record of ``producer`` up to and including ``seq``; said after each commit and every 250 ms."""

    producer: str
    seq: int

    @property
    def key(self) -> str:
        return self.producer


WRITER_STATE_KEY = "writer"


class WriterState(Message, frozen=True, kw_only=True, gc=False):
    """How the writer stands with its database: said at every change, to each new subscriber, and every 250 ms.

    ``reason`` is "" while all is well, else why nothing is stored and what to do, in one line.
    """

    state: PersistenceState
    reason: str = ""

    @property
    def key(self) -> str:
        return WRITER_STATE_KEY
