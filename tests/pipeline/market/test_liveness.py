from __future__ import annotations

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.market.liveness import Liveness, LivenessRules

TOKENS = tuple(f"t{number}" for number in range(24))
TWINS = {f"t{number}": f"t{number ^ 1}" for number in range(24)}


def seen(spot_check_s: int = 30, per_request: int = 100, tokens: tuple[str, ...] = TOKENS, twins: bool = True) -> Liveness:
    liveness = Liveness(LivenessRules(spot_check_s * NS_PER_S, per_request, 30 * NS_PER_S))
    liveness.follow(tokens, TWINS if twins else {}, 0)
    liveness.link_up("ws-1", tokens, 0)
    return liveness


def speak(liveness: Liveness, token_ids: tuple[str, ...], from_s: float, to_s: float, every_ms: int = 500) -> list[str]:
    """Let tokens speak regularly, and look every second; who was doubted, and which links were given up."""
    found: list[str] = []
    for at_ms in range(int(from_s * 1_000), int(to_s * 1_000), every_ms):
        if token_ids:
            liveness.frame("ws-1", at_ms * NS_PER_MS, True)
        for token_id in token_ids:
            liveness.change(token_id, at_ms * NS_PER_MS)
        looked = liveness.look(at_ms * NS_PER_MS)
        found += [*looked.doubted, *(link_id for link_id, _ in looked.dead)]
    return found


def test_every_token_has_its_turn_once_in_a_period_spread_over_requests() -> None:
    liveness = seen()
    turns = [liveness.turns(at_ms * NS_PER_MS) for at_ms in range(0, 30_001, 100)]
    taken = [tokens for tokens in turns if tokens]
    assert len(taken) == 12
    assert sorted(token_id for tokens in taken for token_id in tokens) == sorted(TOKENS)
    again = [token_id for at_ms in range(30_100, 60_001, 100) for token_id in liveness.turns(at_ms * NS_PER_MS)]
    assert sorted(again) == sorted(TOKENS)


def test_a_request_holds_no_more_books_than_it_may() -> None:
    liveness = seen(per_request=1)
    turns = [liveness.turns(at_ms * NS_PER_MS) for at_ms in range(0, 30_001, 50)]
    assert max(len(tokens) for tokens in turns) == 1
    assert sum(len(tokens) for tokens in turns) == 24


def test_without_a_period_nothing_is_compared() -> None:
    liveness = seen(spot_check_s=0)
    assert liveness.turns(100 * NS_PER_S) == []
    speak(liveness, TOKENS, 0, 20)
    assert speak(liveness, TOKENS[2:], 20, 60) == []


def test_quiet_tokens_on_a_quiet_link_are_left_alone() -> None:
    liveness = seen()
    speak(liveness, TOKENS, 0, 4, every_ms=2_000)
    liveness.frame("ws-1", 30 * NS_PER_S, False)
    assert speak(liveness, (), 31, 33) == []


def test_a_talkative_token_that_falls_silent_among_others_is_looked_at_and_then_ever_more_rarely() -> None:
    liveness = seen(twins=False)
    assert speak(liveness, TOKENS, 0, 20) == []
    doubted = speak(liveness, TOKENS[1:], 20, 100)
    assert set(doubted) == {"t0"}
    assert len(doubted) == 3
    assert speak(liveness, TOKENS, 100, 120) == []


def test_a_token_that_lags_behind_its_markets_other_outcome_is_looked_at_within_seconds() -> None:
    liveness = seen()
    speak(liveness, TOKENS, 0, 20)
    assert speak(liveness, TOKENS[1:], 20, 24) == ["t0"]


def test_a_token_that_seldom_speaks_is_not_missed() -> None:
    liveness = seen(twins=False)
    for at_s in (10, 60, 110):
        liveness.change("t0", at_s * NS_PER_S)
    assert "t0" not in speak(liveness, TOKENS[1:], 111, 150)


def test_a_link_far_quieter_than_usual_has_its_busiest_tokens_looked_at() -> None:
    liveness = seen(per_request=3)
    for at_s in range(30):
        speak(liveness, TOKENS, at_s, at_s + 0.1, every_ms=100)
        speak(liveness, TOKENS[4:7], at_s + 0.1, at_s + 1, every_ms=100)
    assert speak(liveness, (), 30, 36) == ["t4", "t5", "t6"]


def test_a_link_from_which_nothing_at_all_comes_is_dead_once_and_one_that_answers_pings_is_not() -> None:
    liveness = seen(spot_check_s=0)
    speak(liveness, TOKENS, 0, 5)
    for at_s in range(5, 95, 10):
        liveness.frame("ws-1", at_s * NS_PER_S, False)
    assert speak(liveness, (), 95, 115) == []
    assert speak(liveness, (), 115, 140) == ["ws-1"]


def test_a_subscription_that_nothing_answers_ends_its_link() -> None:
    liveness = seen(spot_check_s=0)
    liveness.frame("ws-1", 5 * NS_PER_S, False)
    assert speak(liveness, (), 1, 10) == []
    assert speak(liveness, (), 10, 15) == ["ws-1"]


def test_a_link_that_says_nothing_while_its_twin_speaks_is_dead() -> None:
    liveness = seen()
    liveness.link_up("ws-1b", TOKENS, 0)
    for at_ms in range(0, 10_000, 100):
        liveness.frame("ws-1b", at_ms * NS_PER_MS, True)
    assert speak(liveness, TOKENS, 10, 15) == ["ws-1b"]


def test_bursts_do_not_make_a_token_look_talkative() -> None:
    liveness = seen(twins=False)
    for at_s in (10, 50, 90):
        for at_ms in range(50):
            liveness.change("t0", at_s * NS_PER_S + at_ms * NS_PER_MS)
    assert "t0" not in speak(liveness, TOKENS[1:], 91, 130)


def test_a_token_can_be_looked_at_at_given_times() -> None:
    liveness = seen()
    liveness.check_soon("t3", (5 * NS_PER_S, 3 * NS_PER_S))
    assert speak(liveness, TOKENS, 0, 10) == ["t3", "t3"]
