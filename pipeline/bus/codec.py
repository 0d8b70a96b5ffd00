"""Messages as bytes: one frame is the topic, a NUL, then MessagePack of ``(producer, run_id, seq, message)``.

One part a frame, because several cost five times as much; the topic leads, so that a SUB's prefix matching works on it.
A pack is one frame of several messages of a stream, of any topics, as each frame wakes four threads on its way: its topic is
``<stream>.`` and PACKED, what follows is ``(producer, run_id, [(seq, message), ...])``. Only who listens to a whole stream gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Union

import msgspec

from pipeline.bus.stage import Arrival
from pipeline.bus.topology import STREAM, STREAMS, Stream
from pipeline.messages import Message
from pipeline.messages.control import EndOfStream, StreamHead
from pipeline.messages.market import BookSnapshot

NUL = b"\0"
PACKED = "\1"
"""The key of packs; no message has it."""
PLUMBING: tuple[type[Message], ...] = (StreamHead, EndOfStream)
"""Kinds that every stream carries besides its own."""

_encode = msgspec.msgpack.Encoder().encode


def topic_of(stream: str, msg: Message) -> str:
    """``<stream>.<key>``."""
    return f"{stream}.{msg.key}"


def encode(topic: str, producer: str, run_id: str, seq: int, msg: Message) -> bytes:
    """One frame."""
    return topic.encode() + NUL + _encode((producer, run_id, seq, msg))


def encode_pack(stream: str, producer: str, run_id: str, numbered: Sequence[tuple[int, Message]]) -> bytes:
    """One frame of several messages, each with its number."""
    return pack_topic(stream) + _encode((producer, run_id, numbered))


@cache
def pack_topic(stream: str) -> bytes:
    """What the packs of a stream begin with."""
    return f"{stream}.{PACKED}".encode() + NUL


def decode(stream: str, frame: bytes) -> Arrival:
    """The arrival in one frame of a stream. Raises msgspec.DecodeError for a frame that is not of this stream's messages."""
    producer, run_id, seq, message = decoder(stream)(frame[frame.index(NUL) + 1 :])
    return Arrival(stream, producer, run_id, seq, message)


def topic_in(frame: bytes) -> str:
    """The topic of a frame, without decoding the rest."""
    return frame[: frame.index(NUL)].decode()


def all_kinds() -> tuple[type[Message], ...]:
    """Every kind of message on any stream, each once."""
    return tuple(dict.fromkeys(kind for stream in STREAMS for kind in stream.carries)) + PLUMBING


@cache
def decoder(stream: str) -> Callable[[bytes], tuple[str, str, int, Any]]:
    """What turns the part of a stream's frame behind the NUL into producer, run, number and message."""
    return msgspec.msgpack.Decoder(_envelope(STREAM[stream])).decode


@cache
def pack_decoder(stream: str) -> Callable[[bytes], tuple[str, str, list[tuple[int, Any]]]]:
    """What turns the part of a pack behind the NUL into producer, run, and numbers with their messages."""
    kinds = STREAM[stream].carries + PLUMBING
    return msgspec.msgpack.Decoder(tuple[str, str, list[tuple[int, Union[kinds]]]]).decode  # type: ignore[valid-type]  # noqa: UP007


class Head(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a message begins on the wire: its kind, its time and its first field."""

    kind: str
    ts_ns: int
    first: Any = None


LED_BY_KEY: frozenset[str] = frozenset({BookSnapshot.__name__})
"""Kinds of state whose first field is the key, and which come in packs: where one is replaced, it need not be decoded to know it."""

decode_heads: Callable[[bytes], tuple[str, str, list[tuple[int, Head]]]] = msgspec.msgpack.Decoder(
    tuple[str, str, list[tuple[int, Head]]]
).decode
"""As a ``pack_decoder``, but only the heads of the messages."""


def _envelope(stream: Stream) -> Any:
    kinds = stream.carries + PLUMBING
    return tuple[str, str, int, Union[kinds]]  # type: ignore[valid-type]  # noqa: UP007


_sender = msgspec.msgpack.Decoder(tuple[str, str, int, msgspec.Raw]).decode


def sender_of(frame: bytes) -> tuple[str, str, int]:
    """Producer, run and number of a frame, its message left undecoded."""
    producer, run_id, seq, _ = _sender(frame[frame.index(NUL) + 1 :])
    return producer, run_id, seq
