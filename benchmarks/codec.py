"""Words to bytes and back: bus messages with their envelope, and a venue's frame to messages, each beside msgspec alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from benchmarks.machine import Options, interleave
from benchmarks.samples import BOOK, CHANGE, FRAME, TRADE
from benchmarks.table import Figure
from pipeline.bus import codec
from pipeline.messages import Message
from pipeline.venue.decode import FrameDecoder

MESSAGES = 20_000
TIMES_BARE = 3.0
"""What checks and envelopes may make of the bare work."""


def figures(options: Options) -> list[Figure]:
    """Microseconds to encode and decode a message as the bus does, and to turn a frame of two changes into messages."""
    found: list[Figure] = []
    kinds: tuple[tuple[str, str, Message], ...] = (
        ("a small message", "book", TRADE),
        ("a change of the feed", "feed", CHANGE),
        ("a book of ten levels", "book", BOOK),
    )
    for name, stream, msg in kinds:
        ours, bare = interleave(options.runs, _codec_us(stream, msg), _bare_codec_us(msg))
        name = f"codec, encode + decode of {name}"
        found.append(Figure(name, "us", ours, peer_name="msgspec, without a topic", peer=bare, aim=TIMES_BARE))
    ours, bare = interleave(options.runs, _frame_us, _bare_frame_us)
    name = f"decode of a venue frame of two changes, {len(FRAME)} B"
    return [*found, Figure(name, "us", ours, peer_name="msgspec, one Struct", peer=bare, aim=TIMES_BARE)]


def _codec_us(stream: str, msg: Message) -> Callable[[], float]:
    topic = codec.topic_of(stream, msg)

    def measure() -> float:
        began = time.perf_counter()
        for seq in range(MESSAGES):
            codec.decode(stream, codec.encode(topic, "gateway", "run-1", seq, msg))
        return (time.perf_counter() - began) / MESSAGES * 1e6

    return measure


def _bare_codec_us(msg: Message) -> Callable[[], float]:
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(tuple[str, str, int, type(msg)]).decode  # type: ignore[misc]

    def measure() -> float:
        began = time.perf_counter()
        for seq in range(MESSAGES):
            decode(encode(("gateway", "run-1", seq, msg)))
        return (time.perf_counter() - began) / MESSAGES * 1e6

    return measure


class _Entry(msgspec.Struct, gc=False):
    asset_id: str
    price: str
    size: str
    side: str
    hash: str
    best_bid: str
    best_ask: str


class _Frame(msgspec.Struct, gc=False):
    market: str
    timestamp: str
    price_changes: list[_Entry]
    event_type: str


def _frame_us() -> float:
    decode = FrameDecoder().decode
    began = time.perf_counter()
    for ts_ns in range(MESSAGES):
        decode(FRAME, ts_ns)
    return (time.perf_counter() - began) / MESSAGES * 1e6


def _bare_frame_us() -> float:
    decode = msgspec.json.Decoder(_Frame).decode
    began = time.perf_counter()
    for _ in range(MESSAGES):
        decode(FRAME)
    return (time.perf_counter() - began) / MESSAGES * 1e6
