"""The private endpoints and the user channel over loopback: credentials, states of the venue, batches, pages and faults."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from pipeline.base.clock import SystemClock
from pipeline.base.units import format_e6
from pipeline.fake_venue.accounts import l2_signature
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.server import FakeVenueServer


class Client:
    """A trader at the other end of a socket."""

    def __init__(self, server: FakeVenueServer, trader: Any) -> None:
        self.server, self.trader = server, trader
        self.http = httpx.Client(base_url=server.url, timeout=5)
        market = server.source.listings()[2].market
        self.token, self.condition = market.token_ids[0], market.market_id

    def headers(self, method: str, path: str, body: bytes = b"", shift_s: int = 0) -> dict[str, str]:
        owner = self.trader.owner
        timestamp = str(self.server.clock.now_ns() // 10**9 + shift_s)
        return {
            "POLY_ADDRESS": self.trader.signer.address(),
            "POLY_API_KEY": owner.api_key,
            "POLY_PASSPHRASE": owner.passphrase,
            "POLY_TIMESTAMP": timestamp,
            "POLY_SIGNATURE": l2_signature(owner.secret, timestamp, method, path, body),
        }

    def ask(self, method: str, path: str, content: Any = None, query: str = "") -> httpx.Response:
        body = b"" if content is None else json.dumps(content, separators=(",", ":")).encode()
        return self.http.request(method, path + query, content=body, headers=self.headers(method, path, body))

    def order(self, price: str = "0.02", size: str = "10", side: str = "BUY", kind: str = "GTC") -> dict[str, Any]:
        body: dict[str, Any] = self.trader.body(self.token, side, price, size, kind)
        return body

    def place(self, price: str = "0.02", size: str = "10") -> str:
        answer = self.ask("POST", "/order", self.order(price, size)).json()
        assert answer["success"] and answer["status"] == "live", answer
        return str(answer["orderID"])

    def fault(self, name: str, **options: int) -> dict[str, Any]:
        answer = self.http.post(f"/admin/fault/{name}", params=options)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def status(self, order_id: str) -> str:
        return str(self.ask("GET", f"/data/order/{order_id}").json()["status"])

    @contextlib.contextmanager
    def listening(self, **more: Any) -> Iterator[ClientConnection]:
        owner = self.trader.owner
        auth = {"apiKey": owner.api_key, "secret": owner.secret, "passphrase": owner.passphrase}
        with connect(self.server.user_ws_url, compression=None) as link:
            link.send(json.dumps({"type": "user", "auth": auth, **more}))
            link.send("PING")
            assert link.recv(timeout=5) == "PONG"
            yield link


@pytest.fixture(scope="module")
def server() -> Iterator[FakeVenueServer]:
    clock = SystemClock()
    with FakeVenueServer(FakeExchange(ExchangePlan(rate_per_s=1), clock.now_ns()), clock).running() as running:
        yield running


@pytest.fixture(scope="module")
def _client(server: FakeVenueServer, trader_of: Any) -> Client:
    return Client(server, trader_of(server.desk))


@pytest.fixture
def client(_client: Client) -> Iterator[Client]:
    yield _client
    _client.http.post("/admin/venue-state/normal")
    _client.ask("DELETE", "/cancel-all")


def heard(link: ClientConnection) -> dict[str, Any]:
    """The next word that is not of the later life of an earlier trade."""
    while True:
        body: dict[str, Any] = json.loads(link.recv(timeout=5))
        if body["status"] not in ("MINED", "CONFIRMED"):
            return body


# --- who asks


@pytest.mark.parametrize("name", ["POLY_ADDRESS", "POLY_API_KEY", "POLY_PASSPHRASE", "POLY_TIMESTAMP", "POLY_SIGNATURE"])
def test_a_request_with_a_wrong_header_is_not_let_in(client: Client, name: str) -> None:
    headers = client.headers("GET", "/data/orders")
    wrong = {**headers, name: headers[name][:-2] + ("00" if headers[name][-2:] != "00" else "11")}
    assert client.http.get("/data/orders", headers=headers).status_code == 200
    assert client.http.get("/data/orders", headers=wrong).status_code == 401
    assert (
        client.http.get("/data/orders", headers={key: value for key, value in headers.items() if key != name}).status_code == 401
    )


def test_the_body_the_method_and_the_time_are_signed(client: Client) -> None:
    body = json.dumps(client.order()).encode()
    headers = client.headers("POST", "/order", body)
    assert client.http.post("/order", content=body + b" ", headers=headers).status_code == 401
    assert client.http.request("DELETE", "/order", content=body, headers=headers).status_code == 401
    late = client.headers("POST", "/order", body, shift_s=-90)
    assert client.http.post("/order", content=body, headers=late).json() == {"error": "Unauthorized/Invalid api key"}
    assert client.http.post("/order", content=body, headers=headers).status_code == 200


# --- orders


def test_a_batch_answers_each_order_for_itself(client: Client) -> None:
    good, bad = client.order(), client.order(size="1")
    answer = client.ask("POST", "/orders", [good, bad, good])
    assert answer.status_code == 200
    assert [(entry["success"], bool(entry["orderID"]), entry["errorMsg"][:15]) for entry in answer.json()] == [
        (True, True, ""),
        (True, False, "size lower than"),
        (True, False, "order " + answer.json()[0]["orderID"][:9]),
    ]
    assert client.ask("POST", "/orders", [good] * 16).status_code == 400


def test_cancels_say_of_each_order_what_became_of_it(client: Client) -> None:
    first, second, third = client.place(), client.place(), client.place()
    assert client.ask("DELETE", "/orders", [first, "0x12"]).json() == {
        "canceled": [first],
        "not_canceled": {"0x12": "order can't be found - already canceled or matched"},
    }
    assert client.ask("DELETE", "/order", {"orderID": first}).json()["not_canceled"].keys() == {first}
    assert client.ask("DELETE", "/cancel-market-orders", {"market": "0x12"}).json()["canceled"] == []
    assert client.ask("DELETE", "/cancel-market-orders", {"asset_id": client.token}).json()["canceled"] == [second, third]
    assert client.ask("DELETE", "/cancel-all").json() == {"canceled": [], "not_canceled": {}}
    assert client.ask("DELETE", "/order", {"order": 1}).status_code == 400


def test_lists_come_in_pages_and_end(client: Client) -> None:
    batches = [[client.order("0.01", "5") for _ in range(15)] for _ in range(7)]
    placed = [entry["orderID"] for batch in batches for entry in client.ask("POST", "/orders", batch).json()]
    first = client.ask("GET", "/data/orders", query=f"?market={client.condition}").json()
    rest = client.ask("GET", "/data/orders", query=f"?next_cursor={first['next_cursor']}").json()
    assert [order["id"] for order in first["data"] + rest["data"]] == placed
    assert (first["count"], rest["next_cursor"]) == (100, "LTE=")
    assert client.ask("GET", "/data/orders", query="?next_cursor=LTE=").json()["data"] == []
    assert client.ask("GET", "/data/orders", query="?next_cursor=rubbish").status_code == 400
    assert client.ask("GET", "/data/order/0x12").status_code == 404


def test_tests_can_read_every_order_and_fill_of_an_account(client: Client) -> None:
    order_id = client.place()
    assert client.http.post(f"/admin/fill/{order_id}", params={"shares": "4"}).json() == {"filled": True}
    assert client.http.post("/admin/fill/0x12").status_code == 404
    row = client.http.get("/admin/orders", params={"address": client.trader.address}).json()[-1]
    assert (row["id"], row["status"], row["matched_e6"], row["price_e6"]) == (order_id, "LIVE", 4_000_000, 20_000)
    fill = client.http.get("/admin/trades", params={"address": client.trader.address}).json()[-1]
    assert (fill["order_id"], fill["size_e6"], fill["liquidity"], fill["side"]) == (order_id, 4_000_000, "maker", "BUY")
    (account,) = (row for row in client.http.get("/admin/accounts").json() if row["address"] == client.trader.address)
    assert account["positions"][client.token] >= 4_000_000
    (trade,) = client.ask("GET", "/data/trades", query=f"?id={fill['trade_id']}").json()["data"]
    assert trade["maker_orders"][0]["order_id"] == order_id and trade["status"].startswith("TRADE_STATUS_")
    assert client.http.get("/admin/trades", params={"address": "0x12"}).json() == []


def test_the_play_money_is_what_the_balance_endpoint_shows(client: Client) -> None:
    cash = client.trader.account.cash_e6
    shown = client.ask("GET", "/balance-allowance", query="?asset_type=COLLATERAL&signature_type=0").json()
    assert shown["balance"] == str(cash) and len(shown["allowances"]) == 2
    assert float(format_e6(cash)) <= 1_000_000


# --- states of the venue


def test_a_restart_answers_425_and_leaves_the_orders_alone(client: Client) -> None:
    order_id = client.place()
    client.http.post("/admin/venue-state/restarting", params={"seconds": 60})
    answer = client.ask("POST", "/order", client.order())
    assert answer.status_code == 425 and 50 < int(answer.headers["Retry-After"]) <= 60
    assert client.ask("DELETE", "/cancel-all").status_code == 425
    assert client.status(order_id) == "LIVE"


def test_after_a_restart_only_orders_that_rest_are_taken(client: Client) -> None:
    client.http.post("/admin/venue-state/post_only", params={"seconds": 30})
    answer = client.ask("POST", "/order", client.order("0.99", "5"))
    assert answer.status_code == 503
    assert answer.json()["code"] == "post_only_mode" and 20 < answer.json()["retry_after_seconds"] <= 30
    assert client.place()


@pytest.mark.parametrize(("state", "placing", "cancelling"), [("cancel_only", 503, 200), ("disabled", 503, 503)])
def test_states_in_which_nothing_new_is_taken(client: Client, state: str, placing: int, cancelling: int) -> None:
    client.http.post(f"/admin/venue-state/{state}")
    assert client.ask("POST", "/order", client.order()).status_code == placing
    assert client.ask("DELETE", "/cancel-all").status_code == cancelling


# --- the user channel


def test_a_user_hears_of_the_own_orders_and_trades_alone(client: Client, trader_of: Any) -> None:
    stranger = Client(client.server, trader_of(client.server.desk, "0x" + "22" * 32))
    with client.listening() as link, stranger.listening() as other, client.listening(markets=["0x12"]) as elsewhere:
        order_id = client.place()
        placed = heard(link)
        assert (placed["event_type"], placed["type"], placed["id"]) == ("order", "PLACEMENT", order_id)
        client.http.post(f"/admin/fill/{order_id}")
        trade, update = heard(link), heard(link)
        assert (trade["event_type"], trade["status"], trade["trader_side"]) == ("trade", "MATCHED", "MAKER")
        assert (update["type"], update["status"], update["associate_trades"]) == ("UPDATE", "MATCHED", [trade["id"]])
        for silent in (other, elsewhere):
            silent.send("PING")
            assert silent.recv(timeout=5) == "PONG"


@pytest.mark.parametrize(
    "first", ["PING", "{}", '{"type":"user"}', '{"type":"user","auth":{"apiKey":"a","secret":"b","passphrase":"c"}}']
)
def test_whoever_names_no_valid_credentials_is_sent_away(client: Client, first: str) -> None:
    with connect(client.server.user_ws_url) as link:
        link.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            link.recv(timeout=5)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008


# --- faults


def test_an_order_whose_reply_is_lost_is_there_and_is_filled(client: Client) -> None:
    client.fault("ack-lost-then-filled", seconds=1)
    body = client.order()
    with client.listening() as link:
        with pytest.raises(httpx.TransportError):
            client.ask("POST", "/order", body)
        placed = heard(link)
        assert placed["status"] == "LIVE"
        again = client.ask("POST", "/order", body)
        assert (again.status_code, "Duplicated" in again.text) == (400, True)
        assert [heard(link)["event_type"], heard(link)["status"]] == ["trade", "MATCHED"]
    assert client.status(placed["id"]) == "MATCHED"


def test_the_reply_to_a_batch_can_be_lost_too(client: Client) -> None:
    bodies = [client.order(), client.order()]
    client.fault("ack-lost-then-filled", seconds=1)
    with client.listening() as link:
        with pytest.raises(httpx.TransportError):
            client.ask("POST", "/orders", bodies)
        placed = [heard(link)["id"], heard(link)["id"]]
    assert {client.status(order_id) for order_id in placed} <= {"LIVE", "MATCHED"}
    assert ["Duplicated" in entry["errorMsg"] for entry in client.ask("POST", "/orders", bodies).json()] == [True, True]


def test_a_fill_can_be_heard_of_before_the_reply(client: Client) -> None:
    client.fault("ack-late-after-fill-event", seconds=1)
    with client.listening() as link:
        answer = client.ask("POST", "/order", client.order()).json()
        assert [heard(link)["type"], heard(link)["type"]] == ["PLACEMENT", "TRADE"]
    assert (answer["status"], client.status(answer["orderID"])) == ("live", "MATCHED")


def test_a_batch_can_be_refused_inside_a_200(client: Client) -> None:
    client.fault("reject-inside-batch", count=1)
    first, second = client.ask("POST", "/orders", [client.order(), client.order()]).json()
    assert (first["success"], first["orderID"], second["errorMsg"]) == (True, "", "")
    assert first["errorMsg"] == "not enough balance / allowance" and client.status(second["orderID"]) == "LIVE"


def test_a_restart_by_fault_is_followed_by_post_only(client: Client) -> None:
    assert client.fault("restart-then-post-only", seconds=60)["seconds"] == 60
    assert client.ask("POST", "/order", client.order()).status_code == 425
    assert "restarting" in client.http.get("/admin/status").text


def test_an_order_can_be_filled_just_before_its_cancel(client: Client) -> None:
    order_id = client.place()
    client.fault("cancel-of-filled-order")
    assert client.ask("DELETE", "/order", {"orderID": order_id}).json()["not_canceled"].keys() == {order_id}
    assert client.status(order_id) == "MATCHED"


def test_fills_can_be_missed_while_the_user_channel_is_down(client: Client) -> None:
    order_id = client.place()
    with client.listening() as link:
        assert client.fault("user-channel-gap", seconds=9)["filled"] == [order_id]
        texts: list[str] = []
        with pytest.raises(ConnectionClosed):
            while True:
                texts.append(str(link.recv(timeout=5)))
        assert not any(order_id in text for text in texts)
    with connect(client.server.user_ws_url) as early, pytest.raises(ConnectionClosed):
        early.recv(timeout=5)
    assert client.status(order_id) == "MATCHED"


def test_private_calls_can_be_limited_and_an_unfit_option_is_refused(client: Client) -> None:
    client.fault("rate-limited", seconds=9)
    answer = client.ask("GET", "/data/orders")
    assert answer.status_code == 429 and 0 < int(answer.headers["Retry-After"]) <= 9
    assert client.http.post("/admin/fault/rate-limited", params={"link": 3}).status_code == 400
    assert "rate-limited" in client.http.get("/admin/faults").json()
