"""``polybot pnl`` and ``polybot positions`` on a database made by the real stages, trading on paper."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.base.clock import EventClock
from pipeline.base.units import NS_PER_MS, NS_PER_S, ONE_E6, PriceE6, SizeE6
from pipeline.bus.compose import Lockstep
from pipeline.messages.market import (
    BookSnapshot,
    FeeSchedule,
    Level,
    Market,
    MarketResolved,
    MarketUniverse,
    Outcome,
    TradePrint,
)
from pipeline.messages.orders import Decision, PlaceOrder
from pipeline.messages.records import BookLevels, MarketVersion
from pipeline.store.open import open_store
from pipeline.trading.limits import Limits
from pipeline.trading.policy import allowed_states
from pipeline.venue.paper_latency import ConstantLatency
from pipeline.venue.paper_relayer import PaperRelayer
from polybot.cli import main
from processes.executor import Executor
from processes.writer import Writer

T = 1_790_000_000_000_000_000
FEES = FeeSchedule(rate_e6=40_000, rebate_rate_e6=250_000)
CUP = Market(
    "0xa", (Outcome("11", "Yes"), Outcome("12", "No")), event_title="Cup", tick_size="0.01", min_order_size="5", fees=FEES
)
DONE = Market("0xb", (Outcome("21", "Yes"), Outcome("22", "No")), question="Over?", tick_size="0.01", min_order_size="5")


def book(ts_ns: int, market: str, token: str, bid: int, ask: int) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=ts_ns,
        token_id=token,
        market=market,
        tick_size_e6=10_000,
        bids=(Level(bid * 10_000, 100 * ONE_E6),),
        asks=(Level(ask * 10_000, 100 * ONE_E6),),
        seq=1,
        venue_ns=ts_ns,
        state="VERIFIED",
        basis="hash",
        full_depth=True,
    )


def order(ts_ns: int, name: str, market: str, token: str, cents: int, kind: str = "GTC") -> PlaceOrder:
    return PlaceOrder(
        ts_ns=ts_ns,
        client_order_id=name,
        token_id=token,
        market=market,
        side="BUY",
        price_e6=cents * 10_000,
        size_e6=10 * ONE_E6,
        order_type="GTC" if kind == "GTC" else "FAK",
        post_only=kind == "GTC",
        expires_ns=ts_ns + NS_PER_S,
        decision=Decision(name, "mine", "why"),
    )


def levels(told: BookSnapshot) -> BookLevels:
    return BookLevels(
        ts_ns=told.ts_ns,
        token_id=told.token_id,
        market=told.market,
        seq=told.seq,
        venue_ns=told.venue_ns,
        bids=told.bids,
        asks=told.asks,
        state=told.state,
        cause="periodic",
    )


@pytest.fixture(scope="module")
def db_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A maker's purchase and a taker's of one market, still held; a purchase in another, which has resolved for it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'paper.db'}"
    limits = Limits(max_order_e6=200 * ONE_E6, max_open_orders=200, max_total_e6=5_000 * ONE_E6)
    relayer = PaperRelayer("pessimistic", ConstantLatency(100 * NS_PER_MS), allowed_states("paper"))
    with open_store(url) as store:
        run = Lockstep([Writer(store), Executor(relayer, limits, "paper", books_wait_ns=0)], EventClock(T), session_id="s1")
        run.start()
        for market in (CUP, DONE):
            run.inject("scheduler", MarketVersion(ts_ns=T, market=market, valid_from_ns=T))
        run.inject("scheduler", MarketUniverse(ts_ns=T, markets=(CUP, DONE)))
        for market_id, token in (("0xa", "11"), ("0xb", "21")):
            run.inject("book_builder", book(T, market_id, token, 40, 46))
        run.run_until_idle()
        for asked in (
            order(T, "a", "0xa", "11", 41),
            order(T, "c", "0xb", "21", 46, "FAK"),
        ):
            run.inject("strategy", asked)
        run.run(to_ns=T + NS_PER_S)
        run.inject(
            "book_builder",
            TradePrint(
                ts_ns=T + NS_PER_S,
                token_id="11",
                market="0xa",
                price_e6=PriceE6(410_000),
                size_e6=SizeE6(10 * ONE_E6),
                side="SELL",
                venue_ns=T + NS_PER_S,
            ),
        )
        run.run_until_idle()
        run.inject("strategy", order(T + NS_PER_S, "b", "0xa", "12", 60, "FAK"))
        run.run(to_ns=T + 2 * NS_PER_S)
        moved = book(T + 2_050 * NS_PER_MS, "0xa", "11", 38, 44)
        run.inject("book_builder", moved)
        run.inject("book_builder", levels(moved))
        run.inject("book_builder", levels(book(T + 2_050 * NS_PER_MS, "0xa", "12", 56, 62)))
        resolved = MarketResolved(ts_ns=T, market="0xb", venue_ts="1", token_ids=("21", "22"), winning_token_id="21")
        run.inject("book_builder", resolved)
        run.run(to_ns=T + 20 * NS_PER_S)
        run.stop()
    return url


def ask(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_profit_is_told_in_parts_that_add_up_and_is_labelled_simulated(db_url: str) -> None:
    told = json.loads(ask("pnl", "--db-url", db_url, "--json"))
    (account,) = told["accounts"]
    assert (account["strategy"], account["mode"], account["simulated"], account["trades"]) == ("mine", "paper", True, 3)
    assert (account["bought"], account["sold"], account["settlement"]) == ("14.7", "10", "5.4")
    parts = {name: Decimal(account[name]) for name in ("pnl", "spread", "inventory", "fees", "realised", "unrealised")}
    adverse = Decimal(account["adverse_selection"]["60s"]["amount"])
    assert parts["pnl"] == parts["spread"] + adverse + parts["inventory"] - parts["fees"]
    assert parts["pnl"] == parts["realised"] + parts["unrealised"] - parts["fees"]
    assert account["adverse_selection"]["1s"] == {"amount": "0.2", "trades": 3}
    assert account["estimated_rebates"] == "0.02419"


def test_profit_is_a_table_for_a_person(db_url: str) -> None:
    told = ask("pnl", "--db-url", db_url)
    assert "mode paper (simulated)" in told
    assert "spread earned" in told and "over 3 of 3 trades" in told
    assert "estimated rebates" in told
    by_market = ask("pnl", "--db-url", db_url, "--by-market").splitlines()
    assert [line.split()[3] for line in by_market[1:]] == ["0xa", "0xb"]


def test_positions_show_sets_and_the_worst_case(db_url: str) -> None:
    told = json.loads(ask("positions", "--db-url", db_url, "--json"))
    assert [(row["market_id"], row["outcome"], row["shares"], row["average"]) for row in told["positions"]] == [
        ("0xa", "Yes", "10", "0.41"),
        ("0xa", "No", "10", "0.6"),
    ]
    (event,) = told["events"]
    assert (event["title"], event["complete_sets"], event["could_lose"]) == ("Cup", {"0xa": "10"}, "0.1")
    spent = sum(Decimal(row["cash"]) for row in json.loads(ask("pnl", "--db-url", db_url, "--json"))["accounts"])
    assert (told["paper_starting_cash"], Decimal(told["paper_cash"])) == ("10000", 10_000 + spent)
    everything = json.loads(ask("positions", "--db-url", db_url, "--json", "--all"))
    assert ("0xb", "0") in [(row["market_id"], row["shares"]) for row in everything["positions"]]
    told = ask("positions", "--db-url", db_url)
    assert "paper (simulated)" in told and "Cup" in told


def test_a_database_without_trades_says_what_brings_some(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    with open_store(url):
        pass
    assert ask("pnl", "--db-url", url).startswith("No trades in ")
    assert ask("positions", "--db-url", url).startswith("Nothing is held in ")
    assert json.loads(ask("pnl", "--db-url", url, "--json")) == {"accounts": [], "markets": []}
