"""Backtests are repeatable to the byte, however they are spread; and every real capture makes a page that needs nothing else."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.base.config import Config
from pipeline.base.settings import FakeVenueSection, Settings
from polybot.backtest.grid import run_grid
from polybot.backtest.plan import RunPlan, make_plans
from polybot.backtest.source import look
from processes.fake_venue import write_recording

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1_800)]

RUNS, MOST_WORKERS = 100, 4
LARGEST = 3 * 1024 * 1024
CAPTURES = (
    ("tickscope_polymarket_20260607_0130.csv.gz", None),
    ("resolvedkit_books.jsonl.gz", "resolvedkit_markets.csv"),
    ("dannychee1_btc-updown-15m-1771634700.csv.gz", None),
)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> list[RunPlan]:
    """Two runs of one recording with different sizes: one is repeated, the other stands between."""
    folder = tmp_path_factory.mktemp("repeated") / "recording"
    write_recording(FakeVenueSection(seed=3, rate_per_s=40, binary_markets=2, event_markets=2, decoys=False), folder, 20)
    return make_plans([look(str(folder))], Config(Settings()), "spread_capture", [("size", ("10", "20"))], ("pessimistic",))


def test_a_hundred_runs_with_any_number_of_workers_in_any_order_give_one_hash(plans: list[RunPlan]) -> None:
    rng = random.Random(6)
    hashes: dict[int, list[str]] = {plan.number: [] for plan in plans}
    again, other = plans
    while len(hashes[again.number]) < RUNS:
        batch = [again] * min(rng.randint(1, 12), RUNS - len(hashes[again.number])) + [other] * rng.randint(0, 2)
        rng.shuffle(batch)
        for result in run_grid(batch, workers=rng.randint(1, MOST_WORKERS)):
            hashes[result.number].append(result.run_hash)
    assert len(hashes[again.number]) == RUNS
    assert len(set(hashes[again.number])) == 1
    assert hashes[other.number] and set(hashes[other.number]).isdisjoint(hashes[again.number])


@pytest.mark.parametrize(("name", "markets"), CAPTURES)
def test_a_real_capture_makes_figures_and_a_page_that_opens_offline(
    shared: Path, tmp_path: Path, name: str, markets: str | None
) -> None:
    pytest.importorskip("bokeh")
    folder, page = shared / "data/real/l2", tmp_path / "page.html"
    more = ["--markets", str(folder / markets)] if markets else []
    words = ["backtest", str(folder / name), *more, "--fill-model", "all", "--html", str(page), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "polybot.cli", *words], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)
    assert [run["fill_model"] for run in runs] == ["pessimistic", "proportional", "optimistic"]
    assert all(run["orders"] > 500 and run["fills"] > 40 for run in runs)
    text = page.read_text(encoding="utf-8")
    assert page.stat().st_size <= LARGEST
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?\s*(?:https?:)?//", text)
    assert all(run["run_hash"] in text or run["run_hash"][:8] in text for run in runs)
