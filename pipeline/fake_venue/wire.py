"""The venue's words: the text of every websocket frame, byte by byte as the real market channel writes it.

Spacing differs between frames: the opening list has none and ends in a newline; single objects have a space after each comma.
Taken from captures of the live channel of 2026-06 to 2026-10.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha1
from typing import Any, NamedTuple

from pipeline.base.units import ONE_E6, format_e6

BOOK = "book"
PRICE_CHANGE = "price_change"
LAST_TRADE = "last_trade_price"
TICK_CHANGE = "tick_size_change"
BEST = "best_bid_ask"
NEW_MARKET = "new_market"
RESOLVED = "market_resolved"
CUSTOM = frozenset((BEST, NEW_MARKET, RESOLVED))
"""Kinds sent only to those who asked for them with ``custom_feature_enabled``."""


text_of = lru_cache(65_536)(format_e6)
"""The shortest text of a number of millionths, remembered: the same prices and sizes come again and again."""


class Frame(NamedTuple):
    """One websocket frame and who gets it: the subscribers of any of ``token_ids``; everybody if there are none."""

    ts_ns: int
    kind: str
    token_ids: tuple[str, ...]
    text: str


class Ladder:
    """One side of a market as text, for both tokens: YES bids are NO asks. In the venue's own order, best level last."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[int] = []
        self.yes: list[str] = []
        self.no: list[str] = []

    def put(self, price_e6: int, size_e6: int) -> None:
        """Set the total of a price; 0 removes it."""
        key = self._sign * price_e6
        at = bisect_left(self._keys, key)
        there = at < len(self._keys) and self._keys[at] == key
        if not size_e6:
            if there:
                del self._keys[at], self.yes[at], self.no[at]
            return
        size = text_of(size_e6)
        yes = f'{{"price":"{text_of(price_e6)}","size":"{size}"}}'
        no = f'{{"price":"{text_of(ONE_E6 - price_e6)}","size":"{size}"}}'
        if there:
            self.yes[at], self.no[at] = yes, no
        else:
            self._keys.insert(at, key)
            self.yes.insert(at, yes)
            self.no.insert(at, no)

    @property
    def best_e6(self) -> int | None:
        """The best YES price of the side; None while it is empty."""
        return self._sign * self._keys[-1] if self._keys else None


class TokenText:
    """The text of one token's book, and its checksum: SHA-1 of the compact JSON with an empty hash."""

    def __init__(self, condition_id: str, token_id: str, bids: list[str], asks: list[str]) -> None:
        self.condition_id = condition_id
        self.token_id = token_id
        self.bids = bids
        self.asks = asks
        self.hash = ""
        self._head = f'{{"market":"{condition_id}","asset_id":"{token_id}","timestamp":"'

    def rehash(self, timestamp: str, tail: str) -> str:
        """The hash at a timestamp; ``tail`` is everything after the asks, shared by the two tokens."""
        text = f'{self._head}{timestamp}","hash":"","bids":[{",".join(self.bids)}],"asks":[{",".join(self.asks)}{tail}'
        self.hash = sha1(text.encode()).hexdigest()
        return self.hash

    def opening(self, timestamp: str, tick_size: str, last_trade_price: str) -> str:
        """The book as it stands in the list frame that answers a subscription."""
        return (
            f'{self._head}{timestamp}","hash":"{self.hash}","bids":[{",".join(self.bids)}],"asks":[{",".join(self.asks)}],'
            f'"tick_size":"{tick_size}","event_type":"book","last_trade_price":"{last_trade_price}"}}'
        )

    def later(self, timestamp: str) -> str:
        """The ``book`` frame sent around a trade: without tick size and last price."""
        bids, asks = (", ".join(side).replace('","', '", "') for side in (self.bids, self.asks))
        return (
            f'{{"market":"{self.condition_id}", "asset_id":"{self.token_id}", "bids":[{bids}], "asks":[{asks}], '
            f'"hash":"{self.hash}", "timestamp":"{timestamp}", "event_type":"book"}}'
        )


def hash_tail(min_order_size: str, tick_size: str, neg_risk: bool, last_trade_price: str) -> str:
    """What follows the asks in the text that is hashed."""
    return (
        f'],"min_order_size":"{min_order_size}","tick_size":"{tick_size}",'
        f'"neg_risk":{"true" if neg_risk else "false"},"last_trade_price":"{last_trade_price}"}}'
    )


def list_frame(books: Iterable[str]) -> str:
    """The answer to a subscription: all books in one list."""
    return "[" + ",".join(books) + "]\n"


def change_entry(token_id: str, price: str, size: str, side: str, digest: str, best_bid: str, best_ask: str) -> str:
    """One of the two entries of a ``price_change`` frame."""
    return (
        f'{{"asset_id":"{token_id}", "price":"{price}", "size":"{size}", "side":"{side}", "hash":"{digest}", '
        f'"best_bid":"{best_bid}", "best_ask":"{best_ask}"}}'
    )


def price_change(condition_id: str, first: str, second: str, timestamp: str) -> str:
    """One change of the book, told for both tokens of the market."""
    return f'{{"market":"{condition_id}", "price_changes":[{first}, {second}], "timestamp":"{timestamp}", "event_type":"price_change"}}'


def best_bid_ask(condition_id: str, token_id: str, best_bid: str, best_ask: str, spread: str, timestamp: str) -> str:
    """The top of one token has changed."""
    return (
        f'{{"market":"{condition_id}", "asset_id":"{token_id}", "best_bid":"{best_bid}", "best_ask":"{best_ask}", '
        f'"spread":"{spread}", "timestamp":"{timestamp}", "event_type":"best_bid_ask"}}'
    )


def last_trade(condition_id: str, token_id: str, price: str, size: str, side: str, timestamp: str, transaction: str) -> str:
    """A trade, told 34 to 88 ms after the book that it changed."""
    return (
        f'{{"market":"{condition_id}", "asset_id":"{token_id}", "price":"{price}", "size":"{size}", "fee_rate_bps":"0", '
        f'"side":"{side}", "timestamp":"{timestamp}", "event_type":"last_trade_price", "transaction_hash":"{transaction}"}}'
    )


def tick_size_change(condition_id: str, token_id: str, old: str, new: str, timestamp: str) -> str:
    """The price grid of one token has changed."""
    return (
        f'{{"market":"{condition_id}", "asset_id":"{token_id}", "old_tick_size":"{old}", "new_tick_size":"{new}", '
        f'"timestamp":"{timestamp}", "event_type":"tick_size_change"}}'
    )


def announcement(body: dict[str, Any]) -> str:
    """A ``new_market`` or ``market_resolved`` frame; these have no spaces on the live channel."""
    return json.dumps(body, separators=(",", ":"))


def split_levels(fragments: Sequence[str]) -> list[dict[str, str]]:
    """Levels of a book text as REST bodies hold them."""
    levels: list[dict[str, str]] = json.loads("[" + ",".join(fragments) + "]")
    return levels
