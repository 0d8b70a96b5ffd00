import asyncio
import json
import random
from contextlib import suppress

import pytest

from pipeline.base.clock import SystemClock
from pipeline.base.settings import VenueSection
from pipeline.messages import Message
from pipeline.messages.edges import FetchBooks, RestBody
from pipeline.venue.backoff import Backoff, TokenBucket
from pipeline.venue.rest import BookFetcher


class Server:
    """The least of an HTTP server: a list of (status, body) to answer with, and the requests it got."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (int(line.split(":")[1]) for line in head.lower().split("\r\n") if line.startswith("content-length")), 0
                )
                body = (await reader.readexactly(length)).decode()
                self.requests.append((head.split("\r\n")[0], body))
                status, text = self.answers.pop(0)
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(text)}\r\n\r\n{text}".encode())
        writer.close()


def fetch(
    server: Server, *asked: FetchBooks, answers: int, settings: VenueSection | None = None, port: int | None = None
) -> list[RestBody]:
    heard: list[RestBody] = []

    async def both() -> None:
        enough = asyncio.Event()

        def emit(msg: Message) -> None:
            assert isinstance(msg, RestBody)
            heard.append(msg)
            if len(heard) == answers:
                enough.set()

        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        async with listening:
            place = listening.sockets[0].getsockname()[1] if port is None else port
            edge = BookFetcher(f"http://127.0.0.1:{place}/", settings or VenueSection(), SystemClock(), random.Random(1))
            task = asyncio.create_task(edge.run(emit))
            for msg in asked:
                edge.take(msg)
            await asyncio.wait_for(enough.wait(), 10)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(both())
    return heard


def books(*token_ids: str, request_id: int = 1) -> FetchBooks:
    return FetchBooks(ts_ns=0, token_ids=token_ids, markets=("m",) * len(token_ids), cause="gap", request_id=request_id)


def test_one_token_is_got_and_its_body_handed_over_unread() -> None:
    server = Server((200, '{"any": "thing"}'))
    (found,) = fetch(server, books("11", request_id=7), answers=1)
    assert server.requests == [("GET /book?token_id=11 HTTP/1.1", "")]
    assert (found.status, found.body, found.token_ids, found.request_id) == (200, b'{"any": "thing"}', ("11",), 7)
    assert found.request == "GET /book?token_id=11" and found.mono_ns > 0


def test_several_tokens_are_posted_together_and_each_once() -> None:
    server = Server((200, "[]"))
    (found,) = fetch(server, books("1", "2"), books("2", "3"), answers=1)
    assert server.requests[0][0] == "POST /books HTTP/1.1"
    assert json.loads(server.requests[0][1]) == [{"token_id": "1"}, {"token_id": "2"}, {"token_id": "3"}]
    assert found.token_ids == ("1", "2", "3")


def test_no_request_holds_more_tokens_than_allowed() -> None:
    found = fetch(
        Server((200, "[]"), (200, "[]"), (200, "{}")),
        books("1", "2", "3", "4", "5"),
        answers=3,
        settings=VenueSection(books_per_request=2),
    )
    assert [answer.token_ids for answer in found] == [("1", "2"), ("3", "4"), ("5",)]


def test_a_busy_venue_is_asked_again_and_every_answer_is_told() -> None:
    found = fetch(Server((503, "busy"), (429, "slow"), (200, "{}")), books("1"), answers=3)
    assert [(answer.status, answer.body, answer.token_ids) for answer in found] == [
        (503, b"busy", ()),
        (429, b"slow", ()),
        (200, b"{}", ("1",)),
    ]


def test_an_unknown_token_is_not_asked_for_again() -> None:
    (found,) = fetch(Server((404, "No orderbook exists")), books("1"), answers=1)
    assert (found.status, found.token_ids) == (404, ("1",))


def test_a_venue_that_is_away_is_told_with_the_error() -> None:
    found = fetch(Server(), books("1"), answers=3, port=9)
    assert [answer.status for answer in found] == [0, 0, 0]
    assert found[-1].token_ids == ("1",) and "ConnectError" in found[-1].error


def test_the_budget_spreads_requests_after_a_short_burst() -> None:
    bucket = TokenBucket(100, 10_000)
    waits = [bucket.take(0) for _ in range(13)]
    assert waits == [0] * 10 + [100, 200, 300]
    assert bucket.take(1_000) == 0
    for now_ns in range(100_000, 110_000, 100):
        assert bucket.take(now_ns) == 0


def test_waits_double_to_their_limit_with_jitter_and_begin_again_after_a_success() -> None:
    backoff = Backoff(100, 400, random.Random(3))
    waits = [backoff.next_s() * 1_000 for _ in range(4)]
    for wait, whole in zip(waits, (100, 200, 400, 400), strict=True):
        assert whole / 2 <= wait <= whole
    backoff.reset()
    assert backoff.next_s() <= 0.1


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_chance_gives_the_same_waits(seed: int) -> None:
    first, second = (Backoff(100, 400, random.Random(seed)) for _ in range(2))
    assert [first.next_s() for _ in range(5)] == [second.next_s() for _ in range(5)]
