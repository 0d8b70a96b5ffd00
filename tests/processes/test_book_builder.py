"""The book builder as its stage: real captures, the generic stream, timers, resyncs and what subscribers get."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from pipeline.bus.stage import Gap, PeerStarted
from pipeline.market.verify import book_hash
from pipeline.messages import Message
from pipeline.messages.control import BookWanted, JobDue
from pipeline.messages.market import (
    BadFeedFrame,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Market,
    MarketResolved,
    MarketUniverse,
    Outcome,
    TradePrint,
    VenueBook,
    VenuePriceChange,
    VenueTrade,
)
from pipeline.messages.records import BookEvents, BookLevels, BookStateChanged, FeedGap, HashChecks, MarketStatus
from processes.book_builder import BookBuilder

MS = 1_000_000
S = 1_000 * MS
Kind = TypeVar("Kind", bound=Message)
Run = Callable[..., list[Message]]


def only(kind: type[Kind], messages: Iterable[Message]) -> list[Kind]:
    return [msg for msg in messages if isinstance(msg, kind)]


def rows(messages: Iterable[Message]) -> int:
    return sum(len(msg.events) for msg in only(BookEvents, messages))


# --- the generic stream --------------------------------------------------------------------------------------------


def whole(seq: int, ts_ns: int = S, source: Any = "ws", bids: tuple[tuple[str, str], ...] = (("0.40", "100.0"),)) -> VenueBook:
    asks = (("0.47", "100.0"),)
    return VenueBook(ts_ns=ts_ns, token_id="mkt-1/yes", market="mkt-1", bids=bids, asks=asks, source=source, seq=seq)


def delta(seq: int, *bids: tuple[str, str], ts_ns: int = S) -> BookDelta:
    return BookDelta(ts_ns=ts_ns, token_id="mkt-1/yes", market="mkt-1", seq=seq, bids=bids)


def test_the_three_example_lines_give_one_snapshot_one_event_and_last_seq_three(run: Run) -> None:
    builder = BookBuilder(resync=False)
    out = run(builder, [whole(1, S), delta(2, ts_ns=2 * S), delta(3, ("0.41", "10.0"), ts_ns=2 * S + 5 * MS)])
    out += builder.stop(3 * S)
    assert (len(only(BookLevels, out)), rows(out)) == (1, 1)
    status = only(MarketStatus, out)[-1]
    assert (status.last_seq, status.last_update_ts_ms, status.snapshots, status.deltas) == (3, 2_005, 1, 2)
    assert only(BookStateChanged, out)[0].basis == "seq"


def test_a_gap_asks_the_gateway_once_and_the_answer_comes_before_the_delta(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [whole(1)])
    out = run(builder, [delta(4, ("0.42", "1")), delta(5, ("0.43", "1"))])
    (wanted,) = only(BookWanted, out)
    assert (wanted.cause, wanted.last_seq, wanted.token_id) == ("resync_gap", 1, "mkt-1/yes")
    assert rows(out) == 0
    out = run(builder, [whole(3, source="file")])
    assert [event.seq for event in only(BookEvents, out)] == [4, 5]
    status = only(MarketStatus, builder.stop(2 * S))[0]
    assert (status.counts["resync_gap"], status.snapshots, status.deltas, status.last_seq) == (1, 2, 2, 5)


def test_an_answer_that_never_comes_is_asked_for_ever_more_rarely_and_given_up(run: Run) -> None:
    builder = BookBuilder(publish_tops=False)
    out = run(builder, [delta(4, ("0.42", "1"))], until_ns=600 * S)
    asked = [msg.ts_ns // S for msg in only(BookWanted, out)]
    assert asked == [1, 2, 4, 8, 16, 32, 64, 124, 184, 244]
    assert only(BookStateChanged, out)[-1].new == "DEAD"
    assert rows(out) == 1


def test_what_is_held_at_the_end_is_stored(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [whole(1), delta(4, ("0.42", "1"))])
    assert rows(builder.stop(2 * S)) == 1


def test_a_crossed_delta_is_refused_and_counted(run: Run) -> None:
    builder = BookBuilder(resync=False)
    out = run(builder, [whole(1), delta(2, ("0.48", "1")), whole(1, bids=(("0.50", "1"),))])
    assert rows(out) == 0
    assert builder.counts()["crossed"] == 1
    assert only(BookStateChanged, out)[-1].new == "SUSPECT"


# --- the venue -----------------------------------------------------------------------------------------------------


MARKET = Market(
    market_id="0xm", outcomes=(Outcome("y", "Yes"), Outcome("n", "No")), tick_size="0.01", min_order_size="5", neg_risk=False
)
UNIVERSE = MarketUniverse(ts_ns=0, markets=(MARKET,))


def verdicts(out: list[Message]) -> set[str]:
    return {msg.new for msg in only(BookStateChanged, out)} | {msg.state for msg in only(BookSnapshot, out)}


def venue_book(
    token: str = "y", at_ms: int = 1_000, bids: str = "0.45", size: str = "10", last: str | None = "0.490", source: Any = "ws"
) -> VenueBook:
    levels = ((bids, size),), (("0.50", "30"),)
    digest = book_hash("0xm", token, str(at_ms), *levels, "5", "0.01", False, last or "0.490")
    return VenueBook(
        ts_ns=at_ms * MS,
        token_id=token,
        market="0xm",
        bids=levels[0],
        asks=levels[1],
        source=source,
        venue_ts=str(at_ms),
        hash=digest,
        tick_size="0.01",
        last_trade_price=last,
    )


def venue_change(size: str, token: str = "y", at_ms: int = 1_001, last: str = "0.490", right: bool = True) -> VenuePriceChange:
    digest = book_hash("0xm", token, str(at_ms), [("0.45", size)], [("0.50", "30")], "5", "0.01", False, last)
    return VenuePriceChange(
        ts_ns=at_ms * MS,
        token_id=token,
        market="0xm",
        venue_ts=str(at_ms),
        hash=digest if right else "f" * 40,
        changes=(("0.45", size, "BUY"),),
        best_bid="0.45",
        best_ask="0.5",
    )


def test_a_wrong_hash_pulls_the_book_and_a_fresh_one_brings_it_back(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [UNIVERSE, venue_book()])
    out = run(builder, [venue_change("11", right=False)], until_ns=1_100 * MS)
    assert [changed.new for changed in only(BookStateChanged, out)] == ["SUSPECT", "RESYNCING"]
    assert {top.state for top in only(BookSnapshot, out)} == {"SUSPECT", "RESYNCING"}
    assert [wanted.cause for wanted in only(BookWanted, out)] == ["hash"]
    out = run(builder, [venue_book(at_ms=1_200, size="11", source="rest")])
    assert (verdicts(out), [gap.end_ns for gap in only(FeedGap, out)]) == ({"VERIFIED"}, [1_200 * MS])
    assert not only(BookWanted, run(builder, until_ns=600 * S))


def test_hash_checks_are_told_by_token_and_minute_and_none_is_lost(run: Run) -> None:
    builder = BookBuilder(resync=False)
    feed = [
        UNIVERSE,
        venue_book(),
        venue_book("n"),
        *(venue_change(str(n), at_ms=n * 1_000, right=n != 59) for n in range(50, 62)),
        venue_change("7", "n", at_ms=119_990, right=False),
        venue_change("8", at_ms=500_000),
    ]
    out = run(builder, feed, until_ns=400_000 * MS) + builder.stop(501_000 * MS)
    told = [(c.token_id, c.start_ns // S, c.done, c.matched, c.undecided) for c in only(HashChecks, out)]
    assert told == [("y", 0, 11, 10, 0), ("n", 0, 1, 1, 0), ("y", 60, 2, 2, 0), ("n", 120, 1, 0, 0), ("y", 480, 1, 1, 0)]
    assert builder.next_timer_ns() is None or not only(HashChecks, run(builder, until_ns=900_000 * MS))


def test_a_late_trade_of_either_token_explains_a_pending_book(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [UNIVERSE, venue_book("y"), venue_book("n")])
    out = run(builder, [venue_change("4", last="0.300")], until_ns=1_051 * MS)
    assert [top.state for top in only(BookSnapshot, out)] == ["PENDING"]
    trade = VenueTrade(ts_ns=1_080 * MS, token_id="n", market="0xm", venue_ts="1001", price="0.7", size="6", side="SELL")
    out = run(builder, [trade])
    (told,) = only(TradePrint, out)
    assert (told.price_e6, told.size_e6, told.side, told.venue_ns) == (700_000, 6_000_000, "SELL", 1_001 * MS)
    assert [(top.token_id, top.state) for top in only(BookSnapshot, out)] == [("y", "VERIFIED")]


def test_a_malformed_trade_is_counted_and_not_told(run: Run) -> None:
    builder = BookBuilder()
    trade = VenueTrade(ts_ns=1, token_id="n", market="0xm", venue_ts="1001", price="1.7", size="6", side="SELL")
    assert run(builder, [trade]) == []
    assert (builder.counts()["invalid"], builder.counts()["trades"]) == (1, 0)


def test_market_status_is_said_at_most_once_a_second(run: Run) -> None:
    builder = BookBuilder()
    changes = [venue_change(str(10 + i), at_ms=1_001 + i * 100) for i in range(40)]
    out = run(builder, [UNIVERSE, venue_book(), *changes])
    assert [status.ts_ns // MS for status in only(MarketStatus, out)] == [2_000, 3_001, 4_001]
    final = only(MarketStatus, builder.stop(5 * S))
    assert [(status.deltas, status.last_seq) for status in final] == [(40, 41)]


def test_a_periodic_snapshot_stores_every_book_when_its_batch_has_ended(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [UNIVERSE, venue_book("y"), venue_book("n")])
    first, second = venue_change("11", right=False), venue_change("12", at_ms=1_030)
    run(builder, [first])
    out = run(builder, [JobDue(ts_ns=1_010 * MS, job="snapshot")])
    assert [(row.token_id, row.cause) for row in only(BookLevels, out)] == [("n", "periodic")]
    out = run(builder, [second])
    assert [(row.token_id, row.bids[0].size_e6, row.state) for row in only(BookLevels, out)] == [("y", 12_000_000, "VERIFIED")]


def test_a_new_subscriber_gets_all_levels_of_its_token_only(run: Run) -> None:
    builder = BookBuilder(depth=1)
    deep = msgspec.structs.replace(venue_book("y"), bids=(("0.44", "1"), ("0.45", "10")))
    run(builder, [UNIVERSE, deep, venue_book("n")])
    (snapshot,) = only(BookSnapshot, builder.current("book.y\0"))
    assert (snapshot.full_depth, len(snapshot.bids), snapshot.changed_bids) == (True, 2, ())
    assert [each.token_id for each in only(BookSnapshot, builder.current("book."))] == ["y", "n"]
    assert [each.token_id for each in only(BookSnapshot, builder.current(""))] == ["y", "n"]
    assert list(builder.current("exec.")) == []
    assert list(builder.current("book.\0")) == []


def test_a_token_without_news_is_quiet_while_others_are_heard_and_stale_when_none_is(run: Run) -> None:
    builder = BookBuilder(staleness_ms=1_000)
    run(builder, [UNIVERSE, venue_book("y"), venue_book("n")])
    run(builder, [venue_change("11", token="n", at_ms=3_000)])
    out = run(builder, [JobDue(ts_ns=3_001 * MS, job="staleness")])
    assert [(each.token_id, each.new) for each in only(BookStateChanged, out)] == [("y", "QUIET")]
    out = run(builder, [JobDue(ts_ns=5_000 * MS, job="staleness")])
    assert {(each.token_id, each.new) for each in only(BookStateChanged, out)} == {("y", "STALE"), ("n", "STALE")}
    out = run(builder, [venue_change("12", at_ms=5_001)])
    assert [(each.token_id, each.new) for each in only(BookStateChanged, out)] == [("y", "VERIFIED")]


def test_books_of_a_lost_link_are_stale_until_something_proves_them(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [UNIVERSE, venue_book("y"), venue_book("n")])
    out = run(builder, [FeedStatus(ts_ns=S, link_id="ws-0", state="down", reason="closed 1006", token_ids=("y", "z"))])
    (changed,) = only(BookStateChanged, out)
    assert (changed.token_id, changed.new, changed.reason) == ("y", "STALE", "link ws-0 is down: closed 1006")
    out = run(builder, [venue_book("y", at_ms=2_000, size="77")])
    assert only(BookStateChanged, out)[-1].new == "VERIFIED"
    assert len(only(FeedGap, out)) == 1


def test_messages_lost_on_the_bus_and_a_restarted_gateway_make_books_stale(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [UNIVERSE, venue_book("y"), venue_book("n")])
    out = builder.missed(Gap("feed", "feed.y", "gateway", 5, 7), 2 * S)
    assert [(each.token_id, each.new) for each in only(BookStateChanged, out)] == [("y", "STALE")]
    assert run(builder, [msgspec.structs.replace(venue_book("y"), source="mirror", ts_ns=2 * S)])
    out = builder.peer_started(PeerStarted("feed", "gateway", "run-2"), 3 * S)
    assert {(each.token_id, each.new) for each in only(BookStateChanged, out)} == {("y", "STALE"), ("n", "STALE")}
    assert list(builder.peer_started(PeerStarted("universe", "scheduler", "run-2"), 3 * S)) == []


def test_a_refused_frame_makes_a_book_pending_until_the_next_match(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [UNIVERSE, venue_book("y")])
    out = run(builder, [BadFeedFrame(ts_ns=1_000 * MS, token_id="y", market="0xm", reason="not JSON")])
    assert [each.new for each in only(BookStateChanged, out)] == ["PENDING"]
    assert builder.counts()["invalid"] == 1
    out = run(builder, [venue_change("11", at_ms=1_500)])
    assert [each.new for each in only(BookStateChanged, out)] == ["VERIFIED"]
    assert not only(BookWanted, run(builder, until_ns=10 * S))


def test_a_refused_frame_that_names_one_token_is_a_doubt_about_both_of_its_market(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [UNIVERSE, venue_book("y"), venue_book("n")])
    out = run(builder, [BadFeedFrame(ts_ns=1_000 * MS, token_id="y", market="0xm", reason="not JSON")])
    assert {(each.token_id, each.new) for each in only(BookStateChanged, out)} == {("y", "PENDING"), ("n", "PENDING")}
    out = run(builder, until_ns=10 * S)
    assert {each.token_id for each in only(BookWanted, out)} == {"y", "n"}


def test_the_tokens_of_a_resolved_market_are_dead(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [UNIVERSE, venue_book("y"), venue_book("n")])
    msg = MarketResolved(ts_ns=S, market="0xm", venue_ts="1", token_ids=("y", "n"), winning_token_id="y", winning_outcome="Yes")
    out = run(builder, [msg])
    assert [(each.token_id, each.new, each.reason) for each in only(BookStateChanged, out)] == [
        ("y", "DEAD", "resolved: Yes"),
        ("n", "DEAD", "resolved: Yes"),
    ]
    assert {top.state for top in only(BookSnapshot, builder.current("book."))} == {"DEAD"}


def test_a_market_that_is_followed_no_longer_is_forgotten_with_a_last_status(run: Run) -> None:
    builder = BookBuilder()
    run(builder, [UNIVERSE, venue_book("y"), whole(1)])
    out = run(builder, [MarketUniverse(ts_ns=S, markets=())])
    assert [status.market for status in only(MarketStatus, out)] == ["0xm"]
    assert [each.token_id for each in only(BookSnapshot, builder.current("book."))] == ["mkt-1/yes"]


def test_a_catalogue_that_comes_after_the_book_makes_its_batches_provable(run: Run) -> None:
    builder = BookBuilder()
    out = run(builder, [venue_book("y"), UNIVERSE, venue_change("11")])
    assert [each.new for each in only(BookStateChanged, out)] == ["UNVERIFIED", "VERIFIED"]


def test_without_tops_nothing_is_published(run: Run) -> None:
    builder = BookBuilder(publish_tops=False)
    out = run(builder, [UNIVERSE, venue_book("y"), venue_change("11"), whole(1), delta(2, ("0.41", "1"))])
    assert not only(BookSnapshot, out)
    assert rows(out) == 2
