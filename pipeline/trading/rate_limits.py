"""How often something may be done: token buckets for orders and cancels, and a window that counts errors. Time is ``now_ns`` alone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from pipeline.base.settings import RateLimitsSection
from pipeline.base.units import NS_PER_S

MINUTE_NS = 60 * NS_PER_S


class Bucket:
    """A token bucket: ``burst`` at once, ``per_s`` a second in the long run; full at first. Exact: its level is kept in token-nanoseconds.

    The venue's limit of each signer is one for orders and one for cancels; a batch of N costs N (trading-rate-limits page, seen 2026-09).
    """

    def __init__(self, per_s: int, burst: int) -> None:
        self.per_s, self.burst = per_s, burst
        self._level = burst * NS_PER_S
        self._at_ns = 0

    def available(self, now_ns: int) -> int:
        """Whole tokens; negative while more was taken than there was."""
        self._fill(now_ns)
        return self._level // NS_PER_S

    def take(self, count: int, now_ns: int) -> bool:
        """Take ``count`` tokens if there are so many; otherwise nothing is taken."""
        if self.available(now_ns) < count:
            return False
        self._level -= count * NS_PER_S
        return True

    def charge(self, count: int, now_ns: int) -> None:
        """Take tokens for what cannot wait, also those that are not there: what comes after waits for them."""
        self._fill(now_ns)
        self._level -= count * NS_PER_S

    def ready_ns(self, count: int) -> int:
        """When ``count`` tokens are there if nothing more is taken; a time that has passed if they are. ``count`` is at most ``burst``."""
        missing = count * NS_PER_S - self._level
        return self._at_ns if missing <= 0 else self._at_ns - (-missing // self.per_s)

    def _fill(self, now_ns: int) -> None:
        if now_ns > self._at_ns:
            self._level = min(self.burst * NS_PER_S, self._level + (now_ns - self._at_ns) * self.per_s)
            self._at_ns = now_ns


@dataclass(frozen=True)
class RateLimits:
    """The buckets of ``[rate_limits]``."""

    orders: Bucket
    cancels: Bucket

    @classmethod
    def from_settings(cls, section: RateLimitsSection) -> RateLimits:
        """Full buckets of the configured sizes."""
        return cls(
            orders=Bucket(section.orders_per_s, section.orders_burst),
            cancels=Bucket(section.cancels_per_s, section.cancels_burst),
        )


class Window:
    """How many things happened in the last minute."""

    def __init__(self, length_ns: int = MINUTE_NS) -> None:
        self.length_ns = length_ns
        self._times: deque[int] = deque()

    def add(self, now_ns: int) -> None:
        """One more."""
        self._times.append(now_ns)

    def count(self, now_ns: int) -> int:
        """How many there were since ``now_ns`` less the window's length."""
        while self._times and self._times[0] <= now_ns - self.length_ns:
            self._times.popleft()
        return len(self._times)
