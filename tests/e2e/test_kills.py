"""Processes killed at random while they trade: venue, journal and database agree row by row, whatever died when."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.kill_trial import KillTrial

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")


@pytest.mark.timeout(200)
def test_nothing_is_lost_doubled_or_altered_by_thirty_kills(tmp_path: Path) -> None:
    report = KillTrial(tmp_path, seed=1).run(30)
    print(report.told())
    assert report.differences == []
    assert (report.exit_code, report.integrity, report.kills.total()) == (0, "ok", 30)
    assert report.orders > 20


CRASHES = (
    "executor:before-journal:1",
    "executor:before-journal:2",
    "executor:after-journal:1",
    "executor:after-journal:2",
    "executor:before-send:1",
    "executor:after-send:1",
    "executor:before-ack:1",
    "executor:after-ack:1",
    "executor:before-push:2",
    "executor:after-push:2",
    "writer:before-commit:1",
    "writer:after-commit:1",
)


@pytest.mark.timeout(200)
def test_a_crash_at_any_step_of_an_order_leaves_at_most_one_of_it_at_the_venue(tmp_path: Path) -> None:
    report = KillTrial(tmp_path).run_points(CRASHES)
    print(report.told())
    assert report.differences == []
    assert (report.exit_code, report.integrity) == (0, "ok")
    assert report.kills == {"executor": 10, "writer": 2}


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_nothing_is_lost_doubled_or_altered_by_a_thousand_kills(tmp_path: Path) -> None:
    report = KillTrial(tmp_path, seed=1_000).run(1_000)
    print(report.told())
    assert report.differences == []
    assert (report.exit_code, report.integrity) == (0, "ok")
