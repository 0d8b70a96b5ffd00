from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pipeline.market.hashed import HashedBook
from pipeline.market.spot import GRACE_NS, LEVELS_DIFFER, PATIENCE_NS, SpotChecks
from pipeline.messages.control import FROZEN
from pipeline.messages.market import BookSnapshot

MS = 1_000_000
Make = Callable[..., Any]
BIDS, ASKS = [("0.40", "10"), ("0.39", "20")], [("0.45", "10"), ("0.46", "5")]


def proved(true_token: Make, kept: Make, **rules: object) -> tuple[Any, HashedBook]:
    """A venue's token, and its book, verified."""
    venue, book = true_token(BIDS, ASKS), kept(**rules)
    book.take_book(venue.whole(), venue.time_ms * MS)
    assert book.confidence.state == "VERIFIED"
    return venue, book


def test_an_answer_that_agrees_vouches_for_the_book_and_publishes_it_with_its_new_proof(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    now_ns = venue.time_ms * MS + 60_000 * MS
    (told,) = SpotChecks().take(book, venue.whole("spot"), now_ns)
    assert isinstance(told, BookSnapshot)
    assert (told.verified_ns, told.state, book.vouched_ns) == (now_ns, "VERIFIED", now_ns)


def test_a_quiet_book_that_is_vouched_for_stays_quiet(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    book.quiet(venue.time_ms * MS + 1)
    (told,) = SpotChecks().take(book, venue.whole("spot"), venue.time_ms * MS + 2)
    assert (told.state, told.verified_ns) == ("QUIET", venue.time_ms * MS + 2)  # type: ignore[attr-defined]


def test_a_newer_answer_is_no_alarm_if_the_feed_delivers_in_time(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    spots, now_ns = SpotChecks(), venue.time_ms * MS
    change = venue.batch(("0.41", "5", "BUY"))
    assert spots.take(book, venue.whole("spot"), now_ns) == []
    assert spots.due_ns == now_ns + GRACE_NS
    book.take_change(change[0], now_ns + 300 * MS)
    assert spots.overdue(now_ns + GRACE_NS, now_ns + GRACE_NS) == []
    assert spots.due_ns is None


def test_what_the_feed_does_not_deliver_in_time_is_frozen(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    spots, now_ns = SpotChecks(), venue.time_ms * MS
    venue.batch(("0.41", "5", "BUY"), after_ms=700)
    spots.take(book, venue.whole("spot"), now_ns)
    ((found, cause, reason),) = spots.overdue(now_ns + GRACE_NS, now_ns + GRACE_NS)
    assert (found, cause) == (book, FROZEN)
    assert reason == "the venue's book is 700 ms newer, and the feed did not deliver it"


def test_a_feed_that_is_behind_gets_its_time_but_not_for_ever(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    spots, now_ns = SpotChecks(), venue.time_ms * MS
    venue.batch(("0.41", "5", "BUY"))
    spots.take(book, venue.whole("spot"), now_ns)
    assert spots.overdue(now_ns, now_ns + GRACE_NS) == []
    assert spots.due_ns is not None and now_ns + GRACE_NS < spots.due_ns < now_ns + PATIENCE_NS
    assert [cause for _, cause, _ in spots.overdue(now_ns, now_ns + PATIENCE_NS)] == [FROZEN]


def test_a_second_answer_does_not_give_more_time(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    spots, now_ns = SpotChecks(), venue.time_ms * MS
    venue.batch(("0.41", "5", "BUY"))
    spots.take(book, venue.whole("spot"), now_ns)
    venue.batch(("0.41", "6", "BUY"))
    spots.take(book, venue.whole("spot"), now_ns + 1_500 * MS)
    assert spots.due_ns == now_ns + GRACE_NS


def test_an_answer_that_lags_behind_a_busy_feed_is_counted_and_no_alarm(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    answer = venue.whole("spot")
    book.take_change(venue.batch(("0.41", "5", "BUY"))[0], venue.time_ms * MS)
    spots = SpotChecks()
    assert spots.take(book, answer, venue.time_ms * MS) == []
    assert spots.due_ns is None
    assert book.feed.counts["spot_older"] == 1


def test_other_levels_under_the_same_hash_stand_after_their_time_and_want_a_fresh_book(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    answer = venue.whole("spot")
    assert book.book is not None
    book.book.bids.put(300_000, 5_000_000, "")
    spots, now_ns = SpotChecks(), venue.time_ms * MS
    spots.take(book, answer, now_ns)
    ((_, cause, _),) = spots.overdue(now_ns + GRACE_NS, now_ns + GRACE_NS)
    assert cause == LEVELS_DIFFER


def test_a_ghost_is_counted_and_believed_by_nobody(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    ghost = msgspec.structs.replace(
        venue.whole("spot"), bids=(("0.01", "100"),), asks=(("0.99", "100"),), venue_ts=str(venue.time_ms + 9), hash="g"
    )
    spots = SpotChecks()
    assert spots.take(book, ghost, venue.time_ms * MS) == []
    assert spots.due_ns is None
    rest = msgspec.structs.replace(ghost, source="rest")
    assert book.take_book(rest, venue.time_ms * MS) == []
    assert (book.feed.counts["spot_ghost"], book.feed.counts["ghost_books"]) == (1, 1)
    assert book.book is not None and book.book.best_bid == 400_000


def test_a_wide_book_that_its_hash_proves_is_no_ghost(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    venue.batch(*[(price, "0", "BUY") for price, _ in BIDS], *[(price, "0", "SELL") for price, _ in ASKS])
    assert book.take_book(venue.whole("rest"), venue.time_ms * MS)
    assert book.confidence.state == "VERIFIED"
    assert book.book is not None and book.book.best_bid is None


def test_an_unchecked_book_learns_from_the_answer_what_its_hash_needs(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept(known=False)
    book.take_book(venue.whole(), venue.time_ms * MS)
    assert (book.confidence.state, book.confidence.reason) == ("UNVERIFIED", "min_order_size, neg_risk unknown")
    answer = msgspec.structs.replace(venue.whole("spot"), min_order_size="5", neg_risk=False)
    SpotChecks().take(book, answer, venue.time_ms * MS + 1)
    assert (book.confidence.state, book.confidence.basis, book.confidence.reason) == ("VERIFIED", "hash", "spot check")


def test_a_book_whose_batch_is_half_applied_is_not_published_by_an_answer(true_token: Make, kept: Make) -> None:
    venue, book = proved(true_token, kept)
    first, _ = venue.batch(("0.41", "5", "BUY"), ("0.38", "5", "BUY"), frames=2)
    book.take_change(first, venue.time_ms * MS)
    half = msgspec.structs.replace(venue.whole("spot"), bids=(*BIDS, ("0.41", "5")))
    assert SpotChecks().take(book, half, venue.time_ms * MS) == []
