"""One socket that a role speaks on: messages out with their numbers, alone or in packs; who follows which topics."""

from __future__ import annotations

import msgspec
import zmq

from pipeline.base.clock import monotonic_ns
from pipeline.base.units import NS_PER_MS
from pipeline.bus import codec
from pipeline.bus.stage import Identity
from pipeline.bus.topology import Stream
from pipeline.messages import Message
from pipeline.messages.control import EndOfStream, StreamHead

NOBLOCK = int(zmq.NOBLOCK)


class Subscribed(msgspec.Struct, frozen=True):
    """Somebody began to listen to the topics that start with ``topic``, and wants their current state."""

    stream: str
    topic: str


class Spoken:
    """One socket, its numbers, and what waits to leave in one frame.

    Numbers are given when a message leaves, each topic its own; what finds no room has none and is counted in ``dropped``.
    ``followed`` are the topics that somebody subscribed to.
    """

    def __init__(self, socket: zmq.Socket[bytes], stream: Stream, identity: Identity) -> None:
        self.socket, self.stream = socket, stream
        self.followed: set[bytes] = set()
        self.dropped = 0
        self._push = socket.send
        self._producer, self._run_id = identity.producer, identity.run_id
        self._whole = f"{stream.name}.".encode()
        self._packs = True
        self._numbers: dict[str, int] = {}
        self._fresh: list[dict[str, int]] = [{}]
        self._waiting: list[Message] = []
        self._patience_ns, self._since_ns = stream.patience_ms * NS_PER_MS, 0

    # --- messages --------------------------------------------------------------------------------------------------

    def send(self, msg: Message) -> bool:
        """Send one message at once, behind what waits; False if it was dropped, because the stream is full or has no peer."""
        self.flush()
        return self._send_one(msg)

    def gather(self, msg: Message) -> int:
        """Have one message leave with those before and behind it, by the next ``flush``. How many wait now."""
        waiting = self._waiting
        if self._patience_ns and not waiting:
            self._since_ns = monotonic_ns()
        waiting.append(msg)
        return len(waiting)

    @property
    def may_wait(self) -> bool:
        """Something waits, and its patience is not at an end."""
        return bool(self._waiting) and monotonic_ns() < self._since_ns + self._patience_ns

    def flush(self) -> None:
        """Send what waits, in one frame if every follower gets it so: who follows single topics does not."""
        waiting = self._waiting
        if not waiting:
            return
        self._waiting = []
        if len(waiting) == 1 or not self._packs:
            for msg in waiting:
                self._send_one(msg)
            return
        numbers = self._numbers
        moved: dict[str, int] = {}
        numbered = []
        for msg in waiting:
            key = msg.key
            moved[key] = seq = (moved.get(key) or numbers.get(key, 0)) + 1
            numbered.append((seq, msg))
        if self._send(codec.encode_pack(self.stream.name, self._producer, self._run_id, numbered), len(waiting)):
            numbers.update(moved)
            self._fresh[-1].update(moved)

    def send_frame(self, frame: bytes) -> bool:
        """Send a frame that already has its number; False if it was dropped."""
        return self._send(frame, 1)

    def _send_one(self, msg: Message) -> bool:
        key = msg.key
        seq = self._numbers.get(key, 0) + 1
        if not self._send(codec.encode(f"{self.stream.name}.{key}", self._producer, self._run_id, seq, msg), 1):
            return False
        self._numbers[key] = self._fresh[-1][key] = seq
        return True

    def _send(self, frame: bytes, messages: int) -> bool:
        try:
            self._push(frame, NOBLOCK)
        except zmq.Again:
            self.dropped += messages
            return False
        return True

    # --- plumbing --------------------------------------------------------------------------------------------------

    def send_head(self, now_ns: int) -> None:
        """Say the last number of every topic that moved since the head before last, so that a lost tail is noticed."""
        self.flush()
        moved: dict[str, int] = {}
        for part in self._fresh:
            moved.update(part)
        self._fresh = [*self._fresh[-2:], {}]
        if moved and self.stream.kind == "pubsub":
            name = self.stream.name
            head = StreamHead(ts_ns=now_ns, stream=name, heads={f"{name}.{key}": seq for key, seq in moved.items()})
            self.send_frame(codec.encode(codec.topic_of(name, head), self._producer, self._run_id, 0, head))

    def send_end(self, now_ns: int) -> None:
        """Say that nothing follows."""
        self.flush()
        name = self.stream.name
        end = EndOfStream(ts_ns=now_ns, stream=name)
        self.send_frame(codec.encode(codec.topic_of(name, end), self._producer, self._run_id, 0, end))

    def subscriptions(self) -> list[Subscribed]:
        """The topics that subscribers began to follow."""
        found = []
        try:
            while True:
                frame = self.socket.recv(NOBLOCK)
                topic = frame[1:]
                if frame[:1] == b"\1":
                    self.followed.add(topic)
                    found.append(Subscribed(self.stream.name, topic.decode()))
                else:
                    self.followed.discard(topic)
        except zmq.Again:
            self._packs = all(self._whole.startswith(topic) for topic in self.followed)
            return found
