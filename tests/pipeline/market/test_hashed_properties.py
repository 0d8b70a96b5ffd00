"""The venue's feed under faults drawn by hypothesis: what is VERIFIED is right, and a whole feed raises no alarm."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.market.hashed import HashedBook
from pipeline.messages.market import BookSnapshot, VenueBook, VenuePriceChange

if TYPE_CHECKING:
    from conftest import TrueToken

Make = Callable[..., Any]
MS = 1_000_000
BIDS = [("0.45", "10"), ("0.46", "20"), ("0.47", "30")]
ASKS = [("0.50", "30"), ("0.51", "20"), ("0.52", "10")]
prices = st.integers(1, 99)
sizes = st.sampled_from(("0", "1", "2.5", "40", "777.77"))
change_lists = st.lists(st.tuples(prices, sizes), min_size=1, max_size=4)
faults = st.sampled_from(("none", "none", "none", "drop", "duplicate", "swap", "late", "corrupt"))
steps = st.lists(
    st.tuples(
        change_lists, st.integers(1, 3), st.lists(faults, min_size=3, max_size=3), st.sampled_from(("", "", "answer", "book"))
    ),
    max_size=25,
)


def sided(changes: list[tuple[int, str]]) -> list[tuple[str, str, str]]:
    """Bids below 0.50, asks above: never crossed after a whole batch."""
    return [(f"0.{cents:02d}", size, "BUY" if cents < 50 else "SELL") for cents, size in changes if cents != 50] or [
        ("0.01", "1", "BUY")
    ]


class Checked:
    """Feeds a book, and after every step that leaves it proved compares it with the generator's at that very batch."""

    def __init__(self, venue: TrueToken, book: HashedBook) -> None:
        self.venue, self.book = venue, book

    def check(self) -> None:
        book = self.book
        if book.confidence.state == "VERIFIED" and book.batch is None:
            assert book.book is not None
            key = (book.book.venue_ts or "", book.book.hash or "")
            assert book.book.levels() == self.venue.at[key]

    def change(self, frame: VenuePriceChange, now_ns: int) -> None:
        self.due(now_ns)
        for out in self.book.take_change(frame, now_ns):
            if isinstance(out, BookSnapshot) and out.state == "VERIFIED":
                self.check()
        self.check()

    def whole(self, msg: VenueBook, now_ns: int) -> None:
        self.due(now_ns)
        self.book.take_book(msg, now_ns)
        self.check()

    def due(self, now_ns: int) -> None:
        while self.book.due_ns is not None and self.book.due_ns <= now_ns:
            self.book.deadline(self.book.due_ns)
            self.check()


@settings(max_examples=150, deadline=None, suppress_health_check=list(__import__("hypothesis").HealthCheck))
@given(plan=steps)
def test_a_book_verified_by_a_batch_equals_the_generators(
    true_token: Make, kept: Make, plan: list[tuple[list[tuple[int, str]], int, list[str], str]]
) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    run = Checked(venue, book)
    run.whole(venue.whole(), venue.time_ms * MS)
    late: list[VenuePriceChange] = []
    for changes, frames, what, then in plan:
        for frame, fault in zip(venue.batch(*sided(changes), frames=frames, after_ms=30), what, strict=False):
            now_ns = venue.time_ms * MS
            match fault:
                case "drop":
                    continue
                case "late":
                    late.append(frame)
                    continue
                case "duplicate":
                    run.change(frame, now_ns)
                case "swap":
                    frame = msgspec.structs.replace(frame, changes=frame.changes[::-1])
                case "corrupt":
                    price, size, side = frame.changes[0]
                    frame = msgspec.structs.replace(frame, changes=((price, size + "1", side), *frame.changes[1:]))
            run.change(frame, now_ns)
        if late and len(changes) > 2:
            run.change(late.pop(), venue.time_ms * MS)
        if then == "answer" and book.awaiting:
            run.whole(venue.whole("rest"), venue.time_ms * MS)
        elif then == "book":
            run.whole(venue.whole(first=False), venue.time_ms * MS)
    run.due((venue.time_ms + 5_000) * MS)


@settings(max_examples=100, deadline=None, suppress_health_check=list(__import__("hypothesis").HealthCheck))
@given(
    plan=st.lists(
        st.tuples(change_lists, st.integers(1, 4), st.sampled_from(("", "repeat", "swap", "book", "trade"))),
        min_size=1,
        max_size=25,
    )
)
def test_a_whole_feed_raises_no_alarm(true_token: Make, kept: Make, plan: list[tuple[list[tuple[int, str]], int, str]]) -> None:
    venue, book = true_token(BIDS, ASKS), kept()
    run = Checked(venue, book)
    run.whole(venue.whole(), venue.time_ms * MS)
    for changes, frames, what in plan:
        parts = venue.batch(*sided(changes), frames=frames)
        now_ns = venue.time_ms * MS
        for part in parts:
            run.change(part, now_ns)
        if what == "repeat":
            run.change(parts[-1], now_ns)
        elif what == "swap":
            run.change(msgspec.structs.replace(parts[0], changes=parts[0].changes[::-1]), now_ns)
        elif what == "book":
            run.whole(venue.whole(first=False), now_ns)
        elif what == "trade":
            best = venue.book.best_bid
            if best is not None:
                venue.last = f"{best / 1e6:.3f}"
                for part in venue.batch((f"{best / 1e6:.2f}", "0", "BUY")):
                    run.change(part, venue.time_ms * MS)
        assert (book.confidence.state, book.due_ns) == ("VERIFIED", None)
    assert book.book is not None
    assert book.book.levels() == venue.book.levels()
    assert book.feed.counts["hash_misses"] == 0
