"""`polybot backtest` and `polybot compare` as a user types them."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from pipeline.base.settings import FakeVenueSection, Settings
from polybot.trading_replay import chosen_set, trade_file
from processes.fake_venue import write_recording
from processes.strategy import strategies_of


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("short") / "recording"
    write_recording(FakeVenueSection(seed=3, rate_per_s=40, binary_markets=2, event_markets=2, decoys=False), folder, 8)
    return folder


def test_a_grid_prints_a_table_writes_a_folder_and_its_runs_can_be_compared(cli, short, tmp_path):
    out = tmp_path / "results"
    done = cli("backtest", short, "--param", "size=10,20", "--workers", 1, "--out", out)
    assert done.exit_code == 0, (done.stderr, done.exception)
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["run", "size", "fills"] and lines[2].split()[:2] == ["2", "20"]
    assert f"results written to {out}" in done.stderr
    grid = json.loads((out / "grid.json").read_text(encoding="utf-8"))
    assert [run["parameters"] for run in grid] == [{"size": "10"}, {"size": "20"}]
    told = cli("compare", out / "001", out / "002", "--json")
    found = json.loads(told.stdout)
    assert not found["same"] and {"what": "[spread_capture] size", "a": "10", "b": "20"} in found["made_differently"]
    assert found["partings"][0]["what"] == "an order that only one placed"
    shown = cli("compare", out / "001", out / "002").stdout
    assert "[spread_capture] size: 10 against 20" in shown and "A: " in shown
    assert "Nothing parts" in cli("compare", out / "001", out / "001").stdout
    assert (
        json.loads(cli("backtest", short, "--param", "size=10", "--workers", 1, "--json").stdout)[0]["run_hash"]
        == grid[0]["run_hash"]
    )


def test_a_session_in_a_database_is_compared_with_the_backtest_of_its_recording(cli, short, tmp_path):
    db_url, out = f"sqlite:///{tmp_path / 'session.db'}", tmp_path / "results"
    settings = Settings()
    quoter = [each for each in strategies_of(settings) if each.name == "spread_capture"]
    trade_file(short, lambda source: chosen_set(source, "all"), db_url, settings, strategies=quoter)
    assert cli("backtest", short, "--workers", 1, "--out", out).exit_code == 0
    found = json.loads(cli("compare", db_url, out, "--json").stdout)
    assert found["orders"]["both"] >= 0.9 * found["a"]["orders"] > 0
    assert found["a"]["fills"] and found["fills"]["both"]
    assert "mode replay" in found["a"]["run"]


def test_a_recording_that_was_changed_is_played_as_it_stands_and_told(cli, short, tmp_path):
    recording = tmp_path / "recording"
    shutil.copytree(short, recording)
    segment = recording / "000001.jsonl.gz"
    lines = gzip.decompress(segment.read_bytes()).splitlines(keepends=True)
    segment.write_bytes(gzip.compress(b"".join(lines[:-1])))
    done = cli("backtest", recording, "--workers", 1, "--json")
    assert done.exit_code == 0, (done.stderr, done.exception)
    assert f"{segment}: changed since it was finished; the result is of what stands there" in done.stderr
    assert len(json.loads(done.stdout)) == 1
    assert "changed" not in cli("backtest", short, "--workers", 1).stderr


@pytest.mark.parametrize(
    ("words", "told_of"),
    [
        (("--param", "egde=0.01"), "egde: no such key; did you mean edge?"),
        (("--param", "edge=much"), "expected a decimal number"),
        (("--param", "edge=0.01", "--param", "edge=0.02"), "--param edge: is given twice"),
        (("--fill-model", "hopeful"), "--fill-model hopeful: no such model"),
        (("--strategy", "spread"), "--strategy spread: no such strategy"),
        (("--market", "nothing"), "--market nothing:"),
        (("--parquet",), "--parquet: needs --out DIR"),
        (("--from", "soon"), "--from soon: not a moment"),
        (("--from", "2026-11-22", "--to", "2026-11-21"), "--to is not after --from"),
        (("--html", "/nowhere/at/all.html"), "cannot be written there"),
        (("--columns", "what"), "expected NAME=COLUMN"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_before_anything_is_played(told, short, words, told_of):
    assert told_of in told("backtest", short, *words)


def test_what_is_not_there_and_what_is_there_already_are_refused(told, short, tmp_path):
    assert "no such file" in told("backtest", tmp_path / "none")
    (tmp_path / "empty.jsonl").touch()
    assert "is empty" in told("backtest", tmp_path / "empty.jsonl")
    (tmp_path / "there").mkdir()
    assert "is there already" in told("backtest", short, "--out", tmp_path / "there")
    assert "holds no run" in told("compare", tmp_path / "there", tmp_path / "there")


def test_a_real_capture_is_traded_over_and_shown_as_a_page(cli, shared, tmp_path):
    pytest.importorskip("bokeh")
    file, page = shared / "data/real/l2/dannychee1_btc-updown-15m-1771634700.csv.gz", tmp_path / "page.html"
    done = cli(
        "backtest", file, "--to", "2026-02-21T00:45:50", "--fill-model", "pessimistic", "--workers", 1, "--html", page, "--json"
    )
    assert done.exit_code == 0, (done.stderr, done.exception)
    runs = json.loads(done.stdout)
    assert all(run["orders"] and run["fills"] and run["coverage"] == "1.000000" for run in runs)
    assert page.stat().st_size < 3 * 1024 * 1024
