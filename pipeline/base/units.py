"""Money and shares as integer millionths, and the named ways to turn text into them and back.

One unit is one millionth: of a dollar a share (a price), of a share (a size), of a dollar (a notional).
No float ever holds one. Where a result must be rounded the function's name says which way.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import NewType

PriceE6 = NewType("PriceE6", int)
"""A price in millionths of a dollar a share: 0 to ``ONE_E6``."""
SizeE6 = NewType("SizeE6", int)
"""A number of shares in millionths of a share."""
UsdcE6 = NewType("UsdcE6", int)
"""An amount of collateral in millionths of a dollar."""

ONE_E6 = 1_000_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
SIZES_KEPT = 8_192
"""How many size texts are remembered: of a quarter of an hour of twelve tokens 90 % came again, with eight times as many 91 %."""
_LONGEST_NUMBER = 400
_SCALE: tuple[int, ...] = tuple(10 ** (6 - places) for places in range(7))
_TOO_LARGE = 2**63  # what a message can carry


def parse_e6(text: str) -> int:
    """Millionths in a decimal text such as ``"0.41"`` or ``"-10"``; exact.

    Raises ValueError for anything that is not a finite decimal number with at most six decimal places.
    """
    whole, _, part = text.partition(".")
    if whole.isdigit() and (part.isdigit() or not part) and len(part) <= 6 and len(whole) <= 12 and text.isascii():
        return int(whole + part) * _SCALE[len(part)]
    digits = whole[1:]
    if whole[:1] == "-" and digits.isdigit() and (part.isdigit() or not part) and len(part) <= 6 and len(digits) <= 12:
        return -int(digits + part) * _SCALE[len(part)] if text.isascii() else _e6_of_decimal(text)
    return _e6_of_decimal(text)


def _e6_of_decimal(text: str) -> int:
    """The slow way, for exponents, long tails of zeros and errors. Never rounds, however many digits there are."""
    if not text.isascii() or len(text) > _LONGEST_NUMBER or "_" in text:
        raise ValueError(f"{text[:40]!r} is not a decimal number")
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except (ArithmeticError, ValueError):
        raise ValueError(f"{text!r} is not a decimal number") from None
    if not isinstance(exponent, int) or abs(exponent) > _LONGEST_NUMBER:
        raise ValueError(f"{text!r} is not a finite number of a sensible size")
    value: int = int("".join(map(str, digits)))
    if exponent >= -6:
        value *= 10 ** (exponent + 6)
    else:
        value, rest = divmod(value, 10 ** (-6 - exponent))
        if rest:
            raise ValueError(f"{text!r} is not a number of at most six decimal places")
    if value >= _TOO_LARGE:
        raise ValueError(f"{text!r} is not a finite number of a sensible size")
    return -value if sign else value


@lru_cache(maxsize=65_536)
def parse_price_e6(text: str) -> PriceE6:
    """A price in millionths. A price outside 0 to 1 is a ValueError: no outcome token can cost it."""
    value = parse_e6(text)
    if not 0 <= value <= ONE_E6:
        raise ValueError(f"price {text} is outside 0 to 1")
    return PriceE6(value)


@lru_cache(maxsize=SIZES_KEPT)
def parse_size_e6(text: str) -> SizeE6:
    """A size in millionths of a share. A negative size is a ValueError."""
    value = parse_e6(text)
    if value < 0:
        raise ValueError(f"size {text} is negative")
    return SizeE6(value)


same_price_e6 = lru_cache(maxsize=10_000)(int)
"""The one number that stands for all equal ones: every book has the same few prices, and many are kept for long."""


def nearest_e6(text: str) -> int:
    """The millionths nearest to a decimal text, halves to even: for data that went through binary floats, never for our own.

    Raises ValueError for anything that is not a finite decimal number below a million million.
    """
    try:
        scaled = Decimal(text) * ONE_E6
    except ArithmeticError:
        raise ValueError(f"{text!r} is not a decimal number") from None
    if not scaled.is_finite() or abs(scaled) >= ONE_E6**3:
        raise ValueError(f"{text!r} is not a finite number below {ONE_E6**2}")
    return int(scaled.to_integral_value(ROUND_HALF_EVEN))


def e6_of_decimal(value: Decimal) -> int:
    """Millionths of an exact Decimal, as configuration holds money; raises ValueError if it has more places."""
    return _e6_of_decimal(str(value))


def format_e6(value: int) -> str:
    """The shortest decimal text of a number of millionths: ``410000`` is ``"0.41"``."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    whole, part = divmod(value, ONE_E6)
    if not part:
        return f"{sign}{whole}"
    return f"{sign}{whole}." + f"{part:06d}".rstrip("0")


def decimal_of_e6(value: int) -> Decimal:
    """The exact Decimal of a number of millionths."""
    return Decimal(value).scaleb(-6)


def notional_floor_e6(price_e6: int, size_e6: int) -> UsdcE6:
    """price x size in millionths of a dollar, rounded down: what a seller may count on."""
    return UsdcE6(price_e6 * size_e6 // ONE_E6)


def notional_ceil_e6(price_e6: int, size_e6: int) -> UsdcE6:
    """price x size in millionths of a dollar, rounded up: what a buyer must have."""
    return UsdcE6(-(-price_e6 * size_e6 // ONE_E6))


def floor_to(value_e6: int, step_e6: int) -> int:
    """The largest multiple of ``step_e6`` that is not above the value: a bid's direction."""
    return value_e6 // step_e6 * step_e6


def ceil_to(value_e6: int, step_e6: int) -> int:
    """The smallest multiple of ``step_e6`` that is not below the value: an ask's direction."""
    return -(-value_e6 // step_e6) * step_e6


def complement_e6(price_e6: int) -> PriceE6:
    """The other outcome's price for the same liquidity: YES at p is NO at 1 - p."""
    return PriceE6(ONE_E6 - price_e6)
