"""What becomes of one role: when it is started again, when it counts as hung, when it is given up; how it stands, and what it told.

No processes, no clock of its own.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from pipeline.base.settings import SupervisorSection
from pipeline.base.units import NS_PER_MS, NS_PER_S

LifeState = Literal["waiting", "starting", "running", "given_up", "stopped"]
Action = Literal["start", "kill"]

MINUTE_NS = 60 * NS_PER_S
MAX_REFUSALS = 2


@dataclass(frozen=True)
class LifeRules:
    """Nanoseconds of the monotonic clock, and how many deaths a minute are too many."""

    restart_min_ns: int
    restart_max_ns: int
    heartbeat_timeout_ns: int
    max_deaths: int
    start_timeout_ns: int = 60 * NS_PER_S

    @classmethod
    def of(cls, section: SupervisorSection) -> LifeRules:
        """The rules as configured."""
        return cls(
            restart_min_ns=section.restart_min_ms * NS_PER_MS,
            restart_max_ns=section.restart_max_ms * NS_PER_MS,
            heartbeat_timeout_ns=section.heartbeat_timeout_ms * NS_PER_MS,
            max_deaths=section.max_deaths_per_minute,
            start_timeout_ns=section.start_timeout_ms * NS_PER_MS,
        )


class RoleLife:
    """One role under the supervisor. Every time is the monotonic clock's, in nanoseconds, and handed in.

    A role waits, is started, runs once its first heartbeat is heard, and dies. The wait before the next start doubles with each
    death from ``restart_min_ns`` to ``restart_max_ns`` and falls back after a minute of life. A role that ``beats`` and has said
    nothing for ``heartbeat_timeout_ns`` (``start_timeout_ns`` before its first word) is to be killed. The ``max_deaths``-th death
    within a minute gives it up for good, and so does the second refusal to run (bad input) in a row: one may be the lock of a session
    that was killed and is still ending.
    """

    def __init__(self, role: str, rules: LifeRules, beats: bool, now_ns: int) -> None:
        self.role = role
        self.rules = rules
        self.beats = beats
        self.state: LifeState = "waiting"
        self.starts = 0
        self.hangs = 0
        self._start_at_ns = now_ns
        self._started_ns = now_ns
        self._heard_ns = now_ns
        self._wait_ns = rules.restart_min_ns
        self._deaths: deque[int] = deque()
        self._kill_asked = False
        self._refusals = 0

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self.starts - 1)

    @property
    def deaths_in_a_minute(self) -> int:
        """Deaths within the minute before the last one, itself included."""
        return len(self._deaths)

    def due(self, now_ns: int) -> Action | None:
        """What is to be done to the role now; ``kill`` is said once a life."""
        if self.state == "waiting":
            return "start" if now_ns >= self._start_at_ns else None
        due_ns = self.next_due_ns()
        if due_ns is None or now_ns < due_ns:
            return None
        self._kill_asked = True
        self.hangs += 1
        return "kill"

    def next_due_ns(self) -> int | None:
        """When ``due`` will want something if nothing else happens; None: never."""
        if self.state == "waiting":
            return self._start_at_ns
        if self.state in ("starting", "running") and self.beats and not self._kill_asked:
            patience_ns = self.rules.heartbeat_timeout_ns if self.state == "running" else self.rules.start_timeout_ns
            return self._heard_ns + patience_ns
        return None

    def silence_ns(self, now_ns: int) -> int | None:
        """How long nothing was heard of a role that is alive and beats; None for any other."""
        return now_ns - self._heard_ns if self.beats and self.state in ("starting", "running") else None

    def on_started(self, now_ns: int) -> None:
        """Its process exists."""
        self.state = "starting"
        self.starts += 1
        self._started_ns = self._heard_ns = now_ns
        self._kill_asked = False

    def on_heartbeat(self, now_ns: int) -> None:
        """It said that it lives."""
        if self.state in ("starting", "running"):
            self.state = "running"
            self._heard_ns = now_ns
            self._refusals = 0

    def forgive(self, ns: int) -> None:
        """Whoever listens stood still for so long: the silence of that time is his own."""
        self._heard_ns += ns

    def on_exit(self, now_ns: int, refused: bool = False) -> None:
        """Its process is gone, unasked: it will be started again, or is given up (see ``state``)."""
        self._refusals = self._refusals + 1 if refused else 0
        if now_ns - self._started_ns >= MINUTE_NS:
            self._wait_ns = self.rules.restart_min_ns
        self._deaths.append(now_ns)
        while self._deaths[0] <= now_ns - MINUTE_NS:
            self._deaths.popleft()
        if len(self._deaths) >= self.rules.max_deaths or self._refusals >= MAX_REFUSALS:
            self.state = "given_up"
            return
        self.state = "waiting"
        self._start_at_ns = now_ns + self._wait_ns
        self._wait_ns = min(self._wait_ns * 2, self.rules.restart_max_ns)

    def on_stopped(self) -> None:
        """Its process is gone because everything stops."""
        self.state = "stopped"


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
