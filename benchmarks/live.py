"""The six processes under the real supervisor, fed by the offline venue at an even pace: one run, and what it came to."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.tape import write_paced_recording
from pipeline.base.config import Config, load_config
from pipeline.base.errors import CrashLoop
from pipeline.base.log import set_up_logging_once
from pipeline.bus.topology import BOOK_BUILDER, EXECUTOR, GATEWAY, ROLES
from polybot.cli.up_plan import fuse
from processes.child_output import FileOutput
from processes.dependencies import FUSED
from processes.fake_settings import fake_addresses
from processes.options import new_session_id
from processes.procfile import PROCFILE_DEMO, RoleCommand, find_procfile, read_procfile
from processes.runs import run_folder
from processes.supervisor import Supervisor

DEFAULTS = Path(__file__).resolve().parents[1] / "config" / "default.toml"
WAITS = "POLYBOT_BENCH_WAITS"
"""Names the file into which the timed executor writes the way of each order, in nanoseconds."""
FAKE_VENUE = "fake_venue"
START_LIMIT_S = 30.0
SETTLE_S = 3.0
HEARTBEAT_MS = 200
"""Totals come with heartbeats; so often that a pace is told to within a per cent."""
KEPT_UP = 0.98
"""Of the frames that were to come, how many must have been handled for a pace to count as held."""
LOSSES = ("gaps", "dropped", "dropped_rows", "hash_misses", "resync_gap", "books_failed", "crossed", "invalid", "bad_frames")


@dataclass(frozen=True)
class LiveRun:
    """What one run came to, over its measured stretch. ``cpu`` is in cores, by role; ``waits_ns`` is only of a timed run."""

    rate: int
    seconds: float
    frames: int
    batches: int
    lost: dict[str, int]
    behind_ms: float
    cpu: dict[str, float]
    waits_ns: tuple[tuple[int, int], ...] = ()
    deaths: tuple[str, ...] = ()
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def pace(self) -> float:
        """Frames a second that were handled."""
        return self.frames / self.seconds

    @property
    def held(self) -> bool:
        """Whether the pace was kept without a gap, a drop or a death."""
        return not self.lost and not self.deaths and self.pace >= KEPT_UP * self.rate


def run_live(
    rate: int,
    seconds: float,
    values: Mapping[str, Mapping[str, Any]] | None = None,
    timed: bool = False,
    fused: bool = False,
) -> LiveRun:
    """Run the pipeline at ``rate`` frames a second until it has settled, and then for ``seconds`` that count.

    ``values`` are settings by section. ``timed`` takes an executor that notes when each order gets to the relayer; ``fused`` the one
    process in place of four.
    """
    set_up_logging_once()
    with tempfile.TemporaryDirectory(prefix="polybot-bench-") as folder:
        place = Path(folder)
        waits = place / "waits.json"
        os.environ.update({"PYTHONPYCACHEPREFIX": str(bytecode()), WAITS: str(waits)})
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        config = config_in(place, values or {})
        session = new_session_id()
        tape = paced_tape(int(rate * (seconds + SETTLE_S + START_LIMIT_S / 3)))
        listed = read_procfile(find_procfile(PROCFILE_DEMO))
        commands = tuple(_command(known, timed, tape, rate) for known in (fuse(listed) if fused else listed))
        output = FileOutput(run_folder(Path(config.settings.bus.state_dir), session))
        behind_ms = 0.0
        deaths: tuple[str, ...] = ()
        with Supervisor(commands, config, session, output) as supervisor:
            _run_until(supervisor, START_LIMIT_S, lambda: _is_up(supervisor))
            _run_for(supervisor, SETTLE_S)
            before, cpu_before, began, from_ns = _totals(supervisor), _cpu(supervisor), time.monotonic(), time.time_ns()
            try:
                behind_ms = _run_for(supervisor, seconds, lambda: _behind_ms(config))
            except CrashLoop as error:
                deaths = (str(error),)
            after, cpu_after, took, to_ns = _totals(supervisor), _cpu(supervisor), time.monotonic() - began, time.time_ns()
            deaths += tuple(f"{s.role}: {s.last_death or s.restarts}" for s in supervisor.statuses() if s.restarts)
        noted = json.loads(waits.read_text()) if waits.is_file() else ()
        waits_ns = tuple((to, on) for at_ns, to, on in noted if from_ns <= at_ns < to_ns)
        change = {role: {name: counts[name] - before[role].get(name, 0) for name in counts} for role, counts in after.items()}
        lost = {f"{role} {name}": by for role, counts in change.items() for name, by in counts.items() if name in LOSSES and by}
        return LiveRun(
            rate=rate,
            seconds=took,
            frames=change[GATEWAY].get("frames", 0),
            batches=change[BOOK_BUILDER].get("batches", 0),
            lost=lost,
            behind_ms=behind_ms,
            cpu={role: (cpu_after[role] - cpu_before[role]) / took for role in cpu_after if role in cpu_before},
            waits_ns=waits_ns,
            deaths=deaths,
            counts=change,
        )


def config_in(place: Path, values: Mapping[str, Mapping[str, Any]]) -> Config:
    """The settings of a run in a folder of its own: the offline venue on a free port, and `values` by section."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings: dict[str, dict[str, Any]] = {
        "venue": {"name": "fake"},
        "fake_venue": {"port": port},
        "polymarket": fake_addresses("127.0.0.1", port),
        "db": {"url": f"sqlite:///{place / 'live.db'}"},
        "bus": {"state_dir": str(place / "state"), "heartbeat_ms": HEARTBEAT_MS},
    }
    for section, changed in values.items():
        settings[section] = {**settings.get(section, {}), **changed}
    return load_config(DEFAULTS).with_values(settings, "benchmark")


def bytecode() -> Path:
    """Where byte code is kept between runs, so that starts cost what they cost the second time."""
    return Path(tempfile.gettempdir()) / "polybot-bench-bytecode"


def paced_tape(frames: int) -> Path:
    """A recording of at least so many frames of the offline venue, a millisecond apart; kept for the next run."""
    enough = 20_000
    while enough < frames:
        enough *= 2
    folder = Path(tempfile.gettempdir()) / f"polybot-bench-tape-{enough}"
    if not (folder / "markets.json").is_file():
        made = Path(tempfile.mkdtemp(prefix="polybot-bench-"))
        write_paced_recording(made, enough)
        made.rename(folder)
    return folder


def _command(known: RoleCommand, timed: bool, tape: Path, rate: int) -> RoleCommand:
    """The command of a role, with the paced tape for the venue and a stopwatch for the executor."""
    if known.role == FAKE_VENUE:
        return RoleCommand(known.role, (*known.argv, "--recording", str(tape), "--speed", str(rate / 1_000)))
    if known.role == EXECUTOR and timed:
        return RoleCommand(known.role, (sys.executable, "-m", "benchmarks.timed_executor", "--venue", "fake"))
    if known.role == FUSED and timed:
        return RoleCommand(known.role, (sys.executable, "-m", "benchmarks.timed_fused", "--venue", "fake"))
    return known


def _is_up(supervisor: Supervisor) -> bool:
    statuses = {status.role: status for status in supervisor.statuses()}
    frames = statuses[GATEWAY].counts.get("frames", 0)
    return frames > 0 and all(statuses[role].state == "running" for role in ROLES)


def _run_until(supervisor: Supervisor, limit_s: float, reached: Callable[[], bool]) -> None:
    end = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"the pipeline was not up after {limit_s} s: {supervisor.statuses()}")
        supervisor.step()


def _run_for(supervisor: Supervisor, seconds: float, ask: Callable[[], float] = lambda: 0.0) -> float:
    """Step for so long, and then until every role has told its totals; returns the largest of what ``ask`` said once a second."""
    largest, end, next_s = 0.0, time.monotonic() + seconds, time.monotonic() + 1
    while time.monotonic() < end:
        supervisor.step()
        if time.monotonic() >= next_s:
            largest, next_s = max(largest, ask()), next_s + 1
    return largest


def _totals(supervisor: Supervisor) -> dict[str, dict[str, int]]:
    return {status.role: status.totals for status in supervisor.statuses() if status.role in ROLES}


def _behind_ms(config: Config) -> float:
    """How far the venue is behind its own pace."""
    url = f"{config.settings.polymarket.clob_url}/admin/status"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return float(json.load(answer)["behind_ms"])


def _cpu(supervisor: Supervisor) -> dict[str, float]:
    """Seconds of processor time of each process so far; empty where /proc is missing."""
    pids = {status.role: status.pid for status in supervisor.statuses() if not status.part_of}
    return {role: _cpu_s(pid) for role, pid in pids.items() if pid and Path(f"/proc/{pid}/stat").is_file()}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
