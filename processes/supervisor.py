"""The Procfile supervisor: starts each role, restarts what dies or hangs, and stops everything within its time.

``python -m processes.supervisor`` runs the six roles against the configured venue; ``polybot up`` runs the same class.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import click
import zmq

from pipeline.base import events
from pipeline.base.clock import monotonic_ns
from pipeline.base.config import ENVIRONMENT, Config, write_effective
from pipeline.base.errors import BadInput, CrashLoop
from pipeline.base.log import get_logger, set_up_logging
from pipeline.base.private import state_folder
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.topology import ROLES, SUPERVISOR
from pipeline.bus.transport import choose_transport
from pipeline.bus.wires import Wires
from pipeline.messages.control import Heartbeat
from processes.child_output import JsonOutput, Output, PrefixedOutput, role_stream
from processes.dependencies import FIRST_STARTED, NEEDS, PLAYS, start_order, stop_waves, waits_for
from processes.health_file import Health, RoleHealth, SessionState, write_health
from processes.options import SESSION, SUPERVISED, process_options, role_lock
from processes.orphans import end_orphans
from processes.procfile import PROCFILE, RoleCommand, find_procfile, read_procfile
from processes.role_life import LifeRules, RoleLife, Told
from processes.role_life import RoleStatus as RoleStatus
from processes.runs import prune_archive, prune_runs, run_folder
from processes.stop_signals import StopSignals
from processes.stopping import StopReport, stop_in_order
from processes.supervised import Child

_TURN_MS = 50
_KILL_RESERVE_MS = 500
_HEALTH_NS = 1_000 * NS_PER_MS
_PRUNE_NS = 3_600_000 * NS_PER_MS
_STALL_NS = 2_000 * NS_PER_MS
"""A supervisor that stood still for so long has heard nobody, and holds nobody's silence against him."""

_HEAP = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(320 * 1024), "MALLOC_TRIM_THRESHOLD_": str(2 * 1024 * 1024)}
"""For glibc, unless the user says otherwise: the few threads of a process need no eight heaps a core, and what is larger than asyncio's
256 KiB for a receive, as the frames that a connection begins with, goes back to the system when it is freed."""


@dataclass
class _Role:
    """All the supervisor holds about one process. ``told`` has each role that it plays; most play their own."""

    command: RoleCommand
    life: RoleLife
    told: dict[str, Told]
    child: Child | None = None
    last_death: str = ""
    died_ns: int | None = None
    hung_ms: int | None = None


class Supervisor:
    """The processes of one session. A context manager: entering takes the state directory and starts them, leaving stops them.

    ``hurry``, asked while it stops, says that processes are to be killed at once: a second Ctrl-C.

    ``step`` must be called again and again; it raises CrashLoop (or BadInput, when that is what the role ended with) once a role
    has died too often. Not thread-safe.
    """

    def __init__(
        self,
        commands: Sequence[RoleCommand],
        config: Config,
        session_id: str,
        output: Output,
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        self.config = config
        self.session_id = session_id
        self.output = output
        self.state_dir = Path(config.settings.bus.state_dir)
        self.run_dir = run_folder(self.state_dir, session_id)
        self._hurry = hurry
        self._commands = tuple(commands)
        self._roles: dict[str, _Role] = {}
        self._environment: dict[str, str] = {}
        self._open = contextlib.ExitStack()
        self._wires: Wires | None = None
        self._log = get_logger()
        self._state: SessionState = "running"
        self._health_ns = 0
        self._stepped_ns = 0
        self._prune_ns = 0
        self.stopped = StopReport()
        """How everything ended; filled by ``stop``."""

    def __enter__(self) -> Supervisor:
        with contextlib.ExitStack() as opening:
            state_folder(self.state_dir)
            opening.enter_context(role_lock(self.state_dir, SUPERVISOR))
            orphans = end_orphans(self.state_dir, self.config.settings.supervisor.stop_timeout_ms)
            self._prune()
            self.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, pid in orphans.items():
                self._log.warning(events.ORPHAN_KILLED, child=name, pid=pid)
            effective = self.run_dir / "config.json"
            write_effective(self.config, effective)
            told = {ENVIRONMENT: str(effective.resolve()), SESSION: self.session_id, SUPERVISED: "1"}
            self._environment = _HEAP | os.environ | told | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
            bus = self.config.settings.bus
            transport = choose_transport(bus)
            if transport.socket_dir is not None:
                opening.callback(shutil.rmtree, transport.socket_dir, ignore_errors=True)
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            opening.callback(context.term)
            identity = Identity(self.session_id, f"supervisor-{os.getpid()}", SUPERVISOR)
            self._wires = opening.enter_context(Wires(SUPERVISOR, identity, transport, context))
            rules, now_ns = LifeRules.of(self.config.settings.supervisor), monotonic_ns()
            commands = {command.role: command for command in self._commands}
            for role in start_order(list(commands)):
                plays = PLAYS.get(role, (role,))
                life = RoleLife(role, rules, plays[0] in ROLES, now_ns)
                self._roles[role] = _Role(commands[role], life, {played: Told() for played in plays})
            opening.callback(self.stop)
            self._stepped_ns = now_ns
            self._attend(now_ns)
            self._open = opening.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()

    # --- what is known ---------------------------------------------------------------------------------------------

    def statuses(self) -> tuple[RoleStatus, ...]:
        """How each role stands, in the order in which they are started."""
        now_ns = monotonic_ns()
        running = self._running()
        return tuple(status for name, role in self._roles.items() for status in self._statuses_of(name, role, running, now_ns))

    def _statuses_of(self, name: str, role: _Role, running: set[str], now_ns: int) -> Iterator[RoleStatus]:
        """The process, then the roles that it plays, if those are others."""
        own = role.told.get(name, Told())
        whole = RoleStatus(
            role=name,
            state=role.life.state,
            pid=None if role.child is None else role.child.pid,
            restarts=role.life.restarts,
            silence_ns=role.life.silence_ns(now_ns),
            counts=dict(own.counts),
            totals=own.totals(),
            last_death=role.last_death,
            waits_for=waits_for(name, self._roles, running),
            hangs=role.life.hangs,
        )
        yield whole
        for played, told in role.told.items():
            if played != name:
                yield dataclasses.replace(
                    whole,
                    role=played,
                    counts=dict(told.counts),
                    totals=told.totals(),
                    part_of=name,
                    restarts=0,
                    hangs=0,
                    last_death="",
                    waits_for=(),
                )

    def _running(self) -> set[str]:
        """The roles that were heard since they were started; one that sends no heartbeats runs as soon as it is there."""
        return {
            name
            for name, role in self._roles.items()
            if role.life.state == "running" or (role.life.state == "starting" and not role.life.beats)
        }

    def _write_health(self) -> None:
        """Leave on disk how everything stands."""
        self._health_ns = monotonic_ns() + _HEALTH_NS
        now_ns = time.time_ns()
        told = tuple(
            RoleHealth(
                role=status.role,
                state=status.state,
                pid=status.pid,
                restarts=status.restarts,
                hangs=status.hangs,
                beat_ns=now_ns - status.silence_ns if status.silence_ns is not None and status.state == "running" else None,
                waits_for=status.waits_for,
                counts=status.counts,
                last_death=status.last_death,
                part_of=status.part_of,
            )
            for status in self.statuses()
        )
        db_url = self.config.settings.db.url
        write_health(self.state_dir, Health(self.session_id, os.getpid(), now_ns, self._state, told, db_url))

    # --- the loop --------------------------------------------------------------------------------------------------

    def step(self, timeout_ms: int = _TURN_MS) -> None:
        """Hear the roles for at most ``timeout_ms``, then start, restart and kill what is due."""
        self._listen(timeout_ms)
        now_ns = monotonic_ns()
        stood_ns, self._stepped_ns = now_ns - self._stepped_ns, now_ns
        if stood_ns >= _STALL_NS:
            self._log.warning(events.SUPERVISOR_STALLED, stalled_ms=stood_ns // NS_PER_MS)
            for role in self._roles.values():
                role.life.forgive(stood_ns)
        for role in self._roles.values():
            if role.child is not None and (code := role.child.exit_code()) is not None:
                self._bury(role, code, now_ns)
        self._attend(now_ns)
        if now_ns >= self._prune_ns:
            self._prune()

    def _prune(self) -> None:
        """Delete what past sessions left and is too old, now and in an hour again: a session may run for longer than it is kept."""
        self._prune_ns = monotonic_ns() + _PRUNE_NS
        days, now = self.config.settings.supervisor.runs_days, datetime.now(UTC)
        prune_runs(self.state_dir, days, now, running=self.session_id)
        prune_archive(self.state_dir, days, now)

    def _listen(self, timeout_ms: int) -> None:
        assert self._wires is not None
        for arrival in self._wires.receive(timeout_ms, at_most=1_000):
            if not isinstance(arrival, Arrival) or not isinstance(arrival.message, Heartbeat):
                continue
            beat = arrival.message
            role = next((known for known in self._roles.values() if beat.role in known.told), None)
            if role is None or not role.told[beat.role].hear(arrival.run_id, beat.counts):
                continue
            if role.life.state != "running":
                self._health_ns = 0
            role.life.on_heartbeat(monotonic_ns())
            if role.died_ns is not None:
                self._tell_waiting(role)

    def _tell_waiting(self, role: _Role) -> None:
        """A role that had died runs again: say who waited for it, and how long."""
        waited_ms = (monotonic_ns() - (role.died_ns or 0)) // NS_PER_MS
        role.died_ns = None
        for name in self._roles:
            if role.command.role in NEEDS.get(name, ()):
                self._log.info(events.ROLE_WAITED, child=name, waited_for=role.command.role, waited_ms=waited_ms)

    def _attend(self, now_ns: int) -> None:
        changed = False
        for role in self._roles.values():
            match role.life.due(now_ns):
                case "start" if not self._held_back(role.command.role):
                    self._start(role)
                    changed = True
                case "kill" if role.child is not None:
                    role.hung_ms = (role.life.silence_ns(now_ns) or 0) // NS_PER_MS
                    self._log.warning(events.ROLE_HUNG, child=role.command.role, pid=role.child.pid, silent_ms=role.hung_ms)
                    role.child.kill()
        if changed or now_ns >= self._health_ns:
            self._write_health()

    def _held_back(self, name: str) -> bool:
        """Whether a role is not to be started yet, as one that it is started after is down."""
        return any(self._roles[needed].child is None for needed in FIRST_STARTED.get(name, ()) if needed in self._roles)

    def _start(self, role: _Role) -> None:
        name = role.command.role
        try:
            role.child = Child(role.command, self._environment, self.output)
        except OSError as error:
            raise BadInput(f"{name}: {role.command.argv[0]} cannot be started: {error.strerror}; see the Procfile") from None
        role.life.on_started(monotonic_ns())
        event = events.ROLE_RESTARTED if role.life.restarts else events.ROLE_STARTED
        self._log.info(event, child=name, pid=role.child.pid, restarts=role.life.restarts)

    def _bury(self, role: _Role, code: int, now_ns: int) -> None:
        assert role.child is not None
        child, role.child = role.child, None
        child.close()
        for told in role.told.values():
            told.died()
        role.life.on_exit(now_ns, refused=code == BadInput.exit_code)
        said = child.last_line()
        name = role.command.role
        ended = how_it_ended(code)
        if role.hung_ms is not None:
            ended, role.hung_ms = f"{ended}, as it gave no sign of life for {role.hung_ms / 1_000:.1f} s", None
        role.last_death = f"{ended}: {said}"
        role.died_ns = now_ns
        self._log.warning(events.ROLE_DIED, child=name, pid=child.pid, ended=ended, said=said)
        self._write_health()
        if role.life.state == "given_up":
            if code == BadInput.exit_code:
                raise BadInput(f"{name} refuses to run: {said}")
            raise CrashLoop(
                f"{name} died {role.life.deaths_in_a_minute} times within a minute, the last time with {ended}; "
                f"its last line: {said}"
            )

    # --- the end ---------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the processes to stop, each after those that feed it, and kill what has not ended after ``stop_timeout_ms``."""
        self._state = "stopping"
        self._write_health()
        allowed_ms = max(0, self.config.settings.supervisor.stop_timeout_ms - _KILL_RESERVE_MS)
        children = {name: role.child for name, role in self._roles.items() if role.child is not None}
        self.stopped = stop_in_order(stop_waves(children), children, self._listen, self._hurry, allowed_ms)
        for role in self._roles.values():
            if role.child is not None:
                role.child.kill()
                role.child.close()
                role.child = None
            role.life.on_stopped()
        self._listen(0)
        self._state = "stopped"
        self._write_health()
        report = self.stopped
        waited = dict(report.waited_ms)
        self._log.info(events.ROLES_STOPPED, killed=list(report.killed), waited_ms=waited, total_ms=report.total_ms)


def how_it_ended(code: int) -> str:
    """An exit code, or the signal that ended a process, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--procfile", type=click.Path(path_type=Path), help="The roles to run. Default: the Procfile beside the program.")
@process_options
def main(config: Config, session_id: str, procfile: Path | None) -> None:
    """Run every role of a Procfile, restarting what dies, until Ctrl-C.

    \b
    Example:
      python -m processes.supervisor --procfile Procfile.demo
    """
    commands = read_procfile(procfile or find_procfile(PROCFILE))
    roles = [command.role for command in commands]
    person = sys.stdout.isatty()
    output = PrefixedOutput(sys.stdout, roles, colour="NO_COLOR" not in os.environ) if person else JsonOutput(sys.stdout)
    set_up_logging(config.settings.log.level, role_stream(output, SUPERVISOR), role=SUPERVISOR)
    with StopSignals() as told, Supervisor(commands, config, session_id, output, hurry=lambda: told.insists) as supervisor:
        while not told.requests and not output.closed:
            supervisor.step()


if __name__ == "__main__":
    main()
