"""A second opinion on the fake venue's frames: books kept from the frames alone, and hashed by Polybot's own verifier."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2, OrderDataV2, Side  # type: ignore[import-untyped]
from py_clob_client_v2.order_utils.model.order_data_v2 import order_to_json_v2  # type: ignore[import-untyped]
from py_clob_client_v2.signer import Signer  # type: ignore[import-untyped]

from pipeline.base.clock import EventClock
from pipeline.base.units import NS_PER_S, ONE_E6, parse_e6
from pipeline.fake_venue.accounts import Account
from pipeline.fake_venue.desk import Desk
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.user_order import UserOrder
from pipeline.fake_venue.venue_mode import VenueMode
from pipeline.fake_venue.wire import Frame
from pipeline.market.verify import book_hash, trade_price_text
from pipeline.messages.market import Market

START_NS = 1_780_000_000_000_000_000
TRADER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcac784d7bf4f2ff80"
EXCHANGE = "0xE111180000d2663C0091e4f400237545B87B996B"


class Reader:
    """One token's book, from frames alone."""

    def __init__(self, market: Market, token_id: str) -> None:
        self.market, self.token_id = market, token_id
        self.sides: dict[str, dict[int, tuple[str, str]]] = {"BUY": {}, "SELL": {}}
        self.tick = self.last = ""

    def take_book(self, body: dict[str, Any]) -> None:
        for side, key in (("BUY", "bids"), ("SELL", "asks")):
            self.sides[side] = {parse_e6(level["price"]): (level["price"], level["size"]) for level in body[key]}
        self.tick, self.last = body.get("tick_size", self.tick), body.get("last_trade_price", self.last)

    def take_change(self, entry: dict[str, str]) -> None:
        price = parse_e6(entry["price"])
        self.sides[entry["side"]].pop(price, None)
        if entry["size"] != "0":
            self.sides[entry["side"]][price] = (entry["price"], entry["size"])

    def hash(self, timestamp: str, last: str | None = None) -> str:
        bids = [level for _, level in sorted(self.sides["BUY"].items())]
        asks = [level for _, level in sorted(self.sides["SELL"].items(), reverse=True)]
        market = self.market
        assert market.min_order_size is not None
        last = self.last if last is None else last
        return book_hash(
            market.market_id, self.token_id, timestamp, bids, asks, market.min_order_size, self.tick, bool(market.neg_risk), last
        )

    @property
    def crossed(self) -> bool:
        bids, asks = self.sides["BUY"], self.sides["SELL"]
        return bool(bids and asks) and max(bids) >= min(asks)


class Readers:
    """All tokens; ``check`` follows frames and compares the hash at the end of every batch."""

    def __init__(self, markets: Iterable[Market], list_frame: str) -> None:
        self.by_token = {token: Reader(market, token) for market in markets for token in market.token_ids}
        for body in json.loads(list_frame):
            self.by_token[body["asset_id"]].take_book(body)
        self.matched = self.missed = self.crossings = 0
        self._open: dict[str, tuple[tuple[str, str], list[int]]] = {}

    @classmethod
    def of(cls, exchange: FakeExchange) -> Readers:
        """Subscribed to everything of an exchange."""
        markets = [listing.market for listing in exchange.listings()]
        return cls(markets, exchange.list_frame([token for market in markets for token in market.token_ids]))

    def check(self, frames: Iterable[Frame]) -> None:
        """Follow frames of an exchange."""
        self.check_texts(frame.text for frame in frames)

    def check_texts(self, texts: Iterable[str]) -> None:
        """A batch ends as soon as its hash fits; one that another follows before that is a miss."""
        for text in texts:
            body = json.loads(text)
            match body["event_type"]:
                case "price_change":
                    for entry in body["price_changes"]:
                        self._change(entry, body["timestamp"])
                case "book":
                    self._book(body)
                case "tick_size_change":
                    self.by_token[body["asset_id"]].tick = body["new_tick_size"]
        self.missed += len(self._open)

    def _change(self, entry: dict[str, str], timestamp: str) -> None:
        token, claim = entry["asset_id"], (timestamp, entry["hash"])
        reader = self.by_token[token]
        if self._open.get(token, (claim,))[0] != claim:
            self.missed += 1
            del self._open[token]
        reader.take_change(entry)
        self.crossings += reader.crossed
        prices = [*self._open.get(token, (claim, []))[1], parse_e6(entry["price"])]
        if self._fits(reader, *claim, prices):
            self._open.pop(token, None)
        else:
            self._open[token] = (claim, prices)

    def _book(self, body: dict[str, Any]) -> None:
        reader = self.by_token[body["asset_id"]]
        self.missed += self._open.pop(reader.token_id, None) is not None
        before = {side: dict(levels) for side, levels in reader.sides.items()}
        reader.take_book(body)
        changed = [price for side, old in before.items() for price in old if old[price] != reader.sides[side].get(price)]
        self.missed += not self._fits(reader, body["timestamp"], body["hash"], changed)

    def _fits(self, reader: Reader, timestamp: str, digest: str, prices: list[int]) -> bool:
        """With the last price that is known, else with one of the prices this batch may have traded at."""
        for last in (reader.last, *(trade_price_text(p) for price in prices for p in (price, ONE_E6 - price))):
            if reader.hash(timestamp, last) == digest:
                self.matched += 1
                for token in reader.market.token_ids:
                    self.by_token[token].last = last
                return True
        return False


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange(ExchangePlan(seed=7), START_NS)


@pytest.fixture(scope="session")
def readers_of() -> type[Readers]:
    return Readers


class Trader:
    """A key with credentials on an offline exchange, whose orders are signed by the venue's own client."""

    def __init__(self, desk: Desk, key: str = TRADER_KEY) -> None:
        self.desk, self.orders = desk, desk.orders
        self.signer = Signer(key, 137)
        self.address = self.signer.address().lower()
        self.owner = desk.accounts.create(self.address, 0)
        self._salts = count(1)

    @property
    def now_ns(self) -> int:
        return self.orders.exchange.now_ns

    @property
    def account(self) -> Account:
        return self.desk.accounts.account(self.address, self.address)

    def body(self, token: str, side: str, price: str, size: str, kind: str = "GTC", **more: Any) -> dict[str, Any]:
        """What is posted: ``size`` in shares, or for a market BUY in collateral."""
        price_e6, size_e6 = parse_e6(price), parse_e6(size)
        market_buy = kind in ("FOK", "FAK") and side == "BUY"
        shares = size_e6 * ONE_E6 // price_e6 // 100 * 100 if market_buy else size_e6
        collateral = size_e6 if market_buy else size_e6 * price_e6 // ONE_E6
        market, _ = self.orders.exchange.market_of(token) or (None, 0)
        assert market is not None
        contract = "0xe2222d279d744050d28e00520010520000310F59" if market.spec.neg_risk else EXCHANGE
        builder = ExchangeOrderBuilderV2(contract, 137, self.signer, generate_salt=lambda: next(self._salts))
        order = builder.build_signed_order(
            OrderDataV2(
                maker=self.signer.address(),
                tokenId=token,
                makerAmount=str(collateral if side == "BUY" else shares),
                takerAmount=str(shares if side == "BUY" else collateral),
                side=Side.BUY if side == "BUY" else Side.SELL,
                timestamp=str(self.now_ns // 1_000_000),
                expiration=more.pop("expiration", "0"),
            )
        )
        body: dict[str, Any] = order_to_json_v2(order, self.owner.api_key, kind, more.pop("post_only", False))
        return body

    def place(self, token: str, side: str, price: str, size: str, kind: str = "GTC", **more: Any) -> UserOrder:
        return self.orders.place(self.body(token, side, price, size, kind, **more), self.owner, self.now_ns)

    def told(self) -> list[dict[str, Any]]:
        """The words of the user channel since the last call."""
        words = [word.body for word in self.orders.events]
        self.orders.events.clear()
        return words

    def wait(self, seconds: float) -> None:
        self.orders.catch_up(self.now_ns + int(seconds * NS_PER_S))
        self.desk.heartbeats.advance(self.now_ns)


def best(trader: Trader, token: str) -> tuple[int, int]:
    """Best bid and best ask of a token."""
    market, outcome = trader.orders.exchange.market_of(token) or (None, 0)
    assert market is not None
    bid, ask = market.best_e6
    assert bid is not None and ask is not None
    return (ONE_E6 - ask, ONE_E6 - bid) if outcome else (bid, ask)


@pytest.fixture
def desk() -> Desk:
    exchange = FakeExchange(ExchangePlan(seed=7, rate_per_s=20), START_NS)
    return Desk(exchange, EventClock(START_NS), VenueMode(), lambda frames: None, 10_000 * ONE_E6, 1 << 20)


@pytest.fixture
def trader(desk: Desk) -> Trader:
    return Trader(desk)


@pytest.fixture(scope="session")
def trader_of() -> type[Trader]:
    return Trader
