"""Time as a parameter: UTC nanoseconds that never step back, from the system or from the events themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

STEP_NS = 200_000_000
"""From here on a machine's clock that is behind was set back; what is less is waited out."""
SHED = 10
"""While ahead of the machine's clock, time goes slower by this part."""


class Clock(Protocol):
    """What a runner needs of time. ``steps_back`` counts how often the source of time was set back."""

    steps_back: int

    def now_ns(self) -> int:
        """UTC nanoseconds; never less than an earlier answer."""

    def advance(self, ts_ns: int) -> None:
        """Learn that an event of ``ts_ns`` is being handled."""


class SystemClock:
    """The machine's UTC clock, without its steps back. Threads may share one.

    When the machine's clock is set back, time goes on from where it was, a tenth slower than real time, until the machine's has
    caught up: so no timer stands still, ages and lifetimes stay true within a tenth, and no day begins twice. Each such step is counted
    and told to ``on_step_back`` with its nanoseconds. A step forward is taken as it is; it first uses up what time is ahead.
    """

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
        on_step_back: Callable[[int], None] = lambda step_ns: None,
    ) -> None:
        self.steps_back = 0
        self.ahead_ns = 0
        """How far time is ahead of the machine's clock."""
        self._wall, self._monotonic, self._on_step_back = wall, monotonic, on_step_back
        self._last_ns = 0
        self._wall_ns = self._mono_ns = 0
        self._adjusting = threading.Lock()

    def now_ns(self) -> int:
        wall_ns = self._wall()
        if not self.ahead_ns:
            behind_ns = self._last_ns - wall_ns
            if behind_ns <= 0:
                self._last_ns = wall_ns
                return wall_ns
            if behind_ns < STEP_NS:
                return self._last_ns
        return self._adjusted()

    def advance(self, ts_ns: int) -> None:
        """The system's time needs no events."""

    def _adjusted(self) -> int:
        """Time while the machine's clock is behind it."""
        with self._adjusting:
            wall_ns, mono_ns = self._wall(), self._monotonic()
            if not self.ahead_ns:
                stepped_ns = self._last_ns - wall_ns
                if stepped_ns < STEP_NS:
                    return self._last_ns
            else:
                passed_ns = mono_ns - self._mono_ns
                stepped_ns = self._wall_ns + passed_ns - wall_ns
                forward_ns = -stepped_ns if -stepped_ns >= STEP_NS else 0
                self.ahead_ns = max(0, self.ahead_ns - passed_ns // SHED - forward_ns)
            self._wall_ns, self._mono_ns = wall_ns, mono_ns
            is_set_back = stepped_ns >= STEP_NS
            if is_set_back:
                self.ahead_ns += stepped_ns
                self.steps_back += 1
            self._last_ns = now_ns = max(self._last_ns, wall_ns + self.ahead_ns)
        if is_set_back:
            self._on_step_back(stepped_ns)
        return now_ns


class EventClock:
    """Time as the events tell it: the largest ``ts_ns`` handed over so far. For replay."""

    def __init__(self, start_ns: int = 0) -> None:
        self.steps_back = 0
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, ts_ns: int) -> None:
        if ts_ns > self._now_ns:
            self._now_ns = ts_ns


def monotonic_ns() -> int:
    """The machine's monotonic clock, for plumbing only: heartbeats, resends, waiting. Never for a decision."""
    return time.monotonic_ns()
