"""The orders of users in the fake market: taken in, checked, matched in the market's own book, cancelled, expired.

A user's order rests in the one public book with price-time priority, is seen in its frames and its hash, and is filled by whoever trades
there. Pure; time is handed in. What is to be told is left in ``frames`` (the market channel) and ``events`` (the user channel).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pipeline.base.units import NS_PER_S, ONE_E6, format_e6
from pipeline.fake_venue.accounts import Accounts, Credentials, Refused
from pipeline.fake_venue.catalogue import digest
from pipeline.fake_venue.clob import NO_BOOK
from pipeline.fake_venue.exchange import FakeExchange
from pipeline.fake_venue.market import FakeMarket, Taken
from pipeline.fake_venue.matching import BID, Match
from pipeline.fake_venue.order_wire import OrderPost, read_post, terms_of
from pipeline.fake_venue.signatures import check_order
from pipeline.fake_venue.trade_life import STRANGER_KEY, Leg, Timers, TradeLife, UserEvent
from pipeline.fake_venue.user_funds import check_funds, size_now
from pipeline.fake_venue.user_order import UserOrder
from pipeline.fake_venue.wire import Frame
from pipeline.messages.market import FeeSchedule
from pipeline.trading.fees import fee_floor_e6

LEAST_MARKETABLE_E6 = ONE_E6
KEPT_ORDERS = 50_000
"""Older ones are forgotten once they are closed."""
NOT_FOUND = "order can't be found - already canceled or matched"
PENDING = "order match delayed: it can't be canceled while it is pending"
KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
UNMATCHED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."


class UserOrders:
    """All of them. ``may_trade`` False at a moment refuses the orders that would trade, as after a restart of the engine."""

    def __init__(self, exchange: FakeExchange, accounts: Accounts) -> None:
        self.exchange = exchange
        self.accounts = accounts
        self.orders: dict[str, UserOrder] = {}
        self.timers = Timers()
        self.events: list[UserEvent] = []
        self.frames: list[Frame] = []
        self.trades = TradeLife(self.timers, self.events.append, str(exchange.now_ns))
        self._open: dict[str, UserOrder] = {}
        self._resting: dict[tuple[str, int], UserOrder] = {}
        self._taker: UserOrder | None = None
        self._closed: set[str] = set()
        self._markets = {listing.market.market_id: listing.market for listing in exchange.listings()}
        for market in exchange.markets:
            market.watcher = self._watch

    # --- what clients do

    def place(
        self, content: Any, owner: Credentials, now_ns: int, check_trade: Callable[[OrderPost], None] | None = None
    ) -> UserOrder:
        """Take in one posted order and match it. ``check_trade`` may refuse one that would trade. Raises Refused."""
        post = read_post(content)
        if post.owner != owner.api_key:
            raise Refused(400, "the order owner has to be the owner of the API KEY")
        market, outcome = self.exchange.market_of(post.order.tokenId) or (None, 0)
        if market is None or market.closed:
            raise Refused(404, NO_BOOK)
        order_id, signer = check_order(post.order, market.spec.neg_risk)
        if signer != owner.address:
            raise Refused(400, "the order signer address has to be the address of the API KEY")
        if order_id in self.orders:
            raise Refused(400, f"order {order_id} is invalid. Duplicated.")
        if not market.spec.active:
            raise Refused(400, "market is not yet ready to process new orders")
        terms = terms_of(post, market.tick_e6, market.spec.min_size * ONE_E6, now_ns)
        account = self.accounts.account(post.order.maker, signer)
        order = UserOrder(order_id, owner.api_key, account, market, outcome, post, terms, now_ns)
        reach = market.book.reach(order.yes_side, order.yes_price_e6)
        check_funds(order, reach, self._open.values(), self._schedule(market))
        if reach:
            if post.postOnly:
                raise Refused(400, "invalid post-only order: order crosses book")
            if check_trade is not None:
                check_trade(post)
            if order.side == "BUY" and int(post.order.makerAmount) < LEAST_MARKETABLE_E6:
                spent = format_e6(int(post.order.makerAmount))
                raise Refused(400, f"invalid amount for a marketable BUY order (${spent}), min size: $1")
        delay_s = self._markets[market.spec.condition_id].seconds_delay
        if reach and delay_s:
            order.status = "DELAYED"
            self._accept(order)
            self.timers.at(now_ns + delay_s * NS_PER_S, lambda at_ns: self._delay_ended(order, at_ns))
            self._tell(order, "PLACEMENT", now_ns)
            return order
        size = size_now(order, reach)
        if not size and order.at_once:
            raise Refused(400, KILLED if post.orderType == "FOK" else UNMATCHED)
        self._accept(order)
        self._enter(order, size, "PLACEMENT", now_ns)
        return order

    def cancel(self, order_ids: Iterable[str], owner: Credentials, now_ns: int) -> dict[str, Any]:
        """Cancel those of the orders that are the caller's and open."""
        canceled: list[UserOrder] = []
        refused: dict[str, str] = {}
        for order_id in dict.fromkeys(order_ids):
            order = self._open.get(order_id)
            if order is None or order.account.signer != owner.address:
                refused[order_id] = NOT_FOUND
            elif order.status == "DELAYED":
                refused[order_id] = PENDING
            else:
                canceled.append(order)
        self._withdraw(canceled, "CANCELED", now_ns)
        return {"canceled": [order.order_id for order in canceled], "not_canceled": refused}

    def open_of(self, address: str) -> list[UserOrder]:
        """The open orders of a signing key, oldest first."""
        return [order for order in self._open.values() if order.account.signer == address]

    def cancel_key(self, api_key: str, now_ns: int) -> int:
        """Cancel all open orders of some credentials, as when their heartbeat has stopped; how many."""
        mine = [order for order in self._open.values() if order.api_key == api_key and order.status != "DELAYED"]
        self._withdraw(mine, "CANCELED", now_ns)
        return len(mine)

    # --- what happens by itself

    def catch_up(self, now_ns: int) -> int:
        """Let everything happen that is due, the flow of the market first; the time at which the next thing may be done."""
        self.frames.extend(self.exchange.advance(now_ns))
        now_ns = max(now_ns, self.exchange.now_ns)
        self.advance(now_ns)
        return now_ns

    def advance(self, now_ns: int) -> None:
        """Trades go on, orders expire, delays end; the orders of a market that has resolved are gone."""
        self.timers.run(now_ns)
        for market in self.exchange.markets:
            if market.closed and market.spec.id not in self._closed:
                self._closed.add(market.spec.id)
                gone = [order for order in self._open.values() if order.market is market]
                self._withdraw(gone, "CANCELED_MARKET_RESOLVED", now_ns)

    def fill(self, order_id: str, size_e6: int | None, now_ns: int) -> bool:
        """Somebody takes (so much of) a resting order, out of turn; False if it does not rest."""
        order = self._open.get(order_id)
        if order is None or order.resting is None:
            return False
        size = order.left_e6 if size_e6 is None else min(size_e6, order.left_e6)
        self.frames += order.market.fill_one(order.resting, size, now_ns)
        self.frames += self.exchange.settle(order.market, now_ns)
        return True

    # --- inside

    def _accept(self, order: UserOrder) -> None:
        self.orders[order.order_id] = self._open[order.order_id] = order
        if len(self.orders) > KEPT_ORDERS:
            oldest = self.orders.pop(next(iter(self.orders)))
            if oldest.is_open:
                self.orders[oldest.order_id] = oldest
        expires_ns = order.expires_ns
        if expires_ns is not None:
            self.timers.at(expires_ns, lambda at_ns: self._withdraw([order] if order.is_open else [], "CANCELED", at_ns))

    def _schedule(self, market: FakeMarket) -> FeeSchedule | None:
        return self._markets[market.spec.condition_id].fees

    def _enter(self, order: UserOrder, size_e6: int, kind: str, now_ns: int) -> None:
        """Match an order; what is left of it rests, or is dropped."""
        order.status = "LIVE"
        self._taker = order
        _, order.resting, frames = order.market.enter(
            order.yes_side, order.yes_price_e6, size_e6, not order.at_once, order.outcome, now_ns
        )
        self._taker = None
        self.frames += frames
        self.frames += self.exchange.settle(order.market, now_ns)
        if order.resting is None:
            order.status = "MATCHED"
            del self._open[order.order_id]
        else:
            self._resting[order.market.spec.id, order.resting] = order
        self._tell(order, kind, now_ns)

    def _delay_ended(self, order: UserOrder, now_ns: int) -> None:
        """The order meets the book as it is by then."""
        if order.status != "DELAYED":
            return
        size = size_now(order, order.market.book.reach(order.yes_side, order.yes_price_e6))
        if size or not order.at_once:
            self._enter(order, size, "UPDATE", now_ns)
        else:
            order.why = KILLED if order.post.orderType == "FOK" else UNMATCHED
            self._withdraw([order], "CANCELED", now_ns)

    def _withdraw(self, orders: list[UserOrder], status: str, now_ns: int) -> None:
        """Take orders out of the market and of the open ones."""
        by_market: dict[str, list[UserOrder]] = {}
        for order in orders:
            by_market.setdefault(order.market.spec.id, []).append(order)
        for market_id, group in by_market.items():
            resting = [order.resting for order in group if order.resting is not None]
            if not group[0].market.closed:
                self.frames += group[0].market.withdraw(resting, now_ns)
            for number in resting:
                del self._resting[market_id, number]
        for order in orders:
            order.status, order.resting = status, None
            del self._open[order.order_id]
            self._tell(order, "CANCELLATION", now_ns)

    def _watch(self, market: FakeMarket, taken: Taken, now_ns: int) -> None:
        """A trade happened in a market: it concerns users if one of them took, or rested in the way."""
        by_price: dict[int, list[tuple[Match, UserOrder | None]]] = {}
        for match in taken.matches:
            order = self._resting.get((market.spec.id, match.order_id))
            by_price.setdefault(match.price_e6, []).append((match, order))
        for bucket, (price, group) in enumerate(by_price.items()):
            if self._taker is not None or any(order is not None for _, order in group):
                self._trade(market, taken, bucket, price, group, now_ns)

    def _trade(
        self,
        market: FakeMarket,
        taken: Taken,
        bucket: int,
        price_e6: int,
        group: list[tuple[Match, UserOrder | None]],
        now_ns: int,
    ) -> None:
        taker, outcome, size = self._taker, taken.outcome, sum(match.size_e6 for match, _ in group)
        own = ONE_E6 - price_e6 if outcome else price_e6
        side, other = ("BUY", "SELL") if (taken.side == BID) == (outcome == 0) else ("SELL", "BUY")
        if taker is None:
            stranger = "0x" + digest("taker", f"{market.spec.id}/{now_ns}")
            leg = Leg(None, STRANGER_KEY, stranger, outcome, side, own, size)
        else:
            fee = fee_floor_e6(self._schedule(market), own, size)
            leg = Leg(taker.account, taker.api_key, taker.order_id, outcome, side, own, size, fee)
        makers = tuple(
            Leg(
                None,
                STRANGER_KEY,
                "0x" + digest("maker", f"{market.spec.id}/{match.order_id}"),
                outcome,
                other,
                own,
                match.size_e6,
            )
            if order is None
            else Leg(
                order.account,
                order.api_key,
                order.order_id,
                order.outcome,
                order.side,
                order.own_price_e6(price_e6),
                match.size_e6,
            )
            for match, order in group
        )
        trade = self.trades.begin(market, leg, makers, bucket, now_ns)
        if taker is not None:
            taker.fill(own, size, trade.trade_id)
        for match, order in group:
            if order is not None:
                order.fill(order.own_price_e6(price_e6), match.size_e6, trade.trade_id)
                if not order.left_e6:
                    order.status, order.resting = "MATCHED", None
                    del self._resting[market.spec.id, match.order_id], self._open[order.order_id]
                self._tell(order, "UPDATE", now_ns)

    def _tell(self, order: UserOrder, kind: str, now_ns: int) -> None:
        self.events.append(order.event(kind, now_ns))
