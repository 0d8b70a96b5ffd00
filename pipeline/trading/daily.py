"""The profit of one UTC day, from fills alone, so that the journal gives it back after a restart."""

from __future__ import annotations

from pipeline.base.units import NS_PER_S

DAY_NS = 86_400 * NS_PER_S


class DayResult:
    """What the latest day with a fill has realised, fees taken off. A fill belongs to the UTC day of its ``ts_ns``."""

    def __init__(self) -> None:
        self._day = 0
        self._result_e6 = 0

    def add(self, ts_ns: int, change_e6: int) -> None:
        """Count what a fill realised; one that is told of an earlier day than the latest counts for nothing."""
        day = ts_ns // DAY_NS
        if day > self._day:
            self._day, self._result_e6 = day, 0
        if day == self._day:
            self._result_e6 += change_e6

    def state(self) -> tuple[int, int]:
        """The latest day with a fill (days since 1970), and what it has realised."""
        return self._day, self._result_e6

    def restore(self, day: int, result_e6: int) -> None:
        """Be what ``state`` told."""
        self._day, self._result_e6 = day, result_e6

    def result_e6(self, now_ns: int) -> int:
        """Millionths of a dollar gained (or lost, negative) on the day of ``now_ns``.

        For a clock that is behind the latest fill, as after it was set back, the latest day goes on: midnight undone frees no limit.
        """
        return self._result_e6 if now_ns // DAY_NS <= self._day else 0
