"""Many stages in one process: in lockstep without sockets (``direct``), or with the real sockets, a thread a stage (``inproc``).

Lockstep: one thread, one message a turn, to the first of writer, executor, strategy, book_builder, gateway, scheduler that has one,
inside a stage in the order of sending. When none has, the clock moves to the next timer. So the same inputs give the same run, byte
for byte, at any speed; and a paper fill is seen before the strategy's view of the same book.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import zmq

from pipeline.base.clock import Clock, EventClock, SystemClock
from pipeline.bus.outbox import DURABLE
from pipeline.bus.runner import EDGE, Runner, RunnerOptions
from pipeline.bus.stage import Arrival, Identity, InlineEdge, RecordedEdge, Stage, StagePlan
from pipeline.bus.topology import ROLES, WRITER, Stream, routes
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.records import RunEnded, RunStarted

Tap = Callable[[Arrival], None]
Envelop = Callable[[Message], Arrival]
"""Puts a message into its envelope: stream, producer, run and number."""


Sink = tuple[deque[Any], Envelop | None]


class _Seat:
    """One stage of a lockstep run: its inbox, its edges, and where its messages go.

    A stage that does not ask who sent a message (``receive`` is not overridden) has bare messages in its inbox, the others arrivals.
    ``sinks`` holds the kinds that go straight to inboxes; a sink is an inbox and, if it holds arrivals, their envelope.
    """

    def __init__(self, plan: StagePlan, run_id: str) -> None:
        self.stage, self.edges = plan.stage, tuple(plan.edges)
        self.role = plan.stage.role
        self.run_id = run_id
        self.inbox: deque[Any] = deque()
        self.is_plain = type(plan.stage).receive is Stage.receive
        self.take: Callable[[Any, int], Iterable[Message]] = plan.stage.handle if self.is_plain else plan.stage.receive
        self.next_timer_ns = plan.stage.next_timer_ns
        self.routes: dict[type[Message], tuple[tuple[Stream, tuple[_Seat, ...]], ...]] = {}
        self.sinks: dict[type[Message], tuple[Sink, ...]] = {}
        self.edge_of: dict[type[Message], InlineEdge] = {kind: edge for edge in plan.edges for kind in edge.accepts}

    def put(self, arrival: Arrival) -> None:
        """Add an arrival to the inbox."""
        self.inbox.append(arrival.message if self.is_plain else arrival)

    def hear(self, msg: Message) -> None:
        """Add what an edge said."""
        self.put(Arrival(EDGE, self.role, self.run_id, 0, msg))


Turn = tuple[deque[Any], bool, Callable[[Any, int], Iterable[Message]], dict[type[Message], tuple[Sink, ...]], _Seat]
"""What a turn of a seat needs, at hand: its inbox, ``is_plain``, ``take``, ``sinks``, and the seat."""


class Lockstep:
    """The given stages on the ``direct`` transport. Messages to roles that are not there are dropped.

    ``tap`` sees every message that goes to a stream, once a stream, in the order of sending.
    ``source`` is what the run is fed by, and ``body`` what else its rows in ``runs`` should tell (a JSON object).
    """

    def __init__(
        self,
        plans: Sequence[StagePlan | Stage],
        clock: EventClock | None = None,
        *,
        session_id: str = "lockstep",
        source: str = "",
        body: str = "{}",
        tap: Tap | None = None,
    ) -> None:
        self.clock = clock or EventClock()
        self.session_id, self.source, self.body, self._tap = session_id, source, body, tap
        known = {plan.stage.role: plan for plan in (p if isinstance(p, StagePlan) else StagePlan(p) for p in plans)}
        self._seats = [_Seat(known[role], f"{session_id}.{role}") for role in ROLES if role in known]
        self._turns: list[Turn] = [(seat.inbox, seat.is_plain, seat.take, seat.sinks, seat) for seat in self._seats]
        by_role = {seat.role: seat for seat in self._seats}
        for seat in self._seats:
            for kind, streams in routes(seat.role).items():
                routed = tuple(
                    (stream, tuple(by_role[role] for role in stream.receivers if role in by_role)) for stream in streams
                )
                seat.routes[kind] = routed
                if tap is None and kind is not Committed and all(stream.when_full != "journal" for stream in streams):
                    seat.sinks[kind] = tuple(
                        (to.inbox, None if to.is_plain else partial(Arrival, stream.name, seat.role, seat.run_id, 0))
                        for stream, receivers in routed
                        for to in receivers
                    )
        self._writer = by_role.get(WRITER)
        self._edges = [(edge, seat) for seat in self._seats for edge in seat.edges]
        self._seq: dict[str, int] = {}

    # --- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every stage, the first of the order first, and serve each subscriber what its publishers have."""
        now_ns = self.clock.now_ns()
        for seat in self._seats:
            started = RunStarted(
                ts_ns=now_ns,
                session_id=self.session_id,
                role=seat.role,
                pid=os.getpid(),
                source=self.source,
                body=self.body,
            )
            if seat.role == WRITER:
                arrival = Arrival("persist.lossy", seat.role, seat.run_id, 0, started)
                self._send_all(seat, seat.stage.receive(arrival, now_ns))
            else:
                self._send(seat, started)
        for seat in self._seats:
            self._send_all(seat, seat.stage.start(now_ns))
        if self._writer is not None:
            for seat in self._seats:
                if any(stream.name == DURABLE for routed in seat.routes.values() for stream, _ in routed):
                    self._send_all(self._writer, self._writer.stage.current(f"committed.{self._durable_name(seat.role)}\0"))

    def stop(self) -> None:
        """Let every stage say its last words, data flowing down before the writer commits."""
        for seat in reversed(self._seats):
            if seat.role != WRITER:
                now_ns = self.clock.now_ns()
                self._send_all(seat, seat.stage.stop(now_ns))
                self._send(seat, RunEnded(ts_ns=now_ns, role=seat.role, reason="stopped", counts=seat.stage.counts()))
                self.run_until_idle()
        if self._writer is not None:
            self._send_all(self._writer, self._writer.stage.stop(self.clock.now_ns()))

    def hear(self, role: str, msg: Message) -> None:
        """Give a stage a message as if one of its edges had heard it."""
        for seat in self._seats:
            if seat.role == role:
                seat.hear(msg)

    def inject(self, role: str, msg: Message) -> None:
        """Send a message as if the stage of ``role`` had returned it; the role need not be there."""
        for seat in self._seats:
            if seat.role == role:
                self._send(seat, msg)
                return
        for stream in routes(role)[type(msg)]:
            for seat in self._seats:
                if seat.role in stream.receivers:
                    seat.put(self._numbered(stream, role, f"{self.session_id}.{role}", msg))

    # --- turns -----------------------------------------------------------------------------------------------------

    def run_until_idle(self) -> None:
        """Handle messages until nobody has one; time moves only as far as they say."""
        for turn in self._turns:
            if turn[0]:
                self._take_turns(turn, turn[0].popleft())
                return

    def _take_turns(self, turn: Turn, item: Any) -> None:
        """Handle one message, which is nobody's yet, and then messages until nobody has one."""
        turns, clock = self._turns, self.clock
        now_ns = clock.now_ns()
        while True:
            _, is_plain, take, sinks, seat = turn
            ts_ns = item.ts_ns if is_plain else item.message.ts_ns
            if ts_ns > now_ns:
                clock.advance(ts_ns)
                now_ns = clock.now_ns()
                self._fire_timers(seat, now_ns)
            for msg in take(item, now_ns):
                straight = sinks.get(type(msg))
                if straight is None:
                    self._send(seat, msg)
                    continue
                for to, envelop in straight:
                    to.append(msg if envelop is None else envelop(msg))
            for turn in turns:
                if turn[0]:
                    break
            else:
                return
            item = turn[0].popleft()

    def next_ns(self) -> int | None:
        """When the next timer of a stage or an edge is due."""
        return self._next()[0]

    def _next(self, drawn: InlineEdge | None = None, drawn_ns: int = 0) -> tuple[int | None, _Seat | None, InlineEdge | None]:
        """The earliest timer: when, whose, and of which edge (None: the stage's own). Stages come before edges at one time.

        The timer of an edge that a message was ``drawn`` from is the time of that message.
        """
        first: tuple[int | None, _Seat | None, InlineEdge | None] = (None, None, None)
        first_ns = None
        for seat in self._seats:
            due_ns = seat.next_timer_ns()
            if due_ns is not None and (first_ns is None or due_ns < first_ns):
                first_ns, first = due_ns, (due_ns, seat, None)
        for edge, seat in self._edges:
            due_ns = drawn_ns if edge is drawn else edge.next_ns()
            if due_ns is not None and (first_ns is None or due_ns < first_ns):
                first_ns, first = due_ns, (due_ns, seat, edge)
        return first

    def run(self, until: Callable[[], bool] | None = None, *, to_ns: int | None = None) -> None:
        """Turn and advance until ``until()`` holds (asked whenever nobody has a message), no timer is left, or time is past ``to_ns``."""
        while True:
            self.run_until_idle()
            if until is not None and until():
                return
            due_ns, seat, edge = self._next()
            if due_ns is None or seat is None or (to_ns is not None and due_ns > to_ns):
                return
            if edge is None or not hasattr(edge, "ahead"):
                self._let(due_ns, seat, edge)
            elif self._play(seat, cast(RecordedEdge, edge), to_ns, until):
                return

    def _let(self, due_ns: int, seat: _Seat, edge: InlineEdge | None) -> None:
        """Let time come to a timer, and the stage or the edge do what is due."""
        self.clock.advance(due_ns)
        now_ns = self.clock.now_ns()
        if edge is None:
            self._fire_timers(seat, now_ns)
            return
        for msg in edge.due(now_ns):
            seat.hear(msg)
            self.run_until_idle()

    def _play(self, seat: _Seat, edge: RecordedEdge, to_ns: int | None, until: Callable[[], bool] | None) -> bool:
        """Hand over what an edge knows beforehand, everything else in its order in between; True when ``until()`` holds.

        The same as asking for the next timer after each message, without asking those that cannot be due.
        """
        advance, take_turns = self.clock.advance, self._take_turns
        turn = next(turn for turn in self._turns if turn[4] is seat)
        timers = [known.next_timer_ns for known in self._seats if type(known.stage).next_timer_ns is not Stage.next_timer_ns]
        timers += [other.next_ns for other, _ in self._edges if other is not edge]
        messages = edge.ahead(to_ns)
        for msg in messages:
            ts_ns = msg.ts_ns
            for next_ns in timers:
                due_ns = next_ns()
                if due_ns is not None and due_ns <= ts_ns:
                    self._let_others(edge, ts_ns)
                    break
            advance(ts_ns)
            take_turns(turn, msg if seat.is_plain else Arrival(EDGE, seat.role, seat.run_id, 0, msg))
            if until is not None and until():
                messages.close()
                return True
        return False

    def _let_others(self, edge: InlineEdge, ts_ns: int) -> None:
        """Everything that comes before a message of ``ts_ns`` that was drawn from an edge."""
        while True:
            self.run_until_idle()
            due_ns, seat, other = self._next(edge, ts_ns)
            if due_ns is None or seat is None or other is edge:
                return
            self._let(due_ns, seat, other)

    def _fire_timers(self, seat: _Seat, now_ns: int) -> None:
        due_ns = seat.next_timer_ns()
        while due_ns is not None and due_ns <= now_ns:
            self._send_all(seat, seat.stage.on_timer(now_ns))
            due_ns = seat.next_timer_ns()

    def _send_all(self, seat: _Seat, messages: Iterable[Message]) -> None:
        for msg in messages:
            self._send(seat, msg)

    def _send(self, seat: _Seat, msg: Message) -> None:
        routed = seat.routes.get(type(msg))
        if routed is None:
            edge = seat.edge_of.get(type(msg))
            if edge is not None:
                for answer in edge.take(msg, self.clock.now_ns()):
                    seat.hear(answer)
            return
        for stream, receivers in routed:
            if not receivers and self._tap is None:
                continue
            arrival = self._numbered(stream, seat.role, seat.run_id, msg)
            if self._tap is not None:
                self._tap(arrival)
            for receiver in receivers:
                if type(msg) is Committed:
                    if msg.producer != self._durable_name(receiver.role):
                        continue
                    arrival = msgspec.structs.replace(arrival, message=msgspec.structs.replace(msg, producer=receiver.role))
                receiver.put(arrival)

    def _durable_name(self, role: str) -> str:
        """Who a role is on the durable stream: each session numbers its own records."""
        return f"{role}@{self.session_id}"

    def _numbered(self, stream: Stream, producer: str, run_id: str, msg: Message) -> Arrival:
        """An arrival; only durable records need a number here, as nothing is lost between stages in lockstep."""
        seq = 0
        if stream.when_full == "journal":
            producer = self._durable_name(producer)
            seq = self._seq[producer] = self._seq.get(producer, 0) + 1
        return Arrival(stream.name, producer, run_id, seq, msg)


class Threads:
    """The given stages on the ``inproc`` transport, a thread each, on the system's clock. Used as a context manager."""

    def __init__(
        self,
        plans: Sequence[tuple[Stage, RunnerOptions]],
        *,
        session_id: str,
        clock: Callable[[], Clock] = SystemClock,
        edges: dict[str, Sequence[object]] | None = None,
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._stop = threading.Event()
        self.runners: list[Runner] = []
        self.failures: list[BaseException] = []
        for stage, options in plans:
            identity = Identity(session_id, f"{session_id}.{stage.role}", stage.role)
            chosen = (edges or {}).get(stage.role, ())
            self.runners.append(
                Runner(stage, identity, clock(), Transport("inproc"), self._context, edges=chosen, options=options)  # type: ignore[arg-type]
            )
        self._threads = [threading.Thread(target=self._run, args=(runner,), name=runner.stage.role) for runner in self.runners]

    def _run(self, runner: Runner) -> None:
        try:
            runner.run(lambda: not self._stop.is_set())
        except BaseException as error:
            self.failures.append(error)
            self._stop.set()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop every stage and wait for it; raises what any of them raised."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._context.term()
        if self.failures:
            raise self.failures[0]

    def __enter__(self) -> Threads:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def journal_path(state_dir: Path, role: str, db_name: str) -> Path:
    """Where a role keeps the journal of one database: another database never gets another one's orders."""
    return state_dir / "journal" / f"{role}-{db_name}.journal"
