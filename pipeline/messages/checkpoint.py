"""What a segment of a journal opens with: all that the durable records before it amount to."""

from __future__ import annotations

import msgspec

from pipeline.messages import Message
from pipeline.messages.market import Side
from pipeline.messages.orders import OrderStatus, OrderType, PlanState
from pipeline.messages.records import FillRecord, OrderIntent


class OrderState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order in a checkpoint, all that is held of it. ``late_until_ns``: until when a trade of an ended one may be told; 0: none."""

    client_order_id: str
    strategy: str
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    order_type: OrderType
    post_only: bool
    plan_id: str
    placed_ns: int
    status: OrderStatus
    filled_e6: int
    venue_order_id: str
    reason: str
    trades: tuple[str, ...]
    good_till_ns: int
    failed_e6: int = 0
    failed: tuple[str, ...] = ()
    late_until_ns: int = 0


class HoldingState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A position in a checkpoint: shares, what they cost, and the cash, profit and fees of its trades so far."""

    strategy: str
    token_id: str
    market: str
    inventory_e6: int
    cost_e6: int
    cash_e6: int
    realised_e6: int
    fees_e6: int


CHECKPOINT_VERSION = 1


class Checkpoint(Message, frozen=True, kw_only=True):
    """All that the durable records before it amount to; a segment of a journal opens with one.

    It is no durable record: it has no number of its own, never leaves the journal and has no row; the head of its segment tells the
    number of the last record that it includes. It holds the ``open`` and the ``ended`` orders that are remembered (oldest first), the
    ``holdings``, the ``fills`` that are remembered for repeats and those that are ``unconfirmed``, the result of ``day`` (days since
    1970, UTC), the highest order counter of each strategy, the halt in force (None: none) said at ``halt_ns``, the plans whose taker
    orders are remembered, the ``plans`` under way and those that ended lately, and the ``intents`` of orders at a venue (without a body
    where the order is over). A reader that does not know ``version`` goes back to the segment before.
    """

    version: int = CHECKPOINT_VERSION
    open: tuple[OrderState, ...] = ()
    ended: tuple[OrderState, ...] = ()
    holdings: tuple[HoldingState, ...] = ()
    fills: tuple[FillRecord, ...] = ()
    day: int = 0
    day_result_e6: int = 0
    counters: dict[str, int] = {}
    halt: str | None = None
    halt_ns: int = 0
    taker_plans: tuple[str, ...] = ()
    unconfirmed: tuple[FillRecord, ...] = ()
    intents: tuple[OrderIntent, ...] = ()
    plans: tuple[PlanState, ...] = ()
    ended_plans: tuple[str, ...] = ()
