"""A recording as a source for the server: its frames at their own pace, and the books they add up to for those who subscribe."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from pipeline.base.units import parse_price_e6
from pipeline.fake_venue import wire
from pipeline.fake_venue.gamma import Listing
from pipeline.fake_venue.wire import Frame
from pipeline.market.verify import trade_price_text
from pipeline.messages.market import Market

Timed = tuple[int, str]
"""When a frame was received, in UTC nanoseconds, and its text."""


class TapeBook:
    """One token's book as the recorded frames have it; texts as the venue wrote them."""

    def __init__(self, market: str, token_id: str) -> None:
        self.market = market
        self.token_id = token_id
        self.sides: dict[str, dict[int, tuple[str, str]]] = {"BUY": {}, "SELL": {}}
        self.hash = self.timestamp = ""
        self.tick_size = "0.01"
        self.last_trade = ""
        self.known = False

    def replace(self, body: dict[str, Any]) -> None:
        """A ``book`` frame."""
        for side, key in (("BUY", "bids"), ("SELL", "asks")):
            self.sides[side] = {parse_price_e6(level["price"]): (level["price"], level["size"]) for level in body[key]}
        self.hash, self.timestamp = body["hash"], body["timestamp"]
        self.tick_size = body.get("tick_size", self.tick_size)
        self.last_trade = body.get("last_trade_price", self.last_trade)
        self.known = True

    def change(self, entry: dict[str, str], timestamp: str) -> None:
        """One entry of a ``price_change`` frame."""
        levels, price = self.sides[entry["side"]], parse_price_e6(entry["price"])
        if entry["size"] == "0":
            levels.pop(price, None)
        else:
            levels[price] = (entry["price"], entry["size"])
        self.hash, self.timestamp = entry["hash"], timestamp

    def levels(self, side: str) -> list[dict[str, str]]:
        """Best level last, as the venue orders them."""
        ordered = sorted(self.sides[side].items(), reverse=side == "SELL")
        return [{"price": price, "size": size} for _, (price, size) in ordered]

    def best_e6(self, side: str) -> int | None:
        """The best price of a side; None while it is empty."""
        prices = self.sides[side]
        return None if not prices else max(prices) if side == "BUY" else min(prices)

    def opening(self) -> str:
        """As in a list frame."""
        body = {"market": self.market, "asset_id": self.token_id, "timestamp": self.timestamp, "hash": self.hash}
        tail = {"tick_size": self.tick_size, "event_type": "book", "last_trade_price": self.last_trade}
        whole = {**body, "bids": self.levels("BUY"), "asks": self.levels("SELL"), **tail}
        return json.dumps(whole, separators=(",", ":"))


class TapeSource:
    """Frames in the order given, the first one at ``start_ns``, ``speed`` times as fast as they came."""

    def __init__(self, frames: Iterable[Timed], markets: Sequence[Market], start_ns: int, speed: Decimal = Decimal(1)) -> None:
        self._markets = {token_id: market for market in markets for token_id in market.token_ids}
        self._all_markets = tuple(markets)
        self._books: dict[str, TapeBook] = {}
        self._winners: dict[str, str] = {}
        self._frames: Iterator[Timed] = iter(frames)
        self._first_ns: int | None = None
        self._start_ns = start_ns
        self._speed = speed
        self._next: tuple[int, str] | None = None
        self._move_on()

    def begin(self, start_ns: int) -> None:
        """Let the first frame be due at another time; before the first ``advance`` only."""
        if self._next is not None:
            self._next = (start_ns, self._next[1])
        self._start_ns = start_ns

    def advance(self, until_ns: int, at_most: int | None = None) -> list[Frame]:
        """The frames that are due. Those of one instant are never parted."""
        frames: list[Frame] = []
        while self._next is not None and self._next[0] <= until_ns:
            due_ns, text = self._next
            if at_most is not None and len(frames) >= at_most and due_ns > frames[-1].ts_ns:
                break
            frames.append(self._take(due_ns, text))
            self._move_on()
        return frames

    def next_ns(self) -> int | None:
        """When the next frame is due; None at the end."""
        return self._next[0] if self._next is not None else None

    def list_frame(self, token_ids: Sequence[str]) -> str:
        """The books of those of the tokens that the recording has shown so far."""
        books = (self._books.get(token_id) for token_id in token_ids)
        return wire.list_frame(
            book.opening() for book in books if book is not None and book.known and not self.is_settled(book.token_id)
        )

    def is_settled(self, token_id: str) -> bool:
        """A ``market_resolved`` frame has named the token."""
        return token_id in self._winners

    def rest_book(self, token_id: str) -> dict[str, Any] | None:
        """CLOB ``/book``."""
        book, market = self._books.get(token_id), self._markets.get(token_id)
        if book is None or not book.known or self.is_settled(token_id):
            return None
        return {
            "market": book.market,
            "asset_id": token_id,
            "timestamp": book.timestamp,
            "hash": book.hash,
            "bids": book.levels("BUY"),
            "asks": book.levels("SELL"),
            "min_order_size": (market.min_order_size if market else None) or "5",
            "tick_size": book.tick_size,
            "neg_risk": bool(market.neg_risk) if market else False,
            "last_trade_price": book.last_trade,
        }

    def listings(self) -> list[Listing]:
        """The recording's markets."""
        return [self._listing(number, market) for number, market in enumerate(self._all_markets)]

    def _listing(self, number: int, market: Market) -> Listing:
        book = self._books.get(market.token_ids[0]) if market.token_ids else None
        winning = self._winners.get(market.token_ids[0]) if market.token_ids else None
        return Listing(
            market=market,
            id=str(800_001 + number),
            best_bid_e6=book.best_e6("BUY") if book else None,
            best_ask_e6=book.best_e6("SELL") if book else None,
            last_trade=book.last_trade if book else "",
            winner=market.token_ids.index(winning) if winning in market.token_ids else None,
        )

    def _move_on(self) -> None:
        for ts_ns, text in self._frames:
            if text[:1] not in ("{", "["):
                continue
            if self._first_ns is None:
                self._first_ns = ts_ns
            self._next = (self._start_ns + int((ts_ns - self._first_ns) / self._speed), text)
            return
        self._next = None

    def _take(self, due_ns: int, text: str) -> Frame:
        """One frame with its readers; what cannot be understood is sent on to everybody, as it was recorded."""
        try:
            body = json.loads(text)
            named = [token for item in (body if isinstance(body, list) else [body]) for token in self._understand(item)]
            kind = wire.BOOK if isinstance(body, list) else str(body.get("event_type", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return Frame(due_ns, "", (), text)
        return Frame(due_ns, kind, () if kind == wire.NEW_MARKET else tuple(dict.fromkeys(named)), text)

    def _understand(self, body: dict[str, Any]) -> list[str]:
        """Take one event into the books; the tokens it is about."""
        kind = body.get("event_type")
        if kind == wire.PRICE_CHANGE:
            for entry in body["price_changes"]:
                self._book(body["market"], entry["asset_id"]).change(entry, body["timestamp"])
            return [entry["asset_id"] for entry in body["price_changes"]]
        if kind == wire.RESOLVED:
            self._winners.update(dict.fromkeys(body["assets_ids"], body["winning_asset_id"]))
            return list(body["assets_ids"])
        token_id = body.get("asset_id")
        if token_id is None:
            return []
        book = self._book(body["market"], token_id)
        if kind == wire.BOOK:
            book.replace(body)
        elif kind == wire.LAST_TRADE:
            last = trade_price_text(parse_price_e6(body["price"]))
            for other in self._books.values():
                if other.market == book.market:
                    other.last_trade = last  # one text for both tokens of a market
        elif kind == wire.TICK_CHANGE:
            book.tick_size = body["new_tick_size"]
        return [token_id]

    def _book(self, market: str, token_id: str) -> TapeBook:
        book = self._books.get(token_id)
        if book is None:
            book = self._books[token_id] = TapeBook(market, token_id)
        return book
