"""Numbers as the venue writes them: checked as text, kept as text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NoReturn

from pipeline.base.errors import BadFrame
from pipeline.base.units import ONE_E6, SIZES_KEPT, parse_e6

LONGEST = 40
"""Characters of the longest number taken from outside; the venue's own are below 20."""
LARGEST_E6 = 2**62
LARGEST_WHOLE = LARGEST_E6 // ONE_E6
LARGEST_SEQ = 2**62
LATEST_MS = 2**62 // 1_000_000
"""The last millisecond whose nanoseconds fit 63 bits."""


@lru_cache(maxsize=65_536)
def number_e6(text: str) -> int:
    """Millionths of a decimal text from outside. Raises BadFrame if it is none, has more than six places or is absurdly large."""
    return _e6_of(text)


def _e6_of(text: str) -> int:
    if len(text) > LONGEST:
        raise BadFrame(f"{text[:LONGEST]!r}… is too long for a number")
    try:
        value = parse_e6(text)
    except (ValueError, ArithmeticError) as error:
        raise BadFrame(f"{text!r} is not a number with at most six decimal places") from error
    if not -LARGEST_E6 < value < LARGEST_E6:
        raise BadFrame(f"{text} is too large")
    return value


@lru_cache(maxsize=65_536)
def check_price(text: str) -> None:
    """Raises BadFrame unless the text is a price from 0 to 1."""
    if not 0 <= number_e6(text) <= ONE_E6:
        raise BadFrame(f"price {text} is outside 0 to 1")


@lru_cache(maxsize=SIZES_KEPT)
def check_size(text: str) -> None:
    """Raises BadFrame unless the text is a number of shares, 0 or more."""
    if _e6_of(text) < 0:
        raise BadFrame(f"size {text} is negative")


def check_time(text: str) -> None:
    """Raises BadFrame unless the text is a time in whole milliseconds."""
    if not (text.isascii() and text.isdigit() and len(text) <= 13):
        raise BadFrame(f"timestamp {text[:LONGEST]!r} is not in milliseconds")


def number_text(value: Any, name: str) -> str:
    """A JSON number (floats already come as their own text) or a numeric string, as text. Raises BadFrame for anything else."""
    kind = type(value)
    if kind is str:
        number_e6(value)
        return value  # type: ignore[no-any-return]
    if kind is not int or not -LARGEST_WHOLE < value < LARGEST_WHOLE:
        _refuse(value, name)
    return str(value)


def whole(value: Any, name: str, largest: int) -> int:
    """A whole number, 0 to ``largest``, from a JSON number or a numeric string. Raises BadFrame for anything else."""
    if isinstance(value, str):
        found, rest = divmod(number_e6(value), ONE_E6)
        if rest:
            _refuse(value, name)
    elif type(value) is int:
        found = value
    else:
        _refuse(value, name)
    if not 0 <= found <= largest:
        _refuse(value, name)
    return found


def _refuse(value: Any, name: str) -> NoReturn:
    shown = f"a whole number of {value.bit_length()} bits" if type(value) is int and value.bit_length() > 64 else repr(value)[:60]
    raise BadFrame(f"{name}: {shown} is not a number that fits")
