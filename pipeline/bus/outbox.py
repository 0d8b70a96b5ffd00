"""Where a stage's messages go: to the streams of its role, to its edges; durable records to the journal before anything else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from pipeline.base import events
from pipeline.base.clock import monotonic_ns
from pipeline.base.log import get_logger
from pipeline.base.units import NS_PER_MS
from pipeline.bus import codec
from pipeline.bus.journal import Journal
from pipeline.bus.topology import STREAM, Stream, routes
from pipeline.bus.wires import Wires
from pipeline.messages import Message
from pipeline.messages.control import Committed

DURABLE = "persist.durable"
_DURABLE = STREAM[DURABLE]
EdgeSend = Callable[[Message], bool]


class DurableOutbox:
    """Records that must reach the database: journalled first, pushed, kept until the writer says that they are committed.

    The producer's name on the durable stream is ``<role>@<journal id>``: a new journal is a new producer, so that a number is
    never used twice. Nothing is pushed before the first ``Committed`` tells where the writer stands.
    """

    def __init__(self, role: str, run_id: str, wires: Wires, journal: Journal, *, resend_ms: int) -> None:
        self._journal = journal
        self.producer = f"{role}@{self._journal.id}"
        self._run_id, self._wires, self._resend_ns = run_id, wires, resend_ms * NS_PER_MS
        self._stream = STREAM[DURABLE]
        self._unacknowledged: deque[tuple[int, bytes]] = deque()
        self._pushed_to = 0
        self._heard = False
        self._progress_mono_ns = 0
        self._seq = 0
        self.resent = 0
        self._recovered: list[Message] = []
        for frame in self._journal.records():
            arrival = codec.decode(DURABLE, frame)
            self._seq = arrival.seq
            self._recovered.append(arrival.message)
            self._unacknowledged.append((arrival.seq, frame))

    def recovered(self) -> list[Message]:
        """What earlier lives journalled, oldest first; once."""
        records, self._recovered = self._recovered, []
        return records

    @property
    def backlog(self) -> int:
        """Records that are not known to be in the database."""
        return len(self._unacknowledged)

    def append(self, msg: Message) -> None:
        """Journal one record, then push it if the writer has been heard."""
        self._seq += 1
        frame = codec.encode(codec.topic_of(DURABLE, msg), self.producer, self._run_id, self._seq, msg)
        self._journal.append(frame)
        self._unacknowledged.append((self._seq, frame))
        self._push()

    def on_committed(self, committed: Committed) -> None:
        """Forget what is in the database; push what is not yet on its way."""
        waiting = self._unacknowledged
        moved = not self._heard
        while waiting and waiting[0][0] <= committed.seq:
            waiting.popleft()
            moved = True
        if not self._heard:
            self._heard = True
            self._pushed_to = committed.seq
        if moved:
            self._progress_mono_ns = monotonic_ns()
        self._push()

    def on_writer_started(self) -> None:
        """A new writer: send again from the first unacknowledged record once it says where it stands."""
        self._heard = False

    def tick(self) -> None:
        """Send again when nothing has been committed for a while."""
        if self._heard and self._unacknowledged and monotonic_ns() - self._progress_mono_ns > self._resend_ns:
            self._progress_mono_ns = monotonic_ns()
            self._pushed_to = self._unacknowledged[0][0] - 1
            self.resent += 1
            get_logger().warning(events.RECORDS_RESENT, first_seq=self._pushed_to + 1, records=len(self._unacknowledged))
            self._push()

    def _push(self) -> None:
        if not self._heard:
            return
        start = self._pushed_to + 1 - (self._unacknowledged[0][0] if self._unacknowledged else 0)
        for index in range(max(start, 0), len(self._unacknowledged)):
            seq, frame = self._unacknowledged[index]
            if not self._wires.send_frame(self._stream, frame):
                return
            self._pushed_to = seq

    def close(self) -> None:
        self._journal.close()


class Outbox:
    """Routes what a stage returns. ``taps`` see every message that goes to a stream."""

    def __init__(self, role: str, wires: Wires, durable: DurableOutbox | None, edges: dict[type[Message], EdgeSend]) -> None:
        self._role = role
        self._routes: dict[type[Message], tuple[Stream, ...]] = routes(role)
        self._wires, self._durable, self._edges = wires, durable, edges
        self.sent = 0

    def send_all(self, messages: Iterable[Message]) -> None:
        """Send each message as it is yielded, so that a durable one is on disk before its stage goes on."""
        for msg in messages:
            self.send(msg)

    def send(self, msg: Message) -> None:
        """Send one message. Raises LookupError for a kind that neither a stream nor an edge of the role takes."""
        kind = type(msg)
        streams = self._routes.get(kind)
        if streams is None:
            edge = self._edges.get(kind)
            if edge is None:
                raise LookupError(f"{self._role} has no stream and no edge for {kind.__name__}")
            edge(msg)
            return
        self.sent += 1
        for stream in streams:
            if stream is not _DURABLE:
                self._wires.send(stream, msg)
            elif self._durable is None:
                raise LookupError(f"{self._role} has no journal for {kind.__name__}")
            else:
                self._durable.append(msg)
