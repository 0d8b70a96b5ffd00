"""Moments within a recording as people give them: a day and time, nanoseconds, or so long after the beginning."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_MS, NS_PER_S

_AFTER = re.compile(r"\+(\d{1,12})(?:\.(\d{1,9}))?(h|min|s|ms)")
_UNIT_NS = {"h": 3_600 * NS_PER_S, "min": 60 * NS_PER_S, "s": NS_PER_S, "ms": NS_PER_MS}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"(.*:\d\d)\.(\d{1,9})(.*)")
HELP = "2026-11-22T10:30:00.5 (UTC), +90s or +2min after the beginning, or nanoseconds"
LATEST_NS = 2**63 - 1


def moment_ns(text: str, option: str, first_ns: int) -> int:
    """UTC nanoseconds, exact. ``first_ns`` is the recording's beginning. Raises BadInput naming the option."""
    after = _AFTER.fullmatch(text)
    if after is not None:
        unit_ns = _UNIT_NS[after[3]]
        part = after[2] or ""
        found = first_ns + int(after[1]) * unit_ns + int(part.ljust(9, "0")) * unit_ns // NS_PER_S
    elif text.isascii() and text.isdigit() and 16 <= len(text) <= 19:
        found = int(text)
    else:
        found = _iso_ns(text, option)
    if not 0 < found <= LATEST_NS:
        raise BadInput(f"{option} {text}: not a moment; give {HELP}")
    return found


def _iso_ns(text: str, option: str) -> int:
    split = _FRACTION.fullmatch(text)
    plain, fraction = (split[1] + split[3], split[2]) if split else (text, "")
    try:
        at = datetime.fromisoformat(plain)
        moment = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        raise BadInput(f"{option} {text}: not a moment; give {HELP}") from None
    return moment // timedelta(microseconds=1) * 1_000 + int(fraction.ljust(9, "0"))
