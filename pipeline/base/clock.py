"""Time as a parameter: UTC nanoseconds that never step back, from the system or from the events themselves."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What a runner needs of time."""

    def now_ns(self) -> int:
        """UTC nanoseconds; never less than an earlier answer."""

    def advance(self, ts_ns: int) -> None:
        """Learn that an event of ``ts_ns`` is being handled."""


class SystemClock:
    """The machine's UTC clock, held where it is while the machine's own steps back."""

    def __init__(self) -> None:
        self._last_ns = 0

    def now_ns(self) -> int:
        now_ns = time.time_ns()
        if now_ns > self._last_ns:
            self._last_ns = now_ns
        return self._last_ns

    def advance(self, ts_ns: int) -> None:
        """The system's time needs no events."""


class EventClock:
    """Time as the events tell it: the largest ``ts_ns`` handed over so far. For replay."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, ts_ns: int) -> None:
        if ts_ns > self._now_ns:
            self._now_ns = ts_ns


def monotonic_ns() -> int:
    """The machine's monotonic clock, for plumbing only: heartbeats, resends, waiting. Never for a decision."""
    return time.monotonic_ns()
