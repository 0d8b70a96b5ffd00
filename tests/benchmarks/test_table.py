import json
from pathlib import Path

import pytest

from benchmarks.table import HEAD, Figure, cells, lines, report

RATE = Figure(
    "replay", "lines/s", (90_000.0, 110_000.0, 100_000.0), 60_000, 150_000, "sqlite3", (300_000.0, 550_000.0, 400_000.0)
)
COST = Figure("frame to order, p50", "ms", (0.3, 0.5, 0.4), 0.8, 0.4, "pyzmq", (0.2, 0.25, 0.25), aim=1.5)


def cell(figure: Figure, column: str) -> str:
    return cells(figure)[HEAD.index(column)]


def test_the_ratio_is_the_median_of_the_rounds_not_of_the_medians() -> None:
    assert RATE.ratio == pytest.approx(0.25)  # 0.30, 0.20 and 0.25
    assert cell(RATE, "ratio") == "0.25"
    assert cell(RATE, "peer's") == "400,000"


def test_of_a_cost_less_is_better_and_of_a_rate_more() -> None:
    assert (RATE.verdict, COST.verdict) == ("good", "excellent")
    assert Figure("a", "ms", (0.9,), 0.8, 0.4).verdict == "misses"
    assert Figure("a", "lines/s", (160_000.0,), 60_000, 150_000).verdict == "excellent"
    assert Figure("a", "lines/s", (1.0,)).verdict == ""


def test_an_aim_for_the_ratio_is_shown_and_says_when_it_was_missed() -> None:
    assert cell(COST, "ratio") == "1.60 (<= 1.5, missed)"
    faster = Figure("backtest", "events/s", (330_000.0,), peer_name="nautilus", peer=(100_000.0,), aim=3)
    assert cell(faster, "ratio") == "3.30 (>= 3)"
    assert (COST.aim_verdict, faster.aim_verdict, RATE.aim_verdict) == ("missed", "reached", "")


def test_a_peer_that_is_not_there_has_its_row_with_the_reason() -> None:
    alone = Figure("backtest", "events/s", (5.0,), 1, 2, "basana 1.11", missing="uv is not installed")
    assert cell(alone, "peer") == "basana 1.11 not there: uv is not installed"
    assert (cell(alone, "peer's"), cell(alone, "ratio"), cell(alone, "is")) == ("-", "-", "excellent")


def test_the_table_has_a_row_for_each_figure_and_its_notes_below() -> None:
    shown = lines([RATE, Figure("b", "ms", (1.0,), note="told apart")])
    assert [line.split("  ")[0] for line in shown[2:4]] == ["replay", "b"]
    assert shown[-1] == "  b: told apart"


def test_the_json_has_what_the_table_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report([RATE, COST], tmp_path / "results" / "figures.json", "a machine")
    told = json.loads((tmp_path / "results" / "figures.json").read_bytes())
    assert told["machine"] == "a machine" and [each["name"] for each in told["figures"]] == [RATE.name, COST.name]
    assert (
        told["figures"][1] | {"ratio": 1.6, "verdict": "excellent", "aim_verdict": "missed", "excellent": 0.4}
        == told["figures"][1]
    )
    assert "a machine" in capsys.readouterr().out
