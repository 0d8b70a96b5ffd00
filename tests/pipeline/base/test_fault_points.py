"""Fault points: what a file arms happens once, at its place and turn, to the process of its role."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.base.fault_points import POINTS, VARIABLE, FaultPoints


class Watched:
    """The points of an executor, and how often they acted."""

    def __init__(self, file: Path) -> None:
        self.acted = 0
        self.points = FaultPoints("executor", file, self._act)

    def _act(self) -> None:
        self.acted += 1


def test_nothing_happens_at_other_points_or_for_another_role_or_without_a_file(tmp_path: Path) -> None:
    file = tmp_path / "armed"
    watched = Watched(file)
    watched.points.at("after-send")
    file.write_text("executor:after-send:1")
    for point in POINTS:
        if point != "after-send":
            watched.points.at(point)
    file.write_text("writer:after-send:1")
    watched.points.at("after-send")
    assert (watched.acted, file.exists()) == (0, True)


def test_an_armed_point_acts_at_its_nth_time_and_disarms_itself(tmp_path: Path) -> None:
    file = tmp_path / "armed"
    file.write_text("executor:after-journal:3")
    watched = Watched(file)
    turns = []
    for _ in range(6):
        watched.points.at("after-journal")
        turns.append(watched.acted)
    assert (turns, file.exists()) == ([0, 0, 1, 1, 1, 1], False)


def test_a_point_can_be_armed_again_and_counts_from_there(tmp_path: Path) -> None:
    file = tmp_path / "armed"
    watched = Watched(file)
    for said in ("executor:before-ack:2", "executor:before-push:1", "executor:before-ack:2"):
        file.write_text(said)
        point = said.split(":")[1]
        watched.points.at(point)  # type: ignore[arg-type]
        watched.points.at(point)  # type: ignore[arg-type]
    assert watched.acted == 3


@pytest.mark.parametrize("said", ["executor", "executor:nowhere:1", "executor:before-push:0", "executor:before-push:x"])
def test_what_cannot_be_read_is_refused_with_the_points_there_are(tmp_path: Path, said: str) -> None:
    file = tmp_path / "armed"
    file.write_text(said)
    with pytest.raises(BadInput, match="after-commit"):
        FaultPoints("executor", file).at("before-push")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_the_process_of_the_named_role_is_killed_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "armed"
    file.write_text("executor:before-push:1")
    program = (
        "import sys; from pipeline.base.fault_points import arm_from_environment, reach;"
        "arm_from_environment(sys.argv[1]); reach('before-push'); print('lives')"
    )

    def run(role: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {VARIABLE: str(file)}
        return subprocess.run([sys.executable, "-c", program, role], env=environment, capture_output=True, text=True)

    assert run("writer").stdout == "lives\n"
    dead = run("executor")
    assert dead.stdout == "" and dead.returncode == -signal.SIGKILL
    assert run("executor").stdout == "lives\n"
