"""Our orders and trades on paper, in the one orientation in which both tokens of a market are the same book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.base.units import ONE_E6
from pipeline.messages.market import Side
from pipeline.messages.orders import OrderType

Liquidity = Literal["maker", "taker"]

BID, ASK = 0, 1


@dataclass(slots=True, eq=False)
class PaperOrder:
    """One of our orders. ``outcome`` is the position of its token: 0 for the first, 1 for the other one, whose price is one minus.

    ``at_e6`` and ``side_at`` say where it stands in the first token's book. ``ahead_e6`` are the shares of others that trade before it
    at its price. ``number`` counts the drops of displayed size that its book had seen when it joined its level, and ``since_ns`` is the
    venue's time of that book.
    """

    name: str
    outcome: int
    side: Side
    price_e6: int
    size_e6: int
    order_type: OrderType = "GTC"
    post_only: bool = False
    filled_e6: int = 0
    ahead_e6: int = 0
    number: int = 0
    since_ns: int = 0

    @property
    def side_at(self) -> int:
        """``BID`` or ``ASK`` in the first token's book: buying NO is selling YES."""
        return BID if (self.side == "BUY") == (self.outcome == 0) else ASK

    @property
    def at_e6(self) -> int:
        """The price in the first token's book."""
        return oriented_e6(self.price_e6, self.outcome)

    @property
    def remaining_e6(self) -> int:
        """What may still trade."""
        return self.size_e6 - self.filled_e6


@dataclass(frozen=True, slots=True)
class Execution:
    """A trade of one of our orders, at the price of its own token. ``filled_e6`` is the order's total with it."""

    order: PaperOrder
    price_e6: int
    size_e6: int
    filled_e6: int
    liquidity: Liquidity


def oriented_e6(price_e6: int, outcome: int) -> int:
    """A price of one token in the other orientation: as it is for the first token, one minus for the other."""
    return ONE_E6 - price_e6 if outcome else price_e6


def executed(order: PaperOrder, at_e6: int, size_e6: int, liquidity: Liquidity) -> Execution:
    """Fill a part of an order at a price of the first token's book."""
    order.filled_e6 += size_e6
    return Execution(order, oriented_e6(at_e6, order.outcome), size_e6, order.filled_e6, liquidity)
