"""The book builder: the feed in, books that say how far they can be trusted out, and every change to the database."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, ClassVar

import click

from pipeline.base.config import Config
from pipeline.base.errors import BadFrame
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Gap, PeerStarted, Stage
from pipeline.market.ages import AgeLimits, check_ages
from pipeline.market.book import CrossedBook
from pipeline.market.confidence import SHOWN
from pipeline.market.hashed import HashedBook
from pipeline.market.reports import Reports
from pipeline.market.resyncs import Resyncs
from pipeline.market.sequenced import SequencedBook
from pipeline.market.shelf import Shelf
from pipeline.market.spot import SpotChecks
from pipeline.market.token_book import BookRules, TokenBook
from pipeline.market.trades import printed
from pipeline.messages import Message
from pipeline.messages.control import FROZEN, JobDue
from pipeline.messages.market import (
    BadFeedFrame,
    BookDelta,
    FeedStatus,
    MarketResolved,
    MarketUniverse,
    TickSizeChange,
    VenueBook,
    VenuePriceChange,
    VenueTrade,
)
from processes.options import process_options, run_process

SPOT_CHECKED = frozenset({"fake", "polymarket"})
"""Venues whose books the gateway compares with a REST interface."""
UNVOUCHED_TURNS = 3
"""A token that neither changed nor was vouched for in so many turns of spot checks is stale."""
NOTHING: tuple[Message, ...] = ()


class BookBuilder(Stage):
    """Keep one order book a token, prove it, publish its top after every batch and send every change to the writer.

    In: ``feed``, ``universe``, ``control`` (snapshot, staleness). Out: ``book``, ``resync``, ``persist.lossy``. State: the books; lost at
    a restart, and rebuilt from the VenueBook that the gateway sends for each new subscription. Without ``resync`` nobody can be asked
    for a fresh book (a file is replayed): what comes is applied and marked. Without ``publish_tops`` nothing goes to ``book``; without
    ``rows`` the writer gets no changed levels and no totals.
    """

    role: ClassVar[str] = "book_builder"

    def __init__(
        self,
        depth: int = 10,
        batch_close_ms: int = 50,
        publish_tops: bool = True,
        resync: bool = True,
        staleness_ms: int = 30_000,
        resyncs_per_minute: int = 60,
        pending_ms: int = 2_000,
        unvouched_ms: int = 0,
        rows: bool = True,
    ) -> None:
        self.rules = BookRules(
            depth=depth,
            batch_close_ns=batch_close_ms * NS_PER_MS,
            pending_ns=pending_ms * NS_PER_MS,
            publish_tops=publish_tops,
            rows=rows,
            resync=resync,
        )
        self.ages = AgeLimits(staleness_ms * NS_PER_MS, unvouched_ms * NS_PER_MS)
        self.shelf = Shelf(self.rules)
        self.feeds, self.hashed, self.sequenced = self.shelf.feeds, self.shelf.hashed, self.shelf.sequenced
        self._resyncs = Resyncs(self.shelf, resyncs_per_minute)
        self._reports = Reports(self.shelf)
        self._spots = SpotChecks()
        self._resolved: dict[str, MarketResolved] = {}
        self._timers: list[tuple[int, str]] = []
        self._timed: dict[str, int] = {}
        self._heard_ns = self._feed_ns = 0
        self._now_ns = 0
        self._due_ns: int | None = None
        self._moved = True
        """Something may have moved the next timer: ``_due_ns`` is not known."""
        self._bad_frames = 0

    # --- messages --------------------------------------------------------------------------------------------------

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        self._now_ns = now_ns
        kind = type(msg)
        if kind is BookDelta:
            self._heard_ns = now_ns
            delta: BookDelta = msg  # type: ignore[assignment]
            book = self.sequenced.get(delta.token_id) or self.shelf.of_stream(delta.token_id, delta.market)
            out = book.take_delta(delta, now_ns)
            feed = book.feed
            if feed.unsaid and not feed.wanting:
                return out
            self._moved = True
            self._reports.say_later(feed, now_ns)
            return self._resyncs.with_wants(feed, out, now_ns) if feed.wanting else out
        self._moved = True
        if kind is VenuePriceChange:
            self._heard_ns, self._feed_ns = now_ns, msg.ts_ns
            assert isinstance(msg, VenuePriceChange)
            return self._on_change(msg, now_ns)
        return self._on_other(msg, now_ns)

    def _on_change(self, msg: VenuePriceChange, now_ns: int) -> list[Message]:
        book = self.shelf.of_venue(msg.token_id, msg.market)
        try:
            out = book.take_change(msg, now_ns)
        except BadFrame:
            book.count("invalid")
            out = book.doubt(now_ns, "a frame was refused")
        if book.needs_feed:
            self._thaw(book)
        return self._after(book, out, now_ns)

    def _on_other(self, msg: Message, now_ns: int) -> Iterable[Message]:
        match msg:
            case MarketUniverse():
                return self._on_universe(msg, now_ns)
            case JobDue(job="snapshot"):
                return self._snapshots(now_ns)
            case JobDue(job="staleness"):
                return check_ages(self.shelf.all(), self._heard_ns, self.ages, now_ns)
            case JobDue():
                return NOTHING
        self._heard_ns, self._feed_ns = now_ns, msg.ts_ns
        match msg:
            case VenueBook():
                return self._on_book(msg, now_ns)
            case VenueTrade():
                return self._on_trade(msg, now_ns)
            case TickSizeChange():
                known = self.shelf.hashed.get(msg.token_id)
                return NOTHING if known is None else self._after(known, known.take_tick(msg, now_ns), now_ns)
            case MarketResolved():
                reason = f"resolved: {msg.winning_outcome or msg.winning_token_id}"
                self._resolved[msg.market] = msg
                dead = [
                    out
                    for book in self.shelf.known(msg.token_ids)
                    for out in self._after(book, book.resolve(now_ns, reason), now_ns)
                ]
                return [*dead, msg]
            case FeedStatus():
                return self._on_link(msg, now_ns)
            case BadFeedFrame():
                return self._on_bad_frame(msg, now_ns)
        return NOTHING

    def _on_book(self, msg: VenueBook, now_ns: int) -> list[Message]:
        """A whole book; a refused one is counted, and the wait for another goes on."""
        book: HashedBook | SequencedBook
        if msg.seq is not None or msg.token_id in self.shelf.sequenced:
            book = self.shelf.of_stream(msg.token_id, msg.market)
        else:
            book = self.shelf.of_venue(msg.token_id, msg.market)
        trusted = book.confidence.state in SHOWN
        try:
            if msg.source == "spot" and trusted and isinstance(book, HashedBook):
                out = self._spots.take(book, msg, now_ns)
            elif book.needs_feed and (msg.is_provided or (book.needs_feed == "frozen" and msg.source != "ws")):
                book.count("books_not_of_the_feed")
                return []
            else:
                out = book.take_book(msg, now_ns)
                if not msg.is_provided:
                    book.needs_feed = ""
        except CrossedBook:
            book.count("crossed")
            out = []
        except BadFrame:
            book.count("invalid")
            out = []
        return self._after(book, out, now_ns)

    def _thaw(self, book: HashedBook) -> None:
        """A token that the feed had left out is told of again: if that did not heal it, any fresh book can from here on."""
        book.needs_feed = ""
        if book.awaiting:
            book.awaiting = False
            self._resyncs.settled(book.token_id)
            book.want("resumed")

    def _on_trade(self, msg: VenueTrade, now_ns: int) -> list[Message]:
        known = self.shelf.find(msg.token_id)
        feed = self.shelf.feed(msg.market) if known is None else known.feed
        try:
            trade = printed(msg)
        except BadFrame:
            feed.counts["invalid"] += 1
            self._reports.say_later(feed, now_ns)
            return []
        feed.trades += 1
        feed.updated_ns = msg.ts_ns
        feed.note_trade(trade.price_e6, now_ns)
        out: list[Message] = [trade]
        for book in feed.tokens:
            out += self._after(book, book.take_trade(now_ns), now_ns)
        self._reports.say_later(feed, now_ns)
        return out

    def _on_universe(self, msg: MarketUniverse, now_ns: int) -> list[Message]:
        """Learn what the markets' hashes need; forget the tokens that are followed no longer."""
        out: list[Message] = []
        for feed in self.shelf.follow(msg.markets):
            for book in feed.tokens:
                out += book.flush(now_ns)
                out += self._reports.checks_of(book, now_ns)
                self._resyncs.settled(book.token_id)
            out.append(feed.status(now_ns))
        for known in self.shelf.hashed.values():
            out += known.check_again(now_ns)
        return out

    def _on_link(self, msg: FeedStatus, now_ns: int) -> list[Message]:
        """A link that is down takes its tokens' books with it, until what comes next on the feed proves them."""
        if msg.state != "down":
            return []
        reason = f"link {msg.link_id} is down" + (f": {msg.reason}" if msg.reason else "")
        out: list[Message] = []
        for book in self.shelf.known(msg.token_ids):
            if isinstance(book, HashedBook):
                book.needs_feed = book.needs_feed or "link"
            out += self._after(book, book.silent(now_ns, reason), now_ns)
        return out

    def _on_bad_frame(self, msg: BadFeedFrame, now_ns: int) -> list[Message]:
        self._bad_frames += 1
        book = self.shelf.hashed.get(msg.token_id)
        if book is not None or msg.market:
            feed = self.shelf.feed(msg.market) if book is None else book.feed
            feed.counts["invalid"] += 1
            self._reports.say_later(feed, now_ns)
        reason = f"a frame was refused: {msg.reason}"
        # One frame tells a change for both outcomes, and what could be read of it may name one only.
        both = [] if book is None else book.feed.tokens
        return [out for each in both for out in self._after(each, each.doubt(now_ns, reason), now_ns)]

    def missed(self, gap: Gap, now_ns: int) -> Iterable[Message]:
        """Messages of the feed about one token were lost; the runner asks the gateway for the current book."""
        token_id = gap.topic.partition(".")[2]
        return [
            out
            for book in self.shelf.known((token_id,))
            for out in self._after(book, book.silent(now_ns, "messages of the feed were lost"), now_ns)
        ]

    def peer_started(self, peer: PeerStarted, now_ns: int) -> Iterable[Message]:
        """A gateway that is another run has other links: what it followed before is to be proved again."""
        if peer.stream != "feed":
            return NOTHING
        return [
            out
            for book in self.shelf.all()
            for out in self._after(book, book.silent(now_ns, "the gateway was restarted"), now_ns)
        ]

    # --- state for others ------------------------------------------------------------------------------------------

    def current(self, topic: str) -> Iterable[Message]:
        stream, dot, key = topic.partition(".")
        if not "book.".startswith(f"{stream}{dot}"):
            return
        exact, whole, _ = key.partition("\0")
        for market_id, told in self._resolved.items():
            if market_id == exact if whole else market_id.startswith(key):
                yield told
        for book in self.shelf.all():
            if book.token_id == exact if whole else book.token_id.startswith(key):
                snapshot = book.current(self._now_ns)
                if snapshot is not None:
                    yield snapshot

    def counts(self) -> dict[str, int]:
        """Totals over all markets, for heartbeats and summaries."""
        return self.shelf.counts() | {"bad_frames": self._bad_frames}

    def state(self, turn: int) -> dict[str, Any]:
        """One book, another one each turn: its levels and how far it is trusted."""
        return self.shelf.state(turn)

    # --- time ------------------------------------------------------------------------------------------------------

    def next_timer_ns(self) -> int | None:
        if self._moved:
            self._moved = False
            due = self._reports.due_ns
            if self._timers and (due is None or self._timers[0][0] < due):
                due = self._timers[0][0]
            for other in (self._resyncs.due_ns, self._spots.due_ns):
                if other is not None and (due is None or other < due):
                    due = other
            self._due_ns = due
        return self._due_ns

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        self._now_ns, self._moved = now_ns, True
        out: list[Message] = []
        while self._timers and self._timers[0][0] <= now_ns:
            due_ns, token_id = heapq.heappop(self._timers)
            if self._timed.get(token_id) != due_ns:
                continue
            del self._timed[token_id]
            book = self.shelf.hashed.get(token_id)
            if book is not None:
                done = book.deadline(now_ns) if book.due_ns is not None and book.due_ns <= now_ns else []
                out += self._after(book, done, now_ns)
        for kept, cause, reason in self._spots.overdue(self._feed_ns, now_ns):
            if self.shelf.find(kept.token_id) is not kept:
                continue
            if cause == FROZEN:
                kept.needs_feed = "frozen"
            out += self._after(kept, kept.lost(now_ns, cause, reason), now_ns)
        out += self._resyncs.ask(now_ns)
        return out + self._reports.due(now_ns)

    def stop(self, now_ns: int) -> Iterable[Message]:
        """Apply what is still held back, and say how every market stands."""
        out: list[Message] = []
        for book in self.shelf.all():
            out += book.flush(now_ns)
            out += self._reports.checks_of(book, now_ns)
            self._reports.say_later(book.feed, now_ns)
        return out + self._reports.statuses(now_ns)

    # --- small steps -----------------------------------------------------------------------------------------------

    def _after(self, book: TokenBook, out: list[Message], now_ns: int) -> list[Message]:
        """What follows from a token's step: its timer, the book it wants, the market's status."""
        self._moved = True
        due_ns = book.due_ns
        if due_ns is not None and self._timed.get(book.token_id) != due_ns:
            self._timed[book.token_id] = due_ns
            heapq.heappush(self._timers, (due_ns, book.token_id))
        if not book.feed.unsaid:
            self._reports.say_later(book.feed, now_ns)
        if not book.awaiting and not book.feed.wanting:
            self._resyncs.settled(book.token_id)
        if book.snapshot_due and book.is_whole:
            out = [*out, *self._stored(book, now_ns)]
        return self._resyncs.with_wants(book.feed, out, now_ns) if book.feed.wanting else out

    def _snapshots(self, now_ns: int) -> list[Message]:
        """Every book for the database: at once, or when its open batch has ended."""
        out: list[Message] = []
        for book in self.shelf.all():
            if book.is_whole:
                out += self._stored(book, now_ns)
            else:
                book.snapshot_due = True
        return out

    def _stored(self, book: TokenBook, now_ns: int) -> list[Message]:
        book.snapshot_due = False
        row = book.stored(now_ns, "periodic")
        return [] if row is None else [row]


def build(config: Config) -> BookBuilder:
    """The book builder that a configuration describes."""
    settings = config.settings
    return BookBuilder(
        depth=settings.book.depth,
        batch_close_ms=settings.book.batch_close_ms,
        staleness_ms=settings.ingestion.staleness_ms,
        resyncs_per_minute=settings.book.resyncs_per_minute,
        unvouched_ms=UNVOUCHED_TURNS * settings.ingestion.spot_check_s * 1_000 if settings.venue.name in SPOT_CHECKED else 0,
    )


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Build order books from the venue's feed, prove them, and publish their tops.

    \b
    Example:
      python -m processes.book_builder --config ./config
    """
    run_process(build(config), config, session_id)


if __name__ == "__main__":
    main()
