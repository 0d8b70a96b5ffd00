"""What a strategy knows of its own orders and positions: the executor's words, and the commands still on their way to it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pipeline.base.units import NS_PER_S
from pipeline.messages.orders import (
    OPEN_STATUSES,
    VENUE_MODES,
    CancelAll,
    CancelOrder,
    ConvertSet,
    Decision,
    ExecSnapshot,
    Fill,
    MergePair,
    Mode,
    OpenOrder,
    OrderUpdate,
    PlaceOrder,
    VenueState,
)
from pipeline.trading.diff import Quote
from pipeline.trading.orders import client_order_id
from pipeline.trading.portfolio import Portfolio
from pipeline.trading.risk import holding_stake_e6, stake_e6

REMEMBERED_TRADES = 10_000
FADES_NS = NS_PER_S
"""How long the feed may still show what an order has lost: its words come after the venue's answer, by 0.3 s at most (seen 2026-10)."""


class Account:
    """One strategy's side of the executor's books. Nothing is believed before an ``ExecSnapshot``.

    A command that was sent counts as done until its answer comes, or until it must have expired: then it is forgotten.
    """

    def __init__(self, strategy: str, session_id: str, ttl_ns: int) -> None:
        self.strategy, self.session_id, self.ttl_ns = strategy, session_id, ttl_ns
        self.mode: Mode = "fake"
        self.ready = False
        self.halted = False
        self.venue_state: VenueState = "normal"
        self.free_cash_e6: int | None = None
        self.counter = 0
        self.portfolio = Portfolio()
        self.exposure_e6 = 0
        self._orders: dict[str, dict[str, OpenOrder]] = {}
        self._placing: dict[str, int] = {}
        self._cancelling: dict[str, int] = {}
        self._trades: dict[tuple[str, str], None] = {}
        self._exposures: dict[str, int] = {}
        self._merging: dict[str, tuple[int, int]] = {}
        self._fading: dict[str, list[tuple[int, OpenOrder]]] = {}

    def state(self) -> dict[str, Any]:
        """All that is believed, as plain values."""
        return {
            "ready": self.ready,
            "halted": self.halted,
            "venue_state": self.venue_state,
            "counter": self.counter,
            "free_cash_e6": self.free_cash_e6,
            "exposure_e6": self.exposure_e6,
            "orders": self._orders,
            "placing": self._placing,
            "cancelling": self._cancelling,
            "positions": self.portfolio.shown(),
        }

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def may_command(self) -> bool:
        """The executor takes commands and trading is not halted."""
        return self.ready and not self.halted

    @property
    def sells_only_what_is_held(self) -> bool:
        """A sale needs shares that no other order holds: at a venue, and wherever cash is counted."""
        return self.mode in VENUE_MODES or self.free_cash_e6 is not None

    def has_orders(self, market: str) -> bool:
        """Something of this strategy may still trade in a market, also what is being cancelled."""
        return bool(self._orders.get(market))

    def displayed(self, market: str, now_ns: int) -> tuple[OpenOrder, ...]:
        """All orders of a market that may stand in its book: also those being cancelled, and what was cancelled or filled a moment ago."""
        orders = tuple(self._orders.get(market, {}).values())
        fading = self._fading.get(market)
        if not fading:
            return orders
        left = self._fading[market] = [(until_ns, order) for until_ns, order in fading if until_ns > now_ns]
        return (*orders, *(order for _, order in left))

    def leaving(self, market: str) -> tuple[OpenOrder, ...]:
        """The orders of a market whose cancel is not confirmed."""
        cancelling = self._cancelling
        if not cancelling:
            return ()
        return tuple([order for name, order in self._orders.get(market, {}).items() if name in cancelling])

    def free_e6(self, market: str, token_id: str, now_ns: int) -> int:
        """Shares of a token that are held, not offered for sale and not being merged or converted."""
        merging, due_ns = self._merging.get(token_id, (0, 0))
        if due_ns <= now_ns:
            self._merging.pop(token_id, None)
            merging = 0
        offered = 0
        for order in self._orders.get(market, {}).values():
            if order.side == "SELL" and order.token_id == token_id:
                offered += order.size_e6 - order.filled_e6
        return self.portfolio.inventory_e6(self.strategy, token_id) - offered - merging

    def orders(self, market: str, now_ns: int) -> tuple[OpenOrder, ...]:
        """The open orders of a market, oldest first, without those that are being cancelled."""
        known = self._orders.get(market)
        if not known:
            return ()
        placing, cancelling = self._placing, self._cancelling
        if placing:
            for name in [name for name in known if 0 < placing.get(name, 0) <= now_ns]:
                # No answer, and the command has expired: it never arrived.
                del placing[name]
                self._drop(market, name)
        if not cancelling:
            return tuple(known.values())
        for name in [name for name in known if 0 < cancelling.get(name, 0) <= now_ns]:
            del cancelling[name]
        return tuple([order for name, order in known.items() if name not in cancelling])

    def answer_due_ns(self, market: str, now_ns: int) -> int | None:
        """When the next command of a market that has no answer is to be forgotten; None if all are answered."""
        first_ns: int | None = None
        for waiting in (self._placing, self._cancelling):
            if not waiting:
                continue
            for name in self._orders.get(market, ()):
                due_ns = waiting.get(name, 0)
                if due_ns > now_ns and (first_ns is None or due_ns < first_ns):
                    first_ns = due_ns
        return first_ns

    def exposure_elsewhere_e6(self, market: str) -> int:
        """What positions and open orders of all other markets have at stake."""
        return self.exposure_e6 - self._exposures.get(market, 0)

    # --- what the executor says ------------------------------------------------------------------------------------

    def forget(self) -> None:
        """The executor is a new one, or its words were lost: nothing is known until its next snapshot."""
        self.ready = False
        self._placing.clear()
        self._cancelling.clear()
        self._merging.clear()

    def load(self, snapshot: ExecSnapshot, now_ns: int) -> None:
        """Take over all that the executor holds for this strategy; commands still on their way are kept."""
        coming = [
            (market, order)
            for market, orders in self._orders.items()
            for name, order in orders.items()
            if self._placing.get(name, 0) > now_ns
        ]
        self.ready, self.halted, self.mode = snapshot.accepts, snapshot.halted, snapshot.mode
        self.venue_state, self.free_cash_e6 = snapshot.venue_state, snapshot.free_cash_e6
        self.counter = max(self.counter, snapshot.next_counters.get(self.strategy, 1) - 1)
        self._orders = {}
        self._exposures = {}
        self.exposure_e6 = 0
        for order in snapshot.orders:
            if order.strategy == self.strategy:
                self._orders.setdefault(order.market, {})[order.client_order_id] = order
                self._placing.pop(order.client_order_id, None)
        for market, order in coming:
            self._orders.setdefault(market, {}).setdefault(order.client_order_id, order)
        self.portfolio.load(position for position in snapshot.positions if position.strategy == self.strategy)
        known = {name for orders in self._orders.values() for name in orders}
        self._cancelling = {name: due for name, due in self._cancelling.items() if name in known}
        for market in sorted({*self._orders, *(holding.market for holding in self.portfolio)}):
            self._expose(market)

    def update(self, update: OrderUpdate) -> None:
        """One order's status changed."""
        name, market = update.client_order_id, update.market
        self._placing.pop(name, None)
        if self.mode in VENUE_MODES:
            self._fade(update)
        if update.status not in OPEN_STATUSES:
            self._cancelling.pop(name, None)
            self._drop(market, name)
            return
        orders = self._orders.setdefault(market, {})
        known = orders.get(name)
        orders[name] = OpenOrder(
            client_order_id=name,
            strategy=update.strategy,
            token_id=update.token_id,
            market=market,
            side=update.side,
            price_e6=update.price_e6,
            size_e6=update.size_e6,
            filled_e6=update.filled_e6,
            status=update.status,
            placed_ns=known.placed_ns if known else update.ts_ns,
        )
        self._expose(market)

    def fill(self, fill: Fill) -> bool:
        """Book a trade; False for a repeat."""
        key = (fill.trade_id, fill.client_order_id)
        if key in self._trades:
            return False
        self._trades[key] = None
        while len(self._trades) > REMEMBERED_TRADES:
            del self._trades[next(iter(self._trades))]
        holding = self.portfolio.holding(fill.strategy, fill.token_id, fill.market)
        holding.trade(fill.side, fill.size_e6, fill.notional_e6, fill.fee_e6)
        if fill.liquidity in ("merge", "convert"):
            self._merging.pop(fill.token_id, None)
        self._expose(fill.market)
        return True

    # --- what is sent ----------------------------------------------------------------------------------------------

    def place(self, quote: Quote, market: str, decision: Decision, now_ns: int) -> PlaceOrder:
        """The command for a quote, under the next order id."""
        self.counter += 1
        name = client_order_id(self.session_id, self.strategy, self.counter)
        expires_ns = now_ns + self.ttl_ns
        self._placing[name] = expires_ns + self.ttl_ns
        self._orders.setdefault(market, {})[name] = OpenOrder(
            client_order_id=name,
            strategy=self.strategy,
            token_id=quote.token_id,
            market=market,
            side=quote.side,
            price_e6=quote.price_e6,
            size_e6=quote.size_e6,
            filled_e6=0,
            status="new",
            placed_ns=now_ns,
        )
        self._expose(market)
        return PlaceOrder(
            ts_ns=now_ns,
            client_order_id=name,
            token_id=quote.token_id,
            market=market,
            side=quote.side,
            price_e6=quote.price_e6,
            size_e6=quote.size_e6,
            order_type=quote.order_type,
            post_only=quote.post_only,
            expires_ns=expires_ns,
            decision=decision,
        )

    def cancel(self, order: OpenOrder, decision: Decision, now_ns: int) -> CancelOrder:
        """The command that cancels an order."""
        expires_ns = now_ns + self.ttl_ns
        self._cancelling[order.client_order_id] = expires_ns + self.ttl_ns
        return CancelOrder(ts_ns=now_ns, client_order_id=order.client_order_id, expires_ns=expires_ns, decision=decision)

    def cancel_all(self, decision: Decision, now_ns: int) -> CancelAll:
        """The command that cancels all orders of this strategy."""
        return CancelAll(ts_ns=now_ns, strategy=self.strategy, expires_ns=now_ns + self.ttl_ns, decision=decision)

    def merge(self, market: str, token_ids: tuple[str, str], size_e6: int, decision: Decision, now_ns: int) -> MergePair:
        """The command that turns pairs of both outcomes back into dollars."""
        expires_ns = now_ns + self.ttl_ns
        for token_id in token_ids:
            self._merging[token_id] = (size_e6, expires_ns + self.ttl_ns)
        return MergePair(
            ts_ns=now_ns,
            strategy=self.strategy,
            market=market,
            token_ids=token_ids,
            size_e6=size_e6,
            expires_ns=expires_ns,
            decision=decision,
        )

    def convert(
        self, event: str, market: str, token_ids: tuple[str, ...], size_e6: int, cost_e6: int, decision: Decision, now_ns: int
    ) -> ConvertSet:
        """The command that turns NO shares of a neg-risk event into dollars and YES shares of its other markets."""
        expires_ns = now_ns + self.ttl_ns
        for token_id in token_ids:
            self._merging[token_id] = (size_e6, expires_ns + self.ttl_ns)
        return ConvertSet(
            ts_ns=now_ns,
            strategy=self.strategy,
            event=event,
            market=market,
            token_ids=token_ids,
            size_e6=size_e6,
            cost_e6=cost_e6,
            expires_ns=expires_ns,
            decision=decision,
        )

    # --- inside ----------------------------------------------------------------------------------------------------

    def _fade(self, update: OrderUpdate) -> None:
        """What an order no longer has may be shown for a moment yet."""
        known = self._orders.get(update.market, {}).get(update.client_order_id)
        if known is None or update.status == "rejected":
            return
        left = update.size_e6 - update.filled_e6 if update.status in OPEN_STATUSES else 0
        gone = known.size_e6 - known.filled_e6 - left
        if gone > 0:
            shown = replace(known, size_e6=gone, filled_e6=0, status="live")
            before = [each for each in self._fading.get(update.market, ()) if each[0] > update.ts_ns]
            self._fading[update.market] = [*before, (update.ts_ns + FADES_NS, shown)]

    def _drop(self, market: str, name: str) -> None:
        orders = self._orders.get(market)
        if orders is not None and orders.pop(name, None) is not None:
            self._expose(market)

    def _expose(self, market: str) -> None:
        """Count anew what one market has at stake."""
        stake = 0
        for order in self._orders.get(market, {}).values():
            if order.side == "BUY":
                stake += stake_e6("BUY", order.price_e6, order.size_e6 - order.filled_e6)
        for holding in self.portfolio.in_market(market):
            stake += holding_stake_e6(holding.inventory_e6, holding.cost_e6)
        self.exposure_e6 += stake - self._exposures.pop(market, 0)
        if stake:
            self._exposures[market] = stake
