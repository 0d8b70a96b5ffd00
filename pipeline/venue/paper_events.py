"""One of our orders as the paper venue carries it, and what the venue says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.messages.edges import RefusalCode, RelayerEvent, RelayerEventKind
from pipeline.messages.market import Market
from pipeline.trading.fees import fee_floor_e6
from pipeline.trading.paper.matching import PaperMarket
from pipeline.trading.paper.order import Execution, PaperOrder

Phase = Literal["travelling", "waiting", "delayed", "resting"]
"""``waiting``: it has arrived, and joins as soon as there is a book that may be traded on."""


@dataclass(slots=True, eq=False)
class Ours:
    """One of our orders at the paper venue. ``held``: it has been through a taker delay.

    ``restored``: it rested before a restart, and takes nothing when it joins again.
    """

    order: PaperOrder
    market_id: str
    book: PaperMarket
    phase: Phase = "travelling"
    due_ns: int = 0
    good_till_ns: int = 0
    accepted: bool = False
    held: bool = False
    restored: bool = False


def told(kind: RelayerEventKind, name: str, now_ns: int, reason: str = "", code: RefusalCode = "") -> RelayerEvent:
    """What became of an order, other than a trade."""
    venue_id = "" if kind == "rejected" else venue_order_id(name)
    return RelayerEvent(ts_ns=now_ns, kind=kind, client_order_id=name, venue_order_id=venue_id, reason=reason, code=code)


def filled(execution: Execution, market: Market | None, now_ns: int) -> RelayerEvent:
    """A trade, with the market's fee. Its id holds the order's filled total: it never repeats, after a restart neither."""
    name, liquidity = execution.order.name, execution.liquidity
    fees = market.fees if market is not None else None
    return RelayerEvent(
        ts_ns=now_ns,
        kind="filled",
        client_order_id=name,
        venue_order_id=venue_order_id(name),
        trade_id=f"{name}-t{execution.filled_e6}",
        price_e6=execution.price_e6,
        size_e6=execution.size_e6,
        fee_e6=fee_floor_e6(fees, execution.price_e6, execution.size_e6, liquidity),
        liquidity=liquidity,
    )


def venue_order_id(name: str) -> str:
    """The id under which the paper venue knows an order."""
    return f"paper-{name}"
