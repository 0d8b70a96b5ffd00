"""What became of the mid after each of our trades: the spread that a trade earned, and how far the market then went against it.

At each horizon the mid is noted once. Horizon 0 is the mid that the trade met, so that ``(mid - price) x size`` (for a purchase) is the
spread earned, and the change of the mid until a later horizon the adverse selection up to there. When a resting order of ours trades,
the book has moved before we are told (34-88 ms usual: feed facts, 2026-06): what it met is the mid of ``BEFORE_NS`` earlier.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from pipeline.base.units import NS_PER_MS, ONE_E6
from pipeline.market.confidence import SHOWN
from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.market import BookSnapshot, Side
from pipeline.messages.orders import Fill, Liquidity
from pipeline.messages.records import FillRecord, Markout
from pipeline.trading.forms import fill_of

HORIZONS_MS = (0, 1_000, 10_000, 60_000)
"""When the mid is noted, in milliseconds after the trade."""
BEFORE_NS = 500 * NS_PER_MS
WAITING = 20_000
"""The most trades whose later mids are waited for; beyond them the newest are not measured."""

NO_TRADES: frozenset[Liquidity] = frozenset({"settlement", "merge", "convert"})
"""What a resolution, a merge or a conversion books is no trade with anybody."""

MidOf = Callable[[str], int | None]
"""The mid of a token's book in millionths of a dollar; None where it may not be trusted, or has an empty side."""


class Markouts:
    """The trades whose later mids are still to be noted.

    They outlive the process: ``recover`` takes what the journal holds, and ``begin`` waits again for the moments that are to come. A
    moment that passed while nobody looked is noted as unknown. Mids are no durable records, so that it cannot be told whether one was
    noted between the last record and the end of that life: then it may be there twice, once unknown.
    """

    def __init__(self, mid_of: MidOf) -> None:
        self._mid_of = mid_of
        self._recovered: dict[tuple[str, str], Fill | None] = {}
        self._alive_ns = 0
        self._waiting: list[tuple[int, int, int, Fill]] = []
        self._noted_now: list[Markout] = []
        self._number = 0
        self._past: dict[str, list[tuple[int, int]]] = {}

    def recover(self, record: Message) -> None:
        """A record of an earlier life, or a checkpoint of one; in their order."""
        self._alive_ns = max(self._alive_ns, record.ts_ns)
        if isinstance(record, Checkpoint):
            for each in record.fills:
                self._remember(each)
        elif isinstance(record, FillRecord):
            self._remember(record)

    def begin(self, now_ns: int) -> None:
        """This life begins: wait for what is to come of the trades of earlier ones, and note as unknown what was missed."""
        for fill in self._recovered.values():
            if fill is None:
                continue
            for horizon_ms in HORIZONS_MS[1:]:
                due_ns = fill.ts_ns + horizon_ms * NS_PER_MS
                if due_ns > now_ns:
                    self._wait(fill, horizon_ms, due_ns)
                elif due_ns > self._alive_ns:
                    self._noted_now.append(self._noted(fill, horizon_ms, now_ns, None))
        self._recovered = {}

    def _remember(self, record: FillRecord) -> None:
        """Keep a trade as of when it was first told; one that is measured to its end only by name, as later words of it may follow."""
        key = (record.trade_id, record.client_order_id)
        if record.liquidity in NO_TRADES or self._recovered.get(key, record) is None:
            return
        known = self._recovered.setdefault(key, fill_of(record))
        if known is not None and known.ts_ns + HORIZONS_MS[-1] * NS_PER_MS <= self._alive_ns:
            self._recovered[key] = None

    def on_book(self, book: BookSnapshot, now_ns: int) -> None:
        """A book's state or top changed: remember since when its mid is what it is, and the mids of the last moments."""
        mid_e6 = book.mid_e6 if book.state in SHOWN else None
        if mid_e6 is None:
            return
        past = self._past.get(book.token_id)
        if past is None:
            self._past[book.token_id] = [(now_ns, mid_e6)]
        elif past[-1][1] != mid_e6:
            past.append((now_ns, mid_e6))
            while len(past) > 1 and past[1][0] <= now_ns - BEFORE_NS:
                del past[0]

    def on_fill(self, fill: Fill, now_ns: int) -> None:
        """One of our orders traded: the mid of now, and the later ones when they are due. What a resolution or a merge paid is no trade."""
        if fill.liquidity in NO_TRADES:
            return
        self._noted_now.append(self._noted(fill, 0, now_ns, self._met(fill, now_ns)))
        if len(self._waiting) >= WAITING:
            return
        for horizon_ms in HORIZONS_MS[1:]:
            self._wait(fill, horizon_ms, now_ns + horizon_ms * NS_PER_MS)

    def next_ns(self) -> int | None:
        """When ``due`` wants to be called; None: nothing waits."""
        if self._noted_now:
            return self._noted_now[0].ts_ns
        return self._waiting[0][0] if self._waiting else None

    def due(self, now_ns: int) -> Iterator[Markout]:
        """What was noted at trades, and the later mids that are due by now."""
        noted, self._noted_now = self._noted_now, []
        yield from noted
        while self._waiting and self._waiting[0][0] <= now_ns:
            _, _, horizon_ms, fill = heapq.heappop(self._waiting)
            yield self._noted(fill, horizon_ms, now_ns, self._mid_of(fill.token_id))

    def _wait(self, fill: Fill, horizon_ms: int, due_ns: int) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (due_ns, self._number, horizon_ms, fill))

    def _met(self, fill: Fill, now_ns: int) -> int | None:
        """The mid that a trade met; None where the book may not be trusted."""
        mid_e6 = self._mid_of(fill.token_id)
        past = self._past.get(fill.token_id)
        if fill.liquidity != "maker" or mid_e6 is None or past is None:
            return mid_e6
        before = [mid for since_ns, mid in past if since_ns <= now_ns - BEFORE_NS]
        return before[-1] if before else past[0][1]

    def _noted(self, fill: Fill, horizon_ms: int, now_ns: int, mid_e6: int | None) -> Markout:
        return Markout(
            ts_ns=now_ns,
            trade_id=fill.trade_id,
            client_order_id=fill.client_order_id,
            strategy=fill.strategy,
            mode=fill.mode,
            token_id=fill.token_id,
            market=fill.market,
            side=fill.side,
            price_e6=fill.price_e6,
            size_e6=fill.size_e6,
            horizon_ms=horizon_ms,
            mid_e6=mid_e6,
        )


def earned_floor_e6(side: Side, from_e6: int, to_e6: int, size_e6: int) -> int:
    """What a trade gains when the price of what was traded goes from one to the other, in millionths of a dollar, rounded down."""
    change = to_e6 - from_e6 if side == "BUY" else from_e6 - to_e6
    return change * size_e6 // ONE_E6
