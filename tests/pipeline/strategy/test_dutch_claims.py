"""Claims of sets on markets: what others are to leave is what all claims need together, told anew whenever one changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.strategy.dutch_claims import Claims


def test_all_claims_together_are_what_is_to_be_left() -> None:
    claims = Claims()
    claims.put("a", frozenset({"m1", "m2"}), 5)
    claims.put("b", frozenset({"m2", "m3"}), 7)
    claims.widen("a", frozenset({"m4"}))
    assert claims.markets == {"m1", "m2", "m3", "m4"}
    claims.release("a")
    assert claims.markets == {"m2", "m3"} and claims.of("a") is None
    claim = claims.of("b")
    assert claim is not None and claim.until_ns == 7


def test_releasing_what_nobody_claims_changes_nothing() -> None:
    claims = Claims()
    claims.put("a", frozenset({"m1"}), 5)
    before = claims.markets
    claims.release("b")
    assert claims.markets is before


@given(st.lists(st.tuples(st.sampled_from("abc"), st.frozensets(st.sampled_from("1234")), st.booleans())))
def test_the_markets_are_always_those_of_the_claims_that_stand(steps: list[tuple[str, frozenset[str], bool]]) -> None:
    claims, known = Claims(), dict[str, frozenset[str]]()
    for name, markets, puts in steps:
        if puts:
            claims.put(name, markets, 1)
            known[name] = markets
        else:
            claims.release(name)
            known.pop(name, None)
        assert claims.markets == frozenset().union(*known.values())
        assert claims.names() == list(known)
