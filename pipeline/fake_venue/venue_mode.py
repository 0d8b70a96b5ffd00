"""The state that the offline venue was told to be in, as far as orders go: by itself it goes back to normal. Pure; time is handed in.

Market data is not touched by it, but for ``link_lost``, which also closes the links.
"""

from __future__ import annotations

from typing import Any, get_args

from pipeline.base.units import NS_PER_S
from pipeline.messages.orders import VenueState

STATES: tuple[VenueState, ...] = get_args(VenueState)
POST_ONLY_AFTER_RESTART_S = 120
"""The venue's own figure (matching-engine page, seen 2026-11-22)."""


class VenueMode:
    """One state at a time, for ever or for a time. After a restart the venue is post-only for a while, then normal."""

    def __init__(self) -> None:
        self._plan: list[tuple[int | None, VenueState]] = []

    def tell(self, state: str, seconds: int | None, post_only_seconds: int | None, now_ns: int) -> dict[str, Any]:
        """Be in a state, for some seconds or until told otherwise; what it will do, as JSON would hold it. Raises ValueError."""
        known = next((known for known in STATES if known == state), None)
        if known is None:
            raise ValueError(f"no venue state is called {state}; known are {', '.join(STATES)}")
        if known == "link_lost" and seconds is None:
            seconds = 5
        until_ns = None if seconds is None else now_ns + seconds * NS_PER_S
        self._plan = [(until_ns, known)]
        told: dict[str, Any] = {"venue_state": known, "seconds": seconds}
        if known == "restarting" and until_ns is not None:
            after_s = POST_ONLY_AFTER_RESTART_S if post_only_seconds is None else post_only_seconds
            self._plan.append((until_ns + after_s * NS_PER_S, "post_only"))
            told["post_only_seconds"] = after_s
        return told

    def state(self, now_ns: int) -> VenueState:
        """The state at ``now_ns``."""
        while self._plan and self._plan[0][0] is not None and self._plan[0][0] <= now_ns:
            self._plan.pop(0)
        return self._plan[0][1] if self._plan else "normal"

    def left_s(self, now_ns: int) -> int | None:
        """Whole seconds until the present state ends, rounded up; None if it does not by itself."""
        self.state(now_ns)
        until_ns = self._plan[0][0] if self._plan else None
        return None if until_ns is None else -(-(until_ns - now_ns) // NS_PER_S)
