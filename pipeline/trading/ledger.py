"""All orders and positions of the account, kept by events alone, and folded back from the durable records after a restart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.messages import Message
from pipeline.messages.edges import RelayerEvent, RelayerEventKind
from pipeline.messages.market import MarketResolved
from pipeline.messages.orders import MergePair, Mode, OpenOrder, OrderUpdate, PlaceOrder
from pipeline.messages.records import FillRecord, OrderRecord
from pipeline.trading.daily import DayResult
from pipeline.trading.forms import fill_of, fill_record, next_fill_record, order_of, order_record, order_update
from pipeline.trading.merging import merges
from pipeline.trading.orders import TRADE_TRANSITIONS, Order, OrderEvent, counter_of
from pipeline.trading.portfolio import Portfolio
from pipeline.trading.risk import holding_stake_e6, stake_e6
from pipeline.trading.settlement import settlements

REMEMBERED_PLANS = 1_000
"""Plans of taker orders that are remembered: none of them is carried out twice."""
REMEMBERED = 10_000
"""Closed orders that are kept, for repeats of their id and for trades that are told late."""

ORDER_EVENTS: dict[RelayerEventKind, OrderEvent] = {
    "accepted": "accept",
    "rejected": "reject",
    "cancelled": "cancel",
    "delayed": "delay",
    "expired": "expire",
    "lost": "lose",
}


class Ledger:
    """Orders by id and by market, the portfolio, what is at stake, the day's result, and each strategy's highest order counter."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.open: dict[str, Order] = {}
        self.portfolio = Portfolio()
        self.day = DayResult()
        self.counters: dict[str, int] = {}
        self.at_stake_e6 = 0
        self.ignored = 0
        self._closed: dict[str, Order] = {}
        self._by_market: dict[str, dict[str, Order]] = {}
        self._fills: dict[tuple[str, str], FillRecord] = {}
        self._short: dict[str, int] = {}
        self._stakes: dict[str, int] = {}
        self._taker_plans: dict[str, None] = {}

    # --- reading ---------------------------------------------------------------------------------------------------

    def order(self, client_order_id: str) -> Order | None:
        """An open order, or one that closed not long ago."""
        return self.open.get(client_order_id) or self._closed.get(client_order_id)

    def in_market(self, market: str) -> Sequence[Order]:
        """The open orders of a market, oldest first."""
        return tuple(self._by_market.get(market, {}).values())

    def free_e6(self, strategy: str, token_id: str, market: str) -> int:
        """Shares that a strategy holds of a token and has not offered for sale yet."""
        offered = sum(
            order.remaining_e6
            for order in self.in_market(market)
            if order.side == "SELL" and order.token_id == token_id and order.strategy == strategy
        )
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
        """The order as it stands, to be published."""
        return order_update(order, now_ns)

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
        self._keep(order)
        return order

    def close(self, order: Order, reason: str) -> None:
        """End an order that nobody carries any more: matched if it is filled, else cancelled."""
        order.on("fill_whole" if not order.remaining_e6 else "cancel", reason)
        self._keep(order)

    def on_event(self, event: RelayerEvent, now_ns: int) -> Iterator[Message]:
        """What a relayer said: the durable records first, then what is published. What cannot be is counted in ``ignored``."""
        order = self.order(event.client_order_id)
        if order is None:
            self.ignored += 1
            return
        if event.venue_order_id:
            order.venue_order_id = event.venue_order_id
        if event.kind == "filled":
            yield from self._filled(order, event, now_ns)
        elif event.kind == "trade_updated":
            yield from self._trade_updated(order, event, now_ns)
        elif event.kind in ORDER_EVENTS:
            before = order.status
            if not order.on(ORDER_EVENTS[event.kind], event.reason):
                self.ignored += 1
                return
            self._keep(order)
            if order.status != before:
                yield self.record(order, now_ns)
            yield self.update(order, now_ns)

    def _filled(self, order: Order, event: RelayerEvent, now_ns: int) -> Iterator[Message]:
        if not order.fill(event.trade_id, event.size_e6):
            self.ignored += 1
            return
        record = fill_record(order, event, self.mode, now_ns)
        self._book(record)
        self._keep(order)
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
            self._keep(order)
            yield self.record(order, now_ns)
            yield fill_of(record)
            yield self.update(order, now_ns)

    def settle(self, told: MarketResolved, now_ns: int) -> Iterator[Message]:
        """A market resolved: close its positions at what they pay."""
        for record in settlements(self.portfolio.in_market(told.market), told, self.mode, now_ns):
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
                        self._keep(order)

    def _recover_order(self, record: OrderRecord) -> None:
        order = self.order(record.client_order_id)
        if order is None:
            order = order_of(record)
            self.count(order.client_order_id, order.strategy)
            self._note_plan(order)
        order.status, order.reason = record.status, record.reason
        order.venue_order_id = record.venue_order_id
        self._keep(order)

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
            self._restake(f"{record.strategy} {record.token_id}", stake)
        while len(self._fills) > REMEMBERED:
            del self._fills[next(iter(self._fills))]

    def _keep(self, order: Order) -> None:
        """Put an order where its status says: among the open ones, or among the closed ones that are remembered for a while."""
        name = order.client_order_id
        if order.is_open:
            self._closed.pop(name, None)
            self.open[name] = order
            self._by_market.setdefault(order.market, {})[name] = order
            left = order.remaining_e6
            self._restake(name, stake_e6(order.side, order.price_e6, min(left, self._short.get(name, left))))
            return
        if self.open.pop(name, None) is not None:
            self._by_market[order.market].pop(name, None)
            self._short.pop(name, None)
        self._restake(name, 0)
        self._closed[name] = order
        while len(self._closed) > REMEMBERED:
            del self._closed[next(iter(self._closed))]

    def _restake(self, name: str, stake: int) -> None:
        self.at_stake_e6 += stake - self._stakes.pop(name, 0)
        if stake:
            self._stakes[name] = stake
