import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from pipeline.base.clock import SystemClock
from pipeline.base.errors import BadInput
from pipeline.base.settings import VenueSection
from pipeline.messages import Message
from pipeline.messages.edges import FeedEnded, FollowTokens, FrameSent, LinkEvent, RawFrame, Reconnect, Resubscribe
from pipeline.venue.generic_ws import GenericFeed, generic_subscription
from pipeline.venue.market_ws import MarketFeed

QUICK = VenueSection(
    tokens_per_socket=2,
    ping_interval_ms=40,
    reconnect_min_ms=1,
    reconnect_max_ms=20,
    max_frame_bytes=4_096,
)


class Heard:
    """What an edge emitted, with a way to wait for more."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._more = asyncio.Event()

    def __call__(self, msg: Message) -> None:
        self.messages.append(msg)
        self._more.set()

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self._more.clear()
                await self._more.wait()

    def frames(self) -> list[bytes]:
        return [msg.data for msg in self.messages if isinstance(msg, RawFrame)]

    def sent(self, link_id: str | None = None) -> list[dict]:
        found = [msg for msg in self.messages if isinstance(msg, FrameSent) and msg.data != b"PING"]
        return [json.loads(msg.data) for msg in found if link_id in (None, msg.link_id)]

    def pings(self) -> int:
        return sum(isinstance(msg, FrameSent) and msg.data == b"PING" for msg in self.messages)

    def states(self) -> list[str]:
        return [msg.state for msg in self.messages if isinstance(msg, LinkEvent)]

    def reasons(self, state: str) -> list[str]:
        return [msg.reason for msg in self.messages if isinstance(msg, LinkEvent) and msg.state == state]


Serve = Callable[[ServerConnection], Awaitable[None]]


async def echo_books(socket: ServerConnection) -> None:
    """Answer the first frame with a list frame and PING with PONG, as the venue does."""
    first = json.loads(await socket.recv())
    await socket.send(json.dumps([{"event_type": "book", "asset_id": token} for token in first["assets_ids"]]) + "\n")
    async for data in socket:
        if data == "PING":
            await socket.send("PONG")


def run(server: Serve, test: Callable[[str, Heard], Awaitable[None]]) -> None:
    async def both() -> None:
        async with serve(server, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            await test(f"ws://127.0.0.1:{port}/ws/market", Heard())

    asyncio.run(both())


async def with_feed(
    url: str, heard: Heard, tokens: tuple[str, ...], test: Callable[[MarketFeed], Awaitable[None]], settings: VenueSection = QUICK
) -> None:
    feed = MarketFeed(url, settings, SystemClock(), random.Random(1))
    task = asyncio.create_task(feed.run(heard))
    feed.take(FollowTokens(ts_ns=0, token_ids=tokens))
    try:
        await test(feed)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def test_it_subscribes_first_and_then_pings() -> None:
    async def test(url: str, heard: Heard) -> None:
        async def body(feed: MarketFeed) -> None:
            await heard.until(lambda: b"PONG" in heard.frames() and heard.pings() >= 2)

        await with_feed(url, heard, ("1", "2"), body)
        assert heard.sent() == [{"type": "market", "assets_ids": ["1", "2"], "custom_feature_enabled": True}]
        assert heard.states()[:2] == ["connecting", "up"]
        assert heard.frames()[0].endswith(b"\n")
        first = next(msg for msg in heard.messages if isinstance(msg, RawFrame))
        assert (first.link_id, first.where) == ("ws-1", "ws-1:1")
        assert first.ts_ns > 0 and first.mono_ns > 0

    run(echo_books, test)


def test_many_tokens_are_spread_over_sockets() -> None:
    async def test(url: str, heard: Heard) -> None:
        async def body(feed: MarketFeed) -> None:
            await heard.until(lambda: heard.states().count("up") == 3)

        await with_feed(url, heard, ("1", "2", "3", "4", "5"), body)
        assert sorted(frame["assets_ids"] for frame in heard.sent()) == [["1", "2"], ["3", "4"], ["5"]]
        up = [msg.token_ids for msg in heard.messages if isinstance(msg, LinkEvent) and msg.state == "up"]
        assert sorted(up) == [("1", "2"), ("3", "4"), ("5",)]

    run(echo_books, test)


def test_a_change_of_tokens_renews_open_sockets_and_ends_empty_ones() -> None:
    async def test(url: str, heard: Heard) -> None:
        async def body(feed: MarketFeed) -> None:
            await heard.until(lambda: heard.states().count("up") == 2)
            feed.take(FollowTokens(ts_ns=0, token_ids=("1", "9")))
            await heard.until(lambda: "closed" in heard.states() and heard.states().count("up") == 3)

        await with_feed(url, heard, ("1", "2", "3"), body)
        assert heard.sent("ws-1")[1:] == [
            {"operation": "unsubscribe", "assets_ids": ["2"], "custom_feature_enabled": True},
            {"operation": "subscribe", "assets_ids": ["9"], "custom_feature_enabled": True},
        ]
        assert [msg.link_id for msg in heard.messages if isinstance(msg, LinkEvent) and msg.state == "closed"] == ["ws-2"]

    run(echo_books, test)


def test_a_lost_connection_is_made_again_and_subscribes_to_the_tokens_wanted_now() -> None:
    connections = 0

    async def drop_twice(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        if connections <= 2:
            await socket.recv()
            await socket.close(1013, "slow consumer: send buffer full")
        else:
            await echo_books(socket)

    async def test(url: str, heard: Heard) -> None:
        async def body(feed: MarketFeed) -> None:
            await heard.until(heard.frames)

        await with_feed(url, heard, ("1",), body)
        assert heard.states()[:7] == ["connecting", "up", "down", "connecting", "up", "down", "connecting"]
        assert "slow consumer" in heard.reasons("down")[0]
        assert len(heard.sent()) == 3

    run(drop_twice, test)


def test_a_connection_is_ended_and_made_again_when_asked() -> None:
    async def test(url: str, heard: Heard) -> None:
        async def body(feed: MarketFeed) -> None:
            await heard.until(heard.frames)
            feed.take(Reconnect(ts_ns=0, link_id="ws-2", reason="of another link"))
            feed.take(Reconnect(ts_ns=0, link_id="ws-1", reason="silent for 60 ms"))
            await heard.until(lambda: heard.states().count("up") == 2)

        await with_feed(url, heard, ("1",), body)
        assert heard.reasons("down") == ["silent for 60 ms"]

    run(echo_books, test)


def test_a_token_is_subscribed_to_afresh_on_its_own_socket() -> None:
    async def test(url: str, heard: Heard) -> None:
        async def body(feed: MarketFeed) -> None:
            await heard.until(lambda: heard.states().count("up") == 2)
            feed.take(Resubscribe(ts_ns=0, token_ids=("3", "1"), link_id="ws-2"))
            await heard.until(lambda: len(heard.sent("ws-2")) == 3)

        await with_feed(url, heard, ("1", "2", "3"), body)
        assert [(frame.get("operation"), frame["assets_ids"]) for frame in heard.sent("ws-2")] == [
            (None, ["3"]),
            ("unsubscribe", ["3"]),
            ("subscribe", ["3"]),
        ]
        assert len(heard.sent("ws-1")) == 1

    run(echo_books, test)


def test_a_frame_over_the_limit_ends_the_connection_not_the_process() -> None:
    connections = 0

    async def huge_once(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            await socket.recv()
            await socket.send("x" * 10_000)
            await socket.wait_closed()
        else:
            await echo_books(socket)

    async def test(url: str, heard: Heard) -> None:
        async def body(feed: MarketFeed) -> None:
            await heard.until(heard.frames)

        await with_feed(url, heard, ("1",), body)
        assert "down" in heard.states()

    run(huge_once, test)


def test_a_socket_whose_tokens_are_all_settled_stays_closed() -> None:
    async def settled(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("[]\n")
        await socket.close(1000, "all subscribed assets resolved")

    async def test(url: str, heard: Heard) -> None:
        async def body(feed: MarketFeed) -> None:
            await heard.until(lambda: "closed" in heard.states())

        await with_feed(url, heard, ("1",), body)
        assert heard.states() == ["connecting", "up", "closed"]

    run(settled, test)


def test_a_venue_that_is_away_is_tried_again_until_it_is_there() -> None:
    async def test(url: str, heard: Heard) -> None:
        async def body(feed: MarketFeed) -> None:
            await heard.until(lambda: heard.states().count("down") >= 3)

        await with_feed("ws://127.0.0.1:9/", heard, ("1",), body)
        assert "up" not in heard.states()

    run(echo_books, test)


def test_an_address_that_is_none_is_refused() -> None:
    async def test() -> None:
        feed = MarketFeed("http//nowhere", QUICK, SystemClock(), random.Random(1))
        feed.take(FollowTokens(ts_ns=0, token_ids=("1",)))
        await feed.run(Heard())

    with pytest.raises(BadInput, match="not a websocket address"):
        asyncio.run(test())


async def stream(url: str, heard: Heard, **options: object) -> None:
    """Run a generic feed to its end."""
    task = asyncio.create_task(GenericFeed(url, QUICK, SystemClock(), random.Random(1), **options).run(heard))  # type: ignore[arg-type]
    waiting = asyncio.create_task(heard.until(lambda: heard.messages and isinstance(heard.messages[-1], FeedEnded)))
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_a_generic_stream_ends_when_it_closes_normally() -> None:
    got: list[str] = []

    async def three(socket: ServerConnection) -> None:
        got.append(str(await socket.recv()))
        for number in range(3):
            await socket.send(json.dumps({"type": "delta", "seq": number}))

    async def test(url: str, heard: Heard) -> None:
        await stream(url, heard, subscribe=generic_subscription("mkt-1"))
        assert len(heard.frames()) == 3
        assert heard.states() == ["connecting", "up", "closed"]
        assert json.loads(got[0])["market"] == "mkt-1"

    run(three, test)


def test_a_generic_stream_ends_after_as_many_messages_as_were_wanted() -> None:
    async def endless(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await socket.send("{}")
                await asyncio.sleep(0)

    async def test(url: str, heard: Heard) -> None:
        await stream(url, heard, max_messages=5)
        assert len(heard.frames()) == 5

    run(endless, test)


def test_a_generic_stream_that_breaks_off_is_connected_again() -> None:
    connections = 0

    async def breaking(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await socket.send("{}")
        if connections == 1:
            socket.transport.abort()

    async def test(url: str, heard: Heard) -> None:
        await stream(url, heard)
        assert heard.states()[:4] == ["connecting", "up", "down", "connecting"]
        assert isinstance(heard.messages[-1], FeedEnded)

    run(breaking, test)


def test_a_generic_server_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(BadInput, match=r"ws://127\.0\.0\.1:9/: cannot connect: .*is the server running"):
        asyncio.run(stream("ws://127.0.0.1:9/", Heard()))
