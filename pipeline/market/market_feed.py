"""What the feed tells of one market, whichever of its tokens it names: its totals, and the hashed fields that its tokens share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pipeline.base.units import NS_PER_MS
from pipeline.messages.market import Market
from pipeline.messages.records import MarketStatus

Book = TypeVar("Book")
"""The book of a token, which knows its market's feed."""
PRICES_KEPT = 8


@dataclass(slots=True)
class MarketFeed(Generic[Book]):
    """One market's feed: its totals for MarketStatus, and the last trade price that all its tokens hash with."""

    market_id: str
    market: Market | None = None
    last_seq: int = 0
    updated_ns: int = 0
    snapshots: int = 0
    deltas: int = 0
    trades: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    unsaid: bool = False
    min_order_size: str | None = None
    neg_risk: bool | None = None
    last_trade_price: str | None = None
    trade_prices: list[int] = field(default_factory=list)
    """Prices of late trades, or of earlier ones, the latest last: candidates for the last trade price."""
    active_ns: int = 0
    """When something last happened that a trade or a change of tick size may explain; 0 is never."""
    tokens: list[Book] = field(default_factory=list)
    wanting: list[Book] = field(default_factory=list)
    """Tokens that need a fresh book and have not been asked for yet."""

    def set_market(self, market: Market) -> None:
        """Take in what the catalogue says; what a book of the venue said of the hashed fields before stays."""
        self.market = market
        if market.min_order_size is not None:
            self.min_order_size = market.min_order_size
        if market.neg_risk is not None:
            self.neg_risk = market.neg_risk

    def note_trade(self, price_e6: int, now_ns: int) -> None:
        """A trade at this price happened, or may have: the hash may use it from here on."""
        if price_e6 not in self.trade_prices:
            self.keep_price(price_e6)
        self.active_ns = now_ns

    def keep_price(self, price_e6: int) -> None:
        """Keep a candidate for the last trade price, of the latest few."""
        self.trade_prices.append(price_e6)
        del self.trade_prices[:-PRICES_KEPT]

    def status(self, now_ns: int) -> MarketStatus:
        """The totals as they stand."""
        return MarketStatus(
            ts_ns=now_ns,
            market=self.market_id,
            last_seq=self.last_seq,
            last_update_ts_ms=self.updated_ns // NS_PER_MS,
            snapshots=self.snapshots,
            deltas=self.deltas,
            trades=self.trades,
            counts=dict(self.counts),
        )
