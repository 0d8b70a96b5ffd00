"""Time by state is exact: it adds up, and cutting it into cells loses nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polybot.coverage.shares import (
    HOUR_NS,
    NOT_OBSERVED,
    STATES,
    Cells,
    added,
    grid,
    joined,
    regrouped,
    spread,
    time_shares,
    times_of,
    width_for,
    without,
)

times = st.integers(0, 5 * HOUR_NS)
changes = st.lists(st.tuples(times, st.sampled_from(STATES)), max_size=20).map(sorted)
windows = st.tuples(times, times).map(lambda pair: (min(pair), max(pair)))
intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair))), max_size=8)


def test_a_book_is_unknown_before_its_first_state_and_keeps_the_last() -> None:
    shares = time_shares([(10, "VERIFIED"), (30, "STALE")], 0, 100, width_ns=50)
    assert shares == {0: {"VERIFIED": 20, "STALE": 20, NOT_OBSERVED: 10}, 50: {"STALE": 50}}


def test_what_was_before_the_window_holds_in_it_and_what_comes_after_does_not_count() -> None:
    assert time_shares([(0, "QUIET"), (200, "DEAD")], 100, 150, width_ns=100) == {100: {"QUIET": 50}}


def test_a_window_of_nothing_has_no_cell() -> None:
    assert time_shares([(0, "QUIET")], 100, 100) == {}


@given(changes, windows)
def test_the_shares_of_a_cell_add_up_to_its_part_of_the_window(told: list[tuple[int, str]], window: tuple[int, int]) -> None:
    shares = time_shares(told, *window)
    assert {cell: sum(each.values()) for cell, each in shares.items()} == dict(grid(*window, HOUR_NS))
    assert sum(sum(each.values()) for each in shares.values()) == window[1] - window[0]
    assert all(ns > 0 for each in shares.values() for ns in each.values())


@given(changes, windows)
def test_cutting_into_hours_loses_nothing(told: list[tuple[int, str]], window: tuple[int, int]) -> None:
    whole = time_shares(told, *window, width_ns=1_000 * HOUR_NS)
    for width_ns in (HOUR_NS, HOUR_NS // 60, 2 * HOUR_NS):
        assert added(time_shares(told, *window, width_ns=width_ns).values()) == added(whole.values())


@given(changes, windows)
def test_unknown_is_the_time_before_the_first_state(told: list[tuple[int, str]], window: tuple[int, int]) -> None:
    first = min((at for at, _ in told), default=window[1])
    unknown = max(0, min(first, window[1]) - window[0])
    assert added(time_shares(told, *window).values()).get(NOT_OBSERVED, 0) == unknown


@given(st.lists(st.tuples(windows, st.sampled_from(STATES), st.sampled_from(["", "why", "gone"])), max_size=12))
def test_hours_are_the_sums_of_their_narrow_cells(stretches: list[tuple[tuple[int, int], str, str]]) -> None:
    fine: Cells = {}
    hours: Cells = {}
    for (start, end), state, reason in stretches:
        spread(fine, HOUR_NS // 60, start, end, state, reason)
        spread(hours, HOUR_NS, start, end, state, reason)
    wide = regrouped(fine, HOUR_NS)
    assert {cell: times_of(parts, 0) for cell, parts in wide.items()} == {c: times_of(p, 0) for c, p in hours.items()}


def test_a_cell_remembers_the_reason_that_held_longest() -> None:
    cells: Cells = {}
    spread(cells, 100, 0, 10, "STALE", "link is down")
    spread(cells, 100, 20, 60, "STALE", "nothing heard")
    spread(cells, 100, 70, 75, "STALE", "link is down")
    assert (cells[0]["STALE"].ns, cells[0]["STALE"].reason) == (55, "nothing heard")


@given(intervals, st.integers(0, 60), st.integers(0, 60))
def test_outside_the_holes_is_what_no_hole_covers(holes: list[tuple[int, int]], start: int, end: int) -> None:
    left = {at for lo, hi in without(start, end, joined(holes)) for at in range(lo, hi)}
    assert left == {at for at in range(start, end) if not any(lo <= at < hi for lo, hi in holes)}


def test_cells_are_as_narrow_as_the_columns_allow_and_divide_an_hour() -> None:
    assert [width_for(seconds * 10**9) // 10**9 for seconds in (60, 600, 3_600, 36_000, 10**7)] == [1, 5, 30, 300, 3_600]
    assert all(HOUR_NS % width_for(seconds * 10**9) == 0 for seconds in range(1, 50_000, 97))
