"""The venue's own client trades on the fake venue over loopback, with nothing of it replaced."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from py_clob_client_v2 import (  # type: ignore[import-untyped]
    ApiCreds,
    AssetType,
    BalanceAllowanceParams,
    ClobClient,
    MarketOrderArgsV2,
    OpenOrderParams,
    OrderArgsV2,
    OrderPayload,
    OrderType,
)
from py_clob_client_v2.exceptions import PolyApiException  # type: ignore[import-untyped]

from pipeline.base.clock import SystemClock
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.server import FakeVenueServer

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcac784d7bf4f2ff80"
FUNDER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeVenueServer]:
    clock = SystemClock()
    with FakeVenueServer(FakeExchange(ExchangePlan(rate_per_s=1), clock.now_ns()), clock).running() as running:
        yield running


@pytest.fixture(scope="module")
def creds(server: FakeVenueServer) -> ApiCreds:
    return ClobClient(server.url, chain_id=137, key=KEY).create_or_derive_api_key()


@pytest.fixture
def client(server: FakeVenueServer, creds: ApiCreds) -> ClobClient:
    return ClobClient(server.url, chain_id=137, key=KEY, creds=creds)


@pytest.fixture
def token(server: FakeVenueServer) -> str:
    return server.source.listings()[1].market.token_ids[1]


def test_keys_are_created_once_and_derived_after_that(server: FakeVenueServer, creds: ApiCreds) -> None:
    client = ClobClient(server.url, chain_id=137, key=KEY)
    assert client.derive_api_key() == creds
    with pytest.raises(PolyApiException):
        client.create_api_key()
    client.set_api_creds(creds)
    assert client.get_api_keys() == {"apiKeys": [creds.api_key]}
    assert client.get_closed_only_mode() == {"closed_only": False}


@pytest.mark.parametrize("neg_risk", [False, True])
def test_an_order_is_placed_read_and_cancelled(server: FakeVenueServer, client: ClobClient, neg_risk: bool) -> None:
    token = next(item.market.token_ids[0] for item in server.source.listings() if item.market.neg_risk is neg_risk)
    placed = client.create_and_post_order(OrderArgsV2(token_id=token, price=0.02, size=50.5, side="BUY"))
    assert placed["success"] and placed["status"] == "live"
    order_id = placed["orderID"]
    assert client.get_order(order_id)["status"] == "LIVE"
    assert [order["id"] for order in client.get_open_orders(OpenOrderParams(asset_id=token))] == [order_id]
    level = next(level for level in client.get_order_book(token)["bids"] if level["price"] == "0.02")
    assert float(level["size"]) >= 50.5
    assert client.cancel_order(OrderPayload(orderID=order_id)) == {"canceled": [order_id], "not_canceled": {}}
    assert client.get_order(order_id)["status"] == "CANCELED"
    assert client.get_open_orders() == []


def test_a_market_order_buys_shares_that_can_be_sold_again(client: ClobClient, token: str) -> None:
    bought = client.create_and_post_market_order(MarketOrderArgsV2(token_id=token, amount=10, side="BUY"))
    assert bought["status"] == "matched" and bought["tradeIDs"] and bought["transactionsHashes"]
    held = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.CONDITIONAL, token_id=token))
    assert int(held["balance"]) == round(float(bought["takingAmount"]) * 10**6)
    sold = client.create_order(OrderArgsV2(token_id=token, price=0.01, size=float(bought["takingAmount"]), side="SELL"))
    assert client.post_order(sold, OrderType.FAK)["status"] == "matched"
    assert {trade["trader_side"] for trade in client.get_trades()} == {"TAKER"}


@pytest.mark.parametrize(("signature_type", "funder"), [(1, FUNDER), (2, FUNDER), (3, FUNDER)])
def test_orders_of_wallets_are_taken_by_the_key_that_signs_for_them(
    client: ClobClient, server: FakeVenueServer, creds: ApiCreds, token: str, signature_type: int, funder: str
) -> None:
    wallet = ClobClient(server.url, chain_id=137, key=KEY, creds=creds, signature_type=signature_type, funder=funder)
    placed = wallet.create_and_post_order(OrderArgsV2(token_id=token, price=0.03, size=10, side="BUY"))
    assert placed["status"] == "live"
    assert client.get_order(placed["orderID"])["maker_address"] == funder
    assert wallet.cancel_all()["canceled"] == [placed["orderID"]]


def test_heartbeats_go_round(client: ClobClient) -> None:
    first = client.post_heartbeat("")["heartbeat_id"]
    assert client.post_heartbeat(first)["heartbeat_id"] != first
    with pytest.raises(PolyApiException) as refused:
        client.post_heartbeat(first)
    assert refused.value.status_code == 400
