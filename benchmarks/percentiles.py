"""Percentiles of what was measured, by their usual names."""

from __future__ import annotations

import math
from collections.abc import Sequence

FEWEST = 20


def percentile_of(values: Sequence[float], part: str) -> float:
    """The smallest value that so many per cent of all reach at most; ``part`` is "p50", "p99" or "p99.9". Raises ValueError for too few."""
    if len(values) < FEWEST:
        raise ValueError(f"only {len(values)} values were measured; measure for longer")
    return sorted(values)[max(0, math.ceil(len(values) * float(part[1:]) / 100) - 1)]
