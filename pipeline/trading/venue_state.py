"""What the venue does at present, as far as its answers tell, and what may be done in each state: tables, and a watch that keeps to them.

Source: engine restarts (425, then about two minutes of post-only), cancel-only and disabled trading (503): matching-engine page, seen
2026-11-22. The link is a second dimension: without books nothing is known, whatever the venue last answered.
"""

from __future__ import annotations

from typing import Literal

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.messages.edges import RefusalCode
from pipeline.messages.orders import VenueState

Evidence = Literal["restarting", "post_only", "cancel_only", "disabled", "rested", "took", "waited"]
"""A refusal with such a code; a resting or a taking order that was accepted; the time that one waits in a state is over."""
Act = Literal["take", "rest", "cancel"]

ANSWERED: tuple[VenueState, ...] = ("normal", "restarting", "post_only", "cancel_only", "disabled")
"""The states that answers tell of; ``link_lost`` is told by the books."""
REFUSED: dict[RefusalCode, Evidence] = {
    "restarting": "restarting",
    "post_only": "post_only",
    "cancel_only": "cancel_only",
    "disabled": "disabled",
}
_AFTER: dict[Evidence, VenueState] = {
    "restarting": "restarting",
    "post_only": "post_only",
    "cancel_only": "cancel_only",
    "disabled": "disabled",
    "took": "normal",
}

TRANSITIONS: dict[tuple[VenueState, Evidence], VenueState] = {
    **{(state, evidence): after for state in ANSWERED for evidence, after in _AFTER.items()},
    ("restarting", "waited"): "post_only",  # an engine that is back takes only what rests at first
    ("post_only", "waited"): "normal",
    ("cancel_only", "waited"): "normal",
    ("disabled", "waited"): "normal",
    ("restarting", "rested"): "post_only",
    ("cancel_only", "rested"): "normal",
    ("disabled", "rested"): "normal",
}
"""(state, evidence) -> state; a pair that is not here leaves the state as it is. The next refusal tells of one that was left too early."""

WAITS_NS: dict[VenueState, tuple[int, int]] = {
    "restarting": (NS_PER_S, 30 * NS_PER_S),
    "post_only": (120 * NS_PER_S, 120 * NS_PER_S),
    "cancel_only": (5 * NS_PER_S, 60 * NS_PER_S),
    "disabled": (5 * NS_PER_S, 60 * NS_PER_S),
}
"""How long one stays in a state before it is tried again: the first time, and the longest, as each time in a row doubles it."""

POSSIBLE: dict[VenueState, frozenset[Act]] = {
    "normal": frozenset({"take", "rest", "cancel"}),
    "restarting": frozenset(),
    "post_only": frozenset({"rest", "cancel"}),
    "cancel_only": frozenset({"cancel"}),
    "disabled": frozenset(),
    "link_lost": frozenset({"cancel"}),
}
"""What is worth asking of the venue in each state."""

STARTS: dict[str, frozenset[VenueState]] = {"dutch_book": frozenset({"normal"})}
"""The states in which a strategy may start something; a strategy that is not here: in those where the venue takes its orders."""


def may_start(strategy: str, state: VenueState) -> bool:
    """Whether a strategy may start something in this state. What it has started it may end wherever the venue takes its orders."""
    return state in STARTS.get(strategy, frozenset(ANSWERED))


def refusal_in(state: VenueState, strategy: str, post_only: bool, starts: bool) -> str:
    """Why an order is not sent in this state; "" if it is. ``starts``: it belongs to nothing that was begun before."""
    act: Act = "rest" if post_only else "take"
    if act not in POSSIBLE[state]:
        return f"venue is {state}"
    if starts and not may_start(strategy, state):
        return f"venue is {state}: {strategy} starts nothing"
    return ""


class VenueWatch:
    """The state, moved by answers, time and the link. Each method that may move it says whether ``state`` changed."""

    def __init__(self) -> None:
        self.link_up = True
        self._answered: VenueState = "normal"
        self._tries = 0
        self._until_ns: int | None = None

    @property
    def state(self) -> VenueState:
        """The state as it stands."""
        return self._answered if self.link_up else "link_lost"

    def allows(self, act: Act) -> bool:
        """Whether it is worth asking."""
        return act in POSSIBLE[self.state]

    def on_refusal(self, code: RefusalCode, retry_after_ms: int, now_ns: int) -> bool:
        """A relayer refused something; codes that say nothing about the venue change nothing."""
        evidence = REFUSED.get(code)
        return evidence is not None and self._move(evidence, now_ns, retry_after_ms)

    def on_accepted(self, post_only: bool, now_ns: int) -> bool:
        """The venue took an order."""
        self._tries = 0
        return self._move("rested" if post_only else "took", now_ns)

    def on_link(self, up: bool) -> bool:
        """Books are heard of, or none is."""
        changed, self.link_up = up != self.link_up, up
        return changed

    def next_ns(self) -> int | None:
        """When ``wake`` wants to be called; None: nothing is waited for."""
        return self._until_ns

    def wake(self, now_ns: int) -> bool:
        """Leave a state whose wait is over."""
        if self._until_ns is None or now_ns < self._until_ns:
            return False
        return self._move("waited", now_ns)

    def _move(self, evidence: Evidence, now_ns: int, retry_after_ms: int = 0) -> bool:
        before = self.state
        after = TRANSITIONS.get((self._answered, evidence), self._answered)
        if after != self._answered:
            self._answered = after
            self._until_ns = None
            if after in WAITS_NS:
                first_ns, longest_ns = WAITS_NS[after]
                asked_ns = retry_after_ms * NS_PER_MS
                self._until_ns = now_ns + max(asked_ns, min(first_ns << self._tries, longest_ns))
                self._tries = min(self._tries + (evidence != "waited"), 16)
        return self.state != before
