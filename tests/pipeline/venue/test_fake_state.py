"""The offline venue's state reaches the executor's side, each change once."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from pipeline.base.clock import SystemClock
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.server import FakeVenueServer
from pipeline.messages import Message
from pipeline.messages.edges import VenueStateSeen
from pipeline.venue.fake_state import FakeVenueState, state_of


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"links":{},"venue_state":"post_only"}', "post_only"),
        (b'HTTP/1.1 200 OK\r\n\r\n{"links":{}}', "normal"),
        (b'HTTP/1.1 200 OK\r\n\r\n{"venue_state":"sleepy"}', None),
        (b'HTTP/1.1 404 Not Found\r\n\r\n{"venue_state":"post_only"}', None),
        (b"HTTP/1.1 200 OK\r\n\r\nnot json", None),
        (b"", None),
    ],
)
def test_only_an_answer_that_names_a_state_is_believed(answer: bytes, state: str | None) -> None:
    assert state_of(answer) == state


def test_each_change_is_said_once() -> None:
    clock = SystemClock()
    heard: list[str] = []
    with FakeVenueServer(FakeExchange(ExchangePlan(), clock.now_ns()), clock).running() as server:
        edge = FakeVenueState(server.url, every_s=0.01)
        wanted = ["cancel_only", "normal"]

        async def listen() -> None:
            done = asyncio.Event()

            def emit(msg: Message) -> None:
                assert isinstance(msg, VenueStateSeen)
                heard.append(msg.state)
                if heard == wanted:
                    done.set()
                else:
                    asyncio.get_running_loop().run_in_executor(None, tell, "normal")

            task = asyncio.ensure_future(edge.run(emit))
            await asyncio.get_running_loop().run_in_executor(None, tell, "cancel_only")
            await asyncio.wait_for(done.wait(), 10)
            task.cancel()

        def tell(state: str) -> None:
            httpx.post(f"{server.url}/admin/venue-state/{state}")

        asyncio.run(listen())
    assert heard == wanted
    assert asyncio.run(FakeVenueState(server.url)._read()) == b""
