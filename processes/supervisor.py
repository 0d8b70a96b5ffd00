"""The Procfile supervisor: starts each role, restarts what dies or hangs, and stops everything within its time.

``python -m processes.supervisor`` runs the six roles against the configured venue; ``polybot up`` runs the same class.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click
import zmq

from pipeline.base import events
from pipeline.base.clock import monotonic_ns
from pipeline.base.config import ENVIRONMENT, Config, write_effective
from pipeline.base.errors import BadInput, CrashLoop
from pipeline.base.log import get_logger, set_up_logging
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.topology import ROLES, SUPERVISOR
from pipeline.bus.transport import choose_transport
from pipeline.bus.wires import Wires
from pipeline.messages.control import Heartbeat
from processes.child_output import JsonOutput, Output, PrefixedOutput, role_stream
from processes.options import SESSION, SUPERVISED, process_options, role_lock
from processes.procfile import PROCFILE, RoleCommand, find_procfile, read_procfile
from processes.role_life import LifeRules, LifeState, RoleLife
from processes.runs import prune_runs, run_folder
from processes.supervised import Child

_TURN_MS = 50
_KILL_RESERVE_MS = 500
_ONE_REQUEST_NS = 500 * NS_PER_MS


@dataclass(frozen=True)
class RoleStatus:
    """How one role stands. ``counts`` are those of the running process, ``totals`` of all its processes in this session.

    ``last_death`` says how its last process ended by itself, and its last line; "" if none did.
    """

    role: str
    state: LifeState
    pid: int | None
    restarts: int
    silence_ns: int | None
    counts: dict[str, int]
    totals: dict[str, int]
    last_death: str = ""


@dataclass
class _Role:
    """All the supervisor holds about one role."""

    command: RoleCommand
    life: RoleLife
    child: Child | None = None
    counts: dict[str, int] = field(default_factory=dict)
    past: dict[str, int] = field(default_factory=dict)
    run_id: str = ""
    dead_run_id: str = ""
    last_death: str = ""

    def totals(self) -> dict[str, int]:
        return {key: self.past.get(key, 0) + self.counts.get(key, 0) for key in self.past | self.counts}


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

    def __enter__(self) -> Supervisor:
        with contextlib.ExitStack() as opening:
            self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            opening.enter_context(role_lock(self.state_dir, SUPERVISOR))
            prune_runs(self.state_dir, self.config.settings.supervisor.runs_days, datetime.now(UTC))
            self.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            effective = self.run_dir / "config.json"
            write_effective(self.config, effective)
            self._environment = os.environ | {
                ENVIRONMENT: str(effective.resolve()),
                SESSION: self.session_id,
                SUPERVISED: "1",
                "PYTHONUNBUFFERED": "1",
                "PYTHONUTF8": "1",
            }
            bus = self.config.settings.bus
            transport = choose_transport(bus.transport, self.state_dir, bus.base_port)
            if transport.socket_dir is not None:
                opening.callback(shutil.rmtree, transport.socket_dir, ignore_errors=True)
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            opening.callback(context.term)
            identity = Identity(self.session_id, f"supervisor-{os.getpid()}", SUPERVISOR)
            self._wires = opening.enter_context(Wires(SUPERVISOR, identity, transport, context))
            rules, now_ns = LifeRules.of(self.config.settings.supervisor), monotonic_ns()
            self._roles = {
                command.role: _Role(command, RoleLife(command.role, rules, command.role in ROLES, now_ns))
                for command in self._commands
            }
            opening.callback(self.stop)
            self._attend(now_ns)
            self._open = opening.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()

    # --- what is known ---------------------------------------------------------------------------------------------

    def statuses(self) -> tuple[RoleStatus, ...]:
        """How each role stands, in the order of the Procfile."""
        now_ns = monotonic_ns()
        return tuple(
            RoleStatus(
                role=name,
                state=role.life.state,
                pid=None if role.child is None else role.child.pid,
                restarts=role.life.restarts,
                silence_ns=role.life.silence_ns(now_ns),
                counts=dict(role.counts),
                totals=role.totals(),
                last_death=role.last_death,
            )
            for name, role in self._roles.items()
        )

    # --- the loop --------------------------------------------------------------------------------------------------

    def step(self, timeout_ms: int = _TURN_MS) -> None:
        """Hear the roles for at most ``timeout_ms``, then start, restart and kill what is due."""
        self._listen(timeout_ms)
        now_ns = monotonic_ns()
        for role in self._roles.values():
            if role.child is not None and (code := role.child.exit_code()) is not None:
                self._bury(role, code, now_ns)
        self._attend(now_ns)

    def _listen(self, timeout_ms: int) -> None:
        assert self._wires is not None
        for arrival in self._wires.receive(timeout_ms, at_most=1_000):
            if not isinstance(arrival, Arrival) or not isinstance(arrival.message, Heartbeat):
                continue
            role = self._roles.get(arrival.message.role)
            if role is None or arrival.run_id == role.dead_run_id:
                continue
            role.run_id = arrival.run_id
            role.counts = arrival.message.counts
            role.life.on_heartbeat(monotonic_ns())

    def _attend(self, now_ns: int) -> None:
        for role in self._roles.values():
            match role.life.due(now_ns):
                case "start":
                    self._start(role)
                case "kill" if role.child is not None:
                    silent_ms = (role.life.silence_ns(now_ns) or 0) // NS_PER_MS
                    self._log.warning(events.ROLE_HUNG, child=role.command.role, pid=role.child.pid, silent_ms=silent_ms)
                    role.child.kill()

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
        role.past, role.counts = role.totals(), {}
        role.dead_run_id = role.run_id
        role.life.on_exit(now_ns, refused=code == BadInput.exit_code)
        said = child.last_line()
        name = role.command.role
        role.last_death = f"{how_it_ended(code)}: {said}"
        self._log.warning(events.ROLE_DIED, child=name, pid=child.pid, ended=how_it_ended(code), said=said)
        if role.life.state == "given_up":
            if code == BadInput.exit_code:
                raise BadInput(f"{name} refuses to run: {said}")
            raise CrashLoop(
                f"{name} died {role.life.deaths_in_a_minute} times within a minute, the last time with {how_it_ended(code)}; "
                f"its last line: {said}"
            )

    # --- the end ---------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask every process to stop, the venue after its clients, and kill what has not ended after ``stop_timeout_ms``."""
        allowed_ms = max(0, self.config.settings.supervisor.stop_timeout_ms - _KILL_RESERVE_MS)
        deadline_ns = monotonic_ns() + allowed_ms * NS_PER_MS
        ours = [role for name, role in self._roles.items() if name in ROLES]
        others = [role for name, role in self._roles.items() if name not in ROLES]
        for wave in (ours, others):
            for role in wave:
                if role.child is not None:
                    role.child.ask_to_stop()
            while any(_alive(role) for role in wave) and not self._hurry() and monotonic_ns() < deadline_ns:
                self._listen(20)
        killed = [role.command.role for role in self._roles.values() if _alive(role)]
        for role in self._roles.values():
            if role.child is not None:
                role.child.kill()
                role.child.close()
                role.child = None
            role.life.on_stopped()
        self._listen(0)
        self._log.info(events.ROLES_STOPPED, killed=killed)


def _alive(role: _Role) -> bool:
    return role.child is not None and role.child.exit_code() is None


def how_it_ended(code: int) -> str:
    """An exit code, or the signal that ended a process, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


class StopSignals:
    """Hears what asks this process to stop: SIGINT, SIGTERM, SIGHUP, Ctrl-Break, where the platform has them. A context manager.

    ``insists``: it was asked again. Signals within half a second are one request, as a launcher may pass on the terminal's Ctrl-C.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._last_ns = 0
        self._before: dict[int, Any] = {}

    @property
    def insists(self) -> bool:
        return self.requests > 1

    def __enter__(self) -> StopSignals:
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now_ns = monotonic_ns()
        if not self.requests or now_ns - self._last_ns >= _ONE_REQUEST_NS:
            self.requests += 1
        self._last_ns = now_ns


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
