"""A spot check: the book that the venue's REST interface gives, held against the one that is kept of the feed.

A REST answer may lag behind the feed, and the feed may lag behind the answer, so disagreement is no evidence before the feed has had
``[ingestion]``'s grace to deliver what the answer has. Agreement by content is agreement, whatever the timestamps say.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

from pipeline.base.units import NS_PER_S
from pipeline.market.book import OrderBook
from pipeline.market.confidence import SHOWN
from pipeline.market.hashed import HashedBook
from pipeline.market.proof import Key
from pipeline.market.token_book import time_ms
from pipeline.messages import Message
from pipeline.messages.control import FROZEN
from pipeline.messages.market import VenueBook

GRACE_NS = 2 * NS_PER_S
"""How long the feed may take to deliver what a REST answer already has: receipt lags the venue by 0.3 s at most (seen 2026-10)."""
GHOST_BID_E6, GHOST_ASK_E6 = 10_000, 990_000

SPOT = "spot_check"
"""The cause of a wanted book whose levels a spot check contradicts."""

Verdict = Literal[
    "same",  # the levels are equal
    "older",  # the answer is a state that the feed has passed
    "newer",  # the answer has something that the feed has not delivered
    "other",  # the same state by its name, with other levels
    "ghost",  # nothing but 0.01 against 0.99, where the kept book is tighter
]


def compare(book: OrderBook, seen: Container[Key], answer: OrderBook) -> Verdict:
    """What an answer says of the kept book. ``seen`` are the states that the feed delivered lately."""
    if answer.bids.sizes == book.bids.sizes and answer.asks.sizes == book.asks.sizes:
        return "same"
    ours, theirs = key_of(book), key_of(answer)
    if theirs == ours and theirs[1]:
        return "other"
    if is_ghost(answer, book):
        return "ghost"
    our_ms, their_ms = time_ms(ours[0]), time_ms(theirs[0])
    if their_ms < our_ms or theirs in seen:
        return "older"
    return "newer"


def is_ghost(answer: OrderBook, book: OrderBook) -> bool:
    """Whether an answer is the empty-looking 0.01/0.99 book that the venue's REST interface sometimes gives (seen 2026) and ours is not."""
    bid, ask = answer.best_bid, answer.best_ask
    if (bid is not None and bid > GHOST_BID_E6) or (ask is not None and ask < GHOST_ASK_E6):
        return False
    ours = book.best_bid, book.best_ask
    return (ours[0] is not None and ours[0] > GHOST_BID_E6) or (ours[1] is not None and ours[1] < GHOST_ASK_E6)


def key_of(book: OrderBook) -> Key:
    """The (timestamp, hash) that names a book's state; empty texts where they are unknown."""
    return book.venue_ts or "", book.hash or ""


@dataclass(frozen=True, slots=True)
class _Open:
    """A disagreement that the feed may still explain by ``due_ns``."""

    kept: HashedBook
    answer: OrderBook
    due_ns: int


class SpotChecks:
    """The open disagreements of all tokens. ``grace_ns`` is what the feed is given to deliver what an answer has."""

    def __init__(self, grace_ns: int = GRACE_NS) -> None:
        self.grace_ns = grace_ns
        self._open: dict[str, _Open] = {}

    @property
    def due_ns(self) -> int | None:
        """When the time of the first one is up: all have the same, so they are in order."""
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
            self._open[kept.token_id] = _Open(kept, answer, now_ns + self.grace_ns)
        return []

    def overdue(self, now_ns: int) -> list[tuple[HashedBook, str, str]]:
        """The disagreements that stand after their time: the book, the cause and the reason."""
        found: list[tuple[HashedBook, str, str]] = []
        while self._open and (due_ns := self.due_ns) is not None and due_ns <= now_ns:
            token_id = next(iter(self._open))
            waited = self._open.pop(token_id)
            kept, book = waited.kept, waited.kept.book
            if book is None or kept.confidence.state not in SHOWN:
                continue
            verdict = compare(book, kept.proof.proven, waited.answer)
            ours, theirs = time_ms(book.venue_ts), time_ms(waited.answer.venue_ts)
            if verdict == "other":
                found.append((kept, SPOT, "spot check: other levels under the same hash"))
            elif verdict == "newer" and (theirs > ours or kept.provable):
                reason = f"the venue's book is {theirs - ours} ms newer, and the feed did not deliver it"
                found.append((kept, FROZEN, reason))
        return found
