"""The generic stream: repeats, gaps, fresh books, and what is held meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pipeline.base.errors import BadFrame
from pipeline.market.book import CrossedBook
from pipeline.market.market_feed import MarketFeed
from pipeline.market.sequenced import SeqLine, SequencedBook
from pipeline.market.token_book import BookRules
from pipeline.messages import Message
from pipeline.messages.market import BookDelta, BookSnapshot, BookSource, VenueBook
from pipeline.messages.records import BookEvents, BookLevels, BookStateChanged, FeedGap


def whole(seq: int, bid: str = "0.40", ask: str = "0.47", source: BookSource = "ws", token: str = "m/yes") -> VenueBook:
    return VenueBook(
        ts_ns=seq, token_id=token, market="m", bids=((bid, "100"),), asks=((ask, "100"),), source=source, seq=seq, hash="c1"
    )


def delta(seq: int, *bids: tuple[str, str], token: str = "m/yes") -> BookDelta:
    return BookDelta(ts_ns=seq, token_id=token, market="m", seq=seq, bids=bids)


def kept(line: SeqLine | None = None, feed: MarketFeed | None = None, token: str = "m/yes", **rules: object) -> SequencedBook:
    return SequencedBook(token, feed or MarketFeed("m"), BookRules(**rules), line or SeqLine())  # type: ignore[arg-type]


def kinds(messages: Iterable[Message]) -> list[str]:
    return [type(msg).__name__ for msg in messages]


def events_of(messages: Iterable[Message]) -> list[tuple[int, int, int]]:
    return [(m.seq, e.price_e6, e.change_e6) for m in messages if isinstance(m, BookEvents) for e in m.events]


def test_contiguous_numbers_from_a_snapshot_on_are_proof() -> None:
    book = kept(publish_tops=False)
    first = book.take_book(whole(1), 1)
    assert kinds(first) == ["BookStateChanged", "BookLevels"]
    assert isinstance(first[1], BookLevels)
    assert (first[1].state, first[1].cause, first[1].checksum) == ("VERIFIED", "snapshot", "c1")
    assert book.take_delta(delta(2), 2) == []
    assert events_of(book.take_delta(delta(3, ("0.41", "10.0")), 3)) == [(3, 410_000, 10_000_000)]
    assert (book.confidence.state, book.confidence.basis, book.confidence.verified_ns) == ("VERIFIED", "seq", 3)
    assert (book.feed.last_seq, book.feed.snapshots, book.feed.deltas) == (3, 1, 2)


def test_a_top_follows_every_delta_with_the_levels_it_changed() -> None:
    book = kept(depth=1)
    shown = book.take_book(whole(1), 1)[-1]
    assert isinstance(shown, BookSnapshot)
    assert shown.full_depth
    shown = book.take_delta(delta(2, ("0.41", "10"), ("0.30", "1")), 2)[-1]
    assert isinstance(shown, BookSnapshot)
    assert [level.price_e6 for level in shown.bids] == [410_000]
    assert sorted(level.price_e6 for level in shown.changed_bids) == [300_000, 410_000]


@pytest.mark.parametrize("seq", [1, 2])
def test_a_number_at_or_below_the_last_is_ignored_and_counted(seq: int) -> None:
    book = kept()
    book.take_book(whole(1), 1)
    book.take_delta(delta(2, ("0.41", "10")), 2)
    assert book.take_delta(delta(seq, ("0.41", "10")), 3) == []
    assert book.take_book(whole(seq, bid="0.10"), 3) == []
    assert book.feed.counts == {"repeats": 2}
    assert book.book is not None
    assert book.book.best_bid == 410_000


def test_a_delta_after_a_gap_waits_for_a_fresh_book_and_is_then_applied() -> None:
    book = kept(publish_tops=False)
    book.take_book(whole(1), 1)
    out = book.take_delta(delta(5, ("0.42", "3")), 5)
    assert events_of(out) == []
    assert book.feed.wanting == [book]
    assert (book.wanted, book.last_seq, book.feed.counts["resync_gap"]) == ("resync_gap", 1, 1)
    assert kinds(book.asked(5)) == ["BookStateChanged"]
    assert book.confidence.state == "RESYNCING"
    assert book.take_delta(delta(6, ("0.43", "4")), 6) == []
    out = book.take_book(whole(4, bid="0.41", source="rest"), 7)
    assert events_of(out) == [(5, 420_000, 3_000_000), (6, 430_000, 4_000_000)]
    assert [m.cause for m in out if isinstance(m, BookLevels)] == ["resync"]
    assert [m.healed_by for m in out if isinstance(m, FeedGap)] == ["fresh book"]
    assert (book.confidence.state, book.seq, book.feed.last_seq) == ("VERIFIED", 6, 6)
    assert events_of(book.take_delta(delta(7, ("0.43", "-4")), 8)) == [(7, 430_000, -4_000_000)]


def test_what_the_fresh_book_holds_already_is_not_applied_again() -> None:
    book = kept(publish_tops=False)
    book.take_book(whole(1), 1)
    book.take_delta(delta(5, ("0.42", "3")), 5)
    book.take_delta(delta(6, ("0.43", "4")), 6)
    out = book.take_book(whole(5, source="rest"), 7)
    assert events_of(out) == [(6, 430_000, 4_000_000)]
    assert book.confidence.state == "VERIFIED"


def test_a_first_delta_without_a_snapshot_asks_for_one() -> None:
    book = kept(publish_tops=False)
    assert events_of(book.take_delta(delta(8, ("0.42", "3")), 1)) == []
    assert (book.wanted, book.last_seq, book.feed.counts) == ("resync_first_delta", None, {"resync_first_delta": 1})
    out = book.take_book(whole(7, source="file"), 2)
    assert events_of(out) == [(8, 420_000, 3_000_000)]
    assert book.confidence.state == "VERIFIED"


@pytest.mark.parametrize(("seq", "best_bid"), [(3, 420_000), (1, 420_000)])
def test_a_fresh_book_older_than_the_gap_leaves_the_book_suspect_and_stored(seq: int, best_bid: int) -> None:
    book = kept()
    book.take_book(whole(2, bid="0.40"), 1)
    book.take_delta(delta(6, ("0.42", "3")), 2)
    out = book.take_book(whole(seq, bid="0.41", source="rest"), 3)
    assert book.confidence.state == "SUSPECT"
    assert [m.state for m in out if isinstance(m, BookLevels)] == ["SUSPECT"]
    assert events_of(out) == [(6, 420_000, 3_000_000)]
    out = book.take_delta(delta(7, ("0.39", "1")), 4)
    assert events_of(out) == [(7, 390_000, 1_000_000)]
    assert not [m for m in out if isinstance(m, BookSnapshot)]
    assert book.book is not None
    assert book.book.best_bid == best_bid


def test_a_snapshot_in_the_stream_heals_a_suspect_book() -> None:
    book = kept(resync=False)
    book.take_book(whole(1), 1)
    book.take_delta(delta(5, ("0.42", "3")), 2)
    assert book.confidence.state == "SUSPECT"
    book.take_book(whole(6), 3)
    assert book.confidence.state == "VERIFIED"


def test_without_a_provider_what_comes_is_applied_and_marked() -> None:
    book = kept(resync=False, publish_tops=False)
    out = book.take_delta(delta(4, ("0.42", "3")), 1)
    assert events_of(out) == [(4, 420_000, 3_000_000)]
    assert (book.confidence.state, book.confidence.reason) == ("UNVERIFIED", "no snapshot")
    assert not book.feed.wanting


def test_what_is_held_when_no_fresh_book_comes_is_stored_but_suspect() -> None:
    book = kept(publish_tops=False)
    book.take_book(whole(1), 1)
    book.take_delta(delta(5, ("0.42", "3")), 5)
    assert events_of(book.flush(6)) == [(5, 420_000, 3_000_000)]
    assert book.confidence.state == "SUSPECT"


def test_a_second_gap_while_waiting_is_not_healed_by_a_book_between_the_two() -> None:
    book = kept(publish_tops=False)
    book.take_book(whole(1), 1)
    book.take_delta(delta(5, ("0.42", "3")), 5)
    book.take_delta(delta(9, ("0.43", "3")), 6)
    book.take_book(whole(5, source="rest"), 7)
    assert book.confidence.state == "SUSPECT"
    assert book.feed.counts["resync_gap"] == 2


def test_a_delta_that_crosses_the_book_is_refused_counted_and_asks_for_a_fresh_book() -> None:
    book = kept(publish_tops=False)
    book.take_book(whole(1), 1)
    out = book.take_delta(delta(2, ("0.48", "1")), 2)
    assert kinds(out) == ["BookStateChanged", "FeedGap"]
    assert (book.wanted, book.feed.counts, book.confidence.state) == ("crossed", {"crossed": 1}, "SUSPECT")
    book.take_book(whole(1, source="rest"), 3)
    assert book.confidence.state == "SUSPECT"


def test_a_malformed_delta_is_counted_and_the_book_is_doubted() -> None:
    book = kept(publish_tops=False)
    book.take_book(whole(1), 1)
    book.take_delta(delta(2, ("1.40", "1")), 2)
    assert (book.wanted, book.feed.counts, book.confidence.state) == ("invalid", {"invalid": 1}, "SUSPECT")
    book.take_book(whole(2, source="rest"), 3)
    assert book.confidence.state == "VERIFIED"


def test_a_crossed_or_unnumbered_snapshot_is_refused() -> None:
    book = kept()
    with pytest.raises(CrossedBook):
        book.take_book(whole(1, bid="0.50", ask="0.50"), 1)
    with pytest.raises(BadFrame):
        book.take_book(VenueBook(ts_ns=1, token_id="m/yes", market="m", bids=(), asks=(), source="ws"), 1)
    assert book.book is None


def test_the_outcomes_of_a_market_share_one_numbering() -> None:
    line, feed = SeqLine(), MarketFeed("m")
    yes, no = kept(line, feed, "m/yes", publish_tops=False), kept(line, feed, "m/no", publish_tops=False)
    yes.take_book(whole(1), 1)
    no.take_book(whole(2, token="m/no"), 2)
    yes.take_delta(delta(3, ("0.41", "1")), 3)
    no.take_delta(delta(4, ("0.41", "1"), token="m/no"), 4)
    assert feed.counts == {}
    yes.take_delta(delta(7, ("0.41", "1")), 5)
    assert feed.wanting == [no, yes] or feed.wanting == [yes, no]
    assert no.confidence.state == "SUSPECT"


def test_after_the_link_was_down_the_next_number_proves_that_nothing_was_lost() -> None:
    book = kept()
    book.take_book(whole(1), 1)
    changed = book.silent(2, "link down")
    assert isinstance(changed[0], BookStateChanged)
    assert book.confidence.state == "STALE"
    book.take_delta(delta(2, ("0.41", "1")), 3)
    assert book.confidence.state == "VERIFIED"


def test_after_the_link_was_down_a_stream_that_starts_over_is_taken() -> None:
    book = kept()
    book.take_book(whole(50), 1)
    book.silent(2, "link down")
    book.take_book(whole(1, bid="0.20"), 3)
    assert book.confidence.state == "VERIFIED"
    assert events_of(book.take_delta(delta(2, ("0.21", "1")), 4)) == [(2, 210_000, 1_000_000)]
