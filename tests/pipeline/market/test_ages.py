from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.base.units import NS_PER_S
from pipeline.market.ages import AgeLimits, check_ages
from pipeline.messages.records import BookStateChanged

LIMITS = AgeLimits(staleness_ns=30 * NS_PER_S, unvouched_ns=90 * NS_PER_S)
START_NS = 1_000 * 1_000_000


def states(messages: list[Any]) -> list[tuple[str, str]]:
    return [(msg.new, msg.reason) for msg in messages if isinstance(msg, BookStateChanged)]


def proved(true_token: Callable[..., Any], kept: Callable[..., Any]) -> Any:
    book = kept()
    book.take_book(true_token([("0.40", "10")], [("0.45", "10")]).whole(), START_NS)
    return book


def test_a_silent_token_of_a_feed_that_speaks_is_quiet(true_token: Callable[..., Any], kept: Callable[..., Any]) -> None:
    book, now_ns = proved(true_token, kept), START_NS + 31 * NS_PER_S
    assert states(check_ages([book], now_ns, LIMITS, now_ns)) == [("QUIET", "no change for a while; the feed is alive")]
    assert book.confidence.basis == "hash"


def test_a_token_of_a_silent_feed_is_stale(true_token: Callable[..., Any], kept: Callable[..., Any]) -> None:
    book, now_ns = proved(true_token, kept), START_NS + 31 * NS_PER_S
    assert states(check_ages([book], START_NS, LIMITS, now_ns)) == [("STALE", "nothing heard for 31000 ms")]


def test_a_token_that_nothing_vouches_for_is_stale_though_others_speak(
    true_token: Callable[..., Any], kept: Callable[..., Any]
) -> None:
    book, now_ns = proved(true_token, kept), START_NS + 91 * NS_PER_S
    assert states(check_ages([book], now_ns, LIMITS, now_ns)) == [("STALE", "neither a change nor a spot check for 91000 ms")]


def test_a_quiet_market_that_is_vouched_for_is_never_stopped(true_token: Callable[..., Any], kept: Callable[..., Any]) -> None:
    book = proved(true_token, kept)
    for after_s in range(5, 3_600, 5):
        now_ns = START_NS + after_s * NS_PER_S
        if after_s % 60 == 0:
            book.vouched_ns = now_ns
        check_ages([book], now_ns, LIMITS, now_ns)
        assert book.confidence.state in ("VERIFIED", "QUIET")


def test_without_spot_checks_nobody_has_to_be_vouched_for(true_token: Callable[..., Any], kept: Callable[..., Any]) -> None:
    book, now_ns = proved(true_token, kept), START_NS + 900 * NS_PER_S
    assert states(check_ages([book], now_ns, AgeLimits(30 * NS_PER_S), now_ns))[0][0] == "QUIET"
