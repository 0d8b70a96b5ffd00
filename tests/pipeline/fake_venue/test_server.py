"""The server on a free loopback port, spoken to by the official client, plain HTTP and websockets."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from py_clob_client_v2 import BookParams, ClobClient  # type: ignore[import-untyped]
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from pipeline.base.clock import SystemClock
from pipeline.base.errors import PortInUse
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.server import FakeVenueServer, ServerOptions


def server_of(rate: int = 400, options: ServerOptions | None = None) -> FakeVenueServer:
    clock = SystemClock()
    return FakeVenueServer(FakeExchange(ExchangePlan(rate_per_s=rate), clock.now_ns()), clock, options)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeVenueServer]:
    with server_of().running() as running:
        yield running


@pytest.fixture
def tokens(server: FakeVenueServer) -> list[str]:
    return [token for listing in server.source.listings() for token in listing.market.token_ids]


@contextlib.contextmanager
def subscribed(server: FakeVenueServer, tokens: list[str], **more: Any) -> Iterator[ClientConnection]:
    with connect(server.ws_url, compression=None, max_size=None, max_queue=None, open_timeout=10) as link:
        link.send(json.dumps({"type": "market", "assets_ids": tokens, "custom_feature_enabled": True, **more}))
        yield link


def heard(link: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of a kind."""
    while True:
        body = json.loads(link.recv(timeout=10))
        if isinstance(body, dict) and body["event_type"] == kind:
            return body


def test_the_official_client_reads_the_books_and_computes_the_same_hashes(server: FakeVenueServer, tokens: list[str]) -> None:
    client = ClobClient(server.url, chain_id=137)
    for token in tokens:
        book = client.get_order_book(token)
        assert client.get_order_book_hash(dict(book)) == book["hash"]
    books = client.get_order_books([BookParams(token_id=token) for token in tokens])
    assert [client.get_order_book_hash(dict(book)) for book in books] == [book["hash"] for book in books]
    assert client.get_version() == 2
    assert client.get_tick_size(tokens[0]) in ("0.01", "0.001", 0.01, 0.001)
    assert client.get_neg_risk(tokens[-1]) is True


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/price?side=BUY&", "price"),
        ("/midpoint?", "mid"),
        ("/spread?", "spread"),
        ("/last-trade-price?", "price"),
        ("/tick-size?", "minimum_tick_size"),
        ("/neg-risk?", "neg_risk"),
        ("/fee-rate?", "base_fee"),
    ],
)
def test_reads_by_token(server: FakeVenueServer, tokens: list[str], path: str, key: str) -> None:
    answer = httpx.get(f"{server.url}{path}token_id={tokens[0]}")
    assert (answer.status_code, next(iter(answer.json()))) == (200, key)


def test_time_ok_and_an_unknown_token(server: FakeVenueServer) -> None:
    assert isinstance(httpx.get(f"{server.url}/time").json(), int)
    assert httpx.get(f"{server.url}/ok").json() == "OK"
    answer = httpx.get(f"{server.url}/book?token_id=12")
    assert (answer.status_code, answer.json()) == (404, {"error": "No orderbook exists for the requested token id"})
    assert httpx.get(f"{server.url}/nothing").status_code == 404


def test_the_catalogue_is_reached_by_page_id_and_slug(server: FakeVenueServer) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = httpx.get(f"{server.url}/markets/keyset", params={"limit": 3, "after_cursor": cursor}).json()
        seen.extend(market["slug"] for market in page["markets"])
        cursor = page.get("next_cursor", "")
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 8
    one = httpx.get(f"{server.url}/markets/slug/{seen[0]}").json()
    assert httpx.get(f"{server.url}/markets/{one['id']}").json()["conditionId"] == one["conditionId"]
    events = httpx.get(f"{server.url}/events/keyset?limit=500").json()["events"]
    assert [len(event["markets"]) for event in events] == [1, 1, 1, 1, 4]
    assert httpx.get(f"{server.url}/events/slug/{events[-1]['slug']}").json()["negRisk"] is True
    assert isinstance(httpx.get(f"{server.url}/markets?limit=2").json(), list)
    assert httpx.get(f"{server.url}/markets/keyset?limit=101").status_code == 422
    assert httpx.get(f"{server.url}/markets/slug/none").status_code == 404
    info = httpx.get(f"{server.url}/clob-markets/{one['conditionId']}").json()
    assert [token["t"] for token in info["t"]] == json.loads(one["clobTokenIds"])


def test_a_subscription_is_answered_by_a_list_of_books_then_changes(server: FakeVenueServer, tokens: list[str]) -> None:
    with subscribed(server, tokens[:2]) as link:
        opening = link.recv(timeout=10)
        assert isinstance(opening, str) and opening.endswith("]\n")
        assert [body["asset_id"] for body in json.loads(opening)] == tokens[:2]
        assert {entry["asset_id"] for entry in heard(link, "price_change")["price_changes"]} == set(tokens[:2])


def test_ping_is_answered_and_subscriptions_grow_and_shrink(server: FakeVenueServer, tokens: list[str]) -> None:
    with subscribed(server, tokens[:1], initial_dump=False) as link:
        link.send("PING")
        while link.recv(timeout=10) != "PONG":
            pass
        link.send(json.dumps({"operation": "subscribe", "assets_ids": tokens[2:4]}))
        while not (frame := str(link.recv(timeout=10))).startswith("["):
            pass
        assert [body["asset_id"] for body in json.loads(frame)] == tokens[2:4]
        link.send(json.dumps({"operation": "unsubscribe", "assets_ids": tokens[:1]}))
        link.send("PING")
        while link.recv(timeout=10) != "PONG":
            pass
        markets = {heard(link, "price_change")["market"] for _ in range(20)}
        assert len(markets) == 1


@pytest.mark.parametrize("first", ["PING", "hello", '{"type":"market"}', '{"type":"user","assets_ids":[]}', "[]"])
def test_anything_but_a_subscription_closes_with_1008(server: FakeVenueServer, first: str) -> None:
    with connect(server.ws_url, open_timeout=10) as link:
        link.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            link.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "invalid subscription payload")


def test_custom_events_come_only_when_asked_for(server: FakeVenueServer, tokens: list[str]) -> None:
    with subscribed(server, tokens, custom_feature_enabled=False) as plain, subscribed(server, tokens) as custom:
        assert heard(custom, "best_bid_ask")["asset_id"] in tokens
        plain.recv(timeout=10)
        assert "best_bid_ask" not in {json.loads(plain.recv(timeout=10))["event_type"] for _ in range(200)}


def test_the_link_closes_with_1000_when_all_its_markets_have_resolved() -> None:
    with server_of().running() as server:
        tokens = list(server.source.listings()[0].market.token_ids)
        with subscribed(server, tokens) as link:
            link.recv(timeout=10)
            assert httpx.post(f"{server.url}/admin/fault/market-resolved?token={tokens[0]}").status_code == 200
            assert heard(link, "market_resolved")["winning_asset_id"] == tokens[0]
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    link.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "all subscribed assets resolved")
        assert httpx.get(f"{server.url}/book?token_id={tokens[0]}").status_code == 404
        with subscribed(server, tokens) as late:
            assert late.recv(timeout=10) == "[]\n"


def test_a_slow_reader_is_closed_with_1013() -> None:
    options = ServerOptions(queue_bytes=100_000)
    with server_of(rate=20_000, options=options).running() as server:
        tokens = [token for listing in server.source.listings() for token in listing.market.token_ids]
        with connect(server.ws_url, compression=None, max_queue=1, open_timeout=10) as link:
            link.send(json.dumps({"type": "market", "assets_ids": tokens}))
            with httpx.Client() as onlooker:
                # The link may be gone before anybody has seen it.
                while not server.hub.first_link.is_set() or onlooker.get(f"{server.url}/admin/status").json()["links"]:
                    pass
            with pytest.raises(ConnectionClosed):
                while True:
                    link.recv(timeout=10)


def test_a_port_in_use_is_one_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"cannot listen on 127.0.0.1:{port}"):
            server_of(options=ServerOptions(port=port))
