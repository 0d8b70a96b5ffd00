"""An operator's halt while everything runs: no new orders, none left open, also after a kill, until trading is resumed."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from pipeline.store.open import open_store
from pipeline.store.trading import last_halt, list_orders

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")

PATIENCE_S = 15.0


def test_a_halt_cancels_and_stops_orders_over_a_kill_of_the_executor_until_resumed(up, program):
    pipeline = up()
    pipeline.until(pipeline.trades, 30, "quotes on verified books")

    halt = program(
        "polybot.cli", "halt", "--cancel", "--reason", "election night", "--json", "--state-dir", str(pipeline.state_dir)
    )
    assert halt.wait(PATIENCE_S) == 0, halt.said
    told = json.loads("".join(halt.out))
    assert (told["halted"], told["running"], told["reason"]) == (True, True, "election night")
    pipeline.until(lambda: pipeline.model.halted == "election night" and not pipeline.model.open_orders, PATIENCE_S, "the halt")

    placed = pipeline.model.placed
    before = pipeline.pids()["executor"]
    os.kill(before, signal.SIGKILL)
    pipeline.until(lambda: pipeline.pids()["executor"] != before, PATIENCE_S, "the executor started again")
    pipeline.model.halted = None
    pipeline.until(
        lambda: pipeline.model.halted == "election night" and pipeline.model.accepts, PATIENCE_S, "the halt after the kill"
    )
    frames = pipeline.model.latest_ns
    pipeline.until(lambda: pipeline.model.latest_ns > frames + 2_000_000_000, PATIENCE_S, "two seconds of market")
    assert (pipeline.model.placed, pipeline.model.open_orders) == (placed, 0)

    resume = program("polybot.cli", "resume", "--state-dir", str(pipeline.state_dir))
    assert resume.wait(PATIENCE_S) == 0, resume.said
    assert "".join(resume.out) == "trading goes on\n"
    pipeline.until(lambda: pipeline.model.halted is None and pipeline.model.placed > placed, PATIENCE_S, "new orders")

    pipeline.send(signal.SIGINT)
    assert pipeline.wait(10) == 0, pipeline.said
    with open_store(pipeline.db_url, read_only=True) as store, store.connect() as conn:
        assert last_halt(conn)[:2] == (False, "resumed by the operator")
        assert not [order for order in list_orders(conn, 10_000) if "no book of" in order.reason]


def test_a_halt_without_a_pipeline_counts_from_the_next_start(up, program, tmp_path):
    halt = program("polybot.cli", "halt", "--reason", "not today", "--state-dir", str(tmp_path / "var"))
    assert halt.wait(PATIENCE_S) == 0, halt.said
    assert "no executor runs in" in "".join(halt.out)
    pipeline = up()
    pipeline.until(lambda: pipeline.model.halted == "not today" and pipeline.model.accepts, 30, "the halt")
    resume = program("polybot.cli", "resume", "--state-dir", str(pipeline.state_dir))
    assert resume.wait(PATIENCE_S) == 0, resume.said
    pipeline.until(lambda: pipeline.model.placed > 0, PATIENCE_S, "orders")
