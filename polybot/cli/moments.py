"""Moments as people give them: a day, a time of day, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pipeline.base.errors import BadInput

_AGO = re.compile(r"(\d{1,7})(d|h|min|s)")
_UNIT = {"d": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1), "s": timedelta(seconds=1)}
_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENT_HELP = "2026-11-22, 2026-11-22T10:30 (UTC), or an age: 7d, 12h, 30min"


def parse_moment(text: str, option: str, now_ms: int) -> int:
    """UTC milliseconds of a day, a day and time, or an age counted back from ``now_ms``. Raises BadInput naming the option."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now_ms - int(ago[1]) * _UNIT[ago[2]] // _MS
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{option} {text}: not a moment; give {MOMENT_HELP}") from None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MS
