"""Changes that came since a fresh book was wanted: what a book that arrives does not hold yet is applied to it afterwards."""

from __future__ import annotations

from collections import deque

from pipeline.market.venue_time import time_ms
from pipeline.messages.market import VenuePriceChange

Held = tuple[VenuePriceChange, bool]
"""A change, and whether it was applied to the old book and told already."""


class HeldChanges:
    """The newest ``limit`` changes, oldest first. Most tokens never hold any."""

    __slots__ = ("_changes", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changes: deque[Held] | tuple[()] = ()

    def __len__(self) -> int:
        return len(self._changes)

    def add(self, change: VenuePriceChange, applied: bool) -> None:
        """Hold one more."""
        self._changes = self._changes or deque(maxlen=self._limit)
        self._changes.append((change, applied))

    def clear(self) -> None:
        """Forget all of them."""
        self._changes = ()

    def take(self) -> list[Held]:
        """All of them, which are held no longer."""
        held, self._changes = list(self._changes), ()
        return held

    @property
    def oldest_ts(self) -> str | None:
        """The venue's timestamp of the first one; None if there is none."""
        return self._changes[0][0].venue_ts if self._changes else None


def newer(held: list[Held], key: tuple[str, str]) -> list[Held]:
    """The held changes that a whole book of this (timestamp, hash) does not hold yet."""
    start = 0
    for i, (change, _) in enumerate(held):
        if (change.venue_ts, change.hash) == key or time_ms(change.venue_ts) < time_ms(key[0]):
            start = i + 1
    found = any((change.venue_ts, change.hash) == key for change, _ in held)
    return [(c, applied) for c, applied in held[start:] if found or time_ms(c.venue_ts) > time_ms(key[0])]
