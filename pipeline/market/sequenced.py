"""Books of the generic stream, where a contiguous ``seq`` from a snapshot on is the proof.

``seq`` rises by one with each message of a market, whichever outcome it is about. A delta that reveals a gap is held, with what
follows it, until a fresh book arrives, and is then applied; a fresh book that is itself older than the gap leaves the book suspect.
"""

from __future__ import annotations

from pipeline.base.errors import BadFrame
from pipeline.market.book import CrossedBook, OrderBook
from pipeline.market.market_feed import MarketFeed
from pipeline.market.token_book import BookRules, TokenBook
from pipeline.messages import Message
from pipeline.messages.market import BookDelta, VenueBook
from pipeline.messages.records import BookEvents

UNKNOWN = -1


class SeqLine:
    """The numbering of one market's messages. ``next_seq`` is what must come next; ``UNKNOWN`` before the first message."""

    __slots__ = ("next_seq", "relinked", "tokens")

    def __init__(self) -> None:
        self.next_seq = UNKNOWN
        self.relinked = False
        self.tokens: list[SequencedBook] = []


class SequencedBook(TokenBook):
    """One outcome of a market on the generic stream."""

    __slots__ = ("gap_before", "held", "line")

    def __init__(self, token_id: str, feed: MarketFeed[TokenBook], rules: BookRules, line: SeqLine) -> None:
        super().__init__(token_id, feed, rules)
        self.line = line
        self.held: list[BookDelta] = []
        self.gap_before = UNKNOWN
        """A fresh book heals only if it holds everything before this number."""
        line.tokens.append(self)

    @property
    def last_seq(self) -> int | None:
        return None if self.book is None else self.seq

    def take_delta(self, msg: BookDelta, now_ns: int) -> list[Message]:
        """Signed changes. One BookEvents for those that change levels; none for a delta that only advances ``seq``."""
        line = self.line
        if msg.seq == line.next_seq and self.book is not None and not self.awaiting:
            line.next_seq += 1
            return self._apply(msg, now_ns)
        return self._out_of_line(msg, now_ns)

    def take_book(self, msg: VenueBook, now_ns: int) -> list[Message]:
        """A snapshot of the stream, or the provider's answer. Raises BadFrame if it has no ``seq``, a bad number, or is crossed."""
        if msg.seq is None:
            raise BadFrame(f"snapshot of {self.token_id} has no seq")
        line = self.line
        if not self.awaiting and self.book is not None and msg.seq < line.next_seq and not line.relinked:
            if msg.source != "mirror":
                self.count("repeats")
            return []
        book = OrderBook.from_message(msg, self.book)
        if book.is_crossed:
            raise CrossedBook(f"snapshot {msg.seq} of {self.token_id} is crossed: {book.best_bid} at or above {book.best_ask}")
        out = [] if self.resolved else self.move("reopened", now_ns, "a snapshot came")
        if msg.source != "mirror":
            self.feed.snapshots += 1
        if self.awaiting and (msg.is_provided or not line.relinked):
            return out + self._answered(msg, book, now_ns)
        out += self.flush(now_ns)
        if line.next_seq != UNKNOWN and msg.seq > line.next_seq:
            out += self._doubt_siblings(msg.seq, now_ns)
        line.next_seq = msg.seq + 1 if line.relinked else max(line.next_seq, msg.seq + 1)
        line.relinked = False
        self._replace(msg, book)
        out += self.move("proved", now_ns, "snapshot", "seq", proved_ns=msg.vouched_ns)
        out.append(self.received(msg, book, "snapshot"))
        return out + self.published(now_ns)

    def silent(self, now_ns: int, reason: str) -> list[Message]:
        self.line.relinked = True
        return super().silent(now_ns, reason)

    def flush(self, now_ns: int) -> list[Message]:
        """Apply what was held for a fresh book that did not come: stored, but suspect."""
        held, self.held = self.held, []
        self.awaiting = False
        if not held:
            return []
        if self.book is None:
            self.book = OrderBook(self.token_id, self.feed.market_id)
        out = self.move("missed", now_ns, "no fresh book came")
        for msg in held:
            out += self._apply(msg, now_ns)
        return out

    def _apply(self, msg: BookDelta, now_ns: int) -> list[Message]:
        """A delta that is next in line."""
        book, feed = self.book, self.feed
        assert book is not None
        self.seq = seq = msg.seq
        self.venue_ns = self.heard_ns = feed.updated_ns = msg.ts_ns
        feed.deltas += 1
        if seq > feed.last_seq:
            feed.last_seq = seq
        verified = self.confidence.state == "VERIFIED"
        if not msg.bids and not msg.asks:
            book.seq = seq
            if not verified:
                return self._confirmed(now_ns)
            self.confidence.verified_ns = now_ns
            return self.published(now_ns)
        try:
            events = book.apply_delta(msg)
        except BadFrame as error:
            return self._refused(msg, error, now_ns)
        out: list[Message] = []
        rules = self.rules
        if rules.rows:
            out.append(BookEvents(msg.ts_ns, self.token_id, feed.market_id, seq, msg.ts_ns, events))
        if not rules.publish_tops:
            if not verified:
                return out + self._confirmed(now_ns)
            self.confidence.verified_ns = now_ns
            return out
        if not verified:
            self.note_changes(events)
            return out + self._confirmed(now_ns)
        self.confidence.verified_ns = now_ns
        out.append(self.after_changes(now_ns, events))
        return out

    def _confirmed(self, now_ns: int) -> list[Message]:
        """The next number came while the book was not verified: that heals silence, but no gap."""
        state = self.confidence.state
        if state in ("QUIET", "STALE"):
            self.line.relinked = False
            return [*self.move("proved", now_ns, "contiguous seq", "seq"), *self.published(now_ns)]
        return self.published(now_ns) if state == "UNVERIFIED" else []

    def _refused(self, msg: BookDelta, error: BadFrame, now_ns: int) -> list[Message]:
        """A delta of the right number that cannot be applied: the book is no longer the stream's."""
        cause = "crossed" if isinstance(error, CrossedBook) else "invalid"
        self.count(cause)
        self.gap_before = msg.seq + 1
        out = self.move("missed", now_ns, str(error))
        if self.rules.resync:
            self.want(cause)
        return out

    def _out_of_line(self, msg: BookDelta, now_ns: int) -> list[Message]:
        """A repeat, a first delta without a snapshot, a gap, or anything while a fresh book is on its way."""
        line = self.line
        if line.next_seq != UNKNOWN and msg.seq < line.next_seq:
            self.count("repeats")
            return []
        out: list[Message] = []
        cause = ""
        if line.next_seq != UNKNOWN and msg.seq != line.next_seq:
            cause = "resync_gap"
            out += self._doubt_siblings(msg.seq, now_ns)
        if self.book is None and not self.awaiting:
            cause = "resync_first_delta"
        line.next_seq = msg.seq + 1
        if cause:
            self.count(cause)
            self.gap_before = msg.seq
        if self.awaiting:
            if len(self.held) >= self.rules.held_limit:
                out += self.flush(now_ns)
                self.awaiting = True
            self.held.append(msg)
            return out
        reason = "no snapshot" if self.book is None else f"seq {msg.seq} after {self.seq}"
        if self.rules.resync:
            self.want(cause)
            self.held.append(msg)
            return out + self.move("missed", now_ns, reason)
        if self.book is None:
            self.book = OrderBook(self.token_id, self.feed.market_id)
            return out + self.move("unchecked", now_ns, reason) + self._apply(msg, now_ns)
        return out + self.move("missed", now_ns, reason) + self._apply(msg, now_ns)

    def _doubt_siblings(self, seq: int, now_ns: int) -> list[Message]:
        """The numbers that are missing before ``seq`` may be the other outcomes'."""
        out: list[Message] = []
        for other in self.line.tokens:
            if other is self or other.book is None:
                continue
            other.gap_before = seq
            if not other.awaiting:
                out += other.move("missed", now_ns, f"numbers before {seq} of the market are missing")
                if other.rules.resync:
                    other.want("resync_gap")
        return out

    def _answered(self, msg: VenueBook, book: OrderBook, now_ns: int) -> list[Message]:
        """The fresh book that was waited for, and then what was held."""
        assert msg.seq is not None
        held, self.held = self.held, []
        self.awaiting = False
        if self.book is None or msg.seq >= self.seq:
            self._replace(msg, book)
        self.line.next_seq = max(self.line.next_seq, msg.seq + 1)
        if msg.seq >= self.gap_before - 1:
            out = self.move("proved", now_ns, "fresh book", "seq", proved_ns=msg.vouched_ns)
        else:
            out = self.move("missed", now_ns, f"snapshot {msg.seq} is older than the gap before {self.gap_before}")
        out.append(self.received(msg, book, "resync"))
        later = [delta for delta in held if delta.seq > self.seq]
        for delta in later:
            out += self._apply(delta, now_ns)
        if not later and self.confidence.state == "VERIFIED":
            out += self.published(now_ns)
        return out

    def _replace(self, msg: VenueBook, book: OrderBook) -> None:
        assert msg.seq is not None
        self.replace_book(book)
        self.seq = msg.seq
        self.venue_ns = self.heard_ns = msg.told_ns
        self.feed.updated_ns = max(self.feed.updated_ns, msg.told_ns)
        self.feed.last_seq = max(self.feed.last_seq, msg.seq)
