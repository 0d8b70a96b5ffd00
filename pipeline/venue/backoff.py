"""How long to wait before trying again, and how often one may ask: pure, time and chance are passed in."""

from __future__ import annotations

import random


class Backoff:
    """Waits that double from ``min_ms`` to ``max_ms``, each drawn from its upper half so that many clients spread out."""

    def __init__(self, min_ms: int, max_ms: int, rng: random.Random) -> None:
        self._min_ms, self._max_ms, self._rng = min_ms, max_ms, rng
        self._ms = min_ms

    def next_s(self) -> float:
        """Seconds to wait before the next try."""
        wait_ms = self._ms * (0.5 + self._rng.random() / 2)
        self._ms = min(self._ms * 2, self._max_ms)
        return wait_ms / 1_000

    def reset(self) -> None:
        """It worked: begin with the shortest wait again."""
        self._ms = self._min_ms


class TokenBucket:
    """At most ``limit`` requests in any ``period_ns``, spread evenly after a first burst of a tenth."""

    def __init__(self, limit: int, period_ns: int) -> None:
        self._each_ns = max(1, period_ns // max(1, limit))
        self._burst_ns = self._each_ns * max(0, limit // 10 - 1)
        self._free_ns: int | None = None

    def take(self, now_ns: int) -> int:
        """Take one request and say how many nanoseconds to wait before making it."""
        free_ns = now_ns - self._burst_ns if self._free_ns is None else max(self._free_ns, now_ns - self._burst_ns)
        self._free_ns = free_ns + self._each_ns
        return max(0, free_ns - now_ns)
