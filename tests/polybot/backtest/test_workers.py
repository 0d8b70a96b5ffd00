"""A grid of real worker processes that is interrupted, loses a worker or loses its parent: nobody stays, and nothing is half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

RECORDING = Path(__file__).resolve().parents[3] / "recordings/fake-venue-10min"
PLAYING_TICKS = 80
"""So much processor time, in hundredths of a second, and a worker is no longer starting."""


class Grid:
    """`polybot backtest` with two workers in a process group of its own, as a terminal starts it."""

    def __init__(self, folder: Path) -> None:
        words = [str(RECORDING), "--param", "size=5,6,7,8,9,10", "--fill-model", "all", "--workers", "2"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "polybot.cli", "backtest", *words, "--out", "results", "--html", "page.html"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def workers(self) -> list[int]:
        """The pids of those that play."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in _of(int(pid), "cmdline")]

    def play(self) -> list[int]:
        """Wait until two workers are in the midst of a run."""
        _until(lambda: len([pid for pid in self.workers() if _ticks(pid) > PLAYING_TICKS]) == 2, 40, "two workers that play")
        return self.workers()

    def end(self) -> tuple[int, str, str]:
        """Exit code and what was said; it must end within five seconds."""
        out, err = self.process.communicate(timeout=5)
        return self.process.returncode, out, err


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[Grid]:
    grid = Grid(tmp_path)
    try:
        yield grid
    finally:
        if grid.process.poll() is None:
            grid.process.kill()
            grid.process.communicate()


def test_ctrl_c_ends_every_worker_and_leaves_nothing(grid: Grid, tmp_path: Path) -> None:
    workers = grid.play()
    os.killpg(grid.process.pid, signal.SIGINT)
    assert grid.end() == (130, "", "polybot: interrupted\n")
    assert not [pid for pid in workers if _is_there(pid)]
    assert not list(tmp_path.iterdir())


def test_ctrl_c_while_the_workers_are_starting_is_heard_by_the_parent_alone(grid: Grid, tmp_path: Path) -> None:
    _until(lambda: len(grid.workers()) == 2, 40, "two workers that start")
    workers = grid.workers()
    os.killpg(grid.process.pid, signal.SIGINT)
    assert grid.end() == (130, "", "polybot: interrupted\n")
    assert not [pid for pid in workers if _is_there(pid)]
    assert not list(tmp_path.iterdir())


def test_a_worker_that_is_killed_ends_the_grid_with_one_line(grid: Grid, tmp_path: Path) -> None:
    victim, other = grid.play()
    os.kill(victim, signal.SIGKILL)
    code, out, err = grid.end()
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "a worker was killed by signal 9 before its run was done" in err
    assert not _is_there(other)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_do_not_outlive_a_parent_that_is_killed(grid: Grid, tmp_path: Path, number: int) -> None:
    workers = grid.play()
    os.kill(grid.process.pid, number)
    assert grid.end() == (-number, "", "")
    _until(lambda: not [pid for pid in workers if _is_there(pid)], 5, "the end of the workers")
    assert not list(tmp_path.iterdir())


def _of(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _is_there(pid: int) -> bool:
    """It runs; what ended and nobody has asked after is not there."""
    state = _of(pid, "stat").rpartition(b")")[2].split()
    return bool(state) and state[0] not in (b"Z", b"X")


def _ticks(pid: int) -> int:
    fields = _of(pid, "stat").rpartition(b")")[2].split()
    return int(fields[11]) if fields else 0


def _until(reached: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        os.sched_yield()
