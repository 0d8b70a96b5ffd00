"""Every fault that the fake venue knows by name: those of the feed and those of trading, with what each can be told."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.fake_venue import order_faults, scenarios
from pipeline.fake_venue.scenarios import UnknownFault

__all__ = ["FAULTS", "OPTIONS", "UnknownFault", "check_fault"]

FAULTS: dict[str, str] = {**scenarios.FAULTS, **order_faults.FAULTS}
OPTIONS: dict[str, tuple[str, ...]] = {**scenarios.OPTIONS, **order_faults.OPTIONS}


def check_fault(name: str, given: Sequence[str]) -> None:
    """Raises UnknownFault for a name that there is not, ValueError for an option that the fault does not take."""
    if name not in FAULTS:
        raise UnknownFault(f"no fault is called {name}; known are {', '.join(sorted(FAULTS))}")
    for option in given:
        if option not in OPTIONS[name]:
            raise ValueError(f"{name} takes no {option}; it takes {', '.join(OPTIONS[name]) or 'no option'}")
