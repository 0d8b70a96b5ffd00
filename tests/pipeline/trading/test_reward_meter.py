"""Resting orders earn their part of the minute, if they are old, large and near enough, and on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.base.units import NS_PER_S, ONE_E6
from pipeline.messages.market import BookSnapshot, Level, Market, Outcome, Rewards, Side
from pipeline.trading.followed import Followed
from pipeline.trading.orders import Order
from pipeline.trading.reward_meter import RewardMeter, score_share_e6

T = 1_789_999_980 * NS_PER_S
REWARDS = Rewards(min_size_e6=50 * ONE_E6, max_spread_e6=40_000, daily_rate_e6=1_440 * ONE_E6)
MARKET = Market("m", (Outcome("yes", "Yes"), Outcome("no", "No")), rewards=REWARDS)


def order(token: str, side: Side, cents: int, shares: int, placed_ns: int = T - 60 * NS_PER_S) -> Order:
    return Order(
        f"{token}{side}", "s", token, "m", side, cents * 10_000, shares * ONE_E6, "GTC", True, "p", placed_ns, status="live"
    )


def book(mid: int = 50) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=T,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=(Level((mid - 2) * 10_000, 100 * ONE_E6),),
        asks=(Level((mid + 2) * 10_000, 100 * ONE_E6),),
        seq=1,
        venue_ns=T,
        state="VERIFIED",
        basis="hash",
    )


PAIR = (order("yes", "BUY", 48, 100), order("no", "BUY", 48, 100))


@pytest.mark.parametrize(
    ("orders", "mid", "share"),
    [
        (PAIR, 50, 500_000),
        (PAIR[:1], 50, 248_120),  # one side counts a third near the middle
        ((order("yes", "BUY", 3, 100),), 5, 0),  # and nothing at the edges
        ((order("yes", "BUY", 48, 49), order("no", "BUY", 48, 49)), 50, 0),
        ((order("yes", "BUY", 46, 100), order("no", "BUY", 46, 100)), 50, 0),
        ((order("yes", "BUY", 49, 100), order("yes", "SELL", 51, 100)), 50, 692_307),
    ],
)
def test_the_part_of_the_score_follows_size_distance_and_sides(orders: Sequence[Order], mid: int, share: int) -> None:
    assert score_share_e6(MARKET, book(mid), orders) == pytest.approx(share, abs=2_000)


def meter() -> RewardMeter:
    followed = Followed()
    followed.on_universe((MARKET,))
    followed.on_book(book())
    made = RewardMeter("paper", followed)
    made.on_universe((MARKET,))
    return made


def test_a_minute_is_looked_at_once() -> None:
    looks = meter()
    assert looks.next_ns(T + 1) == T + 60 * NS_PER_S
    (found,) = looks.look(PAIR, T + 60 * NS_PER_S)
    assert (found.strategy, found.mode, found.market, found.share_e6) == ("s", "paper", "m", 500_000)
    assert found.reward_e6 == ONE_E6 // 2
    assert list(looks.look(PAIR, T + 61 * NS_PER_S)) == []
    assert looks.next_ns(T + 60 * NS_PER_S) == T + 120 * NS_PER_S


def test_nothing_is_waited_for_where_nothing_is_paid() -> None:
    looks = meter()
    looks.on_universe(())
    assert looks.next_ns(T) is None


def test_young_orders_earn_nothing() -> None:
    young = [order("yes", "BUY", 48, 100, placed_ns=T - 29 * NS_PER_S), order("no", "BUY", 48, 100, placed_ns=T - 29 * NS_PER_S)]
    assert list(meter().look(young, T)) == []
