"""Bare pyzmq: what a message costs between processes, with nothing of Polybot in them. Each role is one process.

``echo FOLDER`` answers each message of a feed; it is the other end of a round trip. The others are a way of messages as the pipeline has
it, a thread that hears the outside and a loop in the first process, then three hops between four processes (the first two PUB/SUB, the
last PUSH/PULL): ``venue FOLDER RATE SECONDS`` sends at an even pace, ``first FOLDER``, ``middle FOLDER FROM TO``, ``last FOLDER``. The
last prints the nanoseconds from the thread's receipt and from the loop's sending as JSON. ``alone FOLDER`` is a thread and a loop in one
process, without a hop to another.
"""

from __future__ import annotations

import json
import struct
import sys
import threading
import time
from collections import deque

import zmq

STAMPS = struct.Struct("<qq")
SIZE = 600
END = b"end"


def socket(context: zmq.Context, kind: int, address: str, bind: bool) -> zmq.Socket:
    """One socket of a hop; queues are as long as the pipeline's."""
    made = context.socket(kind)
    made.sndhwm = made.rcvhwm = 10_000
    made.linger = 0 if kind in (zmq.SUB, zmq.PULL) else 5_000
    if kind == zmq.SUB:
        made.subscribe(b"")
    (made.bind if bind else made.connect)(f"ipc://{address}")
    return made


def echo(context: zmq.Context, folder: str) -> None:
    """Send each message of the feed back."""
    heard, answers = socket(context, zmq.SUB, f"{folder}/feed", False), socket(context, zmq.PUSH, f"{folder}/back", False)
    while (message := heard.recv()) != END:
        answers.send(message)


def venue(context: zmq.Context, folder: str, rate: str, seconds: str) -> None:
    """Send at an even pace: what is due goes out, then it is slept until the next is."""
    out = socket(context, zmq.PUSH, f"{folder}/outside", True)
    count, gap = int(float(rate) * float(seconds)), 1 / float(rate)
    frame = bytes(SIZE)
    out.send(frame)  # waits until somebody listens
    began = time.perf_counter()
    for number in range(1, count):
        wait = began + number * gap - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        out.send(frame)
    out.send(END)


def hear(context: zmq.Context, folder: str, waiting: deque[tuple[int, bytes]]) -> None:
    """The thread that hears the outside: notes when, and wakes the loop."""
    outside, wake = socket(context, zmq.PULL, f"{folder}/outside", False), context.socket(zmq.PUSH)
    wake.connect("inproc://inbox")
    message = b""
    while message != END:
        message = outside.recv()
        waiting.append((time.time_ns(), message))
        wake.send(b"")
    wake.close()
    outside.close()


def arrivals(context: zmq.Context, folder: str):  # type: ignore[no-untyped-def]
    """What the thread has heard, as the loop wakes for it."""
    inbox = context.socket(zmq.PULL)
    inbox.bind("inproc://inbox")
    waiting: deque[tuple[int, bytes]] = deque()
    thread = threading.Thread(target=hear, args=(context, folder, waiting))
    thread.start()
    message = b""
    while message != END:
        inbox.recv()
        heard_ns, message = waiting.popleft()
        yield heard_ns, message
    thread.join()


def first(context: zmq.Context, folder: str) -> None:
    """The first process: each message leaves with both times in it."""
    out = socket(context, zmq.XPUB, f"{folder}/one", True)
    out.recv()  # the subscription
    for heard_ns, message in arrivals(context, folder):
        out.send(END if message == END else STAMPS.pack(heard_ns, time.time_ns()) + message)


def middle(context: zmq.Context, folder: str, source: str, target: str) -> None:
    """Hand on."""
    last_hop = target == "three"
    heard = socket(context, zmq.SUB, f"{folder}/{source}", False)
    out = socket(context, zmq.PUSH if last_hop else zmq.XPUB, f"{folder}/{target}", not last_hop)
    if not last_hop:
        out.recv()  # the subscription
    message = b""
    while message != END:
        message = heard.recv()
        out.send(message)


def last(context: zmq.Context, folder: str) -> None:
    """Note how long each message was under way."""
    heard = socket(context, zmq.PULL, f"{folder}/three", True)
    ways = []
    while (message := heard.recv()) != END:
        now_ns = time.time_ns()
        heard_ns, sent_ns = STAMPS.unpack_from(message)
        ways.append((now_ns - heard_ns, now_ns - sent_ns))
    print(json.dumps(ways))


def alone(context: zmq.Context, folder: str) -> None:
    """One process: from the thread's receipt to the loop."""
    ways = [(time.time_ns() - heard_ns, 0) for heard_ns, message in arrivals(context, folder) if message != END]
    print(json.dumps(ways))


if __name__ == "__main__":
    roles = {"echo": echo, "venue": venue, "first": first, "middle": middle, "last": last, "alone": alone}
    with zmq.Context() as the_context:
        roles[sys.argv[1]](the_context, *sys.argv[2:])
