"""`polybot up --fused`: it trades, is killed and comes back as one, obeys a halt, and ends in time."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from processes.dependencies import FUSED, PLAYS
from processes.health_file import read_health

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


def test_one_process_takes_the_feed_and_trades_beside_the_writer_and_the_scheduler(up):
    pipeline = up("--fused", "--json")
    pipeline.until(pipeline.trades, 30, "quotes on verified books")
    pipeline.send(signal.SIGTERM)
    assert pipeline.wait(20) == 0, pipeline.said
    summary = json.loads("".join(pipeline.out))
    assert set(pipeline.pids()) == {"fake_venue", "writer", "scheduler", FUSED}
    assert summary["verified_percent"] == 100
    assert summary["quotes_placed"] > 0
    assert (summary["restarts"], summary["drops"], summary["gaps"]) == (0, 0, 0)
    assert summary["rows"]["orders"] >= summary["quotes_placed"]
    assert pipeline.left_behind() == []


@pytest.mark.soak
def test_the_fused_process_trades_comes_back_after_a_kill_obeys_a_halt_and_ends_within_five_seconds(up, program):
    pipeline = up("--fused")
    pipeline.until(pipeline.trades, 30, "quotes on verified books")
    pids = pipeline.pids()
    assert set(pids) == {"fake_venue", "writer", "scheduler", FUSED}
    os.kill(pids[FUSED], signal.SIGKILL)
    pipeline.until(lambda: pipeline.pids()[FUSED] != pids[FUSED], 10, "the fused process again")
    pipeline.model.accepts = False
    pipeline.until(lambda: pipeline.model.accepts, 20, "an executor that takes orders")
    told = {role.role: role for role in read_health(pipeline.state_dir).roles}
    assert {name for name, role in told.items() if role.part_of == FUSED} == set(PLAYS[FUSED])
    assert (told[FUSED].restarts, told["executor"].restarts, told["writer"].restarts) == (1, 0, 0)
    assert told["executor"].pid == told[FUSED].pid == pipeline.pids()[FUSED]
    halt = program("polybot.cli", "halt", "--reason", "enough", "--state-dir", str(pipeline.state_dir))
    assert halt.wait(20) == 0, halt.said
    pipeline.until(lambda: pipeline.model.halted, 5, "the halt")
    pipeline.send(signal.SIGTERM)
    assert pipeline.wait(20) == 0, pipeline.said
    assert pipeline.left_behind() == []
    stopped = pipeline.events("roles_stopped")[-1]
    assert stopped["killed"] == []
    assert stopped["total_ms"] < 5_000
