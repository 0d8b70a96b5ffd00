"""Several roles in one process and one thread: what they say to one another is handed over, all else goes over their sockets.

Each role keeps its runner, with its numbers, journal, input log and heartbeats. In between is an ``Exchange``: a message to a role of the
same process goes into that role's queue, without being encoded, and the queues are emptied in the order of a lockstep run, before the
next message from outside is taken. What goes out, but for records of the journal, leaves when all that followed from a message is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import zmq

from pipeline.base.clock import Clock
from pipeline.bus.edge import AsyncEdge
from pipeline.bus.runner import Runner, RunnerOptions
from pipeline.bus.stage import Arrival, Identity, InlineEdge, Stage
from pipeline.bus.topology import BOOK_BUILDER, EXECUTOR, GATEWAY, ROLES, STRATEGY, Stream, receives, sends
from pipeline.bus.transport import Transport
from pipeline.bus.wires import Incoming, Wires
from pipeline.messages import Message

_AT_MOST = 100
"""Messages of one socket or edge in one turn, so that no role waits long for what came to another."""
_STOP_ORDER = (GATEWAY, STRATEGY, BOOK_BUILDER, EXECUTOR)
"""As the processes are stopped: what brings in data and orders first, then the books, then the executor, which cancels what rests."""


@dataclass(frozen=True)
class FusedPlan:
    """One role of a fused process."""

    stage: Stage
    identity: Identity
    options: RunnerOptions
    edges: Sequence[AsyncEdge] = ()
    inline: Sequence[InlineEdge] = ()
    before_leaving: Callable[[], None] | None = None


class Exchange:
    """What the roles of one process hand over to one another, and what waits to leave it."""

    def __init__(self, roles: Iterable[str]) -> None:
        present = frozenset(roles)
        self.roles = tuple(role for role in ROLES if role in present)
        self.queues: dict[str, deque[Incoming]] = {role: deque() for role in self.roles}
        self.ready: dict[zmq.Socket[bytes], int] | None = None
        """What one poll of all sockets found; None while every role polls for itself."""
        self.holds = True
        """Nothing is handed over: not all roles have started."""
        self._takers: list[tuple[deque[Incoming], Callable[[Incoming], None]]] = []
        self._leaving: deque[tuple[Callable[[Stream, Message], bool], Stream, Message]] = deque()

    def seat(self, role: str, take: Callable[[Incoming], None]) -> None:
        """From here on ``take`` gets what is handed to a role. Roles are seated in the order of ``roles``."""
        self._takers.append((self.queues[role], take))

    def leave(self, role: str) -> None:
        """A role has stopped: nothing is handed to it any more."""
        own = self.queues[role]
        self._takers = [(queue, _lose if queue is own else take) for queue, take in self._takers]

    def post(self, send: Callable[[Stream, Message], bool], stream: Stream, msg: Message) -> None:
        """Have a message leave the process once all is done that follows from the present one."""
        self._leaving.append((send, stream, msg))

    def hand_over(self) -> None:
        """Hand over until nobody here has a message, the first role of the order first; then let go what leaves the process."""
        if self.holds:
            return
        self.holds = True
        takers = self._takers
        while True:
            for queue, take in takers:
                if queue:
                    take(queue.popleft())
                    break
            else:
                break
        self.flush()
        self.holds = False

    def flush(self) -> None:
        """Let go what leaves the process."""
        leaving = self._leaving
        while leaving:
            send, stream, msg = leaving.popleft()
            send(stream, msg)

    def stays_inside(self, stream: Stream) -> bool:
        """Whether a PUSH/PULL stream has both ends in this process; publishers may always have onlookers."""
        return stream.kind == "pushpull" and all(role in self.queues for role in (stream.binds, *stream.connects))

    def heard_by(self, role: str) -> list[Stream]:
        """The streams that come from outside over sockets of this role: one that several roles hear is received once, by the first."""
        return [
            stream
            for stream in receives(role)
            if any(sender not in self.queues for sender in stream.senders) and self.hearers(stream)[0] == role
        ]

    def hearers(self, stream: Stream) -> list[str]:
        """The roles of this process that a stream goes to."""
        return [role for role in self.roles if role in stream.receivers]


def _lose(item: Incoming) -> None:
    """What is handed to a role that has stopped."""


class FusedWires(Wires):
    """The sockets of one role of a fused process, and its way to the other roles of it."""

    def __init__(
        self,
        role: str,
        identity: Identity,
        transport: Transport,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        exchange: Exchange,
        topics: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        heard = exchange.heard_by(role)
        opened = [stream.name for stream in (*sends(role), *heard) if not exchange.stays_inside(stream)]
        super().__init__(role, identity, transport, context, topics=topics, only=opened)
        self._exchange = exchange
        self._inside = {
            stream.name: [exchange.queues[to] for to in exchange.hearers(stream)]
            for stream in sends(role)
            if exchange.hearers(stream)
        }
        self._shared = {
            stream.name: [exchange.queues[to] for to in exchange.hearers(stream) if to != role]
            for stream in heard
            if len(exchange.hearers(stream)) > 1
        }
        self._producer, self._run_id = identity.producer, identity.run_id
        self._send_out = super().send
        self._given = 0
        self.answers = False
        """A new subscriber is being told the current state: the roles of this process know it."""

    def send(self, stream: Stream, msg: Message) -> bool:
        """Hand a message to the roles here, and have it leave if anybody outside is to hear it."""
        if self._hand_over(stream, msg):
            self._exchange.post(self._send_out, stream, msg)
        return True

    def gather(self, stream: Stream, msg: Message) -> None:
        """The same; what leaves does so with others."""
        if self._hand_over(stream, msg):
            super().gather(stream, msg)

    def _hand_over(self, stream: Stream, msg: Message) -> bool:
        """Give a message to the roles here; whether anybody outside is to hear it too, as nothing is encoded for nobody."""
        name = stream.name
        queues = self._inside.get(name)
        if queues is not None and not self.answers:
            self._given += 1
            arrival = Arrival(name, self._producer, self._run_id, self._given, msg)
            for queue in queues:
                queue.append(arrival)
        spoken = self._spoken.get(name)
        return spoken is not None and (bool(spoken.followed) or stream.kind == "pushpull")

    def send_heads(self, now_ns: int) -> None:
        self._exchange.flush()
        super().send_heads(now_ns)

    def send_end(self, now_ns: int) -> None:
        self._exchange.flush()
        super().send_end(now_ns)

    def receive(self, timeout_ms: int, at_most: int) -> list[Incoming]:
        """As in a process of its own; what other roles here are to hear as well is put into their queues."""
        ready = self._exchange.ready
        if ready is None:
            ready = dict(self.poller.poll(timeout_ms))
        self.ready = ready
        if not ready:
            return []
        found: list[Incoming] = []
        for socket, spoken in self._publishers.items():
            if socket in ready:
                found += spoken.subscriptions()
        for heard in self._hears:
            if heard.socket in ready:
                arrived = self._drain(heard, at_most)
                found += arrived
                for queue in self._shared.get(heard.stream.name, ()):
                    queue.extend(arrived)
        return found


class FusedRunner(Runner):
    """The runner of one role of a fused process: after each message, all that follows from it here is done first."""

    def __init__(
        self, plan: FusedPlan, clock: Clock, transport: Transport, context: zmq.Context[zmq.Socket[bytes]], exchange: Exchange
    ):
        super().__init__(
            plan.stage,
            plan.identity,
            clock,
            transport,
            context,
            edges=plan.edges,
            inline=plan.inline,
            options=plan.options,
            before_leaving=plan.before_leaving,
            open_wires=partial(FusedWires, exchange=exchange),
        )
        self._exchange = exchange
        exchange.seat(plan.stage.role, self._take)

    def _handle(self, arrival: Arrival) -> None:
        super()._handle(arrival)
        self.wires.before_leaving()
        self._exchange.hand_over()

    def _answer_subscribers(self) -> int:
        assert isinstance(self.wires, FusedWires)
        self.wires.answers = True
        sent = super()._answer_subscribers()
        self.wires.answers = False
        return sent


class Fused:
    """The given roles in one thread. ``run`` ends when told to, or with what any of them raises."""

    def __init__(
        self, plans: Sequence[FusedPlan], clock: Clock, transport: Transport, context: zmq.Context[zmq.Socket[bytes]]
    ) -> None:
        known = {plan.stage.role: plan for plan in plans}
        self.exchange = Exchange(known)
        self.runners = [FusedRunner(known[role], clock, transport, context, self.exchange) for role in self.exchange.roles]
        self._poller = zmq.Poller()
        for runner in self.runners:
            for socket, flags in runner.wires.poller.sockets:
                self._poller.register(socket, flags)

    def run(self, wanted: Callable[[], bool]) -> None:
        """Start, step while ``wanted()``, stop: as one runner does."""
        try:
            self.start()
            while wanted():
                self.step(self._wait_ms())
            self.stop()
        finally:
            self.close()

    def start(self) -> None:
        """Start every role; what they say first is handed over when all have started."""
        for runner in self.runners:
            runner.start()
        self.exchange.holds = False
        self.exchange.hand_over()

    def step(self, timeout_ms: int = 0) -> None:
        """One turn of every role, with one poll for all of them."""
        self.exchange.ready = dict(self._poller.poll(timeout_ms))
        for runner in reversed(self.runners):  # what has just come from the venue waits for nobody
            runner.step(0, _AT_MOST)
        self.exchange.ready = None
        self.exchange.hand_over()

    def stop(self) -> None:
        """Stop role after role, as their processes would be; those that still run hear what each says last."""
        by_role = {runner.stage.role: runner for runner in self.runners}
        for role in (*_STOP_ORDER, *by_role):
            runner = by_role.pop(role, None)
            if runner is not None:
                runner.stop()
                self.exchange.leave(role)
                self.exchange.hand_over()

    def close(self) -> None:
        """Close everything that each role has open."""
        for runner in self.runners:
            runner.close()

    def _wait_ms(self) -> int:
        return min(runner.wait_ms() for runner in self.runners)
