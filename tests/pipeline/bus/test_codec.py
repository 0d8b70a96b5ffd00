"""Every message crosses the bus unchanged, and any MessagePack reader can read it."""

from __future__ import annotations

import random
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgpack
import msgspec
import pytest

from pipeline.bus import codec
from pipeline.bus.topology import STREAMS, Stream
from pipeline.messages import Message

CARRIED = [(stream.name, kind) for stream in STREAMS for kind in stream.carries + codec.PLUMBING]
TEXTS = ("", "0.41", "mkt-1/yes", "naïve ☃", "7" * 78)


def example(kind: type[Any], draw: random.Random) -> Any:
    """A message (or a struct within one) drawn from its declared field types."""
    hints = get_type_hints(kind)
    return kind(**{field.name: value(hints[field.name], draw) for field in msgspec.structs.fields(kind)})


def value(hint: Any, draw: random.Random) -> Any:
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return draw.choice(arguments)
    if type(None) in arguments:
        return draw.choice([None, *(value(argument, draw) for argument in arguments if argument is not type(None))])
    if get_origin(hint) is tuple:
        if arguments[-1] is Ellipsis:
            return tuple(value(arguments[0], draw) for _ in range(draw.randrange(3)))
        return tuple(value(argument, draw) for argument in arguments)
    if get_origin(hint) is dict:
        return {value(arguments[0], draw): value(arguments[1], draw) for _ in range(draw.randrange(3))}
    if hint is bool:
        return draw.random() < 0.5
    if hint is int or getattr(hint, "__supertype__", None) is int:
        return draw.choice([0, 1, -1, 2**63 - 1, -(2**63), draw.getrandbits(40)])
    if hint is str:
        return draw.choice(TEXTS)
    return example(hint, draw)


@pytest.mark.parametrize(("stream", "kind"), CARRIED, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_decoding_what_was_encoded_gives_the_same_message(stream: str, kind: type[Message]) -> None:
    draw = random.Random(1)
    for _ in range(20):
        msg = example(kind, draw)
        arrival = codec.decode(stream, codec.encode(codec.topic_of(stream, msg), "tester", "run-1", 7, msg))
        assert (arrival.producer, arrival.run_id, arrival.seq, arrival.message) == ("tester", "run-1", 7, msg)


@pytest.mark.parametrize(("stream", "kind"), CARRIED, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_the_msgpack_package_reads_every_message(stream: str, kind: type[Message]) -> None:
    draw = random.Random(2)
    for _ in range(5):
        msg = example(kind, draw)
        topic, _, body = codec.encode(f"{stream}.key", "tester", "run-1", 7, msg).partition(b"\0")
        producer, run_id, seq, (name, *fields) = msgpack.unpackb(body)
        assert (topic.decode(), producer, run_id, seq, name) == (f"{stream}.key", "tester", "run-1", 7, kind.__name__)
        assert len(fields) == len(msgspec.structs.fields(kind))
        assert fields[0] == msg.ts_ns


def test_a_subscription_to_one_topic_is_no_prefix_of_another() -> None:
    head = codec.StreamHead(ts_ns=1, stream="book", heads={"book.12": 3})
    one, other = codec.encode("book.12", "p", "r", 1, head), codec.encode("book.123", "p", "r", 1, head)
    assert one.startswith(b"book.12\0")
    assert not other.startswith(b"book.12\0")


def test_a_message_of_another_stream_is_refused() -> None:
    beat = codec.EndOfStream(ts_ns=1, stream="book")
    from pipeline.messages.control import Heartbeat

    frame = codec.encode("book.", "p", "r", 1, Heartbeat(ts_ns=1, role="writer", pid=1))
    with pytest.raises(msgspec.ValidationError):
        codec.decode("book", frame)
    assert codec.decode("book", codec.encode("book.", "p", "r", 1, beat)).message == beat


@pytest.mark.parametrize("stream", [stream for stream in STREAMS if stream.pack > 1], ids=lambda stream: stream.name)
def test_a_pack_gives_its_messages_back_in_order_and_no_topic_of_the_stream_begins_it(stream: Stream) -> None:
    draw = random.Random(3)
    numbered = [(number, example(kind, draw)) for number, kind in enumerate(stream.carries, 1)]
    frame = codec.encode_pack(stream.name, "tester", "run-1", numbered)
    topic = codec.pack_topic(stream.name)
    assert codec.pack_decoder(stream.name)(frame[len(topic) :]) == ("tester", "run-1", numbered)
    assert frame.startswith(f"{stream.name}.".encode())  # who follows the whole stream gets it
    for _, msg in numbered:
        assert not frame.startswith(codec.topic_of(stream.name, msg).encode() + codec.NUL)
