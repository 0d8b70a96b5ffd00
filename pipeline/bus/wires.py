"""The sockets of one role, opened from the stream table: messages out with their numbers, arrivals in with their gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType

import msgspec
import zmq

from pipeline.base.errors import PortInUse
from pipeline.bus import codec
from pipeline.bus.stage import Arrival, Gap, Identity, PeerStarted
from pipeline.bus.topology import SUPERSEDED, Stream, receives, sends
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.control import EndOfStream, StreamHead

_LINGER_MS = 1_000


class Subscribed(msgspec.Struct, frozen=True):
    """Somebody began to listen to the topics that start with ``topic``, and wants their current state."""

    stream: str
    topic: str


Incoming = Arrival | Gap | PeerStarted | Subscribed


class Wires:
    """All sockets of one role. Use from one thread.

    ``topics`` narrows what a SUB listens to: for a stream, the exact topics wanted (all of it by default).
    ``only`` opens just the named streams, as an onlooker (``tap``, the live view) does.
    """

    def __init__(
        self,
        role: str,
        identity: Identity,
        transport: Transport,
        context: zmq.Context[zmq.Socket[bytes]],
        *,
        topics: Mapping[str, Iterable[str]] | None = None,
        only: Iterable[str] | None = None,
    ) -> None:
        self.role = role
        self.identity = identity
        self.dropped: dict[str, int] = {}
        self.gaps = 0
        self._sending: dict[str, zmq.Socket[bytes]] = {}
        self._hears: list[tuple[zmq.Socket[bytes], Stream]] = []
        self._publishers: dict[zmq.Socket[bytes], Stream] = {}
        self._heads: dict[str, dict[str, int]] = {}
        self._fresh_heads: dict[str, list[dict[str, int]]] = {}
        self._runs: dict[tuple[str, str], str] = {}
        self._last: dict[tuple[str, str, str], int] = {}
        self.poller = zmq.Poller()
        chosen = None if only is None else frozenset(only)
        for stream in sends(role):
            if chosen is None or stream.name in chosen:
                self._open_sender(stream, transport.address(stream.name), context)
        for stream in receives(role):
            if chosen is None or stream.name in chosen:
                self._open_receiver(stream, transport.address(stream.name), context, (topics or {}).get(stream.name))

    # --- out -------------------------------------------------------------------------------------------------------

    def send(self, stream: Stream, msg: Message) -> bool:
        """Send one message; False if it was dropped (and counted), because the stream is full or has no peer."""
        topic = codec.topic_of(stream.name, msg)
        heads = self._heads[stream.name]
        seq = heads.get(topic, 0) + 1
        frame = codec.encode(topic, self.identity.producer, self.identity.run_id, seq, msg)
        if not self.send_frame(stream, frame):
            return False
        heads[topic] = seq
        if stream.kind == "pubsub":
            self._fresh_heads[stream.name][-1][topic] = seq
        return True

    def send_frame(self, stream: Stream, frame: bytes) -> bool:
        """Send a frame that already has its number; False if it was dropped."""
        try:
            self._sending[stream.name].send(frame, zmq.NOBLOCK)
        except zmq.Again:
            self.dropped[stream.name] = self.dropped.get(stream.name, 0) + 1
            return False
        return True

    def send_heads(self, now_ns: int) -> None:
        """Say the last number of every topic that moved since the head before last, so that a lost tail is noticed."""
        for stream in sends(self.role):
            fresh = self._fresh_heads.get(stream.name)
            if fresh is None:
                continue
            heads: dict[str, int] = {}
            for part in fresh:
                heads.update(part)
            if heads:
                head = StreamHead(ts_ns=now_ns, stream=stream.name, heads=heads)
                topic = codec.topic_of(stream.name, head)
                frame = codec.encode(topic, self.identity.producer, self.identity.run_id, 0, head)
                self.send_frame(stream, frame)
            self._fresh_heads[stream.name] = [*fresh[-2:], {}]

    def send_end(self, now_ns: int) -> None:
        """Say on every stream that nothing follows."""
        for name in self._sending:
            end = EndOfStream(ts_ns=now_ns, stream=name)
            stream = next(stream for stream in sends(self.role) if stream.name == name)
            frame = codec.encode(codec.topic_of(name, end), self.identity.producer, self.identity.run_id, 0, end)
            if self._is_heard(stream):
                self.send_frame(stream, frame)

    def _is_heard(self, stream: Stream) -> bool:
        """Whether a stream's end is worth saying: not on one that takes nothing while its listener is away."""
        return stream.when_full not in ("expire", "raise") and stream.name != "health"

    # --- in --------------------------------------------------------------------------------------------------------

    def receive(self, timeout_ms: int, at_most: int) -> list[Incoming]:
        """What has arrived, in order for each stream; waits at most ``timeout_ms`` for the first of it.

        A receiver that has fallen behind gets only the newest of each (topic, kind) of a state kind, where the stream's policy is
        ``supersede``. Subscriptions come first.
        """
        ready = dict(self.poller.poll(timeout_ms))
        if not ready:
            return []
        found: list[Incoming] = []
        for socket, stream in self._publishers.items():
            if socket in ready:
                found.extend(_subscriptions(socket, stream))
        for socket, stream in self._hears:
            if socket in ready:
                found.extend(self._drain(socket, stream, at_most))
        return found

    def _drain(self, socket: zmq.Socket[bytes], stream: Stream, at_most: int) -> Iterable[Incoming]:
        found: list[Incoming] = []
        decode, name = codec.decode, stream.name
        receive = socket.recv
        superseding = stream.when_full == "supersede" and self.role not in stream.every_message
        try:
            for _ in range(at_most):
                arrival = decode(name, receive(zmq.NOBLOCK))
                found.extend(self._number(stream, arrival))
        except zmq.Again:
            pass
        return _newest(found) if superseding and len(found) > 1 else found

    def _number(self, stream: Stream, arrival: Arrival) -> Iterable[Incoming]:
        """Check an arrival's number; yield what the stage should know, in order."""
        peer = (stream.name, arrival.producer)
        run_id = self._runs.get(peer)
        if run_id != arrival.run_id:
            self._runs[peer] = arrival.run_id
            for key in [key for key in self._last if key[:2] == peer]:
                del self._last[key]
            if run_id is not None:
                yield PeerStarted(stream.name, arrival.producer, arrival.run_id)
        if stream.when_full == "journal":
            yield arrival
            return
        message = arrival.message
        if isinstance(message, StreamHead):
            for topic, seq in message.heads.items():
                yield from self._compare(stream, arrival.producer, topic, seq, behind_by=0)
            return
        if isinstance(message, EndOfStream):
            yield arrival
            return
        yield from self._compare(stream, arrival.producer, codec.topic_of(stream.name, message), arrival.seq, behind_by=1)
        yield arrival

    def _compare(self, stream: Stream, producer: str, topic: str, seq: int, behind_by: int) -> Iterable[Incoming]:
        key = (stream.name, producer, topic)
        last = self._last.get(key)
        if behind_by == 0 and (last is None or seq <= last):
            return
        self._last[key] = seq
        if last is not None and seq > last + behind_by:
            self.gaps += 1
            yield Gap(stream.name, topic, producer, last + 1, seq)

    def senders(self, stream: str) -> set[str]:
        """Who has been heard on a stream."""
        return {producer for name, producer in self._runs if name == stream}

    def resubscribe(self, stream: str, topic: str) -> None:
        """Ask the publisher again for the current state of one topic."""
        wanted = topic.encode() + codec.NUL
        for socket, heard in self._hears:
            if heard.name == stream and heard.kind == "pubsub":
                socket.setsockopt(zmq.SUBSCRIBE, wanted)
                socket.setsockopt(zmq.UNSUBSCRIBE, wanted)

    # --- opening and closing ---------------------------------------------------------------------------------------

    def _open_sender(self, stream: Stream, address: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._heads[stream.name] = {}
        if stream.kind == "pubsub":
            socket = context.socket(zmq.XPUB)
            socket.setsockopt(zmq.XPUB_VERBOSE, 1)
            self._fresh_heads[stream.name] = [{}]
            _bind(socket, address, stream)
            self._publishers[socket] = stream
            self.poller.register(socket, zmq.POLLIN)
        else:
            socket = context.socket(zmq.PUSH)
            if stream.when_full in ("expire", "raise") or stream.name == "health":
                socket.setsockopt(zmq.IMMEDIATE, 1)
            _connect(socket, address, stream)
        self._sending[stream.name] = socket

    def _open_receiver(
        self, stream: Stream, address: str, context: zmq.Context[zmq.Socket[bytes]], topics: Iterable[str] | None
    ) -> None:
        if stream.kind == "pubsub":
            socket = context.socket(zmq.SUB)
            prefixes = [f"{stream.name}."] if topics is None else [f"{topic}\0" for topic in (*topics, f"{stream.name}.")]
            for prefix in prefixes:
                socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())
            _connect(socket, address, stream)
        else:
            socket = context.socket(zmq.PULL)
            _bind(socket, address, stream)
        self._hears.append((socket, stream))
        self.poller.register(socket, zmq.POLLIN)

    def close(self) -> None:
        """Close every socket; what is queued to be sent is still sent for a second."""
        for socket in self._sending.values():
            socket.close(linger=_LINGER_MS)
        for socket, _ in self._hears:
            socket.close(linger=0)

    def __enter__(self) -> Wires:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _bind(socket: zmq.Socket[bytes], address: str, stream: Stream) -> None:
    socket.setsockopt(zmq.SNDHWM, stream.hwm)
    socket.setsockopt(zmq.RCVHWM, stream.hwm)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise PortInUse(
            f"{address} ({stream.name}): {error}; another pipeline may use it: change [bus] state_dir or base_port"
        ) from None


def _connect(socket: zmq.Socket[bytes], address: str, stream: Stream) -> None:
    socket.setsockopt(zmq.SNDHWM, stream.hwm)
    socket.setsockopt(zmq.RCVHWM, stream.hwm)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
    socket.connect(address)


def _subscriptions(socket: zmq.Socket[bytes], stream: Stream) -> Iterator[Subscribed]:
    """The topics that new subscribers asked for."""
    try:
        while True:
            frame = socket.recv(zmq.NOBLOCK)
            if frame[:1] == b"\1":
                yield Subscribed(stream.name, frame[1:].decode())
    except zmq.Again:
        return


def _newest(found: list[Incoming]) -> list[Incoming]:
    """Leave out every state message that a later one of the same topic and kind replaces."""
    seen: set[tuple[type[Message], str]] = set()
    kept: list[Incoming] = []
    for item in reversed(found):
        if isinstance(item, Arrival) and type(item.message) in SUPERSEDED:
            mark = (type(item.message), item.message.key)
            if mark in seen:
                continue
            seen.add(mark)
        kept.append(item)
    kept.reverse()
    return kept
