"""The durable and the published form of an order and of a fill: what is journalled, and what is said."""

from __future__ import annotations

import msgspec

from pipeline.base.units import notional_ceil_e6, notional_floor_e6
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import Side
from pipeline.messages.orders import Fill, Mode, OrderUpdate, TradeStatus
from pipeline.messages.records import FillRecord, OrderRecord
from pipeline.trading.orders import Order


def order_record(order: Order, mode: Mode, now_ns: int) -> OrderRecord:
    """The order as it stands, to be journalled."""
    return OrderRecord(
        ts_ns=now_ns,
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        strategy=order.strategy,
        mode=mode,
        token_id=order.token_id,
        market=order.market,
        side=order.side,
        price_e6=order.price_e6,
        size_e6=order.size_e6,
        filled_e6=order.filled_e6,
        order_type=order.order_type,
        post_only=order.post_only,
        status=order.status,
        plan_id=order.plan_id,
        reason=order.reason,
        good_till_ns=order.good_till_ns,
    )


def order_of(record: OrderRecord) -> Order:
    """The order that a record began, before anything happened to it."""
    return Order(
        client_order_id=record.client_order_id,
        strategy=record.strategy,
        token_id=record.token_id,
        market=record.market,
        side=record.side,
        price_e6=record.price_e6,
        size_e6=record.size_e6,
        order_type=record.order_type,
        post_only=record.post_only,
        plan_id=record.plan_id,
        placed_ns=record.ts_ns,
        good_till_ns=record.good_till_ns,
    )


def order_update(order: Order, now_ns: int, free_cash_e6: int | None = None) -> OrderUpdate:
    """The order as it stands, to be published, with what cash is free after it."""
    return OrderUpdate(
        ts_ns=now_ns,
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        token_id=order.token_id,
        market=order.market,
        side=order.side,
        price_e6=order.price_e6,
        size_e6=order.size_e6,
        filled_e6=order.filled_e6,
        status=order.status,
        venue_order_id=order.venue_order_id,
        reason=order.reason,
        free_cash_e6=free_cash_e6,
    )


def fill_record(order: Order, event: RelayerEvent, mode: Mode, now_ns: int) -> FillRecord:
    """A trade of an order. A buyer's fraction of a millionth is rounded up, a seller's down: never in our favour."""
    notional = notional_ceil_e6 if order.side == "BUY" else notional_floor_e6
    return FillRecord(
        ts_ns=now_ns,
        trade_id=event.trade_id,
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        mode=mode,
        token_id=order.token_id,
        market=order.market,
        side=order.side,
        price_e6=event.price_e6,
        size_e6=event.size_e6,
        notional_e6=notional(event.price_e6, event.size_e6),
        fee_e6=event.fee_e6,
        liquidity=event.liquidity,
        status=event.trade_status,
    )


def next_fill_record(known: FillRecord, status: TradeStatus, now_ns: int) -> FillRecord:
    """A trade that went on to another status; one that failed is a second fill that takes the first one back, fee included."""
    if status != "failed":
        return msgspec.structs.replace(known, ts_ns=now_ns, status=status)
    return msgspec.structs.replace(
        known,
        ts_ns=now_ns,
        trade_id=f"{known.trade_id}-failed",
        side=opposite(known.side),
        fee_e6=-known.fee_e6,
        status=status,
        reverses=known.trade_id,
    )


def fill_of(record: FillRecord) -> Fill:
    """The published form of a fill's record."""
    return Fill(
        ts_ns=record.ts_ns,
        trade_id=record.trade_id,
        client_order_id=record.client_order_id,
        strategy=record.strategy,
        token_id=record.token_id,
        market=record.market,
        side=record.side,
        price_e6=record.price_e6,
        size_e6=record.size_e6,
        notional_e6=record.notional_e6,
        fee_e6=record.fee_e6,
        liquidity=record.liquidity,
        status=record.status,
        mode=record.mode,
    )


def opposite(side: Side) -> Side:
    """The other side."""
    return "SELL" if side == "BUY" else "BUY"
