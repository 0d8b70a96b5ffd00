from __future__ import annotations

from itertools import pairwise

from pipeline.base.units import NS_PER_S
from pipeline.market.liveness import Liveness, LivenessRules
from pipeline.market.remedy import ANSWER_NS, Remedies
from pipeline.messages import Message
from pipeline.messages.edges import Reconnect, Resubscribe

TOKENS = ("t0", "t1", "t2")


def treated() -> tuple[Liveness, Remedies]:
    liveness = Liveness(LivenessRules())
    liveness.follow(TOKENS, {}, 0)
    liveness.link_up("ws-1", TOKENS, 0)
    return liveness, Remedies(liveness)


def alive(liveness: Liveness, at_s: int) -> int:
    """The link speaks at that time."""
    liveness.frame("ws-1", at_s * NS_PER_S, True)
    return at_s * NS_PER_S


def asked(messages: list[Message]) -> list[tuple[str, ...]]:
    return [
        ("renew", msg.link_id, *msg.token_ids) if isinstance(msg, Resubscribe) else ("reopen", msg.link_id)
        for msg in messages
        if isinstance(msg, (Resubscribe, Reconnect))
    ]


def test_a_frozen_token_is_subscribed_to_afresh_and_then_compared_again() -> None:
    liveness, remedies = treated()
    now_ns = alive(liveness, 10)
    assert asked(remedies.frozen("t0", now_ns)) == [("renew", "ws-1", "t0")]
    assert remedies.frozen("t0", now_ns + NS_PER_S) == []
    remedies.book_came("t0", now_ns + NS_PER_S)
    assert remedies.next_ns() is None
    assert liveness.look(alive(liveness, 20)).doubted == ["t0"]


def test_a_renewal_that_is_not_answered_costs_the_link() -> None:
    liveness, remedies = treated()
    now_ns = alive(liveness, 10)
    remedies.frozen("t0", now_ns)
    assert remedies.next_ns() == now_ns + ANSWER_NS
    assert asked(remedies.overdue(now_ns + ANSWER_NS)) == [("reopen", "ws-1")]
    assert remedies.overdue(now_ns + 2 * ANSWER_NS) == []


def test_a_token_that_freezes_again_soon_costs_the_link() -> None:
    liveness, remedies = treated()
    remedies.frozen("t0", alive(liveness, 10))
    remedies.book_came("t0", 11 * NS_PER_S)
    assert asked(remedies.frozen("t0", alive(liveness, 30))) == [("reopen", "ws-1")]


def test_one_that_freezes_again_much_later_is_renewed_again() -> None:
    liveness, remedies = treated()
    remedies.frozen("t0", alive(liveness, 10))
    remedies.book_came("t0", 11 * NS_PER_S)
    assert asked(remedies.frozen("t0", alive(liveness, 100))) == [("renew", "ws-1", "t0")]


def test_several_frozen_tokens_of_a_link_that_says_nothing_cost_it_at_once() -> None:
    liveness, remedies = treated()
    alive(liveness, 10)
    assert asked(remedies.frozen("t0", 14 * NS_PER_S)) == [("renew", "ws-1", "t0")]
    assert asked(remedies.frozen("t1", 14 * NS_PER_S)) == [("reopen", "ws-1")]
    assert remedies.frozen("t2", 14 * NS_PER_S) == []


def test_several_frozen_tokens_of_a_link_that_speaks_are_renewed_one_by_one() -> None:
    liveness, remedies = treated()
    now_ns = alive(liveness, 10)
    assert asked([*remedies.frozen("t0", now_ns), *remedies.frozen("t1", now_ns)]) == [
        ("renew", "ws-1", "t0"),
        ("renew", "ws-1", "t1"),
    ]


def test_a_link_is_opened_again_ever_more_rarely_while_that_does_not_help() -> None:
    liveness, remedies = treated()
    reopened: list[int] = []
    for at_s in range(10, 700, 10):
        if asked(remedies.frozen("t0", alive(liveness, at_s))) == [("reopen", "ws-1")]:
            reopened.append(at_s)
            remedies.link_down("ws-1")
            liveness.link_down("ws-1")
            liveness.link_up("ws-1", TOKENS, at_s * NS_PER_S)
        else:
            remedies.book_came("t0", at_s * NS_PER_S + 1)
    waits = [later - earlier for earlier, later in pairwise(reopened)]
    assert len(waits) >= 3
    assert waits == sorted(waits) and waits[-1] >= 4 * waits[0]


def test_the_feed_is_asked_where_the_rest_interface_brought_nothing_three_times() -> None:
    liveness, remedies = treated()
    answers = [asked(remedies.wanted("t0", alive(liveness, at_s))) for at_s in (10, 11, 13)]
    assert answers == [[], [], [("renew", "ws-1", "t0")]]
    remedies.book_came("t0", 14 * NS_PER_S)
    assert remedies.wanted("t0", alive(liveness, 15)) == []


def test_a_token_is_renewed_on_every_link_that_carries_it() -> None:
    liveness, remedies = treated()
    liveness.link_up("ws-1b", TOKENS, 0)
    assert asked(remedies.frozen("t0", alive(liveness, 10))) == [("renew", "ws-1", "t0"), ("renew", "ws-1b", "t0")]


def test_a_token_that_no_open_link_carries_waits_for_its_link() -> None:
    liveness, remedies = treated()
    liveness.link_down("ws-1")
    remedies.link_down("ws-1")
    assert remedies.frozen("t0", 10 * NS_PER_S) == []
    assert remedies.wanted("t0", 10 * NS_PER_S) == []
