"""The commands that trade over recorded files, and the one that lists what was seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from polybot.cli import main

REPOSITORY = Path(__file__).resolve().parents[3]
SAMPLE = str(REPOSITORY / "recordings/sample.jsonl")
LONG = str(REPOSITORY / "recordings/fake-venue-10min")


def ask(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


def lines(*books: tuple[str, float, float]) -> str:
    """A generic file: for each outcome a book of one level a side."""
    made = []
    for number, (outcome, bid, ask_price) in enumerate(books):
        body = {"type": "snapshot", "seq": 1, "market": "mkt-1", "outcome_id": outcome, "ts_ms": 1_780_000_000_000 + 100 * number}
        made.append(json.dumps(body | {"bids": [[bid, 100]], "asks": [[ask_price, 100]]}))
    return "\n".join(made) + "\n"


@pytest.fixture
def db_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'traded.db'}"


def test_a_sample_is_quoted_and_its_orders_are_kept(db_url: str) -> None:
    told = json.loads(ask("quoter-run-replay", SAMPLE, "mkt-1", "yes", "--db-url", db_url, "--json"))
    assert (told["messages"], told["strategy"], told["mode"]) == (200, "spread_capture", "replay")
    assert told["orders"] > 10
    orders = json.loads(ask("orders", "--db-url", db_url, "--limit", "1000", "--json"))["orders"]
    assert len(orders) == told["orders"] and {order["mode"] for order in orders} == {"replay"}
    assert "simulated" in ask("quoter-run-replay", SAMPLE, "mkt-1", "yes", "--db-url", db_url)


def test_the_same_recording_gives_the_same_orders(tmp_path: Path) -> None:
    told = []
    for name in ("one", "two"):
        url = f"sqlite:///{tmp_path / name}.db"
        ask("quoter-run-replay", SAMPLE, "mkt-1", "yes", "--db-url", url)
        orders = json.loads(ask("orders", "--db-url", url, "--limit", "1000", "--json"))["orders"]
        told.append(sorted((order["ts_ms"], order["side"], order["price"], order["size"], order["filled"]) for order in orders))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("quoter-run-replay", "none.jsonl", "mkt-1", "yes"), "none.jsonl: no such file"),
        (("quoter-run-replay", SAMPLE, "mkt-1", "yes", "--strategy", "mine"), "--strategy mine: is not enabled"),
        (("quoter-run-replay", LONG, "nothing", "Yes"), "has no market nothing; it has gulls-beat-herons"),
        (("quoter-run-replay", LONG, "gulls-beat-herons", "Yes"), "has no outcome Yes; it has Gulls, Herons"),
        (("dutch-run-replay", LONG, "nothing"), "has no market or event nothing"),
        (("dutch-run-replay", SAMPLE, "all"), "need a MARKET_ID of their own, not all"),
        (("dutch-run-replay", SAMPLE, "mkt-1", "--safety-margin-usdc", "-1"), "--safety-margin-usdc -1: expected a number"),
    ],
)
def test_what_cannot_be_traded_over_is_one_line_and_exit_2(arguments: tuple[str, ...], reason: str, db_url: str) -> None:
    assert reason in refused(*arguments, "--db-url", db_url)


def test_the_outcomes_of_a_generic_market_are_bought_when_they_cost_less_than_a_dollar(tmp_path: Path, db_url: str) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text(lines(("red", 0.28, 0.30), ("green", 0.28, 0.31), ("blue", 0.28, 0.32)))
    told = json.loads(ask("dutch-run-replay", str(file), "mkt-1", "--db-url", db_url, "--json", "--verbose"))
    assert (told["taken"], told["refused"], told["outcomes"], told["fills"]) == (1, 0, {"complete": 1}, 3)
    assert told["worst_result"] == "7"
    (row,) = json.loads(ask("opportunities", "--db-url", db_url, "--json"))
    assert (row["taken"], row["outcome"], row["expected_profit"], row["size"]) == (True, "complete", told_profit(row), "100")
    page = ask("audit", "show", row["plan_id"], "--db-url", db_url)
    assert "100 sets cost 93 with fees and pay at least 100" in page
    assert "ended       complete after" in page and "result    7 USDC at the worst resolution covered (simulated)" in page


def told_profit(row: dict[str, object]) -> object:
    """Seven dollars less what a missed leg would cost."""
    profit = row["expected_profit"]
    assert isinstance(profit, str) and 6 < float(profit) < 7
    return profit


def test_an_outcome_called_other_is_refused_unless_it_is_allowed(tmp_path: Path, db_url: str) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text(lines(("red", 0.28, 0.30), ("other", 0.28, 0.31), ("blue", 0.28, 0.32)))
    told = ask("dutch-run-replay", str(file), "mkt-1", "--db-url", db_url, "--verbose")
    assert "refused: outcome other stands for others that may be named later" in told
    assert "0 taken" in told
    told = ask("dutch-run-replay", str(file), "mkt-1", "--db-url", db_url, "--allow-other")
    assert "1 taken (1 complete)" in told


def test_a_margin_larger_than_the_profit_refuses(tmp_path: Path, db_url: str) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text(lines(("red", 0.28, 0.30), ("green", 0.28, 0.31), ("blue", 0.28, 0.32)))
    told = ask("dutch-run-replay", str(file), "mkt-1", "--safety-margin-usdc", "20", "--db-url", db_url, "--verbose")
    assert "profit is below the minimum and its safety margin" in told and "0 taken" in told


def test_opportunities_are_counted_filtered_and_listed(tmp_path: Path, db_url: str) -> None:
    assert ask("quoter-run-replay", SAMPLE, "mkt-1", "yes", "--db-url", db_url)
    assert "quote inside the spread" in ask("opportunities", "--db-url", db_url, "--summary")
    counted = json.loads(ask("opportunities", "--db-url", db_url, "--summary", "--json"))
    assert sum(each["count"] for each in counted) == len(json.loads(ask("opportunities", "--db-url", db_url, "--json")))
    assert ask("opportunities", "--db-url", db_url, "--strategy", "dutch_book").startswith("No opportunities in")
    taken = json.loads(ask("opportunities", "--db-url", db_url, "--taken", "--json"))
    assert taken and all(each["taken"] for each in taken)
