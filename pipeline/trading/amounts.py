"""The amounts of an order as the venue wants them: collateral and shares in millionths, rounded by the market's tick.

Exact decimals throughout. Source: amounts of the official clients, seen 2026-11-22 (where they differ, the one that does not
floor binary floats).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

from pipeline.messages.market import Side


@dataclass(frozen=True, slots=True)
class Places:
    """Decimal places that a tick allows in prices, sizes and amounts of collateral."""

    price: int
    size: int
    amount: int


PLACES: dict[str, Places] = {
    "0.1": Places(1, 2, 3),
    "0.01": Places(2, 2, 4),
    "0.005": Places(3, 2, 5),
    "0.0025": Places(4, 2, 6),
    "0.001": Places(3, 2, 5),
    "0.0001": Places(4, 2, 6),
}
"""By tick size, as the venue writes it."""

SIZE_STEP_E6 = 10_000
"""Sizes have at most two decimals at every tick."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What the maker of an order gives and takes, in millionths: collateral against shares, or shares against collateral."""

    maker: int
    taker: int


def is_on_grid(price: Decimal, tick: Decimal) -> bool:
    """A price the venue takes: from one tick to one minus a tick, a whole number of ticks."""
    return tick <= price <= 1 - tick and price % tick == 0


def limit_amounts(side: Side, price: Decimal, size: Decimal, tick_size: str) -> Amounts:
    """The amounts of a limit order of ``size`` shares. Raises ValueError for an unknown tick or a price off its grid."""
    places = _places(tick_size)
    if not is_on_grid(price, Decimal(tick_size)):
        raise ValueError(f"price {price} is not on the grid of tick {tick_size}")
    shares = _floor(size, places.size)
    collateral = _rounded(shares * price, places.amount)
    return _amounts(side, collateral, shares)


def market_amounts(side: Side, price: Decimal, quantity: Decimal, tick_size: str) -> Amounts:
    """The amounts of a FOK or FAK order: ``quantity`` is collateral to spend for a BUY, shares to sell for a SELL.

    ``price`` is the worst acceptable one; it is floored to the places of the tick. Raises ValueError for an unknown tick.
    """
    places = _places(tick_size)
    worst = _floor(price, places.price)
    given = _floor(quantity, places.size)
    if side == "SELL":
        return _amounts(side, _rounded(given * worst, places.amount), given)
    with localcontext() as context:
        context.prec = 28
        shares = _rounded(given / worst, places.amount)
    return _amounts(side, given, shares)


def _places(tick_size: str) -> Places:
    if tick_size not in PLACES:
        raise ValueError(f"tick size {tick_size} is unknown; known are {', '.join(PLACES)}")
    return PLACES[tick_size]


def _floor(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_FLOOR)


def _rounded(value: Decimal, places: int) -> Decimal:
    """Up at four places more than allowed, then down: a long tail of a division does not lose its last digit."""
    if _count(value) <= places:
        return value
    value = value.quantize(Decimal(1).scaleb(-(places + 4)), rounding=ROUND_CEILING)
    return value if _count(value) <= places else _floor(value, places)


def _count(value: Decimal) -> int:
    """Decimal places in use."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _amounts(side: Side, collateral: Decimal, shares: Decimal) -> Amounts:
    money, count = int(collateral.scaleb(6)), int(shares.scaleb(6))
    return Amounts(money, count) if side == "BUY" else Amounts(count, money)
