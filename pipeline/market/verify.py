"""The venue's book hash: a checksum of one token's whole book, and the search for the last trade price it was made with.

The hash is the SHA-1 of compact JSON over the venue's own texts: market, asset_id, timestamp, an empty hash, bids (ascending),
asks (descending), min_order_size, tick_size, neg_risk, last_trade_price and, only for a book that carries one, version.
Undocumented for ``price_change`` entries, where it is the hash of the token's book after the whole batch; found in captures of
the live market channel (seen 2026-06 to 2026-10).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

from pipeline.base.units import ONE_E6, format_e6
from pipeline.messages.market import TextLevel


class HashState(Protocol):
    """What is used of a hashlib object."""

    def copy(self) -> HashState: ...
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def level_json(price_text: str, size_text: str) -> str:
    """One level as it stands in the hashed text."""
    return f'{{"price":"{price_text}","size":"{size_text}"}}'


def level_texts(fragment: str) -> TextLevel:
    """The (price, size) texts of a level's hashed form: the inverse of ``level_json``."""
    parts = fragment.split('"')
    return parts[3], parts[7]


def levels_state(market: str, asset_id: str, timestamp: str, bids_json: str, asks_json: str) -> HashState:
    """The SHA-1 state after the levels, from which every tail can be tried on a copy. Levels are joined by commas, in hash order."""
    head = f'{{"market":"{market}","asset_id":"{asset_id}","timestamp":"{timestamp}","hash":"","bids":['
    return hashlib.sha1(f'{head}{bids_json}],"asks":[{asks_json}],'.encode(), usedforsecurity=False)


def tail_head(min_order_size: str, tick_size: str, neg_risk: bool) -> str:
    """The hashed text between the levels and the last trade price."""
    flag = "true" if neg_risk else "false"
    return f'"min_order_size":"{min_order_size}","tick_size":"{tick_size}","neg_risk":{flag},"last_trade_price":"'


def tail_end(version: str | None) -> str:
    """The hashed text after the last trade price; a book without a version ends without one."""
    return '"}' if version is None else f'","version":"{version}"}}'


def digest(state: HashState, head: str, last_trade_price: str, end: str) -> str:
    """The hash of a book whose levels are in ``state``, which stays as it was."""
    copy = state.copy()
    copy.update(f"{head}{last_trade_price}{end}".encode())
    return copy.hexdigest()


def fitting_price(state: HashState, head: str, end: str, candidates: Iterable[str], wanted: str) -> str | None:
    """The first last trade price with which the book has the ``wanted`` hash; None if none of them fits."""
    for candidate in candidates:
        if digest(state, head, candidate, end) == wanted:
            return candidate
    return None


def book_hash(
    market: str,
    asset_id: str,
    timestamp: str,
    bids: Iterable[TextLevel],
    asks: Iterable[TextLevel],
    min_order_size: str,
    tick_size: str,
    neg_risk: bool,
    last_trade_price: str,
    version: str | None = None,
) -> str:
    """The venue's hash of a book: 40 hex digits.

    ``bids`` and ``asks`` are (price, size) texts exactly as the venue writes them and in the order it hashes them: bids
    ascending, asks descending. ``last_trade_price`` has three decimals ("0.490"), "" before the first trade.
    """
    bids_json = ",".join(level_json(price, size) for price, size in bids)
    asks_json = ",".join(level_json(price, size) for price, size in asks)
    state = levels_state(market, asset_id, timestamp, bids_json, asks_json)
    return digest(state, tail_head(min_order_size, tick_size, neg_risk), last_trade_price, tail_end(version))


def trade_price_text(price_e6: int) -> str:
    """A last trade price as the hash writes it: three decimals, more where the price has more."""
    if price_e6 % 1_000:
        return format_e6(price_e6)
    whole, part = divmod(price_e6, ONE_E6)
    return f"{whole}.{part // 1_000:03d}"


def trade_price_texts(prices_e6: Iterable[int]) -> Iterable[str]:
    """Each price and one minus it, as a hash may write them: both tokens of a market use the same value, of either."""
    for price_e6 in prices_e6:
        yield trade_price_text(price_e6)
        yield trade_price_text(ONE_E6 - price_e6)
