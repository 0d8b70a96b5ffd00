"""Which fills of one's own are in a trade that the venue reports: as the taker, as one or several makers, or both.

Source: user-channel page, nautilus integration notes, seen 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal

from pipeline.base.errors import BadFrame
from pipeline.base.units import ONE_E6
from pipeline.messages.market import Side
from pipeline.messages.orders import TradeStatus
from pipeline.venue.clob.account import MakerLeg, TradeReport
from pipeline.venue.numbers import LONGEST


@dataclass(frozen=True, slots=True)
class OwnFill:
    """What one order of ours got in a trade. The same (``trade_id``, ``venue_order_id``) comes once for each status: it is one fill."""

    trade_id: str
    venue_order_id: str
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    liquidity: Literal["maker", "taker"]
    status: TradeStatus
    venue_ns: int = 0


def own_fills(trade: TradeReport, api_key: str, own_order_ids: Container[str] = ()) -> tuple[OwnFill, ...]:
    """Our fills in a trade: the taker's if that order is ours, and one for each maker order that is ours.

    Ours is what bears ``api_key`` as its owner or an id in ``own_order_ids``. Raises BadFrame for a price that is none.
    """
    found: list[OwnFill] = []
    taken = trade.trader_side != "MAKER" and bool(api_key) and trade.owner == api_key
    if trade.taker_order_id and (taken or trade.taker_order_id in own_order_ids):
        found.append(_fill(trade, trade.taker_order_id, trade.token_id, trade.side, trade.price, trade.size_e6, "taker"))
    for leg in trade.legs:
        if (api_key and leg.owner == api_key) or leg.venue_order_id in own_order_ids:
            token_id = leg.token_id or trade.token_id
            found.append(_fill(trade, leg.venue_order_id, token_id, side_of(leg, trade), leg.price, leg.size_e6, "maker"))
    return tuple(found)


def side_of(leg: MakerLeg, trade: TradeReport) -> Side:
    """A maker's side; where it is not told: against the taker in the same token, with it in the other one."""
    if leg.side is not None:
        return leg.side
    if leg.token_id and leg.token_id != trade.token_id:
        return trade.side
    return "SELL" if trade.side == "BUY" else "BUY"


def _fill(
    trade: TradeReport, order_id: str, token_id: str, side: Side, price: str, size_e6: int, liquidity: Literal["maker", "taker"]
) -> OwnFill:
    price_e6 = _price_e6(price, side)
    return OwnFill(
        trade.trade_id, order_id, token_id, trade.market, side, price_e6, size_e6, liquidity, trade.status, trade.venue_ns
    )


def _price_e6(text: str, side: Side) -> int:
    """A price; an average with more than six places is rounded against us: up for a buyer, down for a seller."""
    try:
        exact = Decimal(text[:LONGEST]) * ONE_E6
        value = int(exact.to_integral_value(ROUND_CEILING if side == "BUY" else ROUND_FLOOR))
    except (ArithmeticError, ValueError):
        raise BadFrame(f"price {text[:LONGEST]!r} is not a number") from None
    if not 0 <= value <= ONE_E6:
        raise BadFrame(f"price {text[:LONGEST]} is outside 0 to 1")
    return value
