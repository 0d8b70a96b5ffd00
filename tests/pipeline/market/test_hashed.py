"""The venue's feed: batches, proof by hash, misses, and no false alarm from what the real venue does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.base.errors import BadFrame
from pipeline.market.book import CrossedBook
from pipeline.market.hashed import HashedBook
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, TickSizeChange, VenuePriceChange
from pipeline.messages.records import BookEvents, BookLevels, BookStateChanged, FeedGap

if TYPE_CHECKING:
    from conftest import TrueToken

Make = Callable[..., Any]
MS = 1_000_000
BIDS = [("0.45", "10"), ("0.46", "20"), ("0.47", "30")]
ASKS = [("0.50", "30"), ("0.51", "20"), ("0.52", "10")]


def shown(messages: Iterable[Message]) -> list[BookSnapshot]:
    return [msg for msg in messages if isinstance(msg, BookSnapshot)]


def states(messages: Iterable[Message]) -> list[str]:
    return [msg.new for msg in messages if isinstance(msg, BookStateChanged)]


def rows(messages: Iterable[Message]) -> int:
    return sum(len(msg.events) for msg in messages if isinstance(msg, BookEvents))


def start(venue: TrueToken, book: HashedBook) -> list[Message]:
    return book.take_book(venue.whole(), venue.time_ms * MS)


def feed(book: HashedBook, *frames: VenuePriceChange) -> list[Message]:
    return [out for frame in frames for out in book.take_change(frame, frame.ts_ns)]


def test_a_first_book_is_proved_by_its_own_hash(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    out = start(venue, book)
    assert states(out) == ["VERIFIED"]
    assert shown(out)[0].full_depth
    assert (shown(out)[0].basis, shown(out)[0].verified_ns) == ("hash", venue.time_ms * MS)
    assert [m.checksum for m in out if isinstance(m, BookLevels)] == [venue.book.hash]


def test_a_batch_of_one_frame_is_proved_published_and_stored_at_once(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept(depth=2)
    start(venue, book)
    out = feed(book, *venue.batch(("0.45", "0", "BUY"), ("0.48", "7", "BUY")))
    assert rows(out) == 2
    (top,) = shown(out)
    assert (top.state, [level.price_e6 for level in top.bids]) == ("VERIFIED", [480_000, 470_000])
    assert {level.price_e6: level.size_e6 for level in top.changed_bids} == {450_000: 0, 480_000: 7_000_000}
    assert book.due_ns is None


def test_a_mass_cancel_of_many_frames_is_one_batch_and_no_alarm(true_token: Make, kept: Make) -> None:
    bids = [(f"0.{cents}", "5") for cents in range(20, 40)]
    venue, book = true_token(bids, ASKS), kept()
    start(venue, book)
    frames = venue.batch(*[(price, "0", "BUY") for price, _ in bids[:8]], frames=8)
    assert len(frames) == 8
    for frame in frames[:-1]:
        assert feed(book, frame) == []
    out = feed(book, frames[-1])
    assert (rows(out), len(shown(out)), book.confidence.state) == (8, 1, "VERIFIED")
    assert book.seq == 2


def test_a_crossing_taker_is_not_judged_until_its_batch_is_whole(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    venue.last = "0.460"
    frames = venue.batch(("0.46", "5", "SELL"), ("0.47", "0", "BUY"), ("0.46", "0", "BUY"), frames=3)
    assert feed(book, frames[0], frames[1]) == []
    assert book.book.is_crossed
    assert [snapshot.bids for snapshot in [book.current(0)] if snapshot] == [shown(start(venue_like(venue), kept()))[0].bids]
    out = feed(book, frames[2])
    assert (states(out), shown(out)[0].state) == ([], "VERIFIED")
    book.take_book(venue.whole(first=False), venue.time_ms * MS)
    assert book.confidence.state == "VERIFIED"
    assert "crossed" not in book.feed.counts


def venue_like(venue: TrueToken) -> TrueToken:
    """The same venue as it began."""
    return type(venue)(BIDS, ASKS)


def test_the_last_trade_price_of_a_trade_is_found_before_the_trade_is_told(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    venue.last = "0.530"  # one minus the price of the level that is taken
    feed(book, *venue.batch(("0.47", "0", "BUY")))
    assert (book.confidence.state, book.feed.last_trade_price) == ("VERIFIED", "0.530")


def test_a_book_frame_after_a_trade_is_proved_by_what_it_took(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    venue.last = "0.500"
    venue.batch(("0.50", "12", "SELL"))
    book.take_book(venue.whole(first=False), venue.time_ms * MS)
    assert (book.confidence.state, book.feed.last_trade_price) == ("VERIFIED", "0.500")


def test_a_miss_that_a_late_trade_explains_is_pending_and_then_proved(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    venue.last = "0.333"
    frames = venue.batch(("0.47", "3", "BUY"))
    assert feed(book, *frames) == []
    out = book.deadline(book.due_ns)
    assert (states(out), shown(out)[0].state) == (["PENDING"], "PENDING")
    book.feed.note_trade(333_000, book.due_ns - 1)
    out = book.take_trade(book.due_ns - 1)
    assert (states(out), shown(out)[0].state, book.due_ns) == (["VERIFIED"], "VERIFIED", None)


def test_a_pending_miss_that_nothing_explains_is_suspect_after_two_seconds(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    venue.last = "0.333"
    feed(book, *venue.batch(("0.47", "3", "BUY")))
    book.deadline(book.due_ns)
    assert book.confidence.state == "PENDING"
    assert book.due_ns == book.confidence.since_ns + 2_000 * MS
    out = book.deadline(book.due_ns)
    assert states(out) == ["SUSPECT"]
    assert [m.end_ns for m in out if isinstance(m, FeedGap)] == [0]
    assert book.feed.wanting == [book]


def test_a_lost_frame_far_from_any_trade_is_a_gap_at_the_next_batch(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    venue.batch(("0.45", "99", "BUY"))
    feed(book, *venue.batch(("0.44", "1", "BUY")))
    out = book.deadline(book.due_ns)
    assert states(out) == ["SUSPECT"]
    assert [top.state for top in shown(out)] == ["SUSPECT"]
    book.asked(venue.time_ms * MS)
    feed(book, *venue.batch(("0.43", "1", "BUY")))
    out = book.take_book(venue.whole("rest"), venue.time_ms * MS)
    assert (book.confidence.state, book.book.levels()) == ("VERIFIED", venue.book.levels())
    assert [m.end_ns > 0 for m in out if isinstance(m, FeedGap)] == [True]


def test_a_batch_that_sets_the_lost_level_again_heals_by_itself(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    venue.batch(("0.45", "99", "BUY"))
    feed(book, *venue.batch(("0.44", "1", "BUY")))
    book.deadline(book.due_ns)
    feed(book, *venue.batch(("0.45", "98", "BUY")))
    assert (book.confidence.state, book.awaiting) == ("VERIFIED", False)


def test_a_fresh_book_between_the_changes_is_completed_by_those_after_it(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    venue.batch(("0.45", "99", "BUY"))
    feed(book, *venue.batch(("0.44", "1", "BUY")))
    book.deadline(book.due_ns)
    before = feed(book, *venue.batch(("0.43", "2", "BUY")))
    answer = venue.whole("rest")
    after = feed(book, *venue.batch(("0.42", "3", "BUY")), *venue.batch(("0.41", "4", "BUY")))
    out = book.take_book(answer, venue.time_ms * MS)
    assert (book.confidence.state, book.book.levels()) == ("VERIFIED", venue.book.levels())
    assert rows(before) + rows(after) + rows(out) == 3


def test_a_provided_book_older_than_the_gap_is_refused_and_the_wait_goes_on(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    old = venue.whole("rest")
    venue.batch(("0.45", "99", "BUY"))
    feed(book, *venue.batch(("0.44", "1", "BUY")))
    book.deadline(book.due_ns)
    assert book.take_book(old, venue.time_ms * MS) == []
    assert (book.awaiting, book.feed.counts["stale_books"], book.confidence.state) == (True, 1, "SUSPECT")


def test_repeats_and_swapped_entries_change_nothing_and_keep_their_rows(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    first, second = venue.batch(("0.45", "1", "BUY"), ("0.45", "0", "BUY"), frames=2)
    swapped = msgspec.structs.replace(first, changes=(*second.changes, *first.changes))
    out = feed(book, first, second, first, swapped)
    assert (rows(out), len(shown(out)), book.confidence.state) == (5, 1, "VERIFIED")
    assert book.book.levels() == venue.book.levels()
    assert book.feed.counts["repeats"] == 2


def test_a_change_and_its_reversal_in_one_millisecond_both_count(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    sizes = []
    for size, after_ms in (("31", 1), ("25", 0), ("31", 0), ("25", 0)):
        out = feed(book, *venue.batch(("0.47", size, "BUY"), after_ms=after_ms))
        sizes.append(shown(out)[-1].bids[0].size_e6)
    assert sizes == [31_000_000, 25_000_000, 31_000_000, 25_000_000]
    assert (book.confidence.state, book.due_ns, book.feed.counts["repeats"]) == ("VERIFIED", None, 0)


def test_the_first_change_may_repeat_its_snapshot(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    frames = venue.batch(("0.44", "4", "BUY"))
    start(venue, book)
    feed(book, *frames)
    assert (book.confidence.state, book.due_ns, book.feed.counts["repeats"]) == ("VERIFIED", None, 1)


@pytest.mark.parametrize("known", [True, False])
def test_a_book_whose_own_hash_does_not_compute_is_unverified_and_asks_nothing(true_token: Make, kept: Make, known: bool) -> None:
    venue, book = true_token(BIDS, ASKS), kept(known)
    out = book.take_book(msgspec.structs.replace(venue.whole(), hash="0" * 40), 1)
    assert states(out) == ["UNVERIFIED"]
    venue.book.hash = None
    feed(book, *[msgspec.structs.replace(frame, hash="f" * 40) for frame in venue.batch(("0.44", "4", "BUY"))])
    out = book.deadline(book.due_ns)
    assert (states(out), shown(out)[0].state, shown(out)[0].basis) == ([], "UNVERIFIED", "best")
    assert not book.feed.wanting


def test_an_unverified_book_whose_best_price_differs_is_suspect(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept(known=False)
    start(venue, book)
    assert book.confidence.reason == "min_order_size, neg_risk unknown"
    venue.batch(("0.47", "0", "BUY"))
    feed(book, *venue.batch(("0.44", "1", "BUY")))
    assert states(book.deadline(book.due_ns)) == ["SUSPECT"]


def test_changes_without_a_snapshot_and_without_a_provider_are_stored_and_unverified(kept: Make) -> None:
    book = kept(known=False, resync=False)
    change = VenuePriceChange(
        ts_ns=1, token_id="t", market="0xm", venue_ts="1", hash="", changes=(("0.4", "5", "BUY"),), best_bid="0.4", best_ask="0"
    )
    out = feed(book, change, msgspec.structs.replace(change, venue_ts="2", changes=(("0.4", "5", "BUY"), ("0.3", "0", "BUY"))))
    out += book.flush(2)
    assert (states(out), rows(out)) == (["UNVERIFIED"], 3)
    assert book.confidence.basis == "best"


def test_changes_before_the_first_book_wait_for_it(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    lost = feed(book, *venue.batch(("0.44", "1", "BUY")))
    assert (states(lost), rows(lost), book.wanted) == (["SUSPECT"], 0, "resync_first_delta")
    answer = venue.whole("rest")
    assert feed(book, *venue.batch(("0.43", "2", "BUY"))) == []
    out = book.take_book(answer, venue.time_ms * MS)
    assert (rows(out), book.confidence.state) == (1, "VERIFIED")
    assert book.book.levels() == venue.book.levels()


def test_a_changed_tick_size_is_found_before_it_is_told(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    venue.tick = "0.001"
    feed(book, *venue.batch(("0.475", "4", "BUY")))
    out = book.deadline(book.due_ns)
    assert (book.confidence.state, shown(out)[0].tick_size_e6) == ("VERIFIED", 1_000)


def test_a_told_tick_size_is_used_and_published(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    told = TickSizeChange(ts_ns=1, token_id="t", market="0xm", venue_ts="1", old_tick_size="0.01", new_tick_size="0.001")
    assert shown(book.take_tick(told, 5 * MS))[0].tick_size_e6 == 1_000
    venue.tick = "0.001"
    assert rows(feed(book, *venue.batch(("0.475", "4", "BUY")))) == 1


def test_a_malformed_change_leaves_the_book_and_makes_it_suspect_when_its_batch_ends(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    (frame,) = venue.batch(("0.44", "4", "BUY"))
    before = book.book.levels()
    feed(book, msgspec.structs.replace(frame, changes=(("0.44", "4", "BUY"), ("7", "1", "BUY"))))
    assert (book.book.levels(), book.feed.counts["invalid"]) == (before, 1)
    assert states(book.deadline(book.due_ns)) == ["SUSPECT"]


def test_a_crossed_or_malformed_book_is_refused(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    crossed = msgspec.structs.replace(venue.whole(), bids=(("0.50", "1"),), hash="a")
    with pytest.raises(CrossedBook):
        book.take_book(crossed, 1)
    with pytest.raises(BadFrame):
        book.take_book(msgspec.structs.replace(crossed, bids=(("0.50", "-1"),)), 1)
    assert book.book.levels() == venue.book.levels()


def test_a_resolved_token_is_dead_for_good(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    assert states(book.resolve(5, "resolved: Yes")) == ["DEAD"]
    feed(book, *venue.batch(("0.44", "4", "BUY")))
    book.take_book(venue.whole(), 6)
    assert book.confidence.state == "DEAD"


def test_a_token_that_was_given_up_lives_again_with_the_next_book(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    assert states(book.give_up(5)) == ["DEAD"]
    assert states(book.take_book(msgspec.structs.replace(venue.whole(), source="ws"), 6)) == ["RESYNCING", "VERIFIED"]


def test_the_copy_of_a_restarted_gateway_proves_the_book_again(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    start(venue, book)
    book.silent(5, "link down")
    out = book.take_book(venue.whole("mirror"), 6)
    assert book.confidence.state == "VERIFIED"
    assert not [m for m in out if isinstance(m, BookLevels) and m.cause != "mirror"]


# --- properties ----------------------------------------------------------------------------------------------------


def test_a_refused_frame_leaves_a_book_suspect_unless_something_later_proves_it(true_token: Make, kept: Make) -> None:
    for later in (False, True):
        venue, book = true_token(BIDS, ASKS), kept()
        book.take_book(venue.whole(), venue.time_ms * MS)
        lost_ns = venue.time_ms * MS
        book.doubt(lost_ns, "a frame was refused")
        assert book.confidence.state == "PENDING"
        book.take_trade(lost_ns + MS)
        assert book.confidence.state == "PENDING"
        if later:
            book.take_change(venue.batch(("0.30", "4", "BUY"))[0], lost_ns + 2 * MS)
        book.deadline(lost_ns + 2_000 * MS)
        assert book.confidence.state == ("VERIFIED" if later else "SUSPECT")


def test_a_doubt_in_the_middle_of_a_batch_shows_the_last_whole_book(true_token: Make, kept: Make) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    before = book.take_book(venue.whole(), venue.time_ms * MS)[-1]
    first, _ = venue.batch(("0.40", "4", "BUY"), ("0.39", "9", "BUY"), frames=2)
    book.take_change(first, venue.time_ms * MS)
    (told,) = (msg for msg in book.doubt(venue.time_ms * MS, "a frame was refused") if isinstance(msg, BookSnapshot))
    assert told.state == "PENDING"
    assert told.bids == before.bids[: len(told.bids)]
