"""A spot check: the book that the venue's REST interface gives, held against the one that is kept of the feed.

A REST answer may lag behind the feed, and the feed may lag behind the answer, so disagreement is no evidence before the feed has had
``[ingestion]``'s grace to deliver what the answer has. Agreement by content is agreement, whatever the timestamps say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.base.units import NS_PER_S
from pipeline.market.book import OrderBook
from pipeline.market.compare import compare, key_of
from pipeline.market.confidence import SHOWN
from pipeline.market.hashed import HashedBook
from pipeline.market.venue_time import time_ms
from pipeline.messages import Message
from pipeline.messages.control import FROZEN
from pipeline.messages.market import VenueBook

GRACE_NS = 2 * NS_PER_S
"""How long the feed may take to deliver what a REST answer already has: receipt lags the venue by 0.3 s at most (seen 2026-10)."""

BEHIND_NS = NS_PER_S // 2
"""A feed whose last message is older than this, as its time is up, may be behind."""
LOOK_AGAIN_NS = NS_PER_S // 4
PATIENCE_NS = 10 * NS_PER_S
LEVELS_DIFFER = "levels_differ"
"""The cause of a wanted book whose levels a spot check contradicts."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A disagreement that the feed may still explain by ``due_ns``."""

    kept: HashedBook
    answer: OrderBook
    since_ns: int
    due_ns: int


class SpotChecks:
    """The open disagreements of all tokens. ``grace_ns`` is what the feed is given to deliver what an answer has."""

    def __init__(self, grace_ns: int = GRACE_NS) -> None:
        self.grace_ns = grace_ns
        self._open: dict[str, _Open] = {}

    @property
    def due_ns(self) -> int | None:
        """When the time of the one that is open longest is up."""
        return next(iter(self._open.values())).due_ns if self._open else None

    def take(self, kept: HashedBook, msg: VenueBook, now_ns: int) -> list[Message]:
        """An answer about a token whose book is kept. Agreement is told; a disagreement stays open, an earlier one keeps its time.

        Raises BadFrame for a bad number.
        """
        book = kept.book
        assert book is not None
        answer = OrderBook.from_message(msg, book)
        verdict = compare(book, kept.proof.proven, answer)
        kept.count(f"spot_{verdict}")
        if verdict == "same":
            self._open.pop(kept.token_id, None)
            return kept.vouched(msg, key_of(answer), now_ns)
        if verdict in ("newer", "other") and kept.token_id not in self._open:
            self._open[kept.token_id] = _Open(kept, answer, now_ns, now_ns + self.grace_ns)
        return []

    def overdue(self, feed_ns: int, now_ns: int) -> list[tuple[HashedBook, str, str]]:
        """The disagreements that stand after their time: the book, the cause and the reason.

        ``feed_ns`` is when the last message of the feed was received: one that is behind gets its time until it has caught up, or for
        ``PATIENCE_NS`` if nothing comes.
        """
        found: list[tuple[HashedBook, str, str]] = []
        while self._open and (due_ns := self.due_ns) is not None and due_ns <= now_ns:
            token_id = next(iter(self._open))
            waited = self._open.pop(token_id)
            if feed_ns < waited.since_ns + self.grace_ns - BEHIND_NS and now_ns < waited.since_ns + PATIENCE_NS:
                self._open[token_id] = replace(waited, due_ns=now_ns + LOOK_AGAIN_NS)
                continue
            kept, book = waited.kept, waited.kept.book
            if book is None or kept.confidence.state not in SHOWN:
                continue
            verdict = compare(book, kept.proof.proven, waited.answer)
            ours, theirs = time_ms(book.venue_ts), time_ms(waited.answer.venue_ts)
            if verdict == "other":
                found.append((kept, LEVELS_DIFFER, "spot check: other levels under the same hash"))
            elif verdict == "newer" and (theirs > ours or kept.provable):
                reason = f"the venue's book is {theirs - ours} ms newer, and the feed did not deliver it"
                found.append((kept, FROZEN, reason))
        return found
