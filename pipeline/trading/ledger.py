"""All orders and positions of the account, kept by events alone, and folded back from the durable records after a restart.

What is counted against limits is what could still happen. An order counts with all that it may still fill until the venue has said that
it ended, and for ``late_fill_ns`` more if it was cancelled or expired, as a trade from before its end may be told after it. A trade that
is not confirmed may fail: then a purchase gives its money back and a sale its shares, so that neither makes room before it is confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from pipeline.base.units import notional_ceil_e6
from pipeline.messages import Message
from pipeline.messages.edges import RelayerEvent, RelayerEventKind
from pipeline.messages.market import FeeSchedule, Market, MarketResolved
from pipeline.messages.orders import ConvertSet, Liquidity, MergePair, Mode, OpenOrder, OrderStatus, OrderUpdate, PlaceOrder
from pipeline.messages.records import FillRecord, OrderRecord
from pipeline.trading.conversion import conversions
from pipeline.trading.daily import DayResult
from pipeline.trading.fees import fee_ceil_e6
from pipeline.trading.forms import fill_of, fill_record, next_fill_record, order_of, order_record, order_update
from pipeline.trading.merging import merges
from pipeline.trading.orders import TRADE_TRANSITIONS, Order, OrderEvent, counter_of
from pipeline.trading.portfolio import Portfolio
from pipeline.trading.reserves import Reserves
from pipeline.trading.risk import holding_stake_e6, stake_e6
from pipeline.trading.settlement import settlements

REMEMBERED_PLANS = 1_000
"""Plans of taker orders that are remembered: none of them is carried out twice."""
REMEMBERED = 10_000
"""Closed orders that are kept, for repeats of their id and for trades that are told late."""

MAY_BE_LATE: frozenset[OrderStatus] = frozenset({"cancelled", "expired"})
"""Ends of an order after which a trade from before them may still be told."""

ORDER_EVENTS: dict[RelayerEventKind, OrderEvent] = {
    "accepted": "accept",
    "rejected": "reject",
    "cancelled": "cancel",
    "delayed": "delay",
    "expired": "expire",
    "lost": "lose",
}


class Ledger:
    """Orders by id and by market, the portfolio, what is at stake, the day's result, and each strategy's highest order counter.

    ``fees_of`` tells the fee schedule of a token. ``starting_cash_e6`` is what the account began with; None: the cash is not ours to count.
    """

    def __init__(
        self,
        mode: Mode,
        fees_of: Callable[[str], FeeSchedule | None] = lambda token_id: None,
        starting_cash_e6: int | None = None,
        late_fill_ns: int = 0,
    ) -> None:
        self.mode, self.fees_of = mode, fees_of
        self.starting_cash_e6, self.late_fill_ns = starting_cash_e6, late_fill_ns
        self.open: dict[str, Order] = {}
        self.portfolio = Portfolio()
        self.day = DayResult()
        self.counters: dict[str, int] = {}
        self.reserves = Reserves()
        self.ignored = 0
        self._closed: dict[str, Order] = {}
        self._by_market: dict[str, dict[str, Order]] = {}
        self._fills: dict[tuple[str, str], FillRecord] = {}
        self._short: dict[str, int] = {}
        self._late: dict[str, tuple[int, Order]] = {}
        self._unconfirmed: dict[str, dict[tuple[str, str], FillRecord]] = {}
        self._taker_plans: dict[str, None] = {}

    # --- reading ---------------------------------------------------------------------------------------------------

    def order(self, client_order_id: str) -> Order | None:
        """An open order, or one that closed not long ago."""
        return self.open.get(client_order_id) or self._closed.get(client_order_id)

    def in_market(self, market: str) -> Sequence[Order]:
        """The open orders of a market, oldest first."""
        orders = self._by_market.get(market)
        return tuple(orders.values()) if orders else ()

    def may_trade(self, market: str) -> Sequence[Order]:
        """The orders of a market of which a trade may still be told: the open ones, and those that ended a moment ago."""
        if not self._late:
            return self.in_market(market)
        return (*self.in_market(market), *(order for _, order in self._late.values() if order.market == market))

    def unconfirmed(self, market: str) -> Sequence[FillRecord]:
        """The trades of a market that may still fail."""
        records = self._unconfirmed.get(market)
        return tuple(records.values()) if records else ()

    @property
    def at_stake_e6(self) -> int:
        """What positions, orders and unconfirmed trades could lose one by one, fees included."""
        return self.reserves.at_stake_e6

    @property
    def free_cash_e6(self) -> int | None:
        """Cash that nothing may still cost; None where it is not ours to count."""
        if self.starting_cash_e6 is None:
            return None
        cash_e6 = self.starting_cash_e6 - self.reserves.cash_e6
        for holding in self.portfolio:
            cash_e6 += holding.cash_e6
        return cash_e6

    def fee_e6(self, order: Order | PlaceOrder, size_e6: int) -> int:
        """The most that trading so many shares of an order may be charged: at its limit, as a taker unless it is post-only."""
        schedule = self.fees_of(order.token_id)
        if schedule is None:
            return 0
        liquidity: Liquidity = "maker" if order.post_only else "taker"
        return fee_ceil_e6(schedule, order.price_e6, size_e6, liquidity)

    def free_e6(self, strategy: str, token_id: str, market: str) -> int:
        """Shares that a strategy holds of a token and has not offered for sale yet."""
        offered = 0
        for order in self.may_trade(market):
            if order.side == "SELL" and order.token_id == token_id and order.strategy == strategy:
                offered += order.remaining_e6
        return self.portfolio.inventory_e6(strategy, token_id) - offered

    def shown(self) -> tuple[OpenOrder, ...]:
        """All open orders, oldest first, as an ExecSnapshot shows them."""
        return tuple(order.shown() for order in self.open.values())

    def next_counters(self) -> dict[str, int]:
        """For each strategy the counter of its next order id."""
        return {strategy: last + 1 for strategy, last in sorted(self.counters.items())}

    def taker_plans(self) -> tuple[str, ...]:
        """The plans behind the taker orders that are remembered, the oldest first."""
        return tuple(self._taker_plans)

    def has_begun(self, plan_id: str) -> bool:
        """An earlier taker order belongs to this plan."""
        return plan_id in self._taker_plans

    def record(self, order: Order, now_ns: int) -> OrderRecord:
        """The order as it stands, to be journalled."""
        return order_record(order, self.mode, now_ns)

    def update(self, order: Order, now_ns: int) -> OrderUpdate:
        """The order as it stands, to be published, with the account's free cash."""
        return order_update(order, now_ns, self.free_cash_e6)

    # --- changing --------------------------------------------------------------------------------------------------

    def count(self, client_order_id: str, strategy: str) -> None:
        """Note that an order id was used, whatever became of it."""
        self.counters[strategy] = max(self.counters.get(strategy, 0), counter_of(client_order_id))

    def _note_plan(self, order: Order) -> None:
        if order.order_type in ("FOK", "FAK") and order.plan_id:
            self._taker_plans[order.plan_id] = None
            while len(self._taker_plans) > REMEMBERED_PLANS:
                del self._taker_plans[next(iter(self._taker_plans))]

    def add(self, command: PlaceOrder, now_ns: int, refused: str = "", *, ends: OrderEvent = "reject") -> Order:
        """Take an order in: as submitted, or ended at once for a reason. Its record is journalled before it is sent."""
        order = Order.from_command(command, now_ns)
        self.count(order.client_order_id, order.strategy)
        self._note_plan(order)
        if refused:
            order.on(ends, refused)
        else:
            if order.side == "SELL":
                free = self.free_e6(order.strategy, order.token_id, order.market)
                self._short[order.client_order_id] = max(0, order.size_e6 - max(0, free))
            order.on("submit")
        self._keep(order, now_ns)
        return order

    def close(self, order: Order, reason: str) -> None:
        """End an order that nobody carries any more: matched if it is filled, else cancelled. No trade of it will be told."""
        order.on("fill_whole" if not order.remaining_e6 else "cancel", reason)
        self._keep(order)

    def release(self, now_ns: int) -> None:
        """Count no longer the ended orders of which no late trade is to be expected any more."""
        if not self._late:
            return
        for name in [name for name, (until_ns, _) in self._late.items() if until_ns <= now_ns]:
            del self._late[name]
            self._let_go(name)

    def _conclude(self, order: Order) -> None:
        """No trade of an ended order is still to be told: nothing of it counts any more."""
        if not order.is_open and self._late.pop(order.client_order_id, None) is not None:
            self._let_go(order.client_order_id)

    def reprice(self) -> None:
        """The fee schedules are known anew: count every order that may trade with its market's."""
        for order in (*self.open.values(), *(order for _, order in self._late.values())):
            self._reserve(order)

    def on_event(self, event: RelayerEvent, now_ns: int) -> Iterator[Message]:
        """What a relayer said: the durable records first, then what is published. What cannot be is counted in ``ignored``."""
        order = self.order(event.client_order_id)
        if order is None:
            self.ignored += 1
            return
        if event.kind == "filled":
            yield from self._filled(order, event, now_ns)
        elif event.kind == "trade_updated":
            yield from self._trade_updated(order, event, now_ns)
        elif event.kind == "concluded":
            self._conclude(order)
        elif event.kind in ORDER_EVENTS:
            before = (order.status, order.reason, order.venue_order_id)
            if not order.on(ORDER_EVENTS[event.kind], event.reason):
                self.ignored += 1
                return
            order.venue_order_id = event.venue_order_id or order.venue_order_id
            if not order.is_open:
                self._keep(order, now_ns)
            if (order.status, order.reason, order.venue_order_id) != before:
                yield self.record(order, now_ns)
            yield self.update(order, now_ns)

    def _filled(self, order: Order, event: RelayerEvent, now_ns: int) -> Iterator[Message]:
        if not order.fill(event.trade_id, event.size_e6):
            self.ignored += 1
            return
        order.venue_order_id = event.venue_order_id or order.venue_order_id
        record = fill_record(order, event, self.mode, now_ns)
        self._book(record)
        self._keep(order, now_ns)
        yield record
        yield self.record(order, now_ns)
        yield fill_of(record)
        yield self.update(order, now_ns)

    def _trade_updated(self, order: Order, event: RelayerEvent, now_ns: int) -> Iterator[Message]:
        """A trade goes on to chain, or fails: then a second fill takes the first one back. Only that is published: it is new money."""
        known = self._fills.get((event.trade_id, order.client_order_id))
        if known is None or event.trade_status not in TRADE_TRANSITIONS[known.status]:
            self.ignored += 1
            return
        record = next_fill_record(known, event.trade_status, now_ns)
        self._book(record)
        yield record
        if record.reverses:
            order.unfill(known.trade_id, known.size_e6)
            self._keep(order, now_ns)
            yield self.record(order, now_ns)
            yield fill_of(record)
            yield self.update(order, now_ns)

    def settle(self, told: MarketResolved, now_ns: int) -> Iterator[Message]:
        """A market resolved: close its positions at what they pay."""
        for record in tuple(settlements(self.portfolio.in_market(told.market), told, self.mode, now_ns)):
            again = sum(
                f"{name}-".startswith(f"{record.trade_id}-") for name, order in self._fills if order == record.client_order_id
            )
            if again:
                # Something was told late, or failed, after the market had been settled: that is one more trade.
                record = msgspec.structs.replace(record, trade_id=f"{record.trade_id}-{again + 1}")
            self._book(record)
            yield record
            yield fill_of(record)

    def merge(self, command: MergePair, now_ns: int) -> Iterator[Message]:
        """Turn pairs of both outcomes into dollars."""
        first = self.portfolio.holding(command.strategy, command.token_ids[0], command.market)
        for record in merges(command, first, self.mode, now_ns):
            self._book(record)
            yield record
            yield fill_of(record)

    def convert(self, command: ConvertSet, markets: Sequence[Market], now_ns: int) -> Iterator[Message]:
        """Turn NO shares of some markets of an event into dollars and YES shares of its others."""
        tokens = {market.token_ids[1]: market.market_id for market in markets if len(market.token_ids) == 2}
        legs = [self.portfolio.holding(command.strategy, token_id, tokens[token_id]) for token_id in command.token_ids]
        for record in tuple(conversions(command, legs, markets, self.mode, now_ns)):
            self._book(record)
            yield record
            yield fill_of(record)

    # --- after a restart -------------------------------------------------------------------------------------------

    def recover(self, records: Iterable[Message]) -> None:
        """Fold durable records of an earlier life, in their order: orders, fills, positions and counters."""
        for record in records:
            match record:
                case OrderRecord():
                    self._recover_order(record)
                case FillRecord():
                    order = self.order(record.client_order_id)
                    if order is not None and (record.trade_id, record.client_order_id) not in self._fills:
                        if record.reverses:
                            order.unfill(record.reverses, record.size_e6)
                        else:
                            order.fill(record.trade_id, record.size_e6)
                    self._book(record)
                    if order is not None:
                        self._keep(order, record.ts_ns)

    def _recover_order(self, record: OrderRecord) -> None:
        order = self.order(record.client_order_id)
        if order is None:
            order = order_of(record)
            self.count(order.client_order_id, order.strategy)
            self._note_plan(order)
        order.status, order.reason = record.status, record.reason
        order.venue_order_id = record.venue_order_id
        self._keep(order, record.ts_ns)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _book(self, record: FillRecord) -> None:
        """Count a fill in the portfolio once; a later status of the same fill only replaces what is remembered of it."""
        key = (record.trade_id, record.client_order_id)
        new = key not in self._fills
        self._fills[key] = record
        if record.reverses:
            self._fills.pop((record.reverses, record.client_order_id), None)
        if new:
            holding = self.portfolio.holding(record.strategy, record.token_id, record.market)
            realised_e6 = holding.realised_e6
            holding.trade(record.side, record.size_e6, record.notional_e6, record.fee_e6)
            self.day.add(record.ts_ns, holding.realised_e6 - realised_e6 - record.fee_e6)
            stake = holding_stake_e6(holding.inventory_e6, holding.cost_e6)
            self.reserves.put(f"{record.strategy} {record.token_id}", stake)
        self._doubt(record)
        while len(self._fills) > REMEMBERED:
            del self._fills[next(iter(self._fills))]

    def _doubt(self, record: FillRecord) -> None:
        """Remember a trade while it may fail: the shares of a sale may come back at what they went for, and its money leave again."""
        key = (record.reverses or record.trade_id, record.client_order_id)
        held = f"{key[0]} of {key[1]}"
        if record.status in ("confirmed", "failed"):
            pending = self._unconfirmed.get(record.market)
            if pending is not None and pending.pop(key, None) is not None:
                self.reserves.put(held, 0)
                if not pending:
                    del self._unconfirmed[record.market]
            return
        self._unconfirmed.setdefault(record.market, {})[key] = record
        if record.side == "SELL":
            self.reserves.put(held, record.notional_e6, max(0, record.notional_e6 - record.fee_e6))

    def _keep(self, order: Order, now_ns: int | None = None) -> None:
        """Put an order where its status says: among the open ones, or among the closed ones that are remembered for a while.

        Without ``now_ns`` nothing late is to be expected of one that ended.
        """
        name = order.client_order_id
        if order.is_open:
            self._closed.pop(name, None)
            self.open[name] = order
            self._by_market.setdefault(order.market, {})[name] = order
            self._reserve(order)
            return
        if self.open.pop(name, None) is not None:
            self._by_market[order.market].pop(name, None)
            if self.late_fill_ns and now_ns is not None and order.status in MAY_BE_LATE:
                self._late[name] = (now_ns + self.late_fill_ns, order)
        if name in self._late and order.remaining_e6:
            self._reserve(order)
        else:
            self._late.pop(name, None)
            self._let_go(name)
        self._closed[name] = order
        while len(self._closed) > REMEMBERED:
            del self._closed[next(iter(self._closed))]

    def _reserve(self, order: Order) -> None:
        """Count all that an order may still trade, with its fee."""
        left, name = order.remaining_e6, order.client_order_id
        fee = self.fee_e6(order, left)
        stake = stake_e6(order.side, order.price_e6, min(left, self._short.get(name, left))) + fee
        self.reserves.put(name, stake, notional_ceil_e6(order.price_e6, left) + fee if order.side == "BUY" else 0)

    def _let_go(self, name: str) -> None:
        self._short.pop(name, None)
        self.reserves.put(name, 0)
