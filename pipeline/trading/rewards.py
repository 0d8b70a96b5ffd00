"""Liquidity rewards of a market: how a resting order scores, and what share of the score a pair of quotes may expect.

An order at distance s from the size-adjusted midpoint scores ((v - s) / v)^2 a share, v being the largest distance that counts; below
the minimum size it scores nothing. Source: liquidity rewards page, seen 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.base.units import ONE_E6
from pipeline.messages.market import BookSnapshot, Level, Rewards

ONE_SIDED_E6 = (100_000, 900_000)
"""Between these mids one side alone counts too, a third of it."""
ONE_SIDED_PART = 3


def adjusted_mid_e6(book: BookSnapshot, min_size_e6: int) -> int | None:
    """The middle between the best bid and the best ask that are as large as the minimum size; None without either."""
    bid = _first(book.bids, min_size_e6)
    ask = _first(book.asks, min_size_e6)
    return None if bid is None or ask is None else (bid + ask) // 2


def score(rewards: Rewards, distance_e6: int, size_e6: int) -> int:
    """The score of one order, in millionths of a share: 0 beyond the largest distance or below the minimum size."""
    band = rewards.max_spread_e6
    if distance_e6 < 0 or distance_e6 >= band or size_e6 < rewards.min_size_e6:
        return 0
    return (band - distance_e6) ** 2 * size_e6 // band**2


def share_e6(rewards: Rewards, mid_e6: int, price_e6: int, size_e6: int, others: Iterable[Level]) -> int:
    """The part of its side's score that an order would have beside what the book shows there, in millionths.

    An estimate: makers are scored apart from each other, and levels smaller than the minimum may be made of larger orders elsewhere.
    """
    own = score(rewards, abs(price_e6 - mid_e6), size_e6)
    if not own:
        return 0
    theirs = sum(score(rewards, abs(level.price_e6 - mid_e6), level.size_e6) for level in others)
    return own * ONE_E6 // (own + theirs)


def daily_e6(rewards: Rewards, mid_e6: int, bid_share_e6: int, ask_share_e6: int) -> int:
    """What a day of resting so would pay, in millionths of a dollar, by the lesser side (near the middle by a third of the greater)."""
    least, most = sorted((bid_share_e6, ask_share_e6))
    if ONE_SIDED_E6[0] <= mid_e6 <= ONE_SIDED_E6[1]:
        least = max(least, most // ONE_SIDED_PART)
    return rewards.daily_rate_e6 * least // ONE_E6


def _first(levels: Sequence[Level], min_size_e6: int) -> int | None:
    return next((level.price_e6 for level in levels if level.size_e6 >= min_size_e6), None)
