"""The system's clock when the machine's is set back: time goes on, a tenth slower, and never returns."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.clock import STEP_NS, EventClock, SystemClock

S = 1_000_000_000
NOON = 1_800_000_000 * S


class Machine:
    """A wall clock that can be set, and a monotonic one that cannot."""

    def __init__(self) -> None:
        self.wall_ns, self.mono_ns = NOON, 77 * S
        self.told: list[int] = []
        self.clock = SystemClock(lambda: self.wall_ns, lambda: self.mono_ns, self.told.append)
        self.clock.now_ns()

    def pass_ns(self, ns: int) -> int:
        self.wall_ns += ns
        self.mono_ns += ns
        return self.clock.now_ns()

    def set_back(self, ns: int) -> int:
        self.wall_ns -= ns
        return self.clock.now_ns()


def test_it_is_the_machines_clock_as_long_as_that_goes_forward():
    machine = Machine()
    assert [machine.pass_ns(S), machine.pass_ns(0), machine.pass_ns(3_600 * S)] == [NOON + S, NOON + S, NOON + 3_601 * S]
    assert (machine.clock.steps_back, machine.clock.ahead_ns, machine.told) == (0, 0, [])


def test_a_step_back_of_five_seconds_is_counted_and_told_and_time_goes_on_a_tenth_slower():
    machine = Machine()
    assert machine.set_back(5 * S) == NOON
    assert (machine.clock.steps_back, machine.told) == (1, [5 * S])
    assert machine.pass_ns(10 * S) == NOON + 9 * S
    assert machine.clock.ahead_ns == 4 * S


def test_after_ten_times_the_step_it_is_the_machines_time_again():
    machine = Machine()
    machine.set_back(5 * S)
    answers = [machine.pass_ns(S) for _ in range(50)]
    assert machine.clock.ahead_ns == 0
    assert answers[-1] == machine.wall_ns
    assert machine.pass_ns(S) == machine.wall_ns
    assert machine.clock.steps_back == 1


def test_small_steps_are_waited_out_and_are_not_counted():
    machine = Machine()
    assert machine.set_back(STEP_NS - 1) == NOON
    assert machine.pass_ns(STEP_NS // 2) == NOON
    assert machine.pass_ns(STEP_NS) == NOON + STEP_NS // 2 + 1
    assert machine.clock.steps_back == 0


def test_a_second_step_back_meanwhile_is_counted_as_well():
    machine = Machine()
    machine.set_back(5 * S)
    machine.pass_ns(S)
    before = machine.clock.now_ns()
    assert machine.set_back(2 * S) == before
    assert (machine.clock.steps_back, machine.told) == (2, [5 * S, 2 * S])


def test_a_clock_that_is_set_right_again_is_followed_at_once():
    machine = Machine()
    machine.set_back(5 * S)
    machine.pass_ns(S)
    assert machine.set_back(-5 * S) == machine.wall_ns
    assert machine.clock.ahead_ns == 0


@given(st.lists(st.tuples(st.integers(0, 20 * S), st.integers(-30 * S, 30 * S)), max_size=30))
def test_it_never_goes_back_and_never_stands_still_over_seconds(moves: list[tuple[int, int]]):
    machine = Machine()
    answers = [machine.clock.now_ns()]
    for passed_ns, step_ns in moves:
        machine.wall_ns += step_ns
        answers.append(machine.pass_ns(passed_ns))
        begin = machine.clock.now_ns()
        assert machine.pass_ns(S) - begin >= S * 9 // 10 - STEP_NS
    assert all(later >= earlier for earlier, later in itertools.pairwise(answers))


def test_event_time_is_the_largest_it_was_told():
    clock = EventClock(5)
    clock.advance(9)
    clock.advance(7)
    assert (clock.now_ns(), clock.steps_back) == (9, 0)
