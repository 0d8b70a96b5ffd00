"""What is known of one role while it is supervised: what it told itself, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from processes.role_life import LifeState


@dataclass(frozen=True)
class RoleStatus:
    """How one role stands. ``counts`` are those of the running process, ``totals`` of all its processes in this session.

    ``last_death`` says how its last process ended by itself, and its last line; "" if none did. ``waits_for`` names the roles that it
    needs and that do not run. ``part_of`` names the process that plays this role among others: it is that one which starts and dies.
    """

    role: str
    state: LifeState
    pid: int | None
    restarts: int
    silence_ns: int | None
    counts: dict[str, int]
    totals: dict[str, int]
    last_death: str = ""
    waits_for: tuple[str, ...] = ()
    hangs: int = 0
    part_of: str = ""


@dataclass
class Told:
    """What one role told with its heartbeats."""

    counts: dict[str, int] = field(default_factory=dict)
    past: dict[str, int] = field(default_factory=dict)
    run_id: str = ""
    dead_run_id: str = ""

    def hear(self, run_id: str, counts: dict[str, int]) -> bool:
        """Take a heartbeat; False for one that a dead process had sent."""
        if run_id == self.dead_run_id:
            return False
        self.run_id, self.counts = run_id, counts
        return True

    def died(self) -> None:
        self.past, self.counts = self.totals(), {}
        self.dead_run_id = self.run_id

    def totals(self) -> dict[str, int]:
        return {key: self.past.get(key, 0) + self.counts.get(key, 0) for key in self.past | self.counts}
