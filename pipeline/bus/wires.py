"""The sockets of one role, opened from the stream table: messages out with their numbers, arrivals in with their gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

import zmq

from pipeline.base.errors import PortInUse
from pipeline.bus import codec
from pipeline.bus.curve import CurveKeys, Gatekeeper, guard_binding, guard_connecting
from pipeline.bus.spoken import NOBLOCK as NOBLOCK
from pipeline.bus.spoken import Spoken
from pipeline.bus.spoken import Subscribed as Subscribed
from pipeline.bus.stage import Arrival, Gap, Identity, PeerStarted
from pipeline.bus.superseding import Incoming as Incoming
from pipeline.bus.superseding import Pack, Unread, newest
from pipeline.bus.topology import Stream, receives, sends
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.control import EndOfStream, StreamHead

_LINGER_MS = 1_000


class _Heard:
    """One socket that is listened to: for each sender its run, and the last number of each key."""

    __slots__ = ("decode", "decode_pack", "lines", "pack_topic", "receive", "run_of", "socket", "stream", "superseding")

    def __init__(self, socket: zmq.Socket[bytes], stream: Stream, superseding: bool) -> None:
        self.socket, self.stream, self.superseding = socket, stream, superseding
        self.receive, self.decode, self.decode_pack = socket.recv, codec.decoder(stream.name), codec.pack_decoder(stream.name)
        self.pack_topic = codec.pack_topic(stream.name)
        self.run_of: dict[str, str] = {}
        self.lines: dict[str, dict[str, int]] = {}


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
        self.before_leaving: Callable[[], None] = _nothing
        """Called before what was gathered leaves."""
        self.hurries = False
        """Something was gathered that is to leave when the turn ends."""
        self.gaps = 0
        self.superseded = 0
        """Messages of state that were left out, because a later one that was here already replaces them."""
        self._spoken: dict[str, Spoken] = {}
        self._gathering: list[Spoken] = []
        self._hears: list[_Heard] = []
        self._publishers: dict[zmq.Socket[bytes], Spoken] = {}
        self.poller = zmq.Poller()
        self.ready: dict[Any, int] = {}
        """What the last ``receive`` found readable, of everything that ``poller`` knows."""
        self._keys = transport.keys
        self._gatekeeper = None if transport.keys is None else Gatekeeper(context, transport.keys)
        chosen = None if only is None else frozenset(only)
        try:
            for stream in sends(role):
                if chosen is None or stream.name in chosen:
                    self._open_sender(stream, transport.address(stream.name), context)
            for stream in receives(role):
                if chosen is None or stream.name in chosen:
                    self._open_receiver(stream, transport.address(stream.name), context, (topics or {}).get(stream.name))
        except PortInUse:
            self.close()
            raise

    # --- out -------------------------------------------------------------------------------------------------------

    def send(self, stream: Stream, msg: Message) -> bool:
        """Send one message at once; False if it was dropped (and counted), because the stream is full or has no peer."""
        return self._spoken[stream.name].send(msg)

    def gather(self, stream: Stream, msg: Message) -> None:
        """Send one message, in one frame with others of its stream that are gathered before the next ``flush``."""
        spoken = self._spoken[stream.name]
        waiting = spoken.gather(msg)
        if waiting >= stream.pack:
            self.before_leaving()
            spoken.flush()
        elif waiting == 1 and spoken not in self._gathering:
            self._gathering.append(spoken)
            self.hurries |= stream.hurries

    def flush(self, *, patient: bool = True) -> None:
        """Have leave what was gathered; if ``patient``, but for what may wait longer."""
        self.before_leaving()
        self.hurries = False
        if self._gathering:
            waits = [spoken for spoken in self._gathering if patient and spoken.may_wait]
            for spoken in self._gathering:
                if spoken not in waits:
                    spoken.flush()
            self._gathering = waits

    @property
    def patience_ms(self) -> int | None:
        """How long what was gathered may wait at most; None if nothing waits."""
        return min([spoken.stream.patience_ms for spoken in self._gathering]) if self._gathering else None

    def send_frame(self, stream: Stream, frame: bytes) -> bool:
        """Send a frame that already has its number; False if it was dropped."""
        return self._spoken[stream.name].send_frame(frame)

    @property
    def dropped(self) -> dict[str, int]:
        """How many messages found no room, by stream."""
        return {name: spoken.dropped for name, spoken in self._spoken.items() if spoken.dropped}

    def send_heads(self, now_ns: int) -> None:
        """Say on every stream that is published how far it is, so that a lost tail is noticed."""
        for spoken in self._spoken.values():
            spoken.send_head(now_ns)

    def send_end(self, now_ns: int) -> None:
        """Say on every stream that nothing follows."""
        for spoken in self._spoken.values():
            if self._is_heard(spoken.stream):
                spoken.send_end(now_ns)
            else:
                spoken.flush()

    def _is_heard(self, stream: Stream) -> bool:
        """Whether a stream's end is worth saying: not on one whose listener may be gone already, as it would be waited for."""
        return stream.when_full not in ("expire", "raise") and stream.name not in ("health", "resync")

    # --- in --------------------------------------------------------------------------------------------------------

    def receive(self, timeout_ms: int, at_most: int) -> list[Incoming]:
        """What has arrived, in order for each stream; waits at most ``timeout_ms`` for the first of it.

        A receiver that has fallen behind gets only the newest of each (topic, kind) of a state kind, where the stream's policy is
        ``supersede``. Subscriptions come first.
        """
        ready = self.ready = dict(self.poller.poll(timeout_ms))
        if not ready:
            return []
        found: list[Incoming] = []
        for socket, spoken in self._publishers.items():
            if socket in ready:
                found += spoken.subscriptions()
        for heard in self._hears:
            if heard.socket in ready:
                found += self._drain(heard, at_most)
        return found

    def _drain(self, heard: _Heard, at_most: int) -> list[Incoming]:
        if heard.superseding:
            return self._drain_state(heard, at_most)
        found: list[Incoming] = []
        receive = heard.receive
        try:
            while len(found) < at_most:
                self._open(heard, receive(NOBLOCK), found)
        except zmq.Again:
            pass
        return found

    def _drain_state(self, heard: _Heard, at_most: int) -> list[Incoming]:
        """The same where the newest of each topic is enough: of packs that have piled up nothing else is decoded."""
        frames: list[bytes] = []
        try:
            while len(frames) < at_most:
                frames.append(heard.receive(NOBLOCK))
        except zmq.Again:
            pass
        found: list[Incoming | Unread] = []
        for frame in frames:
            if len(frames) == 1 or not self._leaf_through(heard, frame, found):
                self._open(heard, frame, found)  # type: ignore[arg-type]
        kept = newest(found)
        self.superseded += len(found) - len(kept)
        return kept

    def _open(self, heard: _Heard, frame: bytes, found: list[Incoming]) -> None:
        """Add what is in one frame."""
        stream, pack_topic = heard.stream, heard.pack_topic
        name, counted = stream.name, stream.when_full != "journal"
        numbered: Iterable[tuple[int, Any]]
        if frame.startswith(pack_topic):
            producer, run_id, numbered = heard.decode_pack(frame[len(pack_topic) :])
        else:
            producer, run_id, number, only = heard.decode(frame[frame.index(codec.NUL) + 1 :])
            numbered = ((number, only),)
        if heard.run_of.get(producer) != run_id:
            found += self._meet(heard, producer, run_id)
        line = heard.lines[producer]
        for seq, message in numbered:
            if counted:
                kind = type(message)
                if kind is StreamHead:
                    for topic, last in message.heads.items():
                        found += self._overtaken(heard, producer, topic[len(name) + 1 :], last)
                    continue
                if kind is not EndOfStream:
                    key = message.key
                    before = line.get(key)
                    line[key] = seq
                    if before is not None and seq != before + 1:
                        found += self._jumped(stream, producer, key, before + 1, seq)
            found.append(Arrival(name, producer, run_id, seq, message))

    def _leaf_through(self, heard: _Heard, frame: bytes, found: list[Incoming | Unread]) -> bool:
        """Add what is in one frame without decoding it; False if it has to be."""
        pack_topic = heard.pack_topic
        if not frame.startswith(pack_topic):
            return False
        producer, run_id, numbered = codec.decode_heads(frame[len(pack_topic) :])
        if any(head.kind not in codec.LED_BY_KEY for _, head in numbered):
            return False
        if heard.run_of.get(producer) != run_id:
            found += self._meet(heard, producer, run_id)
        line, pack = heard.lines[producer], Pack(heard.stream.name, frame, len(pack_topic))
        for place, (seq, head) in enumerate(numbered):
            key = head.first
            before = line.get(key)
            line[key] = seq
            if before is not None and seq != before + 1:
                found += self._jumped(heard.stream, producer, key, before + 1, seq)
            found.append(Unread(pack, place, head.kind, key))
        return True

    def _meet(self, heard: _Heard, producer: str, run_id: str) -> list[Incoming]:
        """A sender that is new, or a new run of one: its numbers start afresh."""
        known = producer in heard.run_of
        heard.run_of[producer] = run_id
        heard.lines[producer] = {}
        return [PeerStarted(heard.stream.name, producer, run_id)] if known else []

    def _overtaken(self, heard: _Heard, producer: str, key: str, seq: int) -> list[Incoming]:
        """A StreamHead says how far a topic is: what lies between was lost."""
        line = heard.lines[producer]
        before = line.get(key)
        if before is None or seq <= before:
            return []
        line[key] = seq
        return self._jumped(heard.stream, producer, key, before + 1, seq)

    def _jumped(self, stream: Stream, producer: str, key: str, expected: int, got: int) -> list[Incoming]:
        if got < expected:
            return []
        self.gaps += 1
        return [Gap(stream.name, f"{stream.name}.{key}", producer, expected, got)]

    def senders(self, stream: str) -> set[str]:
        """Who has been heard on a stream."""
        return {producer for heard in self._hears if heard.stream.name == stream for producer in heard.run_of}

    def resubscribe(self, stream: str, topic: str) -> None:
        """Ask the publisher again for the current state of one topic."""
        wanted = topic.encode() + codec.NUL
        for heard in self._hears:
            if heard.stream.name == stream and heard.stream.kind == "pubsub":
                heard.socket.setsockopt(zmq.SUBSCRIBE, wanted)
                heard.socket.setsockopt(zmq.UNSUBSCRIBE, wanted)

    # --- opening and closing ---------------------------------------------------------------------------------------

    def _open_sender(self, stream: Stream, address: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        if stream.kind == "pubsub":
            socket = context.socket(zmq.XPUB)
            socket.setsockopt(zmq.XPUB_VERBOSE, 1)
            _bind(socket, address, stream, self._keys)
            self.poller.register(socket, zmq.POLLIN)
        else:
            socket = context.socket(zmq.PUSH)
            if stream.when_full in ("expire", "raise") or stream.name == "health":
                socket.setsockopt(zmq.IMMEDIATE, 1)
            _connect(socket, address, stream, self._keys)
        self._spoken[stream.name] = spoken = Spoken(socket, stream, self.identity)
        if stream.kind == "pubsub":
            self._publishers[socket] = spoken

    def _open_receiver(
        self, stream: Stream, address: str, context: zmq.Context[zmq.Socket[bytes]], topics: Iterable[str] | None
    ) -> None:
        if stream.kind == "pubsub":
            socket = context.socket(zmq.SUB)
            prefixes = [f"{stream.name}."] if topics is None else [f"{topic}\0" for topic in (*topics, f"{stream.name}.")]
            for prefix in prefixes:
                socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())
            _connect(socket, address, stream, self._keys)
        else:
            socket = context.socket(zmq.PULL)
            _bind(socket, address, stream, self._keys)
        superseding = stream.when_full == "supersede" and self.role not in stream.every_message
        self._hears.append(_Heard(socket, stream, superseding))
        self.poller.register(socket, zmq.POLLIN)

    def close(self) -> None:
        """Close every socket; what was said already is still sent for a second."""
        for spoken in self._spoken.values():
            spoken.flush()
            spoken.socket.close(linger=_LINGER_MS)
        for heard in self._hears:
            heard.socket.close(linger=0)
        if self._gatekeeper is not None:
            self._gatekeeper.close()

    def __enter__(self) -> Wires:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _nothing() -> None:
    """Nobody wants to know."""


def _bind(socket: zmq.Socket[bytes], address: str, stream: Stream, keys: CurveKeys | None) -> None:
    if keys is not None:
        guard_binding(socket, keys)
    socket.setsockopt(zmq.SNDHWM, stream.hwm)
    socket.setsockopt(zmq.RCVHWM, stream.hwm)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise PortInUse(
            f"{address} ({stream.name}): {error}; another pipeline may use it: change [bus] state_dir, base_port or tcp_host"
        ) from None


def _connect(socket: zmq.Socket[bytes], address: str, stream: Stream, keys: CurveKeys | None) -> None:
    if keys is not None:
        guard_connecting(socket, keys)
    socket.setsockopt(zmq.SNDHWM, stream.hwm)
    socket.setsockopt(zmq.RCVHWM, stream.hwm)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
    socket.connect(address)
