"""Where a stage's messages go: to the streams of its role, to its edges; durable records to the journal before anything else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from pipeline.base import events
from pipeline.base.clock import monotonic_ns
from pipeline.base.errors import DamagedJournal
from pipeline.base.fault_points import reach
from pipeline.base.log import get_logger
from pipeline.base.units import NS_PER_MS
from pipeline.bus import codec
from pipeline.bus.journal_files import JournalFiles
from pipeline.bus.journal_segments import DURABLE as DURABLE
from pipeline.bus.syncing import BackgroundSync
from pipeline.bus.topology import STREAM, Stream, routes
from pipeline.bus.wires import Wires
from pipeline.messages import Message
from pipeline.messages.control import Committed

_DURABLE = STREAM[DURABLE]
EdgeSend = Callable[[Message], bool]
OpenWake = Callable[[], tuple[Callable[[], None], Callable[[], None]]]
"""Opens, in the thread that calls it, what wakes the loop; gives that and what closes it."""


class DurableOutbox:
    """Records that must reach the database: journalled first, pushed, kept until the writer says that they are committed.

    The producer's name on the durable stream is ``<role>@<journal id>``: a new journal is a new producer, so that a number is
    never used twice. Nothing is pushed before the first ``Committed`` tells where the writer stands. ``checkpoint`` gives what all
    records so far amount to; None if its stage needs them all, and then the journal stays in one segment.
    """

    def __init__(
        self,
        role: str,
        run_id: str,
        wires: Wires,
        journal: JournalFiles,
        *,
        resend_ms: int,
        checkpoint: Callable[[], Message | None] = lambda: None,
        beside: OpenWake | None = None,
    ) -> None:
        """With ``beside``, the journal is synced in a thread, which wakes the loop by what that opens."""
        self._journal = journal
        self.producer = f"{role}@{self._journal.id}"
        self._run_id, self._wires, self._resend_ns = run_id, wires, resend_ms * NS_PER_MS
        self._checkpoint = checkpoint
        self._stream = STREAM[DURABLE]
        self._unacknowledged: deque[tuple[int, bytes]] = deque()
        self._pushed_to = 0
        self._heard = self._placed = False
        self._progress_mono_ns = 0
        self.resent = 0
        self._recovered = journal.recovered()
        self._unacknowledged.extend((entry.seq, entry.frame) for entry in journal.entries())
        journal.forget()
        self._seq = self._seq_before = self._safe = journal.seq
        self._beside = None if beside is None else BackgroundSync(journal.settle, beside)

    def recovered(self) -> list[Message]:
        """What a stage recovers from: a checkpoint, if there is one, and what earlier lives journalled behind it, oldest first; once."""
        records, self._recovered = self._recovered, []
        return records

    def open_segment(self) -> None:
        """Begin a new segment of the journal with a checkpoint. Call it when the stage is at rest."""
        self.wait()
        checkpoint = self._checkpoint()
        if checkpoint is not None:
            self._journal.open_segment(checkpoint, self.producer, self._run_id, checkpoint.ts_ns)

    def rotate_if_full(self) -> None:
        """The same, if the open segment is full."""
        if self._journal.is_full:
            self.open_segment()

    @property
    def backlog(self) -> int:
        """Records that are not known to be in the database."""
        return len(self._unacknowledged)

    def append(self, msg: Message) -> None:
        """Journal one record: it survives kill -9 from here on. Nothing may leave because of it before ``safe`` has reached its number."""
        self._seq += 1
        frame = codec.encode(codec.topic_of(DURABLE, msg), self.producer, self._run_id, self._seq, msg)
        reach("before-journal")
        self._journal.append(self._seq, frame)
        reach("after-journal")
        self._unacknowledged.append((self._seq, frame))

    @property
    def seq(self) -> int:
        """The number of the last record."""
        return self._seq

    @property
    def safe(self) -> int:
        """The number of the last record that survives the loss of power too. What has become safe since is pushed."""
        if self._beside is not None and self._safe < self._seq and self._beside.done > self._safe:
            self._safe = self._beside.done
            self._push()
        return self._safe

    def settle(self) -> None:
        """Have what was appended survive the loss of power too, then push it if the writer has been heard; or see to it that it will."""
        if self._beside is not None:
            self._beside.ask(self._seq)
            return
        self._journal.settle()
        self._safe = self._seq
        self._push()

    def wait(self) -> None:
        """Wait until everything is safe that was settled."""
        if self._beside is not None:
            self._beside.wait()
            assert self.safe == self._seq

    def on_committed(self, committed: Committed) -> None:
        """Forget what is in the database; push what is not yet on its way.

        Raises DamagedJournal if the database lacks records that no segment has any more.
        """
        if not self._placed:
            self._placed = True
            self._check_place(committed.seq)
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
        self._journal.archive_committed(committed.seq)

    def _check_place(self, committed: int) -> None:
        """Once a life: what the database has against what the journal had when this life began."""
        for first, last, where in self._journal.holes:
            if last > committed:
                raise DamagedJournal(
                    f"{where}; records {max(first, committed + 1)} to {last} did not reach the database; "
                    "bring the file back from a backup, or move the journal with all its segments away to go on without them"
                )
        if committed < self._journal.base_seq:
            self._bring_back(committed)
        if committed <= self._seq_before:
            return
        # The journal lost a tail that the database has. Numbers are not used twice: what this life wrote is numbered behind that.
        get_logger().error(events.JOURNAL_BEHIND, last_seq=self._seq_before, committed=committed)
        own = [codec.decode(DURABLE, frame).message for seq, frame in self._unacknowledged if seq > self._seq_before]
        frames = [
            (seq, codec.encode(codec.topic_of(DURABLE, msg), self.producer, self._run_id, seq, msg))
            for seq, msg in enumerate(own, committed + 1)
        ]
        self.wait()
        self._journal.open_segment(self._checkpoint(), self.producer, self._run_id, 0, base_seq=committed, frames=frames)
        self._unacknowledged = deque(frames)
        self._seq = self._safe = self._journal.seq

    def _bring_back(self, committed: int) -> None:
        """The database is older than what is left of the journal: a backup, or a new file. Archived segments have what it lacks."""
        base_seq = self._journal.base_seq
        older = self._journal.archived(committed)
        if len(older) < base_seq - committed:
            raise DamagedJournal(
                f"the database ends with record {committed} of {self._journal.path.name}, of which what is here begins behind {base_seq}, "
                f"and archived segments have only {len(older)} of the records between; restore a newer backup of the database, "
                f"or move the journal {self._journal.path} with all its segments away to go on without them"
            )
        get_logger().warning(events.JOURNAL_REOPENED, first_seq=committed + 1, records=len(older))
        self._unacknowledged.extendleft((entry.seq, entry.frame) for entry in reversed(older))

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
            if seq > self._safe:
                return
            reach("before-push")
            if not self._wires.send_frame(self._stream, frame):
                return
            reach("after-push")
            self._pushed_to = seq

    def close(self) -> None:
        if self._beside is not None:
            self._beside.close()
        self._journal.close()


class Outbox:
    """Routes what a stage returns, one turn at a time.

    What a stage yields behind a durable record waits until that is on disk: so a turn costs one sync of the journal, however many
    records it writes, and nothing leaves the process before they are safe. Where the journal is synced beside the loop, what later turns
    yield meanwhile waits behind it, and ``release`` lets go what has become safe.
    """

    def __init__(self, role: str, wires: Wires, durable: DurableOutbox | None, edges: dict[type[Message], EdgeSend]) -> None:
        self._role = role
        self._routes: dict[type[Message], tuple[Stream, ...]] = routes(role)
        self._wires, self._durable, self._edges = wires, durable, edges
        self._ways: dict[type[Message], tuple[tuple[Callable[[Stream, Message], object], Stream], ...]] = {}
        """How each kind leaves that has left before; durable records are never among them."""
        self._held: deque[tuple[int, Message]] = deque()
        self._unsettled = self._recorded = False
        self.sent = 0
        self.before_record: Callable[[], None] = _nothing
        """Called before the first durable record of a turn is journalled."""

    def send_all(self, messages: Iterable[Message]) -> None:
        """All that a turn of the stage yields, each durable record journalled before the stage goes on."""
        ways = self._ways
        for msg in messages:
            way = ways.get(type(msg))
            if way is None or self._unsettled:
                self.send(msg)
                continue
            self.sent += 1
            for leave, stream in way:
                leave(stream, msg)
        if self._unsettled:
            self.settle()

    def send(self, msg: Message) -> None:
        """Take one message of a turn; ``settle`` ends the turn.

        Raises LookupError for a kind that neither a stream nor an edge of the role takes.
        """
        if _DURABLE in self._routes.get(type(msg), ()):
            if self._durable is None:
                raise LookupError(f"{self._role} has no journal for {type(msg).__name__}")
            self.sent += 1
            if not self._recorded:
                self.before_record()
            self._durable.append(msg)
            self._unsettled = self._recorded = True
        elif self._unsettled and self._durable is not None:
            self._held.append((self._durable.seq, msg))
        else:
            self._let_go(msg)

    def settle(self) -> None:
        """The turn is over: its records are made safe, and what waited for that leaves, in order."""
        if self._recorded and self._durable is not None:
            self._recorded = False
            self._durable.settle()
        if self._unsettled:
            self.release()

    def release(self) -> None:
        """Let go what waited for records that are safe by now."""
        durable, held = self._durable, self._held
        if not self._unsettled or durable is None or self._recorded:
            return
        safe = durable.safe
        while held and held[0][0] <= safe:
            self._let_go(held.popleft()[1])
        self._unsettled = safe < durable.seq

    def wait(self) -> None:
        """Let go everything, as soon as it is safe."""
        if self._durable is not None:
            self._durable.wait()
            self.release()

    def _let_go(self, msg: Message) -> None:
        """Send one message to its streams or to its edge."""
        kind = type(msg)
        streams = self._routes.get(kind)
        if streams is None:
            edge = self._edges.get(kind)
            if edge is None:
                raise LookupError(f"{self._role} has no stream and no edge for {kind.__name__}")
            edge(msg)
            return
        way = self._ways.get(kind)
        if way is None:
            wires = self._wires
            way = self._ways[kind] = tuple((wires.gather if stream.pack > 1 else wires.send, stream) for stream in streams)
        self.sent += 1
        for leave, stream in way:
            leave(stream, msg)


def _nothing() -> None:
    """Nobody wants to know."""
