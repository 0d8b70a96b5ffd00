"""Where an order is stopped or let through: the situation as it is at this moment, put before every check."""

from __future__ import annotations

from pipeline.base.units import ONE_E6
from pipeline.messages.market import Market
from pipeline.messages.orders import PlaceOrder
from pipeline.messages.records import FillRecord
from pipeline.trading.exposure import Asked, Held, event_loss_e6, market_loss_e6, market_values_e6
from pipeline.trading.followed import Followed
from pipeline.trading.ledger import Ledger
from pipeline.trading.limits import Limits, Situation
from pipeline.trading.rate_limits import Bucket, Window
from pipeline.trading.risk import refusal
from pipeline.trading.venue_state import VenueWatch


class Gate:
    """Asks every check about an order, with what the ledger holds, the books show and the venue answers. It changes none of them."""

    def __init__(self, limits: Limits, ledger: Ledger, followed: Followed, venue: VenueWatch, orders: Bucket) -> None:
        self.limits = limits
        self.errors = Window()
        self._ledger, self._followed, self._venue, self._orders = ledger, followed, venue, orders

    def objection(self, asked: PlaceOrder, now_ns: int, halted: str | None) -> str:
        """Why an order does not leave; "" if it may. ``halted``: why trading is halted, None if it is not."""
        return refusal(asked, self.situation(asked, now_ns, halted), self.limits)

    def situation(self, asked: PlaceOrder, now_ns: int, halted: str | None) -> Situation:
        """What the checks may know about this order."""
        ledger, token_id = self._ledger, asked.token_id
        ledger.release(now_ns)
        market = self._followed.market(token_id)
        free_e6 = ledger.free_e6(asked.decision.strategy, token_id, asked.market)
        ends = asked.side == "SELL" and asked.size_e6 <= free_e6
        inventory_e6, buying_e6, selling_e6 = self._shares_e6(token_id, asked.market)
        is_possible = asked.price_e6 > 0 and asked.size_e6 > 0
        fee_e6 = ledger.fee_e6(asked, asked.size_e6) if is_possible else 0
        before, after = (0, 0), (0, 0)
        if market is not None and is_possible:
            before, after = self._losses_e6(market, asked, fee_e6)
        return Situation(
            mode=ledger.mode,
            market=market,
            book=self._followed.book(token_id),
            open_orders=len(ledger.open),
            at_stake_e6=ledger.at_stake_e6,
            free_e6=free_e6,
            rivals=ledger.in_market(asked.market),
            now_ns=now_ns,
            halted=halted,
            venue_state=self._venue.state,
            starts=not ends and not ledger.has_begun(asked.decision.plan_id),
            inventory_e6=inventory_e6,
            buying_e6=buying_e6,
            selling_e6=selling_e6,
            market_loss_e6=(before[0], after[0]),
            event_loss_e6=(before[1], after[1]),
            day_e6=self.day_e6(now_ns),
            errors=self.errors.count(now_ns),
            orders_left=self._orders.available(now_ns),
            fee_e6=fee_e6 if asked.price_e6 < ONE_E6 else 0,
            free_cash_e6=ledger.free_cash_e6,
        )

    def day_e6(self, now_ns: int) -> int:
        """What the UTC day has brought: what was realised, less what the open positions have lost against their cost at the mids."""
        unrealised = 0
        for holding in self._ledger.portfolio:
            if holding.inventory_e6:
                unrealised += holding.unrealised_e6(self._followed.mid_e6(holding.token_id)) or 0
        return self._ledger.day.result_e6(now_ns) + min(0, unrealised)

    def _shares_e6(self, token_id: str, market_id: str) -> tuple[int, int, int]:
        """The shares of a token that are held, that may yet come, and that may yet go."""
        ledger = self._ledger
        held = coming = going = 0
        for holding in ledger.portfolio.in_market(market_id):
            if holding.token_id == token_id:
                held += holding.inventory_e6
        for order in ledger.may_trade(market_id):
            if order.token_id == token_id:
                if order.side == "BUY":
                    coming += order.remaining_e6
                else:
                    going += order.remaining_e6
        for record in ledger.unconfirmed(market_id):
            # A sale that fails gives its shares back, a purchase that fails takes them away again.
            if record.token_id == token_id:
                if record.side == "SELL":
                    coming += record.size_e6
                else:
                    going += record.size_e6
        return held, coming, going

    def _losses_e6(self, market: Market, asked: PlaceOrder, fee_e6: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """The worst loss of (the market, its event), what was realised included, without this order and with it."""
        without = self._values_e6(market)
        order = (asked.token_id, asked.side, asked.price_e6, asked.size_e6, fee_e6)
        with_it = [value + more for value, more in zip(without, market_values_e6(market, (), (order,)), strict=True)]
        before, after = market_loss_e6(without), market_loss_e6(with_it)
        others = [self._values_e6(other) for other in self._followed.event(market) if other.market_id != market.market_id]
        if not others:
            return (before, before), (after, after)
        exclusive = bool(market.neg_risk) and bool(market.neg_risk_market_id)
        return (
            (before, event_loss_e6([without, *others], exclusive)),
            (after, event_loss_e6([with_it, *others], exclusive)),
        )

    def _values_e6(self, market: Market) -> tuple[int, ...]:
        ledger, market_id = self._ledger, market.market_id
        holdings, orders = ledger.portfolio.in_market(market_id), ledger.may_trade(market_id)
        unconfirmed = ledger.unconfirmed(market_id)
        if not (holdings or orders or unconfirmed):
            return (0,) * len(market.outcomes)
        held: list[Held] = [
            # All that was ever paid and received, so that nothing changes when an order that is counted fills.
            (holding.token_id, holding.inventory_e6, -holding.cash_e6)
            for holding in holdings
        ]
        asked: list[Asked] = []
        for order in orders:
            left_e6 = order.remaining_e6
            asked.append((order.token_id, order.side, order.price_e6, left_e6, ledger.fee_e6(order, left_e6)))
        for record in unconfirmed:
            held.append(undone(record))
            asked.append((record.token_id, record.side, record.price_e6, record.size_e6, record.fee_e6))
        return market_values_e6(market, held, asked)


def undone(record: FillRecord) -> Held:
    """What takes a trade back: a trade that may fail is counted as one that may happen."""
    if record.side == "BUY":
        return (record.token_id, -record.size_e6, -record.notional_e6 - record.fee_e6)
    return (record.token_id, record.size_e6, record.notional_e6 - record.fee_e6)
