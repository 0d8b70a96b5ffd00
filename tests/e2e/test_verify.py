"""A session of real processes, some of them killed, is asked again afterwards and says the same, in every life."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import Any

import pytest

from pipeline.messages.orders import PlaceOrder
from polybot.verifying.session import open_session
from polybot.verifying.verify import verify

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")

SOAK_S = 600.0
LOGGED = "[bus]\nlog_inputs = true\njournal_segment_bytes = 60_000\n"
MERCIFUL = "[supervisor]\nmax_deaths_per_minute = 1_000\n"
ROLES = ("executor", "strategy", "book_builder", "gateway", "scheduler", "writer")


def test_a_session_with_three_kills_says_the_same_again_and_another_parameter_is_named(up, program, tmp_path):
    (tmp_path / "logged.toml").write_text(LOGGED)
    pipeline = up("--config", "logged.toml")
    pipeline.until(pipeline.trades, 30, "quotes on verified books")
    _kill(pipeline, "strategy", "executor", "writer")
    for role in ("strategy", "executor", "writer"):
        pipeline.until(lambda role=role: _lives(pipeline, role) == 2, 20, f"a log of the second {role}")
    placed = pipeline.model.placed
    pipeline.until(lambda: pipeline.model.placed > placed, 10, "orders after the kills")
    pipeline.send(signal.SIGINT)
    assert pipeline.wait(8) == 0, pipeline.said
    told = _verified(program, pipeline)
    assert told["identical"], told
    assert told["decisions"] > 0
    assert told["journal_records"] > 0
    assert told["rows"]["compared"] > 100, told["rows"]
    lives = [life["role"] for life in told["lives"]]
    assert lives == ["scheduler", "gateway", "book_builder", *["strategy"] * 2, *["executor"] * 2, *["writer"] * 2]
    assert [life["stopped"] for life in told["lives"]].count(False) == 3
    other = verify(open_session(pipeline.state_dir, told["session"], ["spread_capture.size=21"])).divergence
    assert other is not None
    assert other.role == "strategy"
    assert other.both
    assert isinstance(other.was, PlaceOrder)
    assert isinstance(other.is_, PlaceOrder)
    assert (other.was.size_e6, other.is_.size_e6) == (20_000_000, 21_000_000)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_S + 600)
def test_ten_minutes_with_kills_now_and_then_say_the_same_again(up, program, tmp_path):
    (tmp_path / "logged.toml").write_text(LOGGED + MERCIFUL)
    rng = random.Random(int(os.environ.get("POLYBOT_SOAK_SEED", "1")))
    seconds = float(os.environ.get("POLYBOT_SOAK_S", SOAK_S))
    pipeline = up("--config", "logged.toml")
    pipeline.until(pipeline.trades, 30, "quotes on verified books")
    end, kills = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        pause = time.monotonic() + rng.uniform(3, 25) * min(1.0, seconds / 120)
        pipeline.until(lambda pause=pause: time.monotonic() > pause, 60, "the next kill")
        _kill(pipeline, *rng.sample(ROLES, rng.choice((1, 1, 2))))
        kills += 1
    placed = pipeline.model.placed
    pipeline.until(lambda: pipeline.model.placed > placed, 30, "orders after the last kill")
    pipeline.send(signal.SIGINT)
    assert pipeline.wait(60) == 0, pipeline.said
    told = _verified(program, pipeline, seconds=600)
    compared = f"{told['inputs']:,} inputs, {told['decisions']:,} decisions, {told['rows']['compared'] or 0:,} rows"
    print(f"{kills} kills, {len(told['lives'])} lives: {compared}")
    assert told["identical"], told
    assert told["journal_records"] > 0
    assert told["rows"]["compared"] > 0, told["rows"]


def _kill(pipeline, *roles: str) -> None:
    """Kill roles and wait until they have been started again."""
    before = pipeline.pids()
    for role in roles:
        os.kill(before[role], signal.SIGKILL)
    for role in roles:
        pipeline.until(lambda role=role: pipeline.pids()[role] != before[role], 20, f"{role} started again")


def _lives(pipeline, role: str) -> int:
    """How many lives of a role have noted something."""
    logs = pipeline.state_dir.glob(f"runs/*/inputs/*.{role}.*")
    return len({log.name.split(".")[2] for log in logs if log.stat().st_size})


def _verified(program, pipeline, seconds: float = 60) -> dict[str, Any]:
    done = program("polybot.cli", "replay", "--verify", "last", "--json", "--state-dir", str(pipeline.state_dir))
    assert done.wait(seconds) == 0, done.said
    return json.loads("".join(done.out))
