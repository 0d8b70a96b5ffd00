"""Words that the commands about trading share: times, short ids, and which profit is only simulated."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pipeline.messages.orders import VENUE_MODES

SIMULATED = "simulated"
_LONGEST_ID = 14


OFFLINE_MONEY = "the offline venue's money"


def is_simulated(mode: str) -> bool:
    """No real money changed hands. True of every mode: signed orders go to the offline venue alone."""
    return True


def money_of(mode: str) -> str:
    """What stands behind a profit of this mode."""
    return OFFLINE_MONEY if mode in VENUE_MODES else SIMULATED


def show_time(ts_ms: int) -> str:
    """UTC time to the millisecond."""
    return datetime.fromtimestamp(ts_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


_IDS = re.compile(r"\b(?:0x[0-9a-fA-F]{40,}|[0-9]{40,})\b")


def with_short_ids(text: str) -> str:
    """A sentence whose condition and token ids are cut in the middle."""
    return _IDS.sub(lambda found: short_id(found.group()), text)


def short_id(name: str) -> str:
    """A condition or token id cut in the middle; the caller's own words stay whole."""
    return name if len(name) <= _LONGEST_ID else f"{name[:6]}…{name[-4:]}"
