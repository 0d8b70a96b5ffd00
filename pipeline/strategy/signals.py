"""What the recent past of one book says: whether its mid jumped, how much it moves, and what became of the price after our trades.

All in millionths of a dollar a share, exact integers, fed by the clock of the messages alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from pipeline.base.units import NS_PER_S
from pipeline.messages.market import Side

SAMPLE_NS = NS_PER_S
SAMPLES = 30
MARKOUT_NS = 10 * NS_PER_S
"""How long after a trade its price is held against the mid."""
_MEMORY = 8
"""A new markout counts for one part in so many."""
_AT_MOST = 200


@dataclass(slots=True)
class Signals:
    """One quoted book's. ``on_top`` is told every book of it that has two sides, ``on_trade`` every trade of ours."""

    mid_e6: int | None = None
    jump_e6: int = 0
    volatility_e6: int = 0
    markout_e6: int = 0
    _sampled_e6: int | None = None
    _sample_ns: int = 0
    _moves: list[int] = field(default_factory=list)
    _trades: deque[tuple[int, int, int]] | None = None

    def on_top(self, bid_e6: int, ask_e6: int, now_ns: int) -> int:
        """How far the mid is from where it was a second ago, or from the book before, whichever is farther.

        ``volatility_e6`` is the mean move from second to second over the last 30 that saw books.
        """
        mid = (bid_e6 + ask_e6) >> 1
        last = self.mid_e6
        self.mid_e6 = mid
        if now_ns >= self._sample_ns:
            self._sample(mid, now_ns)
        if mid == last and not self.jump_e6:
            return 0
        base = mid if self._sampled_e6 is None else self._sampled_e6
        self.jump_e6 = max(abs(mid - base), 0 if last is None else abs(mid - last))
        return self.jump_e6

    def on_trade(self, side: Side, price_e6: int, now_ns: int) -> None:
        """A trade of ours, seen from the quoted token: what the price does afterwards is judged in ``MARKOUT_NS``."""
        if self._trades is None:
            self._trades = deque(maxlen=_AT_MOST)
        self._trades.append((now_ns + MARKOUT_NS, 1 if side == "BUY" else -1, price_e6))

    def _sample(self, mid_e6: int, now_ns: int) -> None:
        """Once a second: the base of jumps, the move since the sample before, and the trades that are old enough."""
        if self._sampled_e6 is not None:
            self._moves.append(abs(mid_e6 - self._sampled_e6))
            del self._moves[:-SAMPLES]
            self.volatility_e6 = sum(self._moves) // len(self._moves)
        self._sampled_e6 = mid_e6
        self._sample_ns = now_ns + SAMPLE_NS
        while self._trades and self._trades[0][0] <= now_ns:
            _, sign, price_e6 = self._trades.popleft()
            gain = sign * (mid_e6 - price_e6)
            self.markout_e6 += (gain - self.markout_e6) // _MEMORY
