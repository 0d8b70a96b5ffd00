"""The life of a role, without processes: waits, hangs, giving up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.settings import SupervisorSection
from processes.role_life import MINUTE_NS, LifeRules, RoleLife

MS = 1_000_000
RULES = LifeRules(restart_min_ns=100 * MS, restart_max_ns=5_000 * MS, heartbeat_timeout_ns=10_000 * MS, max_deaths=5)


def life(beats: bool = True) -> RoleLife:
    return RoleLife("writer", RULES, beats, now_ns=0)


def wait_of(role: RoleLife, died_ns: int) -> int:
    due = role.next_due_ns()
    assert due is not None
    return due - died_ns


def test_the_rules_are_the_settings():
    assert LifeRules.of(SupervisorSection()) == RULES


def test_it_is_started_at_once_and_runs_with_its_first_heartbeat():
    role = life()
    assert role.due(0) == "start"
    role.on_started(0)
    assert (role.state, role.due(1)) == ("starting", None)
    role.on_heartbeat(5)
    assert (role.state, role.restarts) == ("running", 0)


def test_the_wait_doubles_with_each_death():
    role = life()
    now, waits = 0, []
    for _ in range(4):
        role.on_started(now)
        role.on_exit(now)
        waits.append(wait_of(role, now) // MS)
        assert role.due(now) is None
        now = role.next_due_ns()
        assert role.due(now) == "start"
    assert waits == [100, 200, 400, 800]


def test_the_wait_stops_growing_at_its_maximum():
    role = RoleLife("writer", LifeRules(100, 300, 1, max_deaths=99), beats=False, now_ns=0)
    waits = []
    for now in range(0, 4_000, 1_000):
        role.on_started(now)
        role.on_exit(now)
        waits.append(wait_of(role, now))
    assert waits == [100, 200, 300, 300]


def test_a_minute_of_life_makes_the_wait_short_again():
    role = life()
    for now in (0, 1_000 * MS, 2_000 * MS):
        role.on_started(now)
        role.on_exit(now)
    role.on_started(3_000 * MS)
    died = 3_000 * MS + MINUTE_NS
    role.on_exit(died)
    assert wait_of(role, died) == 100 * MS
    assert role.deaths_in_a_minute == 1


def test_the_fifth_death_within_a_minute_gives_it_up():
    role = life()
    for now in range(0, 4_000 * MS, 1_000 * MS):
        role.on_started(now)
        role.on_exit(now)
        assert role.state == "waiting"
    role.on_started(4_000 * MS)
    role.on_exit(4_000 * MS)
    assert (role.state, role.due(10**15), role.next_due_ns()) == ("given_up", None, None)


def test_five_deaths_spread_over_more_than_a_minute_do_not():
    role = life()
    for now in range(0, 10 * MINUTE_NS, MINUTE_NS // 4):
        role.on_started(now)
        role.on_exit(now)
    assert role.state == "waiting"


def test_the_second_refusal_in_a_row_gives_it_up():
    role = life()
    for refused in (True, False, True):
        role.on_started(0)
        role.on_exit(0, refused)
        assert role.state == "waiting"
    role.on_started(0)
    role.on_exit(0, refused=True)
    assert role.state == "given_up"


def test_silence_is_answered_with_one_kill():
    role = life()
    role.on_started(0)
    role.on_heartbeat(3_000 * MS)
    assert role.due(12_999 * MS) is None
    assert role.next_due_ns() == 13_000 * MS
    assert role.due(13_000 * MS) == "kill"
    assert role.due(14_000 * MS) is None
    assert role.hangs == 1


def test_a_role_that_never_spoke_has_more_time_and_is_killed_as_well():
    role = life()
    role.on_started(0)
    assert role.due(59_999 * MS) is None
    assert role.due(60_000 * MS) == "kill"


def test_the_silence_of_one_who_did_not_listen_is_forgiven():
    role = life()
    role.on_started(0)
    role.on_heartbeat(0)
    role.forgive(8_000 * MS)
    assert role.due(17_999 * MS) is None
    assert role.due(18_000 * MS) == "kill"


def test_a_role_without_heartbeats_is_never_taken_for_hung():
    role = life(beats=False)
    role.on_started(0)
    assert (role.due(10**15), role.next_due_ns(), role.silence_ns(10)) == (None, None, None)


def test_a_heartbeat_that_arrives_after_the_death_changes_nothing():
    role = life()
    role.on_started(0)
    role.on_exit(1)
    role.on_heartbeat(2)
    assert role.state == "waiting"


def test_what_was_stopped_is_not_started_again():
    role = life()
    role.on_started(0)
    role.on_stopped()
    assert (role.due(10**15), role.next_due_ns()) == (None, None)


@given(st.lists(st.tuples(st.sampled_from(["beat", "exit", "tick"]), st.integers(1, 20_000)), max_size=60))
def test_it_is_never_asked_to_start_while_it_lives_nor_to_be_killed_while_it_does_not(story):
    role, now, alive = life(), 0, False
    for happened, ms in story:
        now += ms * MS
        if happened == "beat":
            role.on_heartbeat(now)
        if happened == "exit" and alive:
            role.on_exit(now)
            alive = False
        action = role.due(now)
        assert action in ((None, "kill") if alive else (None, "start"))
        if action == "start":
            role.on_started(now)
            alive = True
        elif action == "kill":
            role.on_exit(now)
            alive = False
