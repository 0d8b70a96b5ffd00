"""What resting orders may earn from liquidity rewards: their part of the score, looked at once a minute, as the venue does.

A side's score counts bids on the first token with asks on the other, and the reverse. A maker is paid by the lesser side, or near the
middle by a third of the greater one if that is more. What the book shows is taken for one other maker, which makes our part smaller
rather than larger. Source: liquidity rewards page, seen 2026-11-22.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pipeline.base.units import NS_PER_S, ONE_E6
from pipeline.messages.market import BookSnapshot, Level, Market, Rewards
from pipeline.messages.orders import Mode
from pipeline.messages.records import RewardEstimate
from pipeline.trading.followed import Followed
from pipeline.trading.orders import Order
from pipeline.trading.rewards import ONE_SIDED_E6, ONE_SIDED_PART, adjusted_mid_e6, score

MINUTE_NS = 60 * NS_PER_S
MINUTES_A_DAY = 1_440
LEAST_AGE_NS = 30 * NS_PER_S
"""Younger orders earn nothing (30 s seen in ``/clob-markets``; the catalogue does not tell it for each market)."""
RESTING = frozenset({"live", "partially_filled"})


class RewardMeter:
    """Estimates at each full minute."""

    def __init__(self, mode: Mode, followed: Followed) -> None:
        self.mode: Mode = mode
        self._followed = followed
        self._done_ns = 0
        self._pays = False

    def on_universe(self, markets: Iterable[Market]) -> None:
        """The followed markets."""
        self._pays = any(market.rewards is not None and market.rewards.daily_rate_e6 for market in markets)

    def next_ns(self, now_ns: int) -> int | None:
        """The next full minute that was not looked at; None where no followed market pays rewards."""
        if not self._pays:
            return None
        return max(self._done_ns, now_ns - now_ns % MINUTE_NS) + MINUTE_NS

    def look(self, orders: Iterable[Order], now_ns: int) -> Iterator[RewardEstimate]:
        """An estimate for each strategy and market with rewards in which it rests old orders; nothing before the minute is full."""
        minute_ns = now_ns - now_ns % MINUTE_NS
        if minute_ns <= self._done_ns:
            return
        self._done_ns = minute_ns
        resting: dict[tuple[str, str], list[Order]] = defaultdict(list)
        for order in orders:
            market = self._followed.market(order.token_id)
            if market is None or market.rewards is None or not market.rewards.daily_rate_e6:
                continue
            if order.status in RESTING and now_ns - order.placed_ns >= LEAST_AGE_NS:
                resting[order.strategy, order.market].append(order)
        for (strategy, market_id), ours in resting.items():
            market = self._followed.market(ours[0].token_id)
            assert market is not None
            book = self._followed.book(market.token_ids[0])
            share_e6 = 0 if book is None else score_share_e6(market, book, ours)
            if share_e6:
                assert market.rewards is not None
                yield RewardEstimate(
                    ts_ns=now_ns,
                    strategy=strategy,
                    mode=self.mode,
                    market=market_id,
                    share_e6=share_e6,
                    reward_e6=market.rewards.daily_rate_e6 * share_e6 // (ONE_E6 * MINUTES_A_DAY),
                )


def score_share_e6(market: Market, book: BookSnapshot, ours: Iterable[Order]) -> int:
    """Our part of the market's score beside what the first token's book shows, in millionths; 0 where there is no mid or no score."""
    rewards = market.rewards
    if rewards is None or not rewards.max_spread_e6:
        return 0
    mid_e6 = adjusted_mid_e6(book, rewards.min_size_e6)
    if mid_e6 is None:
        return 0
    bids, asks = 0, 0
    for order in ours:
        first = order.token_id == market.token_ids[0]
        price_e6 = order.price_e6 if first else ONE_E6 - order.price_e6
        earned = score(rewards, abs(price_e6 - mid_e6), order.remaining_e6)
        if (order.side == "BUY") == first:
            bids += earned
        else:
            asks += earned
    own = _least(mid_e6, bids, asks)
    if not own:
        return 0
    theirs = _least(mid_e6, _side(rewards, mid_e6, book.bids), _side(rewards, mid_e6, book.asks))
    return own * ONE_E6 // (own + theirs)


def _side(rewards: Rewards, mid_e6: int, levels: Iterable[Level]) -> int:
    return sum(score(rewards, abs(level.price_e6 - mid_e6), level.size_e6) for level in levels)


def _least(mid_e6: int, bids: int, asks: int) -> int:
    """What a maker's two sides count together."""
    least, most = min(bids, asks), max(bids, asks)
    return max(least, most // ONE_SIDED_PART) if ONE_SIDED_E6[0] <= mid_e6 <= ONE_SIDED_E6[1] else least
