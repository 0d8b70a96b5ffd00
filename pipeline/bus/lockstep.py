"""Many stages in one process and one thread, without sockets: the ``direct`` transport.

One message a turn, to the first of writer, executor, strategy, book_builder, gateway, scheduler that has one,
inside a stage in the order of sending. When none has, the clock moves to the next timer. So the same inputs give the same run, byte
for byte, at any speed; and a paper fill is seen before the strategy's view of the same book.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

import msgspec

from pipeline.base.clock import EventClock
from pipeline.bus.stage import EDGE, Arrival, InlineEdge, RecordedEdge, Stage, StagePlan
from pipeline.bus.topology import DURABLE, ROLES, WRITER, Stream, routes
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.records import RunEnded, RunStarted

Tap = Callable[[Arrival], None]
Envelop = Callable[[Message], Arrival]
"""Puts a message into its envelope: stream, producer, run and number."""


Take = Callable[[Any, int], Iterable[Message]]


class _Seat:
    """One stage of a lockstep run: its inbox, its edges, and where its messages go.

    A stage that does not ask who sent a message (``receive`` is not overridden) has bare messages in its inbox, the others arrivals.
    ``sinks`` holds the kinds that need no number: to which seats they go, and in which envelope to those that want one. ``straight``
    holds those of them whose receivers all come before this seat, the first of the order first.
    """

    def __init__(self, plan: StagePlan, run_id: str) -> None:
        self.stage, self.edges = plan.stage, tuple(plan.edges)
        self.role = plan.stage.role
        self.run_id = run_id
        self.inbox: deque[Any] = deque()
        self.is_plain = type(plan.stage).receive is Stage.receive
        self.take: Take = plan.stage.handle if self.is_plain else plan.stage.receive
        self.next_timer_ns = plan.stage.next_timer_ns
        self.routes: dict[type[Message], tuple[tuple[Stream, tuple[_Seat, ...]], ...]] = {}
        self.sinks: dict[type[Message], tuple[Sink, ...]] = {}
        self.straight: dict[type[Message], tuple[Sink, ...]] = {}
        self.edge_of: dict[type[Message], InlineEdge] = {kind: edge for edge in plan.edges for kind in edge.accepts}

    def put(self, arrival: Arrival) -> None:
        """Add an arrival to the inbox."""
        self.inbox.append(arrival.message if self.is_plain else arrival)

    def hear(self, msg: Message) -> None:
        """Add what an edge said."""
        self.put(Arrival(EDGE, self.role, self.run_id, 0, msg))


Sink = tuple[_Seat, Envelop | None]
_SEQUENCES = (list, tuple)


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
        by_role = {seat.role: seat for seat in self._seats}
        order = {seat.role: place for place, seat in enumerate(self._seats)}
        for seat in self._seats:
            for kind, streams in routes(seat.role).items():
                routed = tuple(
                    (
                        stream,
                        tuple(by_role[role] for role in stream.receivers if role in by_role and by_role[role].stage.hears(kind)),
                    )
                    for stream in streams
                )
                seat.routes[kind] = routed
                if tap is not None or kind is Committed or any(stream.when_full == "journal" for stream in streams):
                    continue
                seat.sinks[kind] = tuple(
                    (to, None if to.is_plain else partial(Arrival, stream.name, seat.role, seat.run_id, 0))
                    for stream, receivers in routed
                    for to in receivers
                )
                if all(order[to.role] < order[seat.role] for to, _ in seat.sinks[kind]):
                    seat.straight[kind] = tuple(sorted(seat.sinks[kind], key=lambda sink: order[sink[0].role]))
        self._timed = [seat for seat in self._seats if type(seat.stage).next_timer_ns is not Stage.next_timer_ns]
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
        seats, clock = self._seats, self.clock
        now_ns = clock.now_ns()
        while True:
            for seat in seats:
                if seat.inbox:
                    break
            else:
                return
            item = seat.inbox.popleft()
            ts_ns = item.ts_ns if seat.is_plain else item.message.ts_ns
            if ts_ns > now_ns:
                clock.advance(ts_ns)
                now_ns = clock.now_ns()
                self._fire_timers(seat, now_ns)
            sender, said = self._straight_on(seat, seat.take(item, now_ns), now_ns)
            if said:
                self._post(sender, said)

    def _post(self, sender: _Seat, said: Iterable[Message]) -> None:
        """Put what was said into the inboxes of who hears it."""
        for msg in said:
            sinks = sender.sinks.get(type(msg))
            if sinks is None:
                self._send(sender, msg)
                continue
            for to, envelop in sinks:
                to.inbox.append(msg if envelop is None else envelop(msg))

    def _straight_on(self, seat: _Seat, said: Iterable[Message], now_ns: int) -> tuple[_Seat, Iterable[Message]]:
        """While all that is said is one message for those who come before who said it, hand it on without a detour by the inboxes.

        They have the next turns anyway: nobody before ``seat`` has a message now. Returns what is still to be sent, and whose it is.
        """
        while type(said) in _SEQUENCES and len(said) == 1:  # type: ignore[arg-type]
            msg = said[0]  # type: ignore[index]
            sinks = seat.straight.get(type(msg))
            if sinks is None or msg.ts_ns > now_ns:
                break
            said = ()
            for place, (to, envelop) in enumerate(sinks, 1):
                said = to.take(msg if envelop is None else envelop(msg), now_ns)
                if said:
                    for later, its_envelop in sinks[place:]:
                        later.inbox.append(msg if its_envelop is None else its_envelop(msg))
                    seat = to
                    break
            else:
                return seat, ()
        return seat, said

    def next_ns(self) -> int | None:
        """When the next timer of a stage or an edge is due."""
        return self._next()[0]

    def _next(self, drawn: InlineEdge | None = None, drawn_ns: int = 0) -> tuple[int | None, _Seat | None, InlineEdge | None]:
        """The earliest timer: when, whose, and of which edge (None: the stage's own). Stages come before edges at one time.

        The timer of an edge that a message was ``drawn`` from is the time of that message.
        """
        first_ns: int | None = None
        first_seat: _Seat | None = None
        first_edge: InlineEdge | None = None
        for seat in self._timed:
            due_ns = seat.next_timer_ns()
            if due_ns is not None and (first_ns is None or due_ns < first_ns):
                first_ns, first_seat = due_ns, seat
        for edge, seat in self._edges:
            due_ns = drawn_ns if edge is drawn else edge.next_ns()
            if due_ns is not None and (first_ns is None or due_ns < first_ns):
                first_ns, first_seat, first_edge = due_ns, seat, edge
        return first_ns, first_seat, first_edge

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
        clock, take, straight_on = self.clock, seat.take, self._straight_on
        timers = [known.next_timer_ns for known in self._timed]
        timers += [other.next_ns for other, _ in self._edges if other is not edge]
        messages, is_plain = edge.ahead(to_ns), seat.is_plain
        for msg in messages:
            ts_ns = msg.ts_ns
            for next_ns in timers:
                due_ns = next_ns()
                if due_ns is not None and due_ns <= ts_ns:
                    self._let_others(edge, ts_ns)
                    break
            clock.advance(ts_ns)
            now_ns = clock.now_ns()
            sender, said = straight_on(
                seat, take(msg if is_plain else Arrival(EDGE, seat.role, seat.run_id, 0, msg), now_ns), now_ns
            )
            if said:
                self._post(sender, said)
                self.run_until_idle()
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
            self._post(seat, seat.stage.on_timer(now_ns))
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
