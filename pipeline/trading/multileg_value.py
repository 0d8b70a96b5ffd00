"""What shares of several legs are worth together: walks down a book, and the least that a holding of all legs pays.

*YES form*: exactly one of all legs pays a dollar a share. *NO form*: every leg pays a dollar a share except at most one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.base.units import notional_ceil_e6, notional_floor_e6
from pipeline.messages.market import FeeSchedule, Level
from pipeline.trading.fees import fee_ceil_e6

Form = Literal["YES", "NO"]


@dataclass(frozen=True, slots=True)
class Walk:
    """So many shares of one side of a book: the worst price met, and the money for them with fees, in millionths.

    ``money_e6`` is what a buyer pays at most or a seller gets at least. ``size_e6`` is less than was asked for where the book ends.
    """

    size_e6: int
    price_e6: int
    money_e6: int


def buy_walk(asks: Sequence[Level], fees: FeeSchedule | None, size_e6: int) -> Walk:
    """Buy up to ``size_e6`` shares: each level's cost and fee rounded up."""
    left, worst, money = size_e6, 0, 0
    for level in asks:
        part = min(left, level.size_e6)
        if part <= 0:
            break
        money += notional_ceil_e6(level.price_e6, part) + fee_ceil_e6(fees, level.price_e6, part)
        worst = level.price_e6
        left -= part
    return Walk(size_e6 - left, worst, money)


def sale_walk(bids: Sequence[Level], fees: FeeSchedule | None, size_e6: int) -> Walk:
    """Sell up to ``size_e6`` shares: each level's proceeds rounded down, its fee up."""
    left, worst, money = size_e6, 0, 0
    for level in bids:
        part = min(left, level.size_e6)
        if part <= 0:
            break
        money += notional_floor_e6(level.price_e6, part) - fee_ceil_e6(fees, level.price_e6, part)
        worst = level.price_e6
        left -= part
    return Walk(size_e6 - left, worst, money)


def covered_e6(form: Form, held: Sequence[int]) -> int:
    """The least that shares of all legs pay at any resolution of exactly one Yes (NO form: or of none), in millionths of a dollar.

    A resolution at 50/50 is not covered.
    """
    return min(held) if form == "YES" else sum(held) - max(held)


def excess_e6(form: Form, held: Sequence[int]) -> list[int]:
    """Of each leg, the shares that add nothing to what is covered."""
    if form == "YES":
        least = min(held)
        return [size - least for size in held]
    first, second = sorted(held, reverse=True)[:2]
    spare = [0] * len(held)
    spare[list(held).index(first)] = first - second
    return spare
