"""Worker processes: how many there are, and in which order they begin, changes nothing."""

from __future__ import annotations

import pytest

from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from polybot.backtest.grid import run_grid
from polybot.backtest.plan import RunPlan, make_plans
from polybot.backtest.result import RunResult
from polybot.backtest.source import look


def test_worker_counts_and_start_orders_give_the_same_hashes(plans: list[RunPlan], result: RunResult, other: RunResult) -> None:
    told: list[tuple[int, int]] = []
    wanted = [plans[2], plans[0], plans[0], plans[2]]
    found = run_grid(wanted, workers=2, shown=lambda frames, runs: told.append((frames, runs)))
    assert [each.number for each in found] == [3, 1, 1, 3]
    assert [each.run_hash for each in found] == [other.run_hash, result.run_hash, result.run_hash, other.run_hash]
    assert told[-1] == (2 * (other.played.messages + result.played.messages), 4)


def test_what_a_run_refuses_ends_the_grid_with_its_words(config: Config, tmp_path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"type":"snapshot","seq":1,"bids":[[0.4,10]],"asks":[[0.5,10]]}\nnonsense\n', encoding="utf-8")
    plans = make_plans([look(str(file))], config, "spread_capture", [], ("pessimistic",))
    with pytest.raises(BadInput, match=r"bad\.jsonl:2"):
        run_grid(plans, workers=1)
