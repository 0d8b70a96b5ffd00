"""One atomic change of one token: the frames that share a timestamp and a hash.

A batch ends as soon as its hash matches; else when an entry of its token with another (timestamp, hash) or a whole book of it
arrives; else after ``[book] batch_close_ms``. Half of it is never judged, published or traded on.
"""

from __future__ import annotations

from pipeline.base.units import parse_price_e6
from pipeline.market.book import OrderBook
from pipeline.messages.market import VenuePriceChange
from pipeline.messages.records import LevelEvent

NO_BID = frozenset({"", "0", "0.0", "0.00", "0.000"})
NO_ASK = frozenset({"", "0", "1", "1.0", "1.00", "1.000"})


class Batch:
    """What has arrived of a batch. ``shrunk`` are the prices where size went away: a trade may have taken it."""

    __slots__ = ("best_ask", "best_bid", "due_ns", "events", "key", "refused", "shrunk", "touched_best", "ts_ns")

    def __init__(self, key: tuple[str, str], due_ns: int) -> None:
        self.key = key
        self.due_ns = due_ns
        self.ts_ns = 0
        self.events: tuple[LevelEvent, ...] = ()
        self.best_bid: str | None = None
        self.best_ask: str | None = None
        self.refused = False
        self.shrunk: list[int] = []
        self.touched_best = False

    def add(
        self,
        msg: VenuePriceChange,
        events: tuple[LevelEvent, ...],
        best_bid: int | None,
        best_ask: int | None,
        stored: bool = False,
    ) -> None:
        """One more frame, applied already; the bests are those before it. ``stored``: its events have been told before."""
        self.ts_ns = msg.ts_ns
        if not stored:
            self.events = self.events + events if self.events else events
        self.best_bid, self.best_ask = msg.best_bid, msg.best_ask
        for event in events:
            if event.change_e6 < 0:
                self.shrunk.append(event.price_e6)
                if event.price_e6 == best_bid or event.price_e6 == best_ask:
                    self.touched_best = True

    def agrees(self, book: OrderBook) -> bool | None:
        """Whether the book's top is what the last frame says it is after the whole batch; None if it says nothing."""
        if self.best_bid is None and self.best_ask is None:
            return None
        return _is_best(self.best_bid, book.best_bid, NO_BID) and _is_best(self.best_ask, book.best_ask, NO_ASK)


def _is_best(stated: str | None, best_e6: int | None, none: frozenset[str]) -> bool:
    if stated is None:
        return True
    if best_e6 is None:
        return stated in none
    try:
        return parse_price_e6(stated) == best_e6
    except ValueError:
        return False
