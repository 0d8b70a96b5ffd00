"""Trades of users, from the match to their end on the chain: MATCHED, MINED, CONFIRMED; or MATCHED, RETRYING, FAILED.

Money and shares move at the match and go back where a trade fails. Pure; time is handed in.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from pipeline.base.units import NS_PER_MS, NS_PER_S, format_e6
from pipeline.fake_venue.accounts import Account
from pipeline.fake_venue.catalogue import digest
from pipeline.fake_venue.market import FakeMarket

STEP_NS = 1_500 * NS_PER_MS
"""From the match to the block, and from the block to its being final: short, so that a test need not wait."""
GOOD_LIFE = ("MATCHED", "MINED", "CONFIRMED")
FAILED_LIFE = ("MATCHED", "RETRYING", "FAILED")
KEPT_TRADES = 50_000
"""Older ones are forgotten."""
STRANGER_KEY = "00000000-0000-0000-0000-000000000000"
"""The API key of everybody who is invented."""
STRANGER_ADDRESS = "0x" + "5" * 40


class UserEvent(NamedTuple):
    """A word on the user channel: whose credentials and which market it is about, its kind (``order`` or ``trade``), and the body."""

    api_key: str
    condition_id: str
    kind: str
    body: dict[str, Any]


class Timers:
    """What is to be done later, in order."""

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, Callable[[int], None]]] = []
        self._order = count()

    def at(self, due_ns: int, do: Callable[[int], None]) -> None:
        """Do it at a time or soon after; it is told when that is."""
        heapq.heappush(self._queue, (due_ns, next(self._order), do))

    def run(self, now_ns: int) -> None:
        """Do what is due."""
        while self._queue and self._queue[0][0] <= now_ns:
            heapq.heappop(self._queue)[2](now_ns)


@dataclass(frozen=True, slots=True)
class Leg:
    """One order's part of a trade, in terms of its own token. ``account`` is None for somebody invented."""

    account: Account | None
    api_key: str
    order_id: str
    outcome: int
    side: str
    price_e6: int
    size_e6: int
    fee_e6: int = 0

    @property
    def address(self) -> str:
        return STRANGER_ADDRESS if self.account is None else self.account.address

    def book(self, token_ids: tuple[str, str], sign: int = 1) -> None:
        """Move the money and the shares; with ``sign`` -1 back."""
        if self.account is not None:
            self.account.settle(self.side, token_ids[self.outcome], self.price_e6, self.size_e6, self.fee_e6, sign)


@dataclass(slots=True)
class Trade:
    """A taker met some makers at one price. A taker order that goes through several prices makes several, by ``bucket``."""

    trade_id: str
    number: int
    market: FakeMarket
    taker: Leg
    makers: tuple[Leg, ...]
    bucket: int
    matched_ns: int
    life: tuple[str, ...] = GOOD_LIFE
    status: str = "MATCHED"
    updated_ns: int = 0
    transaction_hash: str | None = None

    @property
    def legs(self) -> tuple[Leg, ...]:
        return (self.taker, *self.makers)

    @property
    def api_keys(self) -> list[str]:
        """The credentials that are told of it, each once."""
        return list(dict.fromkeys(leg.api_key for leg in self.legs if leg.account is not None))

    def body(self, api_key: str) -> dict[str, Any]:
        """The trade as those credentials see it, in what REST and the user channel have in common."""
        spec, taker = self.market.spec, self.taker
        return {
            "id": self.trade_id,
            "taker_order_id": taker.order_id,
            "market": spec.condition_id,
            "asset_id": spec.token_ids[taker.outcome],
            "side": taker.side,
            "size": format_e6(taker.size_e6),
            "price": format_e6(taker.price_e6),
            "fee_rate_bps": "0",
            "outcome": spec.outcomes[taker.outcome],
            "owner": api_key,
            "maker_address": taker.address,
            "transaction_hash": self.transaction_hash,
            "bucket_index": self.bucket,
            "maker_orders": [self._maker(leg) for leg in self.makers],
            "trader_side": "TAKER" if taker.api_key == api_key else "MAKER",
            "match_time": str(self.matched_ns // NS_PER_S),
            "last_update": str(self.updated_ns // NS_PER_S),
        }

    def rest_body(self, api_key: str) -> dict[str, Any]:
        """As in GET /data/trades."""
        return {**self.body(api_key), "status": f"TRADE_STATUS_{self.status}"}

    def event(self, api_key: str) -> UserEvent:
        """As on the user channel."""
        body = {
            "event_type": "trade",
            "type": "TRADE",
            **self.body(api_key),
            "status": self.status,
            "trade_owner": self.taker.api_key,
            "timestamp": str(self.updated_ns // NS_PER_MS),
        }
        return UserEvent(api_key, self.market.spec.condition_id, "trade", body)

    def _maker(self, leg: Leg) -> dict[str, Any]:
        spec = self.market.spec
        return {
            "order_id": leg.order_id,
            "owner": leg.api_key,
            "maker_address": leg.address,
            "matched_amount": format_e6(leg.size_e6),
            "price": format_e6(leg.price_e6),
            "fee_rate_bps": "0",
            "asset_id": spec.token_ids[leg.outcome],
            "outcome": spec.outcomes[leg.outcome],
            "outcome_index": leg.outcome,
            "side": leg.side,
        }


@dataclass(slots=True)
class TradeLife:
    """All trades of users. ``tell`` is given every word of them; ``doomed`` is how many of those to come will fail."""

    timers: Timers
    tell: Callable[[UserEvent], None]
    word: str
    doomed: int = 0
    trades: dict[str, Trade] = field(default_factory=dict)
    _by_address: dict[str, deque[Trade]] = field(default_factory=dict)
    _count: int = 0

    def begin(self, market: FakeMarket, taker: Leg, makers: tuple[Leg, ...], bucket: int, now_ns: int) -> Trade:
        """A match: money and shares move, and those concerned are told."""
        text = digest("trade", f"{self.word}/{self._count}")
        self._count += 1
        trade_id = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
        trade = Trade(trade_id, self._count, market, taker, makers, bucket, now_ns, updated_ns=now_ns)
        if self.doomed:
            self.doomed -= 1
            trade.life = FAILED_LIFE
        self._keep(trade)
        for leg in trade.legs:
            leg.book(market.spec.token_ids)
        self._tell(trade)
        for step in range(1, len(trade.life)):
            self.timers.at(now_ns + step * STEP_NS, lambda at_ns, step=step: self._go_on(trade, step, at_ns))  # type: ignore[misc]
        return trade

    def of(self, addresses: Iterable[str]) -> list[Trade]:
        """The trades of some accounts, newest first."""
        found = {trade.trade_id: trade for address in addresses for trade in self._by_address.get(address, ())}
        return sorted(found.values(), key=lambda trade: (trade.matched_ns, trade.number), reverse=True)

    def _keep(self, trade: Trade) -> None:
        self.trades[trade.trade_id] = trade
        if len(self.trades) > KEPT_TRADES:
            del self.trades[next(iter(self.trades))]
        for address in {leg.address for leg in trade.legs if leg.account is not None}:
            self._by_address.setdefault(address, deque(maxlen=KEPT_TRADES)).append(trade)

    def _go_on(self, trade: Trade, step: int, now_ns: int) -> None:
        trade.status, trade.updated_ns = trade.life[step], now_ns
        if trade.status == "MINED":
            trade.transaction_hash = "0x" + digest("transaction", trade.trade_id)
        if trade.status == "FAILED":
            for leg in trade.legs:
                leg.book(trade.market.spec.token_ids, -1)
        self._tell(trade)

    def _tell(self, trade: Trade) -> None:
        for api_key in trade.api_keys:
            self.tell(trade.event(api_key))
