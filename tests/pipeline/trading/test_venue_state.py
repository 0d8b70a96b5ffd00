"""The venue's state follows its answers, returns by itself, and says what may be done."""

from __future__ import annotations

from itertools import product
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages.orders import VenueState
from pipeline.trading.venue_state import (
    ANSWERED,
    POSSIBLE,
    TRANSITIONS,
    WAITS_NS,
    Act,
    Evidence,
    VenueWatch,
    may_start,
    refusal_in,
)

S = 1_000_000_000
ALL: tuple[VenueState, ...] = get_args(VenueState)


def test_an_engine_restart_is_followed_by_post_only_and_then_by_normal() -> None:
    watch = VenueWatch()
    assert watch.on_refusal("restarting", 0, 0)
    assert (watch.state, watch.next_ns()) == ("restarting", S)
    assert not watch.wake(S - 1)
    assert watch.wake(S)
    assert (watch.state, watch.next_ns()) == ("post_only", 121 * S)
    assert watch.wake(121 * S)
    assert (watch.state, watch.next_ns()) == ("normal", None)


def test_each_refusal_in_a_row_waits_twice_as_long_and_an_answer_forgets_it() -> None:
    watch, now, waits = VenueWatch(), 0, []
    for _ in range(8):
        watch.on_refusal("restarting", 0, now)
        due = watch.next_ns()
        assert due is not None
        waits.append((due - now) // S)
        now = due
        watch.wake(now)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    watch.on_accepted(True, now)
    watch.on_refusal("restarting", 0, now)
    assert watch.next_ns() == now + S


def test_several_refusals_of_one_batch_are_one_and_the_venue_may_ask_for_longer() -> None:
    watch = VenueWatch()
    assert watch.on_refusal("cancel_only", 90_000, 0)
    assert not watch.on_refusal("cancel_only", 0, 1)
    assert watch.next_ns() == 90 * S


def test_a_taken_order_proves_that_the_venue_is_normal() -> None:
    for code in ("restarting", "post_only", "cancel_only", "disabled"):
        watch = VenueWatch()
        watch.on_refusal(code, 0, 0)  # type: ignore[arg-type]
        assert watch.on_accepted(False, 1)
        assert (watch.state, watch.next_ns()) == ("normal", None)


def test_a_resting_order_proves_no_more_than_post_only_after_a_restart() -> None:
    watch = VenueWatch()
    watch.on_refusal("restarting", 0, 0)
    assert watch.on_accepted(True, 1)
    assert watch.state == "post_only"
    assert not watch.on_accepted(True, 2)


def test_a_lost_link_hides_what_the_venue_answered() -> None:
    watch = VenueWatch()
    watch.on_refusal("post_only", 0, 0)
    assert watch.on_link(False) and not watch.on_link(False)
    assert watch.state == "link_lost"
    assert not watch.on_refusal("disabled", 0, 1)
    assert watch.on_link(True)
    assert watch.state == "disabled"


def test_other_refusals_say_nothing_about_the_venue() -> None:
    assert not VenueWatch().on_refusal("balance", 0, 0)


def test_the_tables_know_every_state_and_evidence() -> None:
    assert set(POSSIBLE) == set(ALL)
    assert set(ANSWERED) == set(ALL) - {"link_lost"}
    assert set(WAITS_NS) == set(ANSWERED) - {"normal"}
    assert {state for state, _ in TRANSITIONS} == set(ANSWERED)
    assert {evidence for _, evidence in TRANSITIONS} == set(get_args(Evidence))
    assert all((state, "waited") in TRANSITIONS for state in WAITS_NS)


def test_a_dutch_book_never_starts_outside_normal_but_ends_where_orders_are_taken() -> None:
    assert [state for state in ALL if may_start("dutch_book", state)] == ["normal"]
    assert refusal_in("post_only", "dutch_book", True, starts=True) == "venue is post_only: dutch_book starts nothing"
    assert refusal_in("post_only", "dutch_book", True, starts=False) == ""
    assert refusal_in("post_only", "dutch_book", False, starts=False) == "venue is post_only"


def test_a_quoter_rests_in_post_only_and_nowhere_else_outside_normal() -> None:
    allowed = [state for state in ALL if not refusal_in(state, "spread_capture", True, starts=True)]
    assert allowed == ["normal", "post_only"]
    assert [state for state in ALL if "cancel" in POSSIBLE[state]] == ["normal", "post_only", "cancel_only", "link_lost"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["restarting", "post_only", "cancel_only", "disabled", "rest", "take", "down", "up"]), st.integers(0, 200)
    ),
    max_size=40,
)


@given(steps)
def test_left_alone_with_a_link_it_always_comes_back_to_normal(script: list[tuple[str, int]]) -> None:
    watch, now = VenueWatch(), 0
    for what, seconds in script:
        now += seconds * S
        watch.wake(now)
        if what in ("rest", "take"):
            watch.on_accepted(what == "rest", now)
        elif what in ("down", "up"):
            watch.on_link(what == "up")
        else:
            watch.on_refusal(what, 0, now)  # type: ignore[arg-type]
    watch.on_link(True)
    for _ in range(3):
        due = watch.next_ns()
        if due is not None:
            watch.wake(due)
    assert watch.state == "normal"


def test_every_act_is_possible_in_normal() -> None:
    assert all(act in POSSIBLE["normal"] for (act,) in product(get_args(Act)))
