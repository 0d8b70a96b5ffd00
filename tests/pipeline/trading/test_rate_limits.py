"""Buckets let no more through than they say, over any stretch of time; a window forgets what is old."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.settings import RateLimitsSection
from pipeline.trading.rate_limits import Bucket, RateLimits, Window

S = 1_000_000_000


def test_a_full_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(per_s=40, burst=60)
    now = 1_000 * S
    assert bucket.take(60, now)
    assert not bucket.take(1, now)
    assert bucket.ready_ns(1) == now + S // 40
    assert not bucket.take(1, now + S // 40 - 1)
    assert bucket.take(1, now + S // 40)
    assert bucket.available(now + 3 * S) == 60


def test_what_cannot_wait_is_taken_from_the_future() -> None:
    bucket = Bucket(per_s=10, burst=10)
    bucket.charge(25, S)
    assert bucket.available(S) == -15
    assert bucket.ready_ns(1) == S + 1_600_000_000
    assert bucket.take(1, S + 1_600_000_000)


@given(st.integers(1, 50), st.integers(1, 20), st.lists(st.tuples(st.integers(0, S), st.integers(1, 5)), max_size=60))
def test_over_any_stretch_no_more_passes_than_burst_and_rate(per_s: int, burst: int, asked: list[tuple[int, int]]) -> None:
    bucket, now, passed = Bucket(per_s, burst), S, list[tuple[int, int]]()
    for wait, count in asked:
        now += wait
        if bucket.take(count, now):
            passed.append((now, count))
        elif count <= burst:
            ready = bucket.ready_ns(count)
            assert ready > now
            assert bucket.available(ready) >= count
            now = ready
    for index, (start, _) in enumerate(passed):
        for end_index in range(index, len(passed)):
            end = passed[end_index][0]
            total = sum(count for _, count in passed[index : end_index + 1])
            assert total * S <= burst * S + (end - start) * per_s


def test_the_default_limits_are_those_of_a_standard_account() -> None:
    limits = RateLimits.from_settings(RateLimitsSection())
    assert (limits.orders.per_s, limits.orders.burst, limits.cancels.per_s, limits.cancels.burst) == (40, 60, 80, 120)


def test_a_window_counts_the_last_minute() -> None:
    window = Window()
    for at in (0, 30 * S, 59 * S):
        window.add(at)
    assert window.count(59 * S) == 3
    assert window.count(60 * S) == 2
    assert window.count(200 * S) == 0
