"""Merging: one share of each outcome of a market is a dollar, booked as one last trade each whose prices add up to exactly that.

On chain it is ``mergePositions``; in simulation these records are all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.base.units import ONE_E6, notional_floor_e6
from pipeline.messages.orders import VENUE_MODES, MergePair, Mode
from pipeline.messages.records import FillRecord
from pipeline.trading.portfolio import Holding


def merge_refusal(command: MergePair, free_e6: tuple[int, int], mode: Mode) -> str:
    """Why pairs are not merged; "" if they are. ``free_e6``: shares of both outcomes that are held and not offered."""
    if mode in VENUE_MODES:
        return "merging on chain is not available"
    if command.size_e6 <= 0 or command.size_e6 > min(free_e6):
        return f"only {min(free_e6)} millionths of a share are free on both sides"
    return ""


def merges(command: MergePair, first: Holding, mode: Mode, now_ns: int) -> Iterator[FillRecord]:
    """Both sales of a merge: the first outcome at its average cost, so that the profit of the pair shows on the second."""
    average = first.average_price_e6 or 0
    price_e6 = max(0, min(ONE_E6, average))
    notional: int = notional_floor_e6(price_e6, command.size_e6)
    sides = ((price_e6, notional), (ONE_E6 - price_e6, command.size_e6 - notional))
    for token_id, (price, paid) in zip(command.token_ids, sides, strict=True):
        yield FillRecord(
            ts_ns=now_ns,
            trade_id=f"merged-{command.decision.plan_id}-{token_id}",
            client_order_id=f"merge-{command.market}",
            strategy=command.strategy,
            mode=mode,
            token_id=token_id,
            market=command.market,
            side="SELL",
            price_e6=price,
            size_e6=command.size_e6,
            notional_e6=paid,
            fee_e6=0,
            liquidity="merge",
            status="confirmed",
        )
