"""The compositions behind the commands and the programmatic names: the stages of ``up``, in lockstep, around one database.

Nothing here decides anything: frames go in at the gateway, rows come out at the writer, and in between run the classes that run live.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from pipeline.base.clock import EventClock
from pipeline.base.log import set_up_logging_once
from pipeline.bus.lockstep import Lockstep, Tap
from pipeline.bus.stage import InlineEdge, Stage, StagePlan
from pipeline.bus.topology import GATEWAY, SCHEDULER
from pipeline.messages.control import Job, JobDue
from pipeline.messages.edges import RawFrame
from pipeline.messages.market import Market, MarketUniverse, Outcome
from pipeline.messages.records import MarketVersion, RunEnded, RunStarted
from pipeline.store.open import Store
from processes.book_builder import BookBuilder
from processes.gateway import Gateway
from processes.options import new_session_id
from processes.writer import Writer

LINK = "stream"
_numbers = itertools.count(1)


def new_composition_id() -> str:
    """A session id that no other composition of this process has."""
    return f"{new_session_id()}.{next(_numbers)}"


def generic_market(market_id: str, *outcome_ids: str) -> Market:
    """A market of the generic stream: its ids are the caller's words."""
    return Market(market_id=market_id, outcomes=tuple(Outcome(f"{market_id}/{word}", word) for word in outcome_ids))


class Composition:
    """A gateway, a book builder and a writer in lockstep, with whatever trades between them.

    ``markets`` are written to the catalogue and followed; the first rows make the database ``venue``'s. ``once``: everything is one
    transaction, committed by ``finish``; otherwise the writer commits as time goes on, or ``commit_at_once``: whenever time is passed.
    ``provider`` answers requests for fresh books; without one nobody can be asked, and a book after a gap is stored and marked.
    ``tap`` sees every message that goes to a stream. Time is the largest ``ts_ns`` that was handed in.
    """

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        *,
        markets: Iterable[Market] = (),
        venue: str = "generic",
        source: str = "",
        edges: Iterable[InlineEdge] = (),
        provider: InlineEdge | None = None,
        traders: Iterable[Stage] = (),
        once: bool = False,
        commit_at_once: bool = False,
        start_ns: int = 0,
        session_id: str | None = None,
        told: Mapping[str, str] | None = None,
        tap: Tap | None = None,
    ) -> None:
        set_up_logging_once()
        self.store, self.gateway = store, gateway
        self.traders = tuple(traders)
        self.builder = BookBuilder(publish_tops=bool(self.traders), resync=provider is not None)
        if once:
            self.writer = Writer(store, commit_interval_ms=None, commit_rows=None, venue=venue)
        else:
            self.writer = Writer(store, commit_interval_ms=0 if commit_at_once else 100, venue=venue)
        inline = [*edges, *([] if provider is None else [provider])]
        self.lockstep = Lockstep(
            [StagePlan(gateway, inline), self.builder, self.writer, *self.traders],
            EventClock(start_ns),
            session_id=session_id or new_composition_id(),
            source=source,
            body=msgspec.json.encode(dict(told or {})).decode(),
            tap=tap,
        )
        self.finished = False
        self.lockstep.start()
        self._follow(tuple(markets), venue, source)

    def _follow(self, markets: tuple[Market, ...], venue: str, source: str) -> None:
        """As the scheduler does it: the catalogue to the writer, the universe to everybody."""
        now_ns = self.lockstep.clock.now_ns()
        started = RunStarted(ts_ns=now_ns, session_id=self.lockstep.session_id, role=SCHEDULER, pid=os.getpid(), source=source)
        self.lockstep.inject(SCHEDULER, started)
        for market in markets:
            version = MarketVersion(ts_ns=now_ns, market=market, valid_from_ns=now_ns, venue=venue)
            self.lockstep.inject(SCHEDULER, version)
        if markets:
            self.lockstep.inject(SCHEDULER, MarketUniverse(ts_ns=now_ns, markets=markets, source=source, version=1))
        self.lockstep.run_until_idle()

    def feed(self, data: bytes, ts_ns: int, where: str = "") -> None:
        """One frame from outside, received at ``ts_ns``; everything that follows from it is done when this returns."""
        self.pass_time(ts_ns)
        self.lockstep.hear(GATEWAY, RawFrame(ts_ns=ts_ns, link_id=LINK, data=data, where=where))
        self.lockstep.run_until_idle()

    def pass_time(self, to_ns: int) -> None:
        """Fire every timer that is due by then."""
        self.lockstep.run(to_ns=to_ns)

    def due(self, job: Job) -> None:
        """Have a periodic job done."""
        self.lockstep.inject(SCHEDULER, JobDue(ts_ns=self.lockstep.clock.now_ns(), job=job))
        self.lockstep.run_until_idle()

    def finish(self) -> None:
        """Say the last words and commit. Once."""
        if not self.finished:
            self.finished = True
            self.lockstep.inject(SCHEDULER, RunEnded(ts_ns=self.lockstep.clock.now_ns(), role=SCHEDULER, reason="stopped"))
            self.lockstep.stop()


def sha256_of(path: Path) -> str:
    """The digest of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            if path.is_dir():
                digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
            with file.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
    return digest.hexdigest()
