"""``OrderbookIngestor``: the gateway, the book builder and the writer behind one method call a message."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.units import NS_PER_MS
from pipeline.bus.topology import GATEWAY
from pipeline.messages import Message
from pipeline.messages.edges import FetchBooks, RestBody
from pipeline.store.open import Store
from pipeline.store.retention import prune_events_before
from polybot.composition import Composition, generic_market
from processes.gateway import Gateway

Frame = Mapping[str, Any] | str | bytes
"""One message of a stream: an object, or its JSON text."""
Snapshot = Mapping[str, Any] | None
_TS_MS = re.compile(rb'"ts_ms"\s*:\s*"?(\d{1,13})\b')
SnapshotProvider = Callable[[str], Snapshot | Awaitable[Snapshot]]
"""market_id to a snapshot as the generic stream writes it (``seq``, ``bids``, ``asks``), or None if there is none."""


class OrderbookIngestor:
    """Keep one market's books in a database, message by message. What one ``process`` brings is committed when it returns.

    ``snapshot_provider`` is asked for a fresh book at a first delta and at a gap; without one, what follows a gap is stored and marked.

    >>> from polybot import OrderbookIngestor, open_store
    >>> with open_store("sqlite:///:memory:") as store:
    ...     ingestor = OrderbookIngestor(store, "mkt-1")
    ...     ingestor.process({"type": "snapshot", "seq": 1, "bids": [[0.40, 100.0]], "asks": [[0.47, 100.0]]}, ts_ms=1000)
    ...     ingestor.process({"type": "delta", "seq": 2, "bids": [[0.41, 10.0]]}, ts_ms=1001)
    ...     with store.connect() as conn:
    ...         conn.exec_driver_sql("select seq, side, price_e6, size_e6 from orderbook_events").all()
    [(2, 'bid', 410000, 10000000)]
    """

    def __init__(
        self, store: Store, market_id: str, outcome_id: str = "yes", snapshot_provider: SnapshotProvider | None = None
    ) -> None:
        self.store, self.market_id, self.outcome_id = store, market_id, outcome_id
        self.snapshot_provider = snapshot_provider
        self._clock = SystemClock()
        self._run: Composition | None = None
        self._provider: _Provider | None = None

    def process(self, message: Frame, ts_ms: int | None = None) -> None:
        """Take one message, received at ``ts_ms`` (by default its own ``ts_ms``, else now). A bad one is counted and skipped."""
        ts_ns = time_of(message, self._clock) if ts_ms is None else ts_ms * NS_PER_MS
        run = self.composition(ts_ns)
        run.feed(bytes_of(message), ts_ns)
        run.pass_time(run.lockstep.clock.now_ns())

    async def settle(self) -> None:
        """Await a snapshot provider that is asynchronous, and apply what it gives."""
        while self._provider is not None and self._provider.pending:
            request, awaited = self._provider.pending.pop(0)
            answer = self._provider.answer(request, await awaited)
            run = self.composition(answer.ts_ns)
            run.lockstep.hear(GATEWAY, answer)
            run.lockstep.run_until_idle()
            run.pass_time(run.lockstep.clock.now_ns())

    def persist_snapshot_now(self, ts_ms: int) -> None:
        """Store a snapshot row of every book of the market, as of ``ts_ms``."""
        run = self.composition(ts_ms * NS_PER_MS)
        run.pass_time(ts_ms * NS_PER_MS)
        run.lockstep.clock.advance(ts_ms * NS_PER_MS)
        run.due("snapshot")
        run.pass_time(run.lockstep.clock.now_ns())

    def prune_events_before(self, ts_ms_threshold: int) -> int:
        """Delete the event rows older than ``ts_ms_threshold``; how many there were."""
        with self.store.begin() as conn:
            return prune_events_before(conn, ts_ms_threshold)

    @property
    def now_ms(self) -> int:
        """The latest time that was handed in, in milliseconds."""
        return 0 if self._run is None else self._run.lockstep.clock.now_ns() // NS_PER_MS

    def counts(self) -> dict[str, int]:
        """Totals of the gateway and of the market's feed: frames, bad_frames, resync_gap and the like."""
        return {} if self._run is None else {**self._run.builder.counts(), **self._run.gateway.counts()}

    def close(self) -> None:
        """End the run in the database. The store stays open."""
        if self._run is not None:
            self._run.finish()
            self._run = None

    def composition(self, start_ns: int) -> Composition:
        """The stages, made at the first message."""
        if self._run is None:
            if self.snapshot_provider is not None:
                self._provider = _Provider(self.snapshot_provider)
            self._run = Composition(
                self.store,
                Gateway(market=self.market_id, outcome_id=self.outcome_id, mirror=False),
                markets=[generic_market(self.market_id, self.outcome_id)],
                source="ingestor",
                provider=self._provider,
                commit_at_once=True,
                start_ns=start_ns,
            )
        return self._run


class _Provider:
    """A snapshot provider as an edge of the gateway; an asynchronous one is awaited by ``settle``."""

    accepts: tuple[type[Message], ...] = (FetchBooks,)

    def __init__(self, provide: SnapshotProvider) -> None:
        self._provide = provide
        self.pending: list[tuple[FetchBooks, Awaitable[Snapshot]]] = []

    def take(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """Ask once a token; the answer, unless it must be awaited."""
        assert isinstance(msg, FetchBooks)
        for token_id, market in zip(msg.token_ids, msg.markets, strict=True):
            one = msgspec.structs.replace(msg, token_ids=(token_id,), markets=(market,))
            found = self._provide(market)
            if inspect.isawaitable(found):
                self.pending.append((one, asyncio.ensure_future(found)))
            else:
                yield self.answer(one, found)

    def answer(self, request: FetchBooks, found: Snapshot) -> RestBody:
        """The provider's snapshot as the gateway hears it."""
        return RestBody(
            ts_ns=request.ts_ns,
            request=f"file {request.token_ids[0]}",
            status=404 if found is None else 200,
            body=b"" if found is None else msgspec.json.encode({"type": "snapshot", **found}),
            request_id=request.request_id,
            token_ids=request.token_ids,
            error="no snapshot" if found is None else "",
        )

    def next_ns(self) -> int | None:
        """It says nothing unasked."""
        return None

    def due(self, now_ns: int) -> Iterable[Message]:
        """Nothing."""
        return ()


def time_of(message: Frame, clock: Clock) -> int:
    """When a message happened, in nanoseconds: its own ``ts_ms`` if it tells one, else now."""
    told: object
    if isinstance(message, Mapping):
        inner = message.get("data")
        told = (inner if isinstance(inner, Mapping) else message).get("ts_ms")
    else:
        found = _TS_MS.search(message if isinstance(message, bytes) else message.encode())
        told = None if found is None else found[1].decode()
    if isinstance(told, int) or (isinstance(told, str) and told.isascii() and told.isdigit()):
        return int(told) * NS_PER_MS
    return clock.now_ns()


def bytes_of(message: Frame) -> bytes:
    """A message as the text that a socket would have brought."""
    if isinstance(message, bytes):
        return message
    return message.encode() if isinstance(message, str) else msgspec.json.encode(message)
