"""What a resolution makes of positions: each share pays what the market resolved to, booked as one last trade each.

The winner's shares pay a dollar and the others nothing; after a 50/50 resolution every share pays half a dollar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.base.units import ONE_E6, notional_ceil_e6, notional_floor_e6
from pipeline.messages.market import MarketResolved
from pipeline.messages.orders import Mode
from pipeline.messages.records import FillRecord
from pipeline.trading.portfolio import Holding


def payout_e6(told: MarketResolved, token_id: str) -> int | None:
    """What a share of a token pays, in millionths of a dollar; None where the resolution does not say.

    A resolution that tells neither payouts nor a winner among the tokens books nothing: the catalogue tells them later.
    """
    if token_id not in told.token_ids:
        return None
    if len(told.payouts_e6) == len(told.token_ids):
        return told.payouts_e6[told.token_ids.index(token_id)]
    if told.winning_token_id not in told.token_ids:
        return None
    return ONE_E6 if token_id == told.winning_token_id else 0


def settlements(holdings: Iterable[Holding], told: MarketResolved, mode: Mode, now_ns: int) -> Iterator[FillRecord]:
    """The trades that close the positions of a market that has resolved: sold at what they pay; a short position is bought back."""
    for holding in holdings:
        price_e6 = payout_e6(told, holding.token_id)
        if price_e6 is None or not holding.inventory_e6:
            continue
        size_e6 = abs(holding.inventory_e6)
        long = holding.inventory_e6 > 0
        yield FillRecord(
            ts_ns=now_ns,
            trade_id=f"settled-{holding.strategy}-{holding.token_id}",
            client_order_id=f"settlement-{told.market}",
            strategy=holding.strategy,
            mode=mode,
            token_id=holding.token_id,
            market=holding.market,
            side="SELL" if long else "BUY",
            price_e6=price_e6,
            size_e6=size_e6,
            notional_e6=notional_floor_e6(price_e6, size_e6) if long else notional_ceil_e6(price_e6, size_e6),
            fee_e6=0,
            liquidity="settlement",
            status="confirmed",
        )
