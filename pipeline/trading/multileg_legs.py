"""The legs of a plan of several steps: what was planned of each and became of it, which comes first, and what a miss costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.base.units import ONE_E6
from pipeline.messages.market import FeeSchedule, Side
from pipeline.trading.diff import Quote


@dataclass(slots=True)
class LegRun:
    """One leg: what was planned, and what became of it. Amounts in millionths; ``spent`` and ``earned`` with fees."""

    token_id: str
    market: str
    price_e6: int
    size_e6: int
    fees: FeeSchedule | None = None
    min_size_e6: int = 0
    held_e6: int = 0
    spent_e6: int = 0
    earned_e6: int = 0
    tries: dict[str, int] = field(default_factory=dict)
    tried_on: dict[str, int] = field(default_factory=dict)

    def book(self, side: Side, size_e6: int, notional_e6: int, fee_e6: int) -> None:
        """Count what was traded."""
        if side == "BUY":
            self.held_e6 += size_e6
            self.spent_e6 += notional_e6 + fee_e6
        else:
            self.held_e6 -= size_e6
            self.earned_e6 += notional_e6 - fee_e6


@dataclass(slots=True)
class Pending:
    """The order that is under way: whose it is, and until when an answer is waited for."""

    leg: LegRun
    quote: Quote
    answer_by_ns: int
    client_order_id: str = ""
    filled_e6: int = 0
    told_e6: int = 0
    answered: bool = False
    ended: bool = False
    reason: str = ""


def legs_in_order(legs: Sequence[LegRun], depths: Sequence[int]) -> list[LegRun]:
    """The legs with the thinnest book first: what is most likely to fall short is tried while nothing is held yet."""
    order = sorted(range(len(legs)), key=lambda i: (depths[i], legs[i].token_id))
    return [legs[i] for i in order]


def expected_miss_cost_e6(legs: Sequence[LegRun], loss_e6: Sequence[int], miss_rate_e6: int) -> int:
    """What legs that stay unfilled cost on average, rounded up: each leg may miss, and then those before it are sold again.

    ``loss_e6``: what buying and at once selling each leg costs. ``miss_rate_e6``: how often a leg misses, in millionths.
    """
    total = before = 0
    for i in range(1, len(legs)):
        before += loss_e6[i - 1]
        total += before * miss_rate_e6
    return -(-total // ONE_E6)
