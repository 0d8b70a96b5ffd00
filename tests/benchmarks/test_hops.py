import pytest

from benchmarks.hops import ways_between
from benchmarks.percentiles import percentile_of


def test_bare_hops_tell_the_way_of_every_message_after_settling() -> None:
    ways = ways_between(500, 0.2)
    assert len(ways) == 100
    assert all(whole >= between > 0 for whole, between in ways)


def test_a_percentile_is_one_of_the_values_and_needs_enough_of_them() -> None:
    values = [float(number) for number in range(1, 1_001)]
    assert [percentile_of(values, part) for part in ("p50", "p99", "p99.9")] == [500, 990, 999]
    with pytest.raises(ValueError, match="only 19 values"):
        percentile_of(values[:19], "p50")
