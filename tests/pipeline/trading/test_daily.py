"""A day's result belongs to its UTC day."""

from __future__ import annotations

from pipeline.trading.daily import DAY_NS, DayResult


def test_a_day_begins_at_zero_and_its_fills_add_up() -> None:
    day = DayResult()
    day.add(DAY_NS - 1, -7)
    assert day.result_e6(DAY_NS - 1) == -7
    assert day.result_e6(DAY_NS) == 0
    day.add(DAY_NS, 5)
    day.add(DAY_NS + 1, -2)
    assert day.result_e6(2 * DAY_NS - 1) == 3
    assert day.result_e6(2 * DAY_NS) == 0


def test_a_fill_told_of_yesterday_does_not_count_today() -> None:
    day = DayResult()
    day.add(DAY_NS, 5)
    day.add(DAY_NS - 1, -100)
    assert day.result_e6(DAY_NS) == 5
