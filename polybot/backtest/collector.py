"""What a backtest keeps in the writer's place: orders, fills, the mids after them and the states of books, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from pipeline.bus.stage import Stage
from pipeline.bus.topology import EXECUTOR, WRITER
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.orders import OPEN_STATUSES
from pipeline.messages.records import (
    AuditRecord,
    BookStateChanged,
    FeedGap,
    FillRecord,
    Markout,
    OrderRecord,
    RewardEstimate,
)
from pipeline.trading.paper.order import PaperOrder
from polybot.backtest.result import BacktestFill, BacktestOrder

RESTS = frozenset({"live", "partially_filled"})
_packed = msgspec.msgpack.Encoder()


class Collector(Stage):
    """Take every record of a run, and say that it is stored. Nothing of it decides anything.

    The executor takes no order before it has heard what the writer holds: ``open`` says that. ``digest`` is fed with every order event,
    fill and markout as it came.
    """

    role: ClassVar[str] = WRITER

    def __init__(self, session_id: str, tokens: Mapping[str, tuple[str, ...]]) -> None:
        """``tokens`` are those of each market."""
        self.session_id, self.tokens = session_id, tokens
        self.markets: dict[str, None] = {}
        """The markets in which an order was placed, in that order."""
        self.opened = False
        self.digest = hashlib.sha256()
        self.orders: dict[str, BacktestOrder] = {}
        self.fills: dict[tuple[str, str], BacktestFill] = {}
        self.rewards_e6: dict[str, int] = {}
        self.states: dict[str, list[tuple[int, str]]] = {}
        self.market_of: dict[str, str] = {}
        self.gaps: dict[str, set[int]] = {}
        self._said: dict[str, tuple[str, str]] = {}
        self._ahead: dict[str, int] = {}
        self._take: dict[type[Message], Callable[[Any], None]] = {
            OrderRecord: self._order,
            FillRecord: self._fill,
            Markout: self._markout,
            AuditRecord: self._audit,
            RewardEstimate: self._reward,
            BookStateChanged: self._state,
            FeedGap: self._gap,
        }

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """One record or sample; most samples are of no use here."""
        take = self._take.get(type(msg))
        if take is not None:
            take(msg)
        return ()

    def hears(self, kind: type[Message]) -> bool:
        return kind in self._take

    def open(self, now_ns: int) -> Committed:
        """The word that the executor waits for."""
        self.opened = True
        return Committed(ts_ns=now_ns, producer=f"{EXECUTOR}@{self.session_id}", seq=0)

    def on_rest(self, order: PaperOrder) -> None:
        """An order joined its level, behind ``ahead_e6`` shares of others; where it joined first counts."""
        self._ahead.setdefault(order.name, order.ahead_e6)

    def tokens_of(self, market_id: str) -> tuple[str, ...]:
        """The tokens of a market, the quoted one first."""
        return self.tokens.get(market_id) or (next(o.token_id for o in self.orders.values() if o.market == market_id),)

    # --- records ---------------------------------------------------------------------------------------------------

    def _order(self, record: OrderRecord) -> None:
        self.digest.update(_packed.encode(record))
        order = self.orders.get(record.client_order_id)
        if order is None:
            self.markets.setdefault(record.market)
            order = self.orders[record.client_order_id] = BacktestOrder(
                client_order_id=record.client_order_id,
                strategy=record.strategy,
                market=record.market,
                token_id=record.token_id,
                side=record.side,
                price_e6=record.price_e6,
                size_e6=record.size_e6,
                order_type=record.order_type,
                post_only=record.post_only,
                placed_ns=record.ts_ns,
                plan_id=record.plan_id,
            )
        if record.status in RESTS and not order.live_ns:
            order.live_ns = record.ts_ns
        if record.status not in OPEN_STATUSES:
            order.ended_ns = record.ts_ns
        order.filled_e6, order.status, order.reason = record.filled_e6, record.status, record.reason

    def _fill(self, record: FillRecord) -> None:
        self.digest.update(_packed.encode(record))
        key = (record.trade_id, record.client_order_id)
        if key in self.fills:
            return
        self.fills[key] = BacktestFill(
            ts_ns=record.ts_ns,
            trade_id=record.trade_id,
            client_order_id=record.client_order_id,
            strategy=record.strategy,
            market=record.market,
            token_id=record.token_id,
            side=record.side,
            price_e6=record.price_e6,
            size_e6=record.size_e6,
            notional_e6=record.notional_e6,
            fee_e6=record.fee_e6,
            liquidity=record.liquidity,
            mids={},
        )

    def _markout(self, msg: Markout) -> None:
        self.digest.update(_packed.encode(msg))
        fill = self.fills.get((msg.trade_id, msg.client_order_id))
        if fill is not None and msg.mid_e6 is not None:
            fill.mids[msg.horizon_ms] = msg.mid_e6

    def _audit(self, record: AuditRecord) -> None:
        self._said[record.plan_id] = (record.reason, record.seen)

    def _reward(self, msg: RewardEstimate) -> None:
        self.rewards_e6[msg.market] = self.rewards_e6.get(msg.market, 0) + msg.reward_e6

    def _state(self, msg: BookStateChanged) -> None:
        self.market_of[msg.token_id] = msg.market
        self.states.setdefault(msg.token_id, []).append((msg.ts_ns, msg.new))

    def _gap(self, msg: FeedGap) -> None:
        self.gaps.setdefault(msg.token_id, set()).add(msg.start_ns)

    def finished_orders(self) -> list[BacktestOrder]:
        """Every order in the order of placing, with the words and the sight of the decision behind it."""
        for order in self.orders.values():
            order.why, order.seen = self._said.get(order.plan_id, ("", ""))
            order.ahead_e6 = self._ahead.get(order.client_order_id)
        return list(self.orders.values())
