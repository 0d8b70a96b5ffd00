"""Books of the venue's market channel, where the hash of each batch is the proof.

A match proves the whole book. A miss soon after a possible trade or change of tick size is *pending* for two seconds, as the hash
uses a new last trade price before the trade is told; any other miss is a gap. A whole book whose own hash does not compute says
that a hashed field or the recipe is not what we think, not that levels are missing: such a token is unverified until a match.
"""

from __future__ import annotations

from pipeline.base.errors import BadFrame
from pipeline.market.batch import Batch
from pipeline.market.book import CrossedBook, OrderBook, parse_changes
from pipeline.market.compare import is_ghost, key_of
from pipeline.market.confidence import SHOWN
from pipeline.market.held import HeldChanges, newer
from pipeline.market.market_feed import MarketFeed
from pipeline.market.proof import HashProof, Key, shrunk_prices
from pipeline.market.tally import HashTally
from pipeline.market.token_book import BookRules, TokenBook
from pipeline.market.venue_time import time_ms, venue_ns_of
from pipeline.messages import Message
from pipeline.messages.market import TickSizeChange, VenueBook, VenuePriceChange
from pipeline.messages.records import BookEvents, HashChecks, LevelEvent


class HashedBook(TokenBook):
    """One token of the venue."""

    __slots__ = ("_provided_ms", "batch", "held", "partial", "pending_until_ns", "proof", "provable", "tally")

    def __init__(self, token_id: str, feed: MarketFeed[TokenBook], rules: BookRules) -> None:
        super().__init__(token_id, feed, rules)
        self.batch: Batch | None = None
        self.partial = False
        self.provable = False
        self.pending_until_ns = 0
        self.held = HeldChanges(rules.held_limit)
        self.proof = HashProof(feed)
        self.tally = HashTally()
        """Hash checks since they were last told."""
        self._provided_ms = 0

    @property
    def is_whole(self) -> bool:
        return self.batch is None

    @property
    def due_ns(self) -> int | None:
        batch_due = self.batch.due_ns if self.batch else 0
        if self.pending_until_ns and batch_due:
            return min(self.pending_until_ns, batch_due)
        return self.pending_until_ns or batch_due or None

    # --- what comes ------------------------------------------------------------------------------------------------

    def take_change(self, msg: VenuePriceChange, now_ns: int) -> list[Message]:
        """(Part of) a batch. Raises BadFrame if it holds a bad number: then none of it is applied, and the batch cannot match."""
        feed = self.feed
        feed.deltas += 1
        feed.updated_ns = self.heard_ns = msg.ts_ns
        if self.book is None:
            if self.rules.resync:
                return self._hold_first(msg, now_ns)
            self.book = OrderBook(self.token_id, feed.market_id)
            self.partial = True
            self.learn_statics()
            return self.move("unchecked", now_ns, "no snapshot") + self._entry(msg, now_ns)
        if self.awaiting:
            self.held.add(msg, applied=True)
        return self._entry(msg, now_ns)

    def take_book(self, msg: VenueBook, now_ns: int) -> list[Message]:
        """A whole book: a frame of the feed is the truth, a provider's answer is too unless it is older than what it should heal, or
        a ghost whose hash proves nothing.

        Raises BadFrame for a bad number, CrossedBook for a crossed book; ours stays as it was.
        """
        old, provided = self.book, msg.is_provided
        key: Key = (msg.venue_ts or "", msg.hash or "")
        if old is not None and msg.source != "ws" and self.batch is None and key == (old.venue_ts, old.hash) and key[1]:
            if msg.source == "mirror" and self.confidence.state in SHOWN:
                return []
            if key in self.proof.proven:
                return self._confirmed(now_ns, msg.vouched_ns)
        if provided and old is not None and not self.partial and msg.venue_ts is not None:
            newest = self.held.oldest_ts if self.awaiting and self.held else old.venue_ts
            if time_ms(msg.venue_ts) < time_ms(newest):
                self.count("stale_books")
                return []
        book = OrderBook.from_message(msg, old)
        if book.is_crossed:
            raise CrossedBook(f"book of {self.token_id} is crossed: {book.best_bid} at or above {book.best_ask}")
        if provided and old is not None and not self.partial and is_ghost(book, old) and not self.proof.fits(book, key):
            self.count("ghost_books")
            return []
        out = [] if self.resolved else self.move("reopened", now_ns, "a book came")
        out += self._end_batch()
        feed = self.feed
        feed.snapshots += msg.source != "mirror"
        self.heard_ns = msg.told_ns
        feed.updated_ns = max(feed.updated_ns, msg.told_ns)
        held = self.held.take() if self.awaiting else []
        self.awaiting = False
        self.pending_until_ns = 0
        self.partial = False
        self.replace_book(book)
        self.proof.newest_ts = ""
        self._provided_ms = time_ms(msg.venue_ts) if provided else 0
        self._next_seq(msg.venue_ts, msg.ts_ns)
        self._learn_fields(msg, book)
        out += self._judge_book(msg, old, key, now_ns)
        out.append(self.received(msg, book, "resync" if provided else "snapshot"))
        if old is not None and msg.source == "ws":
            feed.active_ns = now_ns
        later = newer(held, key)
        self.count("superseded", sum(not applied for _, applied in held) - sum(not applied for _, applied in later))
        for change, applied in later:
            out += self._entry(change, now_ns, applied)
        if self.batch is None:
            out += self.published(now_ns)
        return out

    def take_trade(self, now_ns: int) -> list[Message]:
        """A trade of this market was noted: its price may be what a pending hash was made with."""
        if self.batch is not None and self._matches(self.batch):
            return self._matched(now_ns)
        return self._recheck(now_ns)

    def take_tick(self, msg: TickSizeChange, now_ns: int) -> list[Message]:
        """The price grid changed; the hash may have used it for a while already."""
        if self.book is None:
            return []
        self.book.tick_size = msg.new_tick_size
        self.feed.active_ns = now_ns
        self.learn_statics()
        return self._recheck(now_ns) or (self.shown(now_ns) if self.confidence.state == "VERIFIED" else [])

    def doubt(self, now_ns: int, reason: str) -> list[Message]:
        """A frame about this token was refused: if nothing proves the book within two seconds it is suspect."""
        if self.book is None or self.awaiting:
            return []
        self.pending_until_ns = self.pending_until_ns or now_ns + self.rules.pending_ns
        return self.move("late", now_ns, reason) + self.shown(now_ns)

    def vouched(self, msg: VenueBook, key: Key, now_ns: int) -> list[Message]:
        """The venue's REST interface gave the very levels that are kept."""
        self.vouched_ns = now_ns
        known, book = self.confidence, self.book
        if book is None or self.batch is not None or known.state not in SHOWN:
            return []
        out: list[Message] = []
        if known.state in ("VERIFIED", "QUIET"):
            known.verified_ns = now_ns
        elif known.state != "PENDING":
            if not self.proof.is_ready:
                self._learn_fields(msg, book)
            if self.proof.fits(book, key, widely=True):
                self._prove(key)
                out = self.move("proved", now_ns, "spot check", "hash")
        return out + self.published(now_ns)

    def deadline(self, now_ns: int) -> list[Message]:
        out: list[Message] = []
        if self.batch is not None and now_ns >= self.batch.due_ns:
            out += self._close(now_ns)
        if self.pending_until_ns and now_ns >= self.pending_until_ns:
            healed = self._recheck(now_ns)
            if not healed:
                doubted = self.book is not None and key_of(self.book) in self.proof.proven
                reason = "nothing proved the book since" if doubted else "no trade or tick size explained the miss"
                healed = self.lost(now_ns, "invalid" if doubted else "hash", reason)
            out += healed
        return out

    def flush(self, now_ns: int) -> list[Message]:
        out: list[Message] = []
        held = self.held.take()
        self.awaiting = False
        if self.book is None and held:
            self.book = OrderBook(self.token_id, self.feed.market_id)
            self.partial = True
            for change, _ in held:
                out += self._entry(change, now_ns)
        if self.batch is not None:
            out += self._close(now_ns)
        return out

    def check_again(self, now_ns: int) -> list[Message]:
        """The catalogue came after the book: a whole book that could not be checked is proved by its own hash, if that fits."""
        book = self.book
        if book is None or self.batch is not None or self.awaiting or self.confidence.state != "UNVERIFIED" or book.is_crossed:
            return []
        key = key_of(book)
        if not key[1] or not self.proof.fits(book, key):
            return []
        self._prove(key)
        told_ns = max(self.heard_ns, self.vouched_ns)
        return self.move("proved", now_ns, "the catalogue came", "hash", proved_ns=told_ns) + self.published(now_ns)

    def learn_statics(self) -> None:
        """The catalogue or another book told something that the hash is made with."""
        if self.book is not None:
            self.proof.learn(self.book)

    def told_checks(self, start_ns: int, now_ns: int) -> HashChecks | None:
        return self.tally.tell(self.token_id, self.feed.market_id, start_ns, now_ns)

    # --- batches ---------------------------------------------------------------------------------------------------

    def _entry(self, msg: VenuePriceChange, now_ns: int, stored: bool = False) -> list[Message]:
        """One frame of a batch; ``stored``: applied to an earlier book and told then."""
        book, batch = self.book, self.batch
        assert book is not None
        key = (msg.venue_ts, msg.hash)
        if (msg.hash and self.proof.is_repeat(key, book)) or (self._provided_ms and time_ms(msg.venue_ts) < self._provided_ms):
            self.count("repeats")
            return [] if stored or not self.rules.rows else [self._unapplied(msg)]
        self._provided_ms = 0
        out: list[Message] = []
        if batch is not None and batch.key != key:
            out = self._close(now_ns)
            batch = None
        if batch is None:
            batch = self.batch = Batch(key, now_ns + self.rules.batch_close_ns)
        best_bid, best_ask = book.best_bid, book.best_ask
        try:
            events = book.apply(msg)
        except BadFrame:
            batch.refused = True
            self.count("invalid")
            return out
        batch.add(msg, events, best_bid, best_ask, stored)
        self.note_changes(events)
        if self._matches(batch):
            out += self._matched(now_ns)
        return out

    def _matches(self, batch: Batch, widely: bool = False) -> bool:
        """Whether the hash is that of the book. The cheap signs of a batch that is not whole yet save most hashing; ``widely`` is
        for a batch that has ended.
        """
        book = self.book
        if book is None or not batch.key[1] or batch.refused or book.is_crossed:
            return False
        return (widely or batch.agrees(book) is not False) and self.proof.fits(book, batch.key, batch.shrunk, widely)

    def _matched(self, now_ns: int) -> list[Message]:
        """The open batch's hash fits: the book is the venue's."""
        batch = self.batch
        assert batch is not None
        out = self._end_batch()
        if batch.touched_best:
            self.feed.active_ns = now_ns
        self._prove(batch.key)
        self.held.clear()
        self.awaiting = False
        out += self.move("proved", now_ns, "batch", "hash")
        return out + self.published(now_ns)

    def _close(self, now_ns: int) -> list[Message]:
        """The open batch has ended without a match: look once more, then judge it."""
        batch, book = self.batch, self.book
        assert batch is not None and book is not None
        crossed, agrees = book.is_crossed, batch.agrees(book)
        if self._matches(batch, widely=True):
            return self._matched(now_ns)
        out = self._end_batch()
        if crossed:
            self.count("crossed")
        checkable = batch.key[1] != "" and self.proof.is_ready
        if checkable and self.provable:
            self._count_miss()
        if self.awaiting:
            return out
        if batch.refused:
            return out + self.lost(now_ns, "invalid", "a change was refused")
        if checkable and self.provable:
            active_ns = now_ns if batch.touched_best else self.feed.active_ns
            recent = active_ns and now_ns - active_ns <= self.rules.pending_ns
            if batch.touched_best:
                self.feed.active_ns = now_ns
            if crossed or agrees is False or not recent:
                reason = "crossed" if crossed else "best price differs" if agrees is False else "hash differs"
                return out + self.lost(now_ns, "crossed" if crossed else "hash", reason)
            return out + self._pend(now_ns) + self.published(now_ns)
        self._count_undecided()
        wrong = crossed or agrees is False
        if wrong and not self.partial:
            return out + self.lost(now_ns, "crossed" if crossed else "best", "crossed" if crossed else "best price differs")
        reason = "no snapshot" if self.partial else self.proof.why or ("hash does not compute" if batch.key[1] else "no hash")
        out += self.move("unchecked", now_ns, reason, "best" if agrees and not wrong else "none")
        if wrong or self.confidence.state != "UNVERIFIED":
            return out
        return out + self.published(now_ns)

    def _end_batch(self) -> list[Message]:
        """Close the books on the open batch: its number, and its events for the database."""
        batch, self.batch = self.batch, None
        if batch is None:
            return []
        self._next_seq(batch.key[0], batch.ts_ns)
        return [self.rows(batch.ts_ns, batch.events)] if batch.events and self.rules.rows else []

    # --- verdicts --------------------------------------------------------------------------------------------------

    def _judge_book(self, msg: VenueBook, old: OrderBook | None, key: Key, now_ns: int) -> list[Message]:
        """What a whole book's own hash says."""
        if self.book is None or not self.proof.is_ready or not msg.hash or not msg.venue_ts:
            return self.move("replaced", now_ns, self.proof.why or "no hash")
        if self.proof.fits(self.book, key, [] if old is None else shrunk_prices(old, self.book)):
            self._prove(key)
            return self.move("proved", now_ns, "book", "hash", proved_ns=msg.vouched_ns)
        complete = msg.tick_size is not None and msg.last_trade_price is not None and msg.source != "mirror"
        if self.provable and not complete:
            self._count_miss()
            fresh = [] if self.confidence.state in SHOWN else self.move("replaced", now_ns, "a book came")
            return fresh + self._pend(now_ns)
        self.provable = False
        self._count_undecided()
        return self.move("replaced", now_ns, "hash of the whole book does not compute")

    def _pend(self, now_ns: int) -> list[Message]:
        self.pending_until_ns = self.pending_until_ns or now_ns + self.rules.pending_ns
        return self.move("late", now_ns, "hash differs; a late trade or tick size may explain it")

    def _recheck(self, now_ns: int) -> list[Message]:
        """Try a pending book again; empty if it still does not fit."""
        book = self.book
        if not self.pending_until_ns or book is None or self.batch is not None or book.is_crossed:
            return []
        key = key_of(book)
        if not key[1] or key in self.proof.proven or not self.proof.fits(book, key, widely=True):
            return []  # that it was proved before a frame was refused says nothing of what was in the frame
        self._prove(key)
        return self.move("proved", now_ns, "late trade", "hash") + self.published(now_ns)

    def _confirmed(self, now_ns: int, proved_ns: int) -> list[Message]:
        """A provider gave the very book that is proven already, or the gateway its copy of what the venue said at ``proved_ns``."""
        self.count("confirmed")
        self.held.clear()
        self.awaiting = False
        changed = self.move("proved", now_ns, "same book", "hash", proved_ns=proved_ns)
        return changed + self.published(now_ns) if changed else []

    def _prove(self, key: Key) -> None:
        self.provable = True
        self.pending_until_ns = 0
        self.feed.counts["hash_matches"] += 1
        self.tally.matched += 1
        self.proof.add(key)

    def lost(self, now_ns: int, cause: str, reason: str) -> list[Message]:
        """The book is not the venue's."""
        self.pending_until_ns = 0
        out = self.move("missed", now_ns, reason)
        if self.rules.resync:
            self.want(cause)
        return out

    def _count_miss(self) -> None:
        self.count("hash_misses")
        self.tally.missed += 1

    def _count_undecided(self) -> None:
        self.count("undecided")
        self.tally.undecided += 1

    # --- small steps -----------------------------------------------------------------------------------------------

    def _hold_first(self, msg: VenuePriceChange, now_ns: int) -> list[Message]:
        """A change before any book."""
        self.held.add(msg, applied=False)
        if self.awaiting:
            return []
        self.count("resync_first_delta")
        self.want("resync_first_delta")
        return self.move("missed", now_ns, "no snapshot")

    def _learn_fields(self, msg: VenueBook, book: OrderBook) -> None:
        """Take the hashed fields that a whole book brings; the market's other token uses them too."""
        self.proof.learn_trade_price(msg, book)
        feed, given = self.feed, (msg.min_order_size, msg.neg_risk)
        if None not in given and given != (feed.min_order_size, feed.neg_risk):
            feed.min_order_size, feed.neg_risk = given
            for other in feed.tokens:
                other.learn_statics()
        self.learn_statics()

    def _next_seq(self, venue_ts: str | None, ts_ns: int) -> None:
        self.seq += 1
        self.venue_ns = venue_ns_of(venue_ts, ts_ns)
        if self.seq > self.feed.last_seq:
            self.feed.last_seq = self.seq

    def _unapplied(self, msg: VenuePriceChange) -> BookEvents:
        """The rows of a repeat: the sizes it states, and no change."""
        events = tuple(LevelEvent("bid" if is_bid else "ask", price, size, 0) for is_bid, price, size, _ in parse_changes(msg))
        return self.rows(msg.ts_ns, events)
