"""What every process shares: its options, its identity, and the one way to run a stage until it is told to stop."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click
from filelock import FileLock, Timeout

from pipeline.base import events
from pipeline.base.clock import Clock, EventClock, SystemClock
from pipeline.base.config import Config, load_config
from pipeline.base.errors import PolybotError, RoleTaken
from pipeline.base.fault_points import arm_from_environment
from pipeline.base.log import LEVELS, get_logger, set_up_logging
from pipeline.base.memory import settle
from pipeline.base.printable import printable
from pipeline.base.private import keep_private, state_folder
from pipeline.base.redaction import redact_tracebacks
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Identity, InlineEdge, Stage
from processes.fake_settings import with_fake_venue

if TYPE_CHECKING:  # a command that replays has the stages without sockets, and is quicker to start without these
    from pipeline.bus.edge import AsyncEdge
    from pipeline.bus.runner import RunnerOptions

SESSION = "POLYBOT_SESSION"
SUPERVISED = "POLYBOT_SUPERVISED"
LAST_MOMENT_S = 15.0
"""How long a process may take to stop once its supervisor is gone; a supervisor that lives waits ``[supervisor] stop_timeout_ms``."""
HUNG = 5
"""The exit code of a process that did not stop in that time."""

Command = TypeVar("Command", bound=Callable[..., Any])


def process_options(command: Command) -> Command:
    """Give a process command the shared options; it is called with ``config`` and ``session_id``.

    A PolybotError ends the process with one line on standard error and the error's exit code.
    """

    @click.option("--config", "config_path", type=click.Path(path_type=Path), help="Folder of default.toml, or one file.")
    @click.option("--state-dir", type=click.Path(path_type=Path), help="Where journals, runs and locks are kept.")
    @click.option("--log-level", type=click.Choice(list(LEVELS)), help="The least important log event shown.")
    @click.option("--venue", type=click.Choice(["fake"]), help="Use the fake venue at its configured port, not Polymarket.")
    @functools.wraps(command)
    def with_options(
        config_path: Path | None, state_dir: Path | None, log_level: str | None, venue: str | None, **others: Any
    ) -> Any:
        keep_private()
        redact_tracebacks()
        try:
            config = load_config(config_path)
            changed: dict[str, dict[str, Any]] = {}
            if state_dir is not None:
                changed["bus"] = {"state_dir": str(state_dir)}
            if log_level is not None:
                changed["log"] = {"level": log_level}
            config = config.with_values(changed, "command line")
            if venue == "fake":
                config = with_fake_venue(config, "--venue fake")
            return command(config=config, session_id=os.environ.get(SESSION) or new_session_id(), **others)
        except PolybotError as error:
            click.echo(f"{Path(sys.argv[0]).stem}: {printable(str(error))}", err=True)
            sys.exit(error.exit_code)

    return with_options  # type: ignore[return-value]


def new_session_id() -> str:
    """A name for one ``up``: sortable by time, unique on this machine."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{os.getpid():x}"


def new_run_id(session_id: str, role: str) -> str:
    """A name for one start of a process."""
    return f"{session_id}.{role}.{time.time_ns():x}"


def database_name(db_url: str) -> str:
    """A short name for a database, for the files that belong to it."""
    path = db_url.removeprefix("sqlite:///")
    place = str(Path(path).resolve()) if path and path != db_url and path != ":memory:" else db_url
    return f"{Path(path).stem or 'memory'}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def run_process(
    stage: Stage,
    config: Config,
    session_id: str,
    *,
    edges: Sequence[AsyncEdge] = (),
    inline: Sequence[InlineEdge] = (),
    source: str = "",
    before_leaving: Callable[[], None] | None = None,
) -> None:
    """Run one stage as this process until SIGINT, SIGTERM or the end of a supervisor's standard input.

    Raises RoleTaken if another process plays the role in the same state directory.
    """
    import zmq

    from pipeline.bus.runner import Runner
    from pipeline.bus.transport import choose_transport

    settings = config.settings
    state_dir = Path(settings.bus.state_dir)
    state_folder(state_dir)
    identity = Identity(session_id, new_run_id(session_id, stage.role), stage.role)
    set_up_logging(settings.log.level, role=stage.role, run_id=identity.run_id)
    arm_from_environment(stage.role)
    stop = stop_when_told()
    options = runner_options(config, identity, source)
    with role_lock(state_dir, stage.role):
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        transport = choose_transport(settings.bus)
        try:
            clock = process_clock(config)
            runner = Runner(
                stage,
                identity,
                clock,
                transport,
                context,
                edges=edges,
                inline=inline,
                options=options,
                before_leaving=before_leaving,
            )
            settle()
            runner.run(lambda: not stop.is_set())
        except PolybotError:
            raise
        except Exception:
            get_logger().error(events.PROCESS_FAILED, exc_info=True)
            sys.exit(1)
        finally:
            context.destroy(linger=1_000)


def runner_options(config: Config, identity: Identity, source: str) -> RunnerOptions:
    """What the runner of a process needs besides its stage."""
    from pipeline.bus.compose import journal_path
    from pipeline.bus.runner import RunnerOptions

    bus, state_dir = config.settings.bus, Path(config.settings.bus.state_dir)
    inputs = state_dir / "runs" / identity.session_id / "inputs"
    return RunnerOptions(
        journal_path=journal_path(state_dir, identity.producer, database_name(config.settings.db.url)),
        runs_path=state_dir / "runs",
        segment_bytes=bus.journal_segment_bytes,
        input_log_path=inputs / f"{identity.run_id}.log" if bus.log_inputs else None,
        heartbeat_ms=bus.heartbeat_ms,
        resend_ms=bus.resend_ms,
        source=source,
        max_backlog_records=bus.max_backlog_records,
        min_free_bytes=bus.min_free_mb * 1_000_000,
        sync_beside=config.settings.venue.name != "recording",  # on a recording's time, what follows is the same each time
    )


def process_clock(config: Config) -> Clock:
    """The clock of a process. A recording is played on its own time: whoever hears it lives then."""
    return EventClock() if config.settings.venue.name == "recording" else SystemClock(on_step_back=_tell_step)


def _tell_step(step_ns: int) -> None:
    """The machine's clock was set back; ours goes on, a little slower."""
    get_logger().warning(events.CLOCK_STEPPED_BACK, step_ms=step_ns // NS_PER_MS)


def stop_when_told(patience_s: float = LAST_MOMENT_S) -> threading.Event:
    """An event that SIGINT, SIGTERM or (under a supervisor) the end of standard input sets.

    When the supervisor is gone, nobody is left to kill a process that hangs: it ends itself ``patience_s`` later.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), on_signal)
    if os.environ.get(SUPERVISED):
        threading.Thread(target=_wait_for_end_of_input, args=(stop, patience_s), daemon=True).start()
    return stop


def _wait_for_end_of_input(stop: threading.Event, patience_s: float) -> None:
    """A supervisor holds our standard input open for as long as it lives."""
    while os.read(sys.stdin.fileno(), 4096):  # unbuffered: a daemon thread inside a buffer is fatal at exit
        pass
    stop.set()
    time.sleep(patience_s)
    os._exit(HUNG)


def check_role_free(state_dir: Path, role: str) -> None:
    """Raises RoleTaken if the role is played in a state directory, without playing it; nothing is created."""
    if (state_dir / f"{role}.lock").is_file():
        with contextlib.suppress(OSError), role_lock(state_dir, role, write_pid=False):
            pass


class role_lock:
    """Holds ``<state_dir>/<role>.lock`` with our pid beside it. Raises RoleTaken naming the holder."""

    def __init__(self, state_dir: Path, role: str, *, write_pid: bool = True) -> None:
        self._role, self._pid_file, self._writes_pid = role, state_dir / f"{role}.pid", write_pid
        self._lock = FileLock(state_dir / f"{role}.lock")

    def __enter__(self) -> None:
        try:
            self._lock.acquire(timeout=2.0)
        except Timeout:
            pid = self._pid_file.read_text().strip() if self._pid_file.is_file() else "unknown"
            where = self._pid_file.parent
            raise RoleTaken(f"another {self._role} (pid {pid}) runs in {where}; stop it, or choose another --state-dir") from None
        if self._writes_pid:
            self._pid_file.write_text(f"{os.getpid()}\n")

    def __exit__(self, *_: object) -> None:
        if self._writes_pid:
            self._pid_file.unlink(missing_ok=True)
        self._lock.release()
