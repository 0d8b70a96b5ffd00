from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.trading.silence import ASLEEP_NS, Silence, alive_every_ns, silence_ns_of

S = 1_000_000_000


def test_each_strategy_has_its_own_time_and_is_said_once_in_it() -> None:
    silence = Silence(3 * S)
    silence.hear(("a", "b"), 10 * S)
    silence.hear(("b",), 12 * S)
    assert silence.next_ns() == 13 * S
    assert silence.overdue(12 * S) == []
    assert silence.overdue(13 * S) == ["a"]
    assert silence.overdue(14 * S) == []
    assert silence.overdue(15 * S) == ["b"]
    assert silence.overdue(16 * S) == ["a"]


def test_who_listens_and_was_asleep_himself_hears_what_waits_first() -> None:
    silence = Silence(3 * S)
    silence.hear(("a", "b"), 10 * S)
    assert silence.overdue(30 * S) == []
    assert silence.next_ns() == 30 * S + ASLEEP_NS
    silence.hear(("a",), 30 * S)
    assert silence.overdue(31 * S) == ["b"]


def test_nobody_is_judged_before_the_beginning_or_without_a_limit() -> None:
    silence, without = Silence(3 * S), Silence(0)
    assert silence.next_ns() is None
    assert silence.overdue(99 * S) == []
    silence.begin(("a",), 100 * S)
    assert silence.overdue(103 * S) == ["a"]
    silence.pause()
    assert silence.next_ns() is None
    without.begin(("a",), S)
    without.hear(("a",), S)
    assert (without.next_ns(), without.overdue(99 * S)) == (None, [])


def test_a_sign_of_life_comes_three_times_within_the_silence_that_is_allowed_and_never_in_a_recording() -> None:
    assert [alive_every_ns(limit) for limit in (0, 600, 3 * S, 60 * S)] == [0, 200, S, S]
    live, played = Settings(), Config(Settings()).with_values({"venue": {"name": "recording"}}, "test").settings
    assert (silence_ns_of(live), silence_ns_of(played)) == (3 * S, 0)
