"""One hop of the bus: messages through the sockets of a stream, in one direction and there and back, beside pyzmq alone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import zmq

from benchmarks.machine import Options, interleave
from benchmarks.percentiles import percentile_of
from benchmarks.samples import CHANGE
from benchmarks.table import Figure
from pipeline.bus import codec
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.topology import BOOK_BUILDER, GATEWAY, STREAM
from pipeline.bus.transport import Transport
from pipeline.bus.wires import Incoming, Wires

MESSAGES = 20_480
BURST = 512
BARE_HWM = 10_000
"""Longer than bursts need: a publisher hears only now and then how far its listener is, and drops without a word what is above."""
TRIPS = 3_000
ROOT = Path(__file__).resolve().parents[1]
BARE = ROOT / "benchmarks" / "peers" / "hops.py"


def figures(options: Options) -> list[Figure]:
    """Messages a second over ipc, sent and taken by one thread, and round trips between two processes that wait for each other."""
    found = []
    for how, packed in (("one a frame", False), ("in packs as live", True)):
        ours, bare = interleave(options.runs, partial(_wires_rate, packed), partial(_bare_rate, packed))
        name = f"bus, messages over ipc, numbered and checked, {how}"
        found.append(Figure(name, "msg/s", ours, peer_name="pyzmq, the same bytes", peer=bare))
    mine: list[list[float]] = []
    theirs: list[list[float]] = []
    for _ in range(options.runs):
        mine.append(_wires_trips())
        theirs.append(_bare_trips())
    for part in ("p50", "p99"):
        runs, peer = (tuple(percentile_of(trips, part) for trips in side) for side in (mine, theirs))
        found.append(
            Figure(f"bus, round trip between two processes, {part}", "us", runs, peer_name="pyzmq, the same bytes", peer=peer)
        )
    return found


def _wires_rate(packed: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="pb-") as folder, zmq.Context() as context:
        transport = Transport("ipc", socket_dir=Path(folder))
        with (
            Wires(GATEWAY, Identity("bench", "run-1", GATEWAY), transport, context, only=("feed",)) as sender,
            Wires(BOOK_BUILDER, Identity("bench", "run-2", BOOK_BUILDER), transport, context, only=("feed",)) as receiver,
        ):
            while not sender.receive(1_000, 10):
                pass
            stream = STREAM["feed"]
            say = sender.gather if packed else sender.send
            began = time.perf_counter()
            for _ in range(MESSAGES // BURST):
                for _ in range(BURST):
                    say(stream, CHANGE)
                sender.flush(patient=False)
                left = BURST
                while left:
                    arrived = receiver.receive(10_000, BURST)
                    if not arrived:
                        raise TimeoutError(f"{left} of {BURST} messages did not arrive; {sender.dropped} were dropped")
                    left -= sum(type(item) is Arrival for item in arrived)
            return MESSAGES / (time.perf_counter() - began)


def _bare_rate(packed: bool) -> float:
    pack = STREAM["feed"].pack if packed else 1
    frame = codec.encode(codec.topic_of("feed", CHANGE), "gateway", "run-1", 1, CHANGE)
    if packed:
        frame = codec.encode_pack("feed", "gateway", "run-1", [(1, CHANGE)] * pack)
    frames = BURST // pack
    with tempfile.TemporaryDirectory(prefix="pb-") as folder, zmq.Context() as context:
        sender, receiver = context.socket(zmq.XPUB), context.socket(zmq.SUB)
        sender.sndhwm = receiver.rcvhwm = BARE_HWM
        receiver.rcvtimeo = 10_000
        sender.bind(f"ipc://{folder}/feed")
        receiver.subscribe(b"feed.")
        receiver.connect(f"ipc://{folder}/feed")
        sender.recv()
        began = time.perf_counter()
        for _ in range(MESSAGES // BURST):
            for _ in range(frames):
                sender.send(frame, zmq.NOBLOCK)
            for _ in range(frames):
                receiver.recv()
        rate = MESSAGES / (time.perf_counter() - began)
        sender.close(linger=0)
        receiver.close(linger=0)
        return rate


def _wires_trips() -> list[float]:
    """Microseconds of each round trip: a change of the feed there, a request for a book back."""
    with tempfile.TemporaryDirectory(prefix="pb-") as folder, zmq.Context() as context:
        transport = Transport("ipc", socket_dir=Path(folder))
        echo = subprocess.Popen([sys.executable, "-m", "benchmarks.hop_echo", folder], cwd=ROOT)
        feed = STREAM["feed"]
        trips = []
        with Wires(GATEWAY, Identity("bench", "run-1", GATEWAY), transport, context, only=("feed", "resync")) as wires:
            while not wires.receive(1_000, 10):
                pass
            for _ in range(TRIPS):
                began = time.perf_counter()
                wires.send(feed, CHANGE)
                answers: list[Incoming] = []
                while not any(type(item) is Arrival for item in answers):
                    answers = wires.receive(10_000, 10)
                    if not answers:
                        raise TimeoutError("no answer came from the other end of the round trip")
                trips.append((time.perf_counter() - began) * 1e6)
            wires.send_end(0)
            echo.wait(timeout=10)
    return trips


def _bare_trips() -> list[float]:
    """The same with two sockets and no message in the bytes."""
    frame = codec.encode(codec.topic_of("feed", CHANGE), "gateway", "run-1", 1, CHANGE)
    trips = []
    with tempfile.TemporaryDirectory(prefix="pb-") as folder, zmq.Context() as context:
        out, back = context.socket(zmq.XPUB), context.socket(zmq.PULL)
        out.bind(f"ipc://{folder}/feed")
        back.bind(f"ipc://{folder}/back")
        echo = subprocess.Popen([sys.executable, str(BARE), "echo", folder])
        back.rcvtimeo = 10_000
        out.recv()
        for _ in range(TRIPS):
            began = time.perf_counter()
            out.send(frame)
            back.recv()
            trips.append((time.perf_counter() - began) * 1e6)
        out.send(b"end")
        echo.wait(timeout=10)
        out.close(linger=0)
        back.close(linger=0)
    return trips
