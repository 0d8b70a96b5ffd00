"""What positions and open orders could lose together at the worst resolution: of one market, or of the markets of an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.base.units import notional_ceil_e6, notional_floor_e6
from pipeline.messages.market import Market, Side

Held = tuple[str, int, int]
"""(token, shares, what was paid for them less what was received): a position; shares sold short are negative."""
Asked = tuple[str, Side, int, int, int]
"""(token, side, price, size, the most it may be charged): an order that may fill whole, in part or not at all, or a trade that may fail."""


def market_values_e6(market: Market, held: Iterable[Held], asked: Iterable[Asked]) -> tuple[int, ...]:
    """Profit in millionths of a dollar for each outcome that may win, the first outcome's first; every order as it hurts most there.

    An order that gains where another outcome wins is counted as unfilled there, so that the value holds whichever of them fill.
    A 50/50 resolution lies between the outcomes of one market; over the markets of an event it is not covered.
    """
    tokens = market.token_ids
    values = [0] * len(tokens)
    for token_id, shares, cost in held:
        for index, winner in enumerate(tokens):
            values[index] += (shares if winner == token_id else 0) - cost
    for token_id, side, price, size, fee in asked:
        paid = fee + (notional_ceil_e6(price, size) if side == "BUY" else -notional_floor_e6(price, size))
        got = size if side == "BUY" else -size
        for index, winner in enumerate(tokens):
            change = got - paid if winner == token_id else -paid
            if change < 0:
                values[index] += change
    return tuple(values)


def market_loss_e6(values: Sequence[int]) -> int:
    """The most that a market can lose, 0 if every outcome is a gain."""
    return max(0, -min(values, default=0))


def event_loss_e6(markets: Sequence[Sequence[int]], exclusive: bool) -> int:
    """The most that the markets of an event can lose together; each is given by its ``market_values_e6``.

    ``exclusive``: binary markets of which at most one resolves Yes (neg-risk). Otherwise each may end at its worst.
    """
    if not exclusive or any(len(values) != 2 for values in markets):
        return sum(market_loss_e6(values) for values in markets)
    none = sum(no for _, no in markets)
    return max(0, -min([none, *(none - no + yes for yes, no in markets)]))
