"""The loop: the one place where messages, time and sockets meet."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
import zmq

from pipeline.base import events
from pipeline.base.clock import Clock, monotonic_ns
from pipeline.base.errors import SlowConsumer
from pipeline.base.log import get_logger
from pipeline.base.units import NS_PER_MS
from pipeline.bus.edge import AsyncEdge, EdgeThread, Inbox
from pipeline.bus.input_log import InputLog
from pipeline.bus.outbox import DURABLE, DurableOutbox, Outbox
from pipeline.bus.runner_options import RunnerOptions as RunnerOptions
from pipeline.bus.runner_options import open_journal
from pipeline.bus.stage import EDGE, Arrival, Gap, Identity, InlineEdge, PeerStarted, Stage
from pipeline.bus.topology import STREAM, WRITER
from pipeline.bus.transport import Transport
from pipeline.bus.turns import Turns
from pipeline.bus.wires import Subscribed, Wires
from pipeline.messages import Message
from pipeline.messages.control import WRITER_STATE_KEY, Committed, EndOfStream, Heartbeat
from pipeline.messages.edges import JournalSeen
from pipeline.messages.records import RunEnded, RunStarted

_STATE_PER_STEP = 200
_HEADS_MS = 1_000
_REMIND_MS = 250
_LONGEST_WAIT_MS = 50
_LEAVE_TOGETHER, _LEAVE_TOGETHER_BEHIND = 8, 64
"""After so many of the messages that had arrived, what the stage said to them leaves; the more where many wait already, as each frame that
leaves wakes others, who take the processor that the backlog needs."""
_DRAIN_NS = 2_000 * NS_PER_MS
_QUIET_TURNS = 8
_WIND_UP_NS = 1_500 * NS_PER_MS
_RESYNC_WINDOW_NS = 60_000 * NS_PER_MS
_PLUMBING = frozenset({EndOfStream, Committed})
_NOT_LOST = frozenset({"health", DURABLE})
"""Streams whose full socket loses nothing: the next heartbeat says the same, and durable records wait in the journal to be sent again."""


class Runner:
    """One stage on its sockets. ``step`` does what is waiting; ``run`` steps until told to stop.

    ``before_leaving`` is called before what the stage said about some messages leaves: what it has kept of them is safe then.
    """

    def __init__(
        self,
        stage: Stage,
        identity: Identity,
        clock: Clock,
        transport: Transport,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        edges: Sequence[AsyncEdge] = (),
        inline: Sequence[InlineEdge] = (),
        options: RunnerOptions | None = None,
        before_leaving: Callable[[], None] | None = None,
        open_wires: Callable[..., Wires] = Wires,
    ) -> None:
        self.stage, self.identity, self.clock = stage, identity, clock
        self.options = options = options or RunnerOptions()
        self.handled = 0
        self._inline = tuple(inline)
        journal = open_journal(stage.role, identity, options)
        topics = (
            {} if journal is None else {"committed": [f"committed.{stage.role}@{journal.id}", f"committed.{WRITER_STATE_KEY}"]}
        )
        self.wires = open_wires(stage.role, identity, transport, context, topics=topics)
        if before_leaving is not None:
            self.wires.before_leaving = before_leaving
        self.inbox = Inbox(context, stage.role)
        self.durable: DurableOutbox | None = None
        if journal is not None:
            self.durable = DurableOutbox(
                stage.role,
                identity.run_id,
                self.wires,
                journal,
                resend_ms=options.resend_ms,
                checkpoint=lambda: self._turns.checkpoint(clock.now_ns()),
                beside=self.inbox.open_wake if options.sync_beside else None,
            )
        self.wires.poller.register(self.inbox.socket, zmq.POLLIN)
        self._edges = [EdgeThread(edge, self.inbox) for edge in edges]
        takers: dict[type[Message], Callable[[Message], bool]] = {}
        for thread in self._edges:
            takers.update(dict.fromkeys(thread.edge.accepts, thread.send))
        for edge in self._inline:
            takers.update(dict.fromkeys(edge.accepts, self._inline_send(edge)))
        self.outbox = Outbox(stage.role, self.wires, self.durable, takers)
        self._local: deque[Message] = deque()
        self._log: InputLog | None = None
        if options.input_log_path is not None:
            self._log = stage.notes = InputLog(options.input_log_path, stage, identity)
            self.outbox.before_record = self._log.flush
        self._turns = Turns(stage, self.outbox.send_all, self._log)
        self._beat_mono_ns = self._heads_mono_ns = self._remind_mono_ns = 0
        self._resyncs: dict[tuple[str, str], deque[int]] = {}
        self._ended: set[tuple[str, str]] = set()
        self._said_dropped, self._journal_scarce = 0, False

    def _inline_send(self, edge: InlineEdge) -> Callable[[Message], bool]:
        def send(msg: Message) -> bool:
            self._local.extend(edge.take(msg, self.clock.now_ns()))
            return True

        return send

    # --- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Recover, start the stage and its edges."""
        now_ns = self.clock.now_ns()
        if self.durable is not None:
            self._turns.recover(self.durable.recovered())
            self.durable.open_segment()
        started = RunStarted(
            ts_ns=now_ns,
            session_id=self.identity.session_id,
            role=self.stage.role,
            pid=os.getpid(),
            source=self.options.source,
        )
        if self.stage.role == WRITER:
            own = Arrival("persist.lossy", self.identity.producer, self.identity.run_id, 0, started)
            self._turns.take(own, now_ns)
        else:
            self.outbox.send(started)
        for thread in self._edges:
            thread.start()
        self._turns.start(now_ns)
        self.wires.flush()
        get_logger().info(events.PROCESS_STARTED, pid=os.getpid())

    def run(self, wanted: Callable[[], bool]) -> None:
        """Start, step while ``wanted()``, stop. What raises ends the run at once: crash-only, nothing more is said."""
        try:
            self.start()
            while wanted():
                self.step(self.wait_ms())
            self.stop()
        finally:
            self.close()

    def stop(self) -> None:
        """Let the stage say its last words and wait (bounded) until they are safe."""
        if self.stage.role == WRITER:
            self._drain()
        self._wind_up()
        for thread in self._edges:
            thread.stop()
        now_ns = self.clock.now_ns()
        self._turns.stop(now_ns)
        if self._log is not None:
            self._log.end()
        if self.stage.role != WRITER:
            ended = RunEnded(ts_ns=now_ns, role=self.stage.role, reason="stopped", counts=self.counts())
            self.outbox.send(ended)
        self._beat("stopped")
        self.outbox.wait()
        self.wires.send_heads(now_ns)
        self.wires.send_end(now_ns)
        self._wait_for_committed()
        get_logger().info(events.PROCESS_STOPPED, **self.counts())

    def close(self) -> None:
        """Stop the edges and close files and sockets."""
        for thread in self._edges:
            thread.stop()
        if self._log is not None:
            self._log.close()
        if self.durable is not None:
            self.durable.close()
        self.inbox.close()
        self.wires.close()

    def _drain(self) -> None:
        """The writer goes on until every sender it has heard has ended or all have been quiet, at most two seconds."""
        deadline = monotonic_ns() + _DRAIN_NS
        quiet = 0
        while monotonic_ns() < deadline and quiet < _QUIET_TURNS and not self._have_all_ended:
            quiet = 0 if self.step(100) else quiet + 1

    @property
    def _have_all_ended(self) -> bool:
        """On each stream: the end of one says nothing of what is still under way on another."""
        heard = {(name, each.partition("@")[0]) for name in ("persist.lossy", DURABLE) for each in self.wires.senders(name)}
        return heard <= self._ended

    def _wind_up(self) -> None:
        """Let the stage end what it has begun outside, for a bounded time, while its edges still answer."""
        self._turns.wind_up(self.clock.now_ns())
        deadline = monotonic_ns() + _WIND_UP_NS
        while not self.stage.is_wound_up and monotonic_ns() < deadline:
            self.step(min(self.wait_ms(), 20))

    def _wait_for_committed(self) -> None:
        deadline = monotonic_ns() + _DRAIN_NS
        while self.durable is not None and self.durable.backlog and monotonic_ns() < deadline:
            for arrival in self.wires.receive(20, 1_000):
                if isinstance(arrival, Arrival) and isinstance(arrival.message, Committed):
                    self.durable.on_committed(arrival.message)
            self.durable.tick()

    # --- one turn --------------------------------------------------------------------------------------------------

    def step(self, timeout_ms: int = 0, at_most: int = 1_000) -> int:
        """Handle what waits, due timers before each message, and return how many things were done."""
        if self.durable is not None:
            self.durable.rotate_if_full()
        self._plumb()
        done = self.fire_due_timers()
        done += self._answer_subscribers()
        self.wires.flush()
        patience_ms = self.wires.patience_ms
        arrived = self.wires.receive(timeout_ms if patience_ms is None else min(timeout_ms, patience_ms), at_most)
        heard = self.inbox.take(at_most, is_ready=self.inbox.socket in self.wires.ready)
        self.outbox.release()
        together = _LEAVE_TOGETHER if len(arrived) + len(heard) <= _LEAVE_TOGETHER_BEHIND else _LEAVE_TOGETHER_BEHIND
        for item in arrived:
            self._take(item)
            done += 1
            if not done % together:
                self.wires.flush()
        for msg in heard:
            self._handle(Arrival(EDGE, self.stage.role, self.identity.run_id, 0, msg))
            done += 1
            if not done % together:
                self.wires.flush()
        done += self._local_messages()
        self.wires.flush()
        if self._log is not None:
            self._log.flush()
        return done

    def _take(self, item: Arrival | Gap | PeerStarted | Subscribed) -> None:
        if type(item) is Arrival and type(item.message) not in _PLUMBING:
            self._handle(item)
            return
        match item:
            case Arrival(message=EndOfStream()):
                self._ended.add((item.stream, item.producer))
            case Arrival(message=Committed() as committed) if self.durable is not None:
                if committed.producer == self.durable.producer:
                    self.durable.on_committed(committed)
                    own = msgspec.structs.replace(committed, producer=self.stage.role)
                    self._handle(msgspec.structs.replace(item, message=own))
            case Arrival():
                self._handle(item)
            case Subscribed():
                self._turns.subscribed(item.topic, self.clock.now_ns())
            case Gap():
                self._missed(item)
            case PeerStarted():
                if item.stream == "committed" and self.durable is not None:
                    self.durable.on_writer_started()
                self._turns.peer_started(item, self.clock.now_ns())

    def _handle(self, arrival: Arrival) -> None:
        clock, stage = self.clock, self.stage
        clock.advance(arrival.message.ts_ns)
        now_ns = clock.now_ns()
        due_ns = stage.next_timer_ns()
        if due_ns is not None and due_ns <= now_ns:
            self.fire_due_timers()
            now_ns = clock.now_ns()
        self.handled += 1
        self._turns.take(arrival, now_ns)
        if self.wires.hurries:
            self.wires.flush()

    def _local_messages(self) -> int:
        """What inline edges answered, and what they have due."""
        if not self._inline:
            return 0
        now_ns = self.clock.now_ns()
        for edge in self._inline:
            due_ns = edge.next_ns()
            if due_ns is not None and due_ns <= now_ns:
                self._local.extend(edge.due(now_ns))
        done = 0
        while self._local:
            self._handle(Arrival(EDGE, self.stage.role, self.identity.run_id, 0, self._local.popleft()))
            done += 1
        return done

    def fire_due_timers(self) -> int:
        """Fire the stage's timer while it is due."""
        fired = 0
        due_ns = self.stage.next_timer_ns()
        while due_ns is not None and due_ns <= self.clock.now_ns():
            self._turns.timer(self.clock.now_ns())
            fired += 1
            due_ns = self.stage.next_timer_ns()
        return fired

    def _answer_subscribers(self) -> int:
        """Serve the current state to new subscribers, so many messages a step that no socket overflows."""
        sent = 0
        while self._turns.owes and sent < _STATE_PER_STEP:
            sent += self._turns.answer(_STATE_PER_STEP - sent, self.clock.now_ns())
        return sent

    def _missed(self, gap: Gap) -> None:
        """Messages were lost: tell the stage, ask for the topic's state; too many losses on one topic end the process."""
        get_logger().warning(events.STREAM_GAP_SEEN, stream=gap.stream, topic=gap.topic, expected=gap.expected, got=gap.got)
        stream = STREAM[gap.stream]
        now_ns = self.clock.now_ns()
        self._turns.missed(gap, now_ns)
        if stream.kind != "pubsub":
            return
        times = self._resyncs.setdefault((gap.stream, gap.topic), deque())
        times.append(monotonic_ns())
        while times and times[0] < times[-1] - _RESYNC_WINDOW_NS:
            times.popleft()
        if len(times) >= 3:
            raise SlowConsumer(f"{self.stage.role} lost messages of {gap.topic} {len(times)} times in a minute")
        self.wires.resubscribe(gap.stream, gap.topic)

    # --- plumbing --------------------------------------------------------------------------------------------------

    def _plumb(self) -> None:
        """Heartbeats, stream heads, reminders and resends, on the machine's monotonic clock."""
        mono_ns = monotonic_ns()
        if mono_ns >= self._remind_mono_ns:
            self._remind_mono_ns = mono_ns + _REMIND_MS * NS_PER_MS
            self._turns.remind(self.clock.now_ns())
            if self.durable is not None:
                self.durable.tick()
                self._tell_of_journal(self.durable)
        if mono_ns >= self._heads_mono_ns:
            self._heads_mono_ns = mono_ns + _HEADS_MS * NS_PER_MS
            self.wires.send_heads(self.clock.now_ns())
            self._say_dropped()
        if mono_ns >= self._beat_mono_ns:
            self._beat_mono_ns = mono_ns + self.options.heartbeat_ms * NS_PER_MS
            self._beat("running")

    def _tell_of_journal(self, durable: DurableOutbox) -> None:
        """Tell the stage how far its journal is ahead and what room it has, while that is worth a word, and once afterwards."""
        options = self.options
        assert options.journal_path is not None
        free = shutil.disk_usage(options.journal_path.parent).free
        scarce = durable.backlog > options.max_backlog_records // 2 or free < 2 * options.min_free_bytes
        if scarce or self._journal_scarce:
            self._journal_scarce = scarce
            seen = JournalSeen(
                ts_ns=self.clock.now_ns(),
                backlog=durable.backlog,
                limit=options.max_backlog_records,
                free_bytes=free,
                min_free_bytes=options.min_free_bytes,
            )
            self._handle(Arrival(EDGE, self.stage.role, self.identity.run_id, 0, seen))

    def _beat(self, state: str) -> None:
        beat = Heartbeat(ts_ns=self.clock.now_ns(), role=self.stage.role, pid=os.getpid(), state=state, counts=self.counts())
        self.outbox.send(beat)

    def _say_dropped(self) -> None:
        dropped = sum(count for name, count in self.wires.dropped.items() if name not in _NOT_LOST)
        if dropped > self._said_dropped:
            self._said_dropped = dropped
            get_logger().warning(events.MESSAGES_DROPPED, **self.wires.dropped)

    def counts(self) -> dict[str, int]:
        """Totals since the start: the loop's own and the stage's."""
        own = {"handled": self.handled, "sent": self.outbox.sent, "gaps": self.wires.gaps}
        own["dropped"] = sum(count for name, count in self.wires.dropped.items() if name not in _NOT_LOST)
        if self.wires.superseded:
            own["superseded"] = self.wires.superseded
        if self.clock.steps_back:
            own["clock_steps_back"] = self.clock.steps_back
        if self.durable is not None:
            own["backlog"] = self.durable.backlog
            own["resent"] = self.durable.resent
        return own | self.stage.counts()

    def wait_ms(self) -> int:
        """How long a step may wait for messages: until the next timer, at most the plumbing's patience."""
        if self._turns.owes or self._local or self.inbox.waiting:
            return 0
        due_ns = self.stage.next_timer_ns()
        for edge in self._inline:
            edge_ns = edge.next_ns()
            if edge_ns is not None and (due_ns is None or edge_ns < due_ns):
                due_ns = edge_ns
        if due_ns is None:
            return _LONGEST_WAIT_MS
        left_ns = due_ns - self.clock.now_ns()
        return max(0, min(_LONGEST_WAIT_MS, -(-left_ns // NS_PER_MS)))
