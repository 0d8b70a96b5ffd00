"""The venue's own times, which it writes as text in milliseconds."""

from __future__ import annotations

from pipeline.base.units import NS_PER_MS


def time_ms(venue_ts: str | None) -> int:
    """The venue's timestamp as a number of milliseconds; 0 where it is none."""
    return int(venue_ts) if venue_ts and venue_ts.isascii() and venue_ts.isdigit() else 0


def venue_ns_of(venue_ts: str | None, otherwise_ns: int) -> int:
    """The venue's millisecond timestamp text in nanoseconds; ``otherwise_ns`` where there is none."""
    return time_ms(venue_ts) * NS_PER_MS or otherwise_ns
