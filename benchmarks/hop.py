"""One hop of the bus: messages to bytes and back, and through the sockets of a stream, beside msgspec and pyzmq alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import zmq

from benchmarks.machine import Options, interleave
from benchmarks.table import Figure
from pipeline.bus import codec
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.topology import BOOK_BUILDER, GATEWAY, STREAM
from pipeline.bus.transport import Transport
from pipeline.bus.wires import Wires
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, Level, VenuePriceChange

TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
MARKET = "0x5f65177b394277fd294cd75650044e32ba009a95022d88a0c1d565897d72f8f1"
CHANGE = VenuePriceChange(
    ts_ns=1_780_000_000_000_000_000,
    token_id=TOKEN,
    market=MARKET,
    venue_ts="1780000000000",
    hash="7ffce1b4ba0b4de7a3a6d3f6b2f57bdb4d09b4a1",
    changes=(("0.52", "173.5", "BUY"),),
    best_bid="0.52",
    best_ask="0.53",
)
BOOK = BookSnapshot(
    ts_ns=1_780_000_000_000_000_000,
    token_id=TOKEN,
    market=MARKET,
    tick_size_e6=10_000,
    bids=tuple(Level(520_000 - 10_000 * step, 173_500_000 + step) for step in range(10)),
    asks=tuple(Level(530_000 + 10_000 * step, 88_000_000 + step) for step in range(10)),
    seq=12_345,
    venue_ns=1_780_000_000_000_000_000,
    state="VERIFIED",
    basis="hash",
    changed_bids=(Level(520_000, 173_500_000),),
)
MESSAGES = 20_000
BURST = 500


def figures(options: Options) -> list[Figure]:
    """Microseconds to encode and decode a message, and messages a second over ipc, sent and taken by one thread."""
    found: list[Figure] = []
    for name, stream, msg in (("a change of the feed", "feed", CHANGE), ("a book of ten levels", "book", BOOK)):
        ours, bare = interleave(options.runs, _codec_us(stream, msg), _bare_codec_us(msg))
        found.append(Figure(f"codec, encode + decode of {name}", "us", ours, None, bare))
    ours, bare = interleave(options.runs, _wires_rate, _bare_rate)
    found.append(Figure("ipc: changes through Wires, numbered and checked", "msg/s", ours, None, bare))
    found.append(Figure("bare limit: pyzmq, the same bytes", "msg/s", bare))
    return found


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


def _wires_rate() -> float:
    with tempfile.TemporaryDirectory(prefix="pb-") as folder, zmq.Context() as context:
        transport = Transport("ipc", socket_dir=Path(folder))
        with (
            Wires(GATEWAY, Identity("bench", "run-1", GATEWAY), transport, context, only=("feed",)) as sender,
            Wires(BOOK_BUILDER, Identity("bench", "run-2", BOOK_BUILDER), transport, context, only=("feed",)) as receiver,
        ):
            while not sender.receive(1_000, 10):
                pass
            stream = STREAM["feed"]
            began = time.perf_counter()
            for _ in range(MESSAGES // BURST):
                for _ in range(BURST):
                    sender.send(stream, CHANGE)
                left = BURST
                while left:
                    left -= sum(type(item) is Arrival for item in receiver.receive(1_000, BURST))
            return MESSAGES / (time.perf_counter() - began)


def _bare_rate() -> float:
    frame = codec.encode(codec.topic_of("feed", CHANGE), "gateway", "run-1", 1, CHANGE)
    with tempfile.TemporaryDirectory(prefix="pb-") as folder, zmq.Context() as context:
        sender, receiver = context.socket(zmq.XPUB), context.socket(zmq.SUB)
        sender.sndhwm = receiver.rcvhwm = STREAM["feed"].hwm
        sender.bind(f"ipc://{folder}/feed")
        receiver.subscribe(b"feed.")
        receiver.connect(f"ipc://{folder}/feed")
        sender.recv()
        began = time.perf_counter()
        for _ in range(MESSAGES // BURST):
            for _ in range(BURST):
                sender.send(frame, zmq.NOBLOCK)
            for _ in range(BURST):
                receiver.recv()
        rate = MESSAGES / (time.perf_counter() - began)
        sender.close(linger=0)
        receiver.close(linger=0)
        return rate
