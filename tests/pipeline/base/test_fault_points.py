"""Fault points: what is armed happens once, at its place and time."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pipeline.base.fault_points import POINTS, VARIABLE, arm, disarm, reach


@pytest.fixture(autouse=True)
def nothing_armed_afterwards() -> Iterator[None]:
    yield
    disarm()


def test_nothing_happens_at_a_point_that_is_not_armed() -> None:
    died: list[str] = []
    arm("after-send", act=lambda: died.append("x"))
    for point in POINTS:
        if point != "after-send":
            reach(point)
    assert died == []


def test_an_armed_point_acts_at_its_nth_time_and_only_then() -> None:
    died: list[int] = []
    passed: list[int] = []
    arm("after-journal", at=3, act=lambda: died.append(len(passed)))
    for turn in range(1, 7):
        passed.append(turn)
        reach("after-journal")
    assert died == [3]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_the_process_of_the_named_role_is_killed_and_no_other() -> None:
    program = (
        "import sys; from pipeline.base.fault_points import arm_from_environment, reach;"
        "arm_from_environment(sys.argv[1]); reach('before-push'); print('lives')"
    )

    def run(role: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, role], env={VARIABLE: "executor:before-push:1"}, capture_output=True, text=True
        )

    assert run("writer").stdout == "lives\n"
    dead = run("executor")
    assert dead.stdout == "" and dead.returncode == -signal.SIGKILL


@pytest.mark.parametrize("said", ["executor", "executor:nowhere:1", "executor:before-push:0", "executor:before-push:x"])
def test_what_cannot_be_read_is_refused_with_the_points_there_are(said: str) -> None:
    program = (
        "from pipeline.base.fault_points import arm_from_environment\n"
        "from pipeline.base.errors import BadInput\n"
        "try: arm_from_environment('executor')\n"
        "except BadInput as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", program], env={VARIABLE: said}, capture_output=True, text=True).stdout
    assert VARIABLE in told and "after-commit" in told
