"""Fresh books are asked for at once, then ever more rarely, and never in a loop."""

from __future__ import annotations

from pipeline.market.budget import MOST_TRIES, TOKEN_BURST, ResyncBudget

S = 1_000_000_000


def test_a_token_is_asked_for_at_once_and_only_once() -> None:
    budget = ResyncBudget(60)
    budget.want("a", S)
    budget.want("a", S)
    assert budget.take(S) == ("a", False)
    assert budget.take(S) is None


def test_waits_double_while_nothing_heals_and_the_tenth_try_is_the_last() -> None:
    budget = ResyncBudget(60)
    budget.want("a", 0)
    now, waits = 0, []
    while True:
        turn = budget.take(now)
        assert turn is not None
        if turn[1]:
            break
        due = budget.due_ns
        assert due is not None
        waits.append((due - now) // S)
        now = due
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert len(waits) == MOST_TRIES
    assert budget.due_ns is None


def test_a_token_that_heals_and_breaks_again_is_slowed_down() -> None:
    budget = ResyncBudget(1_000)
    asked = 0
    for tenth in range(600):
        now = tenth * S // 10
        budget.want("a", now)
        if budget.take(now):
            asked += 1
            budget.settled("a")
    assert TOKEN_BURST <= asked <= TOKEN_BURST + 10


def test_all_tokens_together_stay_within_the_minutes_budget() -> None:
    budget = ResyncBudget(3)
    for name in "abcde":
        budget.want(name, 0)
    taken = []
    while turn := budget.take(0):
        taken.append(turn[0])
    assert taken == ["a", "b", "c"]
    for name in "abc":
        budget.settled(name)
    assert budget.due_ns == 60 * S
    assert budget.take(60 * S) == ("d", False)
    assert budget.take(60 * S) == ("e", False)
