"""An edge thread and its loop exchange messages both ways, and an edge that dies ends its process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import zmq

from pipeline.base.clock import SystemClock, monotonic_ns
from pipeline.bus.edge import Emit, Inbox
from pipeline.bus.runner import Runner
from pipeline.bus.stage import Identity, Stage
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.control import BookWanted
from pipeline.messages.edges import FetchBooks, RestBody


class Echo:
    """Answers every request with its cause."""

    name = "echo"
    accepts = (FetchBooks,)

    def __init__(self) -> None:
        self._requests: asyncio.Queue[FetchBooks] = asyncio.Queue()

    async def run(self, emit: Emit) -> None:
        while True:
            request = await self._requests.get()
            if request.cause == "die":
                raise RuntimeError("the edge broke")
            emit(RestBody(ts_ns=request.ts_ns, request=request.cause, status=200, body=b""))

    def take(self, msg: Message) -> None:
        assert isinstance(msg, FetchBooks)
        self._requests.put_nowait(msg)


class Asker(Stage):
    role = "gateway"

    def __init__(self, causes: list[str]) -> None:
        self.causes = causes
        self.answers: list[str] = []

    def start(self, now_ns: int) -> Iterator[Message]:
        for cause in self.causes:
            yield FetchBooks(ts_ns=now_ns, token_ids=(), markets=(), cause=cause)

    def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
        if isinstance(msg, RestBody):
            self.answers.append(msg.request)
        yield from ()


def run_until(stage: Asker, answers: int) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    one = Runner(stage, Identity("s", "r", "gateway"), SystemClock(), Transport("inproc"), context, edges=[Echo()])
    deadline = monotonic_ns() + 5_000_000_000
    try:
        one.run(lambda: len(stage.answers) < answers and monotonic_ns() < deadline)
    finally:
        context.destroy(linger=0)


def test_requests_reach_the_edge_and_answers_come_back_in_order() -> None:
    stage = Asker([str(number) for number in range(500)])
    run_until(stage, 500)
    assert stage.answers == stage.causes


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_edge_that_raises_ends_the_loop_after_what_it_said() -> None:
    stage = Asker(["before", "die"])
    with pytest.raises(RuntimeError, match="the edge broke"):
        run_until(stage, 2)
    assert stage.answers == ["before"]


def test_no_message_of_any_thread_waits_for_a_wake_up_that_never_comes() -> None:
    """The loop looks only when it is woken: a message that woke nobody would stay."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    inbox, each, all_heard = Inbox(context, "test"), 20_000, threading.Event()

    def emit_all() -> None:
        emit, close = inbox.open_emit()
        for number in range(each):
            emit(BookWanted(ts_ns=number, token_id="t", market="m", cause="test"))
        all_heard.wait(10)
        close()

    threads = [threading.Thread(target=emit_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    heard: list[Message] = []
    while len(heard) < 3 * each:
        assert inbox.waiting or inbox.socket.poll(5_000), f"{len(heard)} came, {inbox.waiting} wait"
        heard += inbox.take(1_000)
    all_heard.set()
    for thread in threads:
        thread.join()
    assert sorted(msg.ts_ns for msg in heard) == sorted(3 * list(range(each)))
    inbox.close()
    context.destroy(linger=0)
