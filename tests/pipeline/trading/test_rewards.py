"""The reward score of an order, and the share of it that one may expect."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.units import ONE_E6
from pipeline.messages.market import BookSnapshot, Level, Rewards
from pipeline.trading.rewards import adjusted_mid_e6, daily_e6, score, share_e6

REWARDS = Rewards(min_size_e6=50 * ONE_E6, max_spread_e6=45_000, daily_rate_e6=100 * ONE_E6)


def test_the_score_falls_with_the_square_of_the_distance() -> None:
    assert score(REWARDS, 0, 100 * ONE_E6) == 100 * ONE_E6
    assert score(REWARDS, 15_000, 90 * ONE_E6) == 40 * ONE_E6
    assert score(REWARDS, 45_000, 100 * ONE_E6) == 0
    assert score(REWARDS, 0, 49 * ONE_E6) == 0


def test_the_share_is_among_what_the_side_shows() -> None:
    others = [
        Level(490_000, 100 * ONE_E6),
        Level(470_000, 100 * ONE_E6),
        Level(450_000, 100 * ONE_E6),
        Level(480_000, 10 * ONE_E6),
    ]
    own = score(REWARDS, 15_000, 90 * ONE_E6)
    theirs = score(REWARDS, 10_000, 100 * ONE_E6) + score(REWARDS, 30_000, 100 * ONE_E6)
    assert share_e6(REWARDS, 500_000, 485_000, 90 * ONE_E6, others) == own * ONE_E6 // (own + theirs)
    assert share_e6(REWARDS, 500_000, 440_000, 90 * ONE_E6, others) == 0


def test_a_day_pays_by_the_lesser_side_and_near_the_middle_by_a_third_of_the_greater() -> None:
    assert daily_e6(REWARDS, 500_000, 200_000, 400_000) == 20 * ONE_E6
    assert daily_e6(REWARDS, 500_000, 0, 300_000) == 10 * ONE_E6
    assert daily_e6(REWARDS, 950_000, 0, 300_000) == 0


def test_the_midpoint_overlooks_orders_below_the_minimum_size() -> None:
    book = BookSnapshot(
        ts_ns=1,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=(Level(480_000, ONE_E6), Level(460_000, 60 * ONE_E6)),
        asks=(Level(500_000, 60 * ONE_E6),),
        seq=1,
        venue_ns=1,
        state="VERIFIED",
        basis="hash",
    )
    assert adjusted_mid_e6(book, 50 * ONE_E6) == 480_000
    assert adjusted_mid_e6(book, 100 * ONE_E6) is None


@given(st.integers(0, 60_000), st.integers(0, 60_000), st.integers(50, 500))
def test_nearer_never_scores_less(near: int, far: int, shares: int) -> None:
    near, far = sorted((near, far))
    assert score(REWARDS, near, shares * ONE_E6) >= score(REWARDS, far, shares * ONE_E6)
