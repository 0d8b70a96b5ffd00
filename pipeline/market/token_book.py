"""What every followed token has: its book, how far it is trusted, what was last published, and the counts of its market."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.market.book import BookSide, OrderBook, changed_prices
from pipeline.market.catalogue import USUAL_TICK_E6, first_tick_e6
from pipeline.market.confidence import GOOD, SHOWN, Confidence, Evidence
from pipeline.market.market_feed import MarketFeed
from pipeline.market.venue_time import venue_ns_of
from pipeline.messages import Message
from pipeline.messages.market import Basis, BookSnapshot, Level, VenueBook
from pipeline.messages.records import BookEvents, BookLevels, BookStateChanged, FeedGap, HashChecks, LevelEvent

NOTHING_CHANGED: tuple[tuple[Level, ...], tuple[Level, ...]] = ((), ())

NeedsFeed = Literal["", "link", "frozen"]
"""Why no provider's book is believed until the feed itself speaks: its link is down, or it leaves this token out."""


@dataclass(frozen=True)
class BookRules:
    """How books are kept. Without ``resync`` nobody can be asked for a fresh book: what comes is applied and marked.

    Without ``rows`` nothing is told that only the database wants: changed levels by the batch, totals by the second.
    """

    depth: int = 10
    batch_close_ns: int = 50 * NS_PER_MS
    pending_ns: int = 2 * NS_PER_S
    publish_tops: bool = True
    rows: bool = True
    resync: bool = True
    held_limit: int = 5_000


class TokenBook:
    """The base of a followed token. Methods return the messages to send."""

    __slots__ = (
        "_changed_asks",
        "_changed_bids",
        "_gap",
        "_listed_tick",
        "_own_tick",
        "_published",
        "_tick_e6",
        "_top",
        "awaiting",
        "book",
        "confidence",
        "feed",
        "heard_ns",
        "needs_feed",
        "resolved",
        "rules",
        "seq",
        "snapshot_due",
        "token_id",
        "venue_ns",
        "vouched_ns",
        "wanted",
    )

    def __init__(self, token_id: str, feed: MarketFeed[TokenBook], rules: BookRules) -> None:
        self.token_id = token_id
        self.feed = feed
        self.rules = rules
        self.book: OrderBook | None = None
        self.confidence = Confidence()
        self.seq = 0
        self.venue_ns = 0
        self.wanted = ""
        self.awaiting = False
        self.heard_ns = self.vouched_ns = 0
        """When the feed last told something, and when the venue's REST interface last agreed."""
        self.needs_feed: NeedsFeed = ""
        self.resolved = False
        self.snapshot_due = False
        """The database wants the whole book, once no batch is half applied."""
        self._gap: tuple[int, str] | None = None
        self._top: tuple[tuple[Level, ...], tuple[Level, ...]] = ((), ())
        self._changed_bids: set[int] = set()
        self._changed_asks: set[int] = set()
        self._published = False
        self._own_tick: str | None = None
        self._listed_tick: str | None = None
        self._tick_e6 = USUAL_TICK_E6
        feed.tokens.append(self)

    @property
    def is_whole(self) -> bool:
        """Whether no batch is half applied."""
        return True

    @property
    def due_ns(self) -> int | None:
        """When ``deadline`` wants to be called; None: never."""
        return None

    @property
    def last_seq(self) -> int | None:
        """The last sequence number of the generic stream; None for a token of the venue."""
        return None

    def learn_statics(self) -> None:
        """The catalogue told something new of the market."""

    def take_trade(self, now_ns: int) -> list[Message]:
        """A trade of the market was noted."""
        return []

    def doubt(self, now_ns: int, reason: str) -> list[Message]:
        """A frame about the token was refused."""
        return []

    def deadline(self, now_ns: int) -> list[Message]:
        """Time has reached ``due_ns``."""
        return []

    def flush(self, now_ns: int) -> list[Message]:
        """Apply and tell what is still held back, as nothing more will come."""
        return []

    def told_checks(self, start_ns: int, now_ns: int) -> HashChecks | None:
        """What the hashes said since it was last asked; None where nothing was checked."""
        return None

    def want(self, cause: str) -> None:
        """Say that a fresh book is needed; what comes is held from here on until it is there."""
        self.wanted = cause
        if not self.awaiting:
            self.awaiting = True
            self.feed.wanting.append(self)

    def asked(self, now_ns: int) -> list[Message]:
        """A fresh book was asked for."""
        return self.move("asked", now_ns, self.wanted)

    def give_up(self, now_ns: int) -> list[Message]:
        """The budget of fresh books is spent: the token is dead until a whole book of it comes by itself."""
        self.awaiting = False
        return [*self.flush(now_ns), *self.move("ended", now_ns, "budget of fresh books spent")]

    def silent(self, now_ns: int, reason: str) -> list[Message]:
        """Its link is down, or nothing comes."""
        return self.move("silent", now_ns, reason)

    def quiet(self, now_ns: int) -> list[Message]:
        """Nothing comes for it, but for others."""
        changed = self.move("quiet", now_ns, "no change for a while; the feed is alive", self.confidence.basis)
        return changed + self.published(now_ns) if changed else []

    def resolve(self, now_ns: int, reason: str) -> list[Message]:
        """The market ended: the token is dead for good."""
        self.awaiting = False
        self.resolved = True
        return [*self.flush(now_ns), *self.move("ended", now_ns, reason)]

    def move(
        self,
        evidence: Evidence,
        now_ns: int,
        reason: str = "",
        basis: Basis = "none",
        publish: bool = True,
        proved_ns: int = 0,
    ) -> list[Message]:
        """Take evidence in: a BookStateChanged and the gap it opens or heals, and the marked top if the state is another one."""
        known, old = self.confidence, self.confidence.state
        good_until_ns = known.verified_ns or known.since_ns or now_ns
        if not known.learn(evidence, now_ns, reason, basis, proved_ns):
            return []
        new = known.state
        assert new is not None
        out: list[Message] = [
            BookStateChanged(
                ts_ns=now_ns,
                token_id=self.token_id,
                market=self.feed.market_id,
                old=old,
                new=new,
                basis=known.basis,
                reason=known.reason,
                verified_ns=known.verified_ns,
            )
        ]
        if new in GOOD:
            if self._gap is not None:
                start_ns, cause = self._gap
                self._gap = None
                healed_by = (reason or f"by {basis}") if evidence == "proved" else f"{evidence}, not proved: {reason}"
                out.append(self._feed_gap(now_ns, start_ns, now_ns, cause, healed_by))
        elif new != "PENDING" and self._gap is None and not self.resolved:
            self._gap = (good_until_ns, reason)
            out.append(self._feed_gap(now_ns, good_until_ns, 0, reason, ""))
        if publish and self.rules.publish_tops and new not in SHOWN:
            out.append(self._marked(now_ns))
        return out

    def published(self, now_ns: int, full_depth: bool = False) -> list[Message]:
        """The book as a BookSnapshot, if tops are published at all."""
        if not self.rules.publish_tops or self.book is None:
            return []
        return [self.snapshot(now_ns, full_depth or not self._published)]

    def shown(self, now_ns: int) -> list[Message]:
        """The book as it is to be seen: the last published top while a batch is half applied."""
        if self.is_whole or not self.rules.publish_tops:
            return self.published(now_ns)
        return [self._marked(now_ns)]

    def snapshot(self, now_ns: int, full_depth: bool = False, fresh: bool = True) -> BookSnapshot:
        """The book now. ``fresh``: it tells and forgets the changed levels, as every subscriber gets it."""
        book = self.book
        assert book is not None
        if full_depth:
            if fresh:
                self._changed_bids.clear()
                self._changed_asks.clear()
                self._published = True
                self._top = book.top(self.rules.depth)
            return self._message(now_ns, book.levels(), NOTHING_CHANGED, True)
        top = book.top(self.rules.depth)
        if not fresh:
            return self._message(now_ns, top, NOTHING_CHANGED, False)
        self._top = top
        self._published = True
        return self._message(now_ns, top, (_taken(self._changed_bids, book.bids), _taken(self._changed_asks, book.asks)), False)

    def after_changes(self, now_ns: int, events: tuple[LevelEvent, ...]) -> BookSnapshot:
        """The book after these changes, for every subscriber; the usual case is one change since the last one."""
        if len(events) != 1 or self._changed_bids or self._changed_asks or not self._published:
            self.note_changes(events)
            return self.snapshot(now_ns, not self._published)
        assert self.book is not None
        event = events[0]
        level = (Level(event.price_e6, event.size_e6),)
        self._top = top = self.book.top(self.rules.depth)
        return self._message(now_ns, top, (level, ()) if event.side == "bid" else ((), level), False)

    def current(self, now_ns: int) -> BookSnapshot | None:
        """All levels for a new subscriber; None before any book.

        While a batch is half applied it is the last published top, and all levels follow with the end of the batch. While the book is
        not to be shown it is the last published top under its state.
        """
        if self.confidence.state is None:
            return None
        if not self.is_whole:
            self._published = False
            return self._marked(now_ns)
        if self.book is None or self.confidence.state not in SHOWN or self.book.is_crossed:
            return self._marked(now_ns)
        return self.snapshot(now_ns, full_depth=True, fresh=False)

    def stored(self, now_ns: int, cause: str) -> BookLevels | None:
        """The whole book as it stands, for the database; None before any book. Its venue's time goes with the hash that is made with it."""
        if self.book is None:
            return None
        return self._levels(now_ns, self.book, self.seq, self.venue_ns if self.book.hash else 0, cause)

    def received(self, msg: VenueBook, book: OrderBook, cause: str) -> BookLevels:
        """A whole book as it came, for the database, under the state it led to; also one that is older than ours."""
        seq = self.seq if msg.seq is None else msg.seq
        venue_ns = venue_ns_of(msg.venue_ts, msg.ts_ns)
        return self._levels(msg.ts_ns, book, seq, venue_ns, "mirror" if msg.source == "mirror" else cause)

    def rows(self, ts_ns: int, events: tuple[LevelEvent, ...]) -> BookEvents:
        """The changed levels of a batch, for the database."""
        return BookEvents(ts_ns, self.token_id, self.feed.market_id, self.seq, self.venue_ns, events)

    def note_changes(self, events: tuple[LevelEvent, ...]) -> None:
        """Remember which levels changed since the last published book."""
        for event in events:
            (self._changed_bids if event.side == "bid" else self._changed_asks).add(event.price_e6)

    def replace_book(self, book: OrderBook) -> None:
        """Put a whole book in the place of the old one; what differs counts as changed."""
        if self.rules.publish_tops:
            old_bids, old_asks = (BookSide(True), BookSide(False)) if self.book is None else (self.book.bids, self.book.asks)
            self._changed_bids |= changed_prices(old_bids, book.bids)
            self._changed_asks |= changed_prices(old_asks, book.asks)
        self.book = book

    def tick_e6(self) -> int:
        """The price grid: the book's, else the catalogue's, else a cent."""
        book, market = self.book, self.feed.market
        own = None if book is None else book.tick_size
        listed = None if market is None else market.tick_size
        if own is not self._own_tick or listed is not self._listed_tick:
            self._own_tick, self._listed_tick, self._tick_e6 = own, listed, first_tick_e6((own, listed))
        return self._tick_e6

    def count(self, name: str, by: int = 1) -> None:
        """Count something in the market's totals."""
        if by:
            self.feed.counts[name] += by

    def _marked(self, now_ns: int) -> BookSnapshot:
        """The last published top under the state as it is."""
        return self._message(now_ns, self._top, NOTHING_CHANGED, False)

    def _message(
        self,
        now_ns: int,
        top: tuple[tuple[Level, ...], tuple[Level, ...]],
        changed: tuple[tuple[Level, ...], tuple[Level, ...]],
        full_depth: bool,
    ) -> BookSnapshot:
        known = self.confidence
        assert known.state is not None
        return BookSnapshot(
            now_ns,
            self.token_id,
            self.feed.market_id,
            self.tick_e6(),
            top[0],
            top[1],
            self.seq,
            self.venue_ns,
            known.state,
            known.basis,
            known.reason,
            known.verified_ns,
            known.since_ns,
            self.book.hash if self.book else None,
            changed[0],
            changed[1],
            full_depth,
            self.heard_ns if self.heard_ns > self.vouched_ns else self.vouched_ns,
        )

    def _levels(self, ts_ns: int, book: OrderBook, seq: int, venue_ns: int, cause: str) -> BookLevels:
        bids, asks = book.levels()
        return BookLevels(
            ts_ns=ts_ns,
            token_id=self.token_id,
            market=self.feed.market_id,
            seq=seq,
            venue_ns=venue_ns,
            bids=bids,
            asks=asks,
            state=self.confidence.state or "UNVERIFIED",
            cause=cause,
            checksum=book.hash,
        )

    def _feed_gap(self, now_ns: int, start_ns: int, end_ns: int, cause: str, healed_by: str) -> FeedGap:
        return FeedGap(
            ts_ns=now_ns,
            token_id=self.token_id,
            market=self.feed.market_id,
            start_ns=start_ns,
            end_ns=end_ns,
            cause=cause,
            healed_by=healed_by,
        )


def _taken(prices: set[int], side: BookSide) -> tuple[Level, ...]:
    """The levels of these prices, which are forgotten."""
    if not prices:
        return ()
    sizes = side.sizes
    levels = tuple([Level(price, sizes.get(price, 0)) for price in prices])
    prices.clear()
    return levels
