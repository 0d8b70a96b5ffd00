"""``polybot orders`` and ``polybot audit`` on a database made by the real stages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.base.clock import EventClock
from pipeline.bus.compose import Lockstep
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome
from pipeline.store.open import open_store
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.risk import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from polybot.cli import main
from processes.executor import Executor
from processes.strategy import StrategyEngine
from processes.writer import Writer

T = 1_790_000_000_000_000_000
ONE = 1_000_000


@pytest.fixture(scope="module")
def db_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with one round of quotes, half filled, one cancelled on a doubtful book."""
    url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'traded.db'}"
    limits = Limits(max_order_e6=200 * ONE, max_open_orders=200, max_total_e6=5_000 * ONE)
    quoter = SpreadCapture(
        edge_e6=10_000, size_e6=20 * ONE, max_inventory_e6=200 * ONE, max_exposure_e6=500 * ONE, lean_e6=10_000
    )
    with open_store(url) as store:
        stages = [Writer(store), Executor(FakeRelayer("0.5"), limits, "fake"), StrategyEngine([quoter], "s1", 2_000_000_000)]
        run = Lockstep(stages, EventClock(T), session_id="s1")
        run.start()
        market = Market(market_id="mkt-1", outcomes=(Outcome("mkt-1/yes", "Yes"), Outcome("mkt-1/no", "No")))
        run.inject("scheduler", MarketUniverse(ts_ns=T, markets=(market,)))
        run.inject("book_builder", book())
        run.run_until_idle()
        run.stop()
    return url


def book() -> BookSnapshot:
    return BookSnapshot(
        ts_ns=T,
        token_id="mkt-1/yes",
        market="mkt-1",
        tick_size_e6=10_000,
        bids=(Level(400_000, 100 * ONE),),
        asks=(Level(470_000, 100 * ONE),),
        seq=1,
        venue_ns=T,
        state="VERIFIED",
        basis="seq",
    )


def ask(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_orders_are_listed_with_a_profit_that_is_labelled_simulated(db_url: str) -> None:
    told = ask("orders", "--db-url", db_url)
    assert "s1-spread_capture-1" in told and "cancelled" in told
    assert "PnL (simulated) of spread_capture, mode fake: " in told
    assert "from 2 fills (bought 9.5, sold 0, fees 0)" in told


def test_orders_as_json_have_amounts_as_texts(db_url: str) -> None:
    told = json.loads(ask("orders", "--db-url", db_url, "--json"))
    first = next(order for order in told["orders"] if order["client_order_id"] == "s1-spread_capture-1")
    assert (first["outcome_id"], first["price"], first["size"], first["filled"]) == ("yes", "0.41", "20", "10")
    assert [(row["strategy"], row["simulated"], row["fills"]) for row in told["pnl"]] == [("spread_capture", True, 2)]


def test_no_open_orders_says_so(db_url: str) -> None:
    assert ask("orders", "--db-url", db_url, "--open").startswith("No open orders in ")


def test_a_decision_is_listed_and_told_as_one_page(db_url: str) -> None:
    listed = json.loads(ask("audit", "list", "--db-url", db_url, "--json"))
    plan = next(audit for audit in listed if len(audit["intents"]) == 2)
    assert plan["plan_id"] in ask("audit", "list", "--db-url", db_url)
    told = ask("audit", "show", plan["plan_id"], "--db-url", db_url)
    assert told.splitlines() == [
        f"Plan {plan['plan_id']} of spread_capture, mode fake",
        "  market    mkt-1",
        "  at        2026-09-21 14:13:20.000 UTC, 0 ms from the decision to the last answer",
        "  why       quote inside the spread at inventory 0",
        "  expected  1 USDC (simulated)",
        "  outcome   complete",
        "  seen",
        "    mkt-1/yes: bid 0.4 x 100, ask 0.47 x 100, VERIFIED, book 1",
        "    held: 0, of the other outcome 0",
        "  steps, with ms after the decision",
        "    BUY 20 of mkt-1/yes at 0.41, GTC, post-only: order s1-spread_capture-1",
        "      at the executor 0, sent 0, partially filled 0 (10 filled)",
        "    BUY 20 of mkt-1/no at 0.54, GTC, post-only: order s1-spread_capture-2",
        "      at the executor 0, sent 0, partially filled 0 (10 filled)",
    ]


def test_an_unknown_plan_is_one_line_and_exit_2(db_url: str) -> None:
    result = CliRunner().invoke(main, ["audit", "show", "nothing", "--db-url", db_url])
    assert result.exit_code == 2
    assert "plan nothing: not in " in result.output


def test_a_missing_database_is_one_line_and_exit_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["orders", "--db-url", f"sqlite:///{tmp_path / 'none.db'}"])
    assert result.exit_code == 2
