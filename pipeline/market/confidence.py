"""How far a token's book can be trusted: a state, and the pure table by which evidence moves it.

| state | when |
|---|---|
| VERIFIED | the last batch's hash matched (basis ``hash``), or ``seq`` is contiguous from a snapshot (basis ``seq``) |
| QUIET | VERIFIED, no change for a while, and the link and other tokens prove alive |
| UNVERIFIED | cannot be checked; the reason says why |
| PENDING | a miss that a late trade or tick size may explain, for two seconds at most |
| SUSPECT | a mismatch or disagreement that stands |
| RESYNCING | a fresh book is asked for |
| STALE | its age or its link is over the limit |
| DEAD | resolved, unknown to the venue, or the budget of fresh books is spent |
"""

from __future__ import annotations

from typing import Literal

from pipeline.messages.market import Basis, State

Evidence = Literal[
    "proved",  # the hash matches, or seq is contiguous from a snapshot
    "replaced",  # a fresh whole book that cannot be proved
    "unchecked",  # a change that cannot be checked, and nothing speaks against it
    "late",  # a miss that a late trade or tick size may explain
    "missed",  # a mismatch or disagreement that stands
    "asked",  # a fresh book was asked for
    "silent",  # its link is down, or nothing comes
    "quiet",  # nothing comes for it, but for others
    "ended",  # resolved, unknown to the venue, or the budget of fresh books is spent
    "reopened",  # a whole book of a token that was given up
]

GOOD: frozenset[State] = frozenset({"VERIFIED", "QUIET", "UNVERIFIED"})
"""States in which the book is what we believe; outside them a stretch of the feed counts as a gap."""
SHOWN: frozenset[State] = GOOD | {"PENDING"}
"""States in which the book itself is published; in the others the last published top stands, marked with the state."""

_ALIVE: tuple[State | None, ...] = (None, "VERIFIED", "QUIET", "UNVERIFIED", "PENDING", "SUSPECT", "RESYNCING", "STALE")
_TO: dict[Evidence, State] = {"proved": "VERIFIED", "replaced": "UNVERIFIED", "ended": "DEAD"}

TRANSITIONS: dict[tuple[State | None, Evidence], State] = {
    **{(state, evidence): to for state in _ALIVE for evidence, to in _TO.items()},
    (None, "unchecked"): "UNVERIFIED",
    ("UNVERIFIED", "unchecked"): "UNVERIFIED",
    ("VERIFIED", "unchecked"): "UNVERIFIED",
    ("QUIET", "unchecked"): "UNVERIFIED",
    ("VERIFIED", "late"): "PENDING",
    ("QUIET", "late"): "PENDING",
    ("UNVERIFIED", "late"): "PENDING",
    (None, "missed"): "SUSPECT",
    ("VERIFIED", "missed"): "SUSPECT",
    ("QUIET", "missed"): "SUSPECT",
    ("UNVERIFIED", "missed"): "SUSPECT",
    ("PENDING", "missed"): "SUSPECT",
    ("STALE", "missed"): "SUSPECT",
    (None, "asked"): "RESYNCING",
    ("VERIFIED", "asked"): "RESYNCING",
    ("QUIET", "asked"): "RESYNCING",
    ("UNVERIFIED", "asked"): "RESYNCING",
    ("PENDING", "asked"): "RESYNCING",
    ("SUSPECT", "asked"): "RESYNCING",
    ("STALE", "asked"): "RESYNCING",
    ("VERIFIED", "silent"): "STALE",
    ("QUIET", "silent"): "STALE",
    ("UNVERIFIED", "silent"): "STALE",
    ("PENDING", "silent"): "STALE",
    ("VERIFIED", "quiet"): "QUIET",
    ("RESYNCING", "missed"): "SUSPECT",
    ("DEAD", "reopened"): "RESYNCING",
}
"""(state, evidence) -> state. A pair that is not here leaves the state as it is: only proof or a fresh book heals."""


def after(state: State | None, evidence: Evidence) -> State | None:
    """The state that evidence leads to."""
    return TRANSITIONS.get((state, evidence), state)


class Confidence:
    """A token's state with its basis, its reason, since when, and when the book was last proved equal to the venue's."""

    __slots__ = ("basis", "reason", "since_ns", "state", "verified_ns")

    def __init__(self) -> None:
        self.state: State | None = None
        self.basis: Basis = "none"
        self.reason = ""
        self.since_ns = 0
        self.verified_ns = 0

    def learn(self, evidence: Evidence, now_ns: int, reason: str = "", basis: Basis = "none", proved_ns: int = 0) -> bool:
        """Take evidence in; True if the state is another one. Basis and reason follow the evidence that holds the state.

        ``proved_ns``: a proof of what the venue said then; 0: of what it says at this moment.
        """
        old, new = self.state, after(self.state, evidence)
        if evidence == "proved" and new == "VERIFIED":
            self.verified_ns = max(self.verified_ns, proved_ns) if proved_ns else now_ns
        if new != old:
            self.state, self.since_ns = new, now_ns
            self.basis, self.reason = basis, reason
            return True
        if TRANSITIONS.get((old, evidence)) == old:
            self.basis, self.reason = basis, reason
        return False
