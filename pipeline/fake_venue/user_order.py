"""One order of a user: what it asks for, how far it has come, and how the venue tells of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.base.units import NS_PER_MS, NS_PER_S, ONE_E6, complement_e6, format_e6, notional_ceil_e6
from pipeline.fake_venue.accounts import Account
from pipeline.fake_venue.market import FakeMarket
from pipeline.fake_venue.matching import ASK, BID
from pipeline.fake_venue.order_wire import GTD_EARLY_S, OrderPost, Terms
from pipeline.fake_venue.trade_life import UserEvent

OPEN = frozenset(("LIVE", "DELAYED"))


@dataclass(slots=True)
class UserOrder:
    """``status`` is one of the venue's: LIVE, DELAYED, MATCHED, CANCELED, CANCELED_MARKET_RESOLVED.

    ``resting`` is its number in the market's book. Prices and sizes are in terms of its own token.
    """

    order_id: str
    api_key: str
    account: Account
    market: FakeMarket
    outcome: int
    post: OrderPost
    terms: Terms
    created_ns: int
    status: str = "LIVE"
    matched_e6: int = 0
    spent_e6: int = 0
    resting: int | None = None
    trade_ids: list[str] = field(default_factory=list)
    why: str = ""

    @property
    def side(self) -> str:
        return self.post.order.side

    @property
    def token_id(self) -> str:
        return self.post.order.tokenId

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def at_once(self) -> bool:
        """Fill or kill, or fill and kill: nothing of it rests."""
        return self.post.orderType in ("FOK", "FAK")

    @property
    def left_e6(self) -> int:
        """Shares that are still wanted."""
        return self.terms.size_e6 - self.matched_e6

    @property
    def yes_side(self) -> int:
        """Its side in the one book of the market: who sells NO buys YES."""
        return BID if (self.side == "BUY") == (self.outcome == 0) else ASK

    @property
    def yes_price_e6(self) -> int:
        """Its limit in the one book of the market."""
        return self.own_price_e6(self.terms.price_e6)

    def own_price_e6(self, price_e6: int) -> int:
        """A price of YES in terms of its own token, or the other way about."""
        return complement_e6(price_e6) if self.outcome else price_e6

    @property
    def expires_ns(self) -> int | None:
        """When a GTD order dies: a minute before the time it names."""
        if self.post.orderType != "GTD":
            return None
        return (int(self.post.order.expiration) - GTD_EARLY_S) * NS_PER_S

    @property
    def reserved_cash_e6(self) -> int:
        """Collateral that this order holds back while it is open."""
        if self.side == "SELL" or not self.is_open:
            return 0
        return self.terms.budget_e6 or notional_ceil_e6(self.terms.price_e6, self.left_e6)

    @property
    def reserved_shares_e6(self) -> int:
        """Shares that this order holds back while it is open."""
        return self.left_e6 if self.side == "SELL" and self.is_open else 0

    def fill(self, price_e6: int, size_e6: int, trade_id: str) -> None:
        """Shares have been traded at a price of its own token."""
        self.matched_e6 += size_e6
        self.spent_e6 += price_e6 * size_e6 // ONE_E6
        if trade_id not in self.trade_ids:
            self.trade_ids.append(trade_id)

    def rest_body(self) -> dict[str, Any]:
        """As in GET /data/order and /data/orders."""
        return {
            "id": self.order_id,
            "status": self.status,
            "owner": self.api_key,
            "maker_address": self.post.order.maker,
            "market": self.market.spec.condition_id,
            "asset_id": self.token_id,
            "side": self.side,
            "original_size": format_e6(self.terms.budget_e6 or self.terms.size_e6),
            "size_matched": format_e6(self.matched_e6),
            "price": format_e6(self.terms.price_e6),
            "associate_trades": list(self.trade_ids),
            "outcome": self.market.spec.outcomes[self.outcome],
            "created_at": self.created_ns // NS_PER_S,
            "expiration": self.post.order.expiration,
            "order_type": self.post.orderType,
        }

    def event(self, kind: str, now_ns: int) -> UserEvent:
        """As on the user channel: PLACEMENT, UPDATE or CANCELLATION."""
        body = {
            **self.rest_body(),
            "event_type": "order",
            "type": kind,
            "status": f"{self.status}_{self.why}" if self.why else self.status,
            "order_owner": self.api_key,
            "associate_trades": list(self.trade_ids) or None,
            "created_at": str(self.created_ns // NS_PER_S),
            "timestamp": str(now_ns // NS_PER_MS),
        }
        return UserEvent(self.api_key, self.market.spec.condition_id, "order", body)

    def reply(self) -> dict[str, Any]:
        """The answer to its POST."""
        paid, got = (self.spent_e6, self.matched_e6) if self.side == "BUY" else (self.matched_e6, self.spent_e6)
        status = "delayed" if self.status == "DELAYED" else "matched" if self.matched_e6 else "live"
        return {
            "success": True,
            "errorMsg": "",
            "orderID": self.order_id,
            "status": status,
            "makingAmount": format_e6(paid) if self.matched_e6 else "",
            "takingAmount": format_e6(got) if self.matched_e6 else "",
            "tradeIDs": list(self.trade_ids),
            "transactionsHashes": [],
        }
