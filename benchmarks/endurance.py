"""A day and more of market time through the real processes: does their memory stay flat, do the files stay bounded, is the database whole.

``python -m benchmarks.endurance --hours 24 --rate 75 --speed 40`` writes a recording of the offline venue at real rates (75 frames a
second is what six tokens sent on the live venue), plays it that much faster through ``polybot up``, and looks at every process and
folder once a minute of market time. Times of retention are settings of the run, in market time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.bus.topology import ROLES

HOUR_S = 3_600
LOOK_S = 5.0
WARM = 0.15
"""The share of a run that counts as its beginning: pools, caches and books fill then."""
SETTINGS = """
[ingestion]
retention_ms = {retention_ms}
prune_interval_ms = 300000
record = false
"""


@dataclass
class Look:
    """What was seen at one moment: kilobytes of each process, bytes of each place, and how many hours of market time had been played."""

    hours: float
    rss_kb: dict[str, int]
    files: dict[str, int]


@dataclass
class Endurance:
    """All looks of one run, and its end."""

    looks: list[Look] = field(default_factory=list)
    exit_code: int | None = None
    integrity: str = ""
    summary: dict[str, object] = field(default_factory=dict)

    def growth(self, role: str) -> tuple[int, int, int]:
        """Kilobytes of a process after the warm-up, the most ever since, and at the end."""
        seen = [look.rss_kb[role] for look in self.looks if role in look.rss_kb]
        warm = seen[int(len(seen) * WARM) :] or [0]
        return warm[0], max(warm), warm[-1]


def make_recording(folder: Path, hours: float, rate: int, seed: int) -> None:
    """Write the market as a recording, at full speed."""
    command = [sys.executable, "-m", "processes.fake_venue", "--seed", str(seed), "--rate", str(rate)]
    subprocess.run([*command, "--record-to", str(folder), "--for", str(int(hours * HOUR_S))], check=True)


def run(folder: Path, recording: Path, speed: float, retention_hours: float) -> Endurance:
    """Play the recording through ``polybot up`` and look at it until it ends."""
    state, database = folder / "var", folder / "endurance.db"
    overrides = folder / "endurance.toml"
    overrides.write_text(SETTINGS.format(retention_ms=int(retention_hours * HOUR_S * 1_000)))
    places = ["--state-dir", str(state), "--db-url", f"sqlite:///{database}", "--config", str(overrides)]
    command = [sys.executable, "-m", "polybot.cli", "up", "--json", "--venue", f"recording:{recording}", "--speed", str(speed)]
    told = Endurance()
    began = time.monotonic()
    with (folder / "summary.json").open("w") as out, (folder / "err.txt").open("w") as err:
        up = subprocess.Popen([*command, *places], stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        try:
            while up.poll() is None:
                time.sleep(LOOK_S)
                hours = (time.monotonic() - began) * speed / HOUR_S
                told.looks.append(Look(hours, rss_of(state, up.pid), sizes(state, database)))
        except KeyboardInterrupt:
            up.send_signal(signal.SIGINT)
        told.exit_code = up.wait()
    said = (folder / "summary.json").read_text()
    if not said.strip():
        raise SystemExit((folder / "err.txt").read_text().strip() or f"polybot up ended with {told.exit_code} and without a word")
    told.summary = json.loads(said)
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as conn:
        (told.integrity,) = conn.execute("PRAGMA integrity_check").fetchone()
    return told


def rss_of(state: Path, supervisor_pid: int) -> dict[str, int]:
    """Kilobytes in memory of each role by its pid file, and of the supervisor; roles that are not there are left out."""
    pids = {role: state / f"{role}.pid" for role in ROLES}
    found = {role: int(path.read_text() or 0) for role, path in pids.items() if path.is_file()}
    found["supervisor"] = supervisor_pid
    return {role: kb for role, pid in found.items() if (kb := _rss_kb(pid))}


def _rss_kb(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_024


def sizes(state: Path, database: Path) -> dict[str, int]:
    """Bytes of the database with its log, of the journals, and of all else in the state directory."""
    found = {"database": 0, "journal": 0, "runs": 0}
    for path in (database, database.with_name(database.name + "-wal")):
        found["database"] += _size(path)
    for path in state.rglob("*"):
        place = "journal" if "journal" in path.relative_to(state).parts else "runs"
        found[place] += _size(path) if path.is_file() else 0
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def table(told: Endurance) -> str:
    """The run for a person: memory by process, files by hour, and the end."""
    lines = ["process       after warm-up   most     end   (MB)"]
    for role in (*ROLES, "supervisor"):
        warm, most, last = told.growth(role)
        lines.append(f"{role:<14}{warm / 1024:>12.1f}{most / 1024:>8.1f}{last / 1024:>8.1f}")
    lines += ["", "hour   database  journal   runs   (MB)"]
    hour = 0.0
    for look in told.looks:
        if look.hours >= hour or look is told.looks[-1]:
            files = look.files
            cells = "".join(f"{files[name] / 1e6:>9.1f}" for name in ("database", "journal", "runs"))
            lines.append(f"{look.hours:>5.1f}{cells}")
            hour = look.hours + 2
    lines += ["", f"exit code {told.exit_code}, integrity_check {told.integrity}"]
    lines += [f"{name} {value}" for name, value in told.summary.items() if not isinstance(value, (dict, list))]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Make the recording if it is not there, play it, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--rate", type=int, default=75)
    parser.add_argument("--speed", type=float, default=40.0)
    parser.add_argument("--retention-hours", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where all is written; a recording in it is used again")
    options = parser.parse_args(argv)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="polybot-endurance-"))
    recording = folder / "recording"
    if not (recording / "markets.json").is_file():
        make_recording(recording, options.hours, options.rate, options.seed)
    told = run(folder, recording, options.speed, options.retention_hours)
    print(table(told))
    return 0 if told.exit_code == 0 and told.integrity == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
