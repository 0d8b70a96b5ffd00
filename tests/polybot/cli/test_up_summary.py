"""What a session came to: trades apart from what was booked without one, and a profit that adds up with the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from pipeline.base.clock import EventClock
from pipeline.bus.compose import Lockstep
from pipeline.messages.market import BookSnapshot, Level, Side, State
from pipeline.messages.orders import Fill, Liquidity
from pipeline.messages.records import FillRecord, RunStarted
from pipeline.store.open import open_store
from pipeline.store.pnl import FillCounts, count_fills
from polybot.cli import main
from polybot.cli.live_model import PipelineModel
from polybot.cli.up_summary import Stored, UpSummary, print_summary, read_stored, summarise
from processes.writer import Writer

T = 1_790_000_000_000_000_000
ONE = 1_000_000


def row(
    trade_id: str, liquidity: Liquidity, token: str = "11", side: Side = "BUY", price: int = 400_000, **more: str
) -> FillRecord:
    strategy = "dutch_book" if token in ("13", "14") else "spread_capture"
    return FillRecord(
        ts_ns=T, trade_id=trade_id, client_order_id="o", strategy=strategy, mode="paper", token_id=token, market="m", side=side,
        price_e6=price, size_e6=10 * ONE, notional_e6=price * 10, fee_e6=0, liquidity=liquidity,
        status="failed" if more else "confirmed", **more,
    )  # fmt: skip


TRADES = [
    row("t1", "maker"),
    row("t2", "maker", "12", price=500_003),
    row("t3", "taker"),
    row("t3-failed", "taker", side="SELL", reverses="t3"),
    row("t4", "taker", "13", price=900_000),
    row("t5", "taker", "14", price=100_000),
    row("merged-p1-11", "merge", side="SELL", price=450_000),
    row("merged-p1-12", "merge", "12", side="SELL", price=550_000),
    row("converted-p2-13", "convert", "13", side="SELL", price=900_000),
    row("converted-p2-14", "convert", "14", side="SELL", price=100_001),
    row("settled-spread_capture-15", "settlement", "15", side="SELL", price=1_000_000),
]


@pytest.fixture(scope="module")
def db_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A session of five trades, one of them failed, a merge, a conversion and a settlement; and an earlier one of one trade."""
    url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'paper.db'}"
    for session, records in (("before", [row("t0", "taker", "15")]), ("now", TRADES)):
        with open_store(url) as store:
            run = Lockstep([Writer(store)], EventClock(T), session_id=session)
            run.start()
            run.inject("executor", RunStarted(ts_ns=T, session_id=session, role="executor", pid=1, source="test"))
            for record in records:
                run.inject("executor", record)
            run.run_until_idle()
            run.stop()
    return url


def told(stored: Stored, model: PipelineModel | None = None) -> UpSummary:
    return summarise(model or PipelineModel(), session_id="now", seconds=9, stored=stored, db_url="d", run_dir="r")


def test_fills_are_trades_and_what_was_booked_without_one_is_told_apart(db_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = told(read_stored(db_url, "now"))
    assert (summary.fills, summary.failed, summary.merged, summary.converted, summary.settled) == (4, 1, 1, 1, 1)
    assert summary.fill_rows == len(TRADES)
    print_summary(summary, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert "fills                 4 trades, 1 more failed" in lines
    assert "booked besides        merged 1 time, converted 1 time, settled 1 position" in lines


def test_a_session_counts_its_own_fills_and_the_database_all(db_url: str) -> None:
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        assert count_fills(conn, "before") == FillCounts(rows=1, trades=1)
        assert count_fills(conn, "never") == FillCounts()
        assert count_fills(conn) == FillCounts(rows=12, trades=5, failed=1, merged=1, converted=1, settled=1)


def test_the_profit_is_that_of_pnl_to_the_last_digit_with_its_parts(db_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary = told(read_stored(db_url, "now"))
    page = CliRunner().invoke(main, ["pnl", "--db-url", db_url], catch_exceptions=False).output.splitlines()
    as_json = CliRunner().invoke(main, ["pnl", "--db-url", db_url, "--json"], catch_exceptions=False).output
    profits = {account["strategy"]: account["pnl"] for account in json.loads(as_json)["accounts"]}
    assert profits == {"dutch_book": "0.00001", "spread_capture": "6.99997"}
    assert summary.profit == "$6.99, exactly 6.99998: dutch_book 0.00001, spread_capture 6.99997; 1 earlier session included"
    assert page[-1] == "profit of all together: $6.99, exactly 6.99998"
    trades = {account["strategy"]: account["trades"] for account in json.loads(as_json)["accounts"]}
    assert trades == {"dutch_book": 2, "spread_capture": 3}
    print_summary(summary, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["profits"] == profits
    assert printed["simulated_pnl"] == "6.99998"


def test_books_that_are_not_verified_are_counted_by_what_is_the_matter(capsys: pytest.CaptureFixture[str]) -> None:
    model = PipelineModel()
    states: tuple[State, ...] = (*("VERIFIED",) * 37, "QUIET", "STALE", "STALE")
    for number, state in enumerate(states):
        model.on_message(
            BookSnapshot(
                ts_ns=T, token_id=str(number), market="m", tick_size_e6=10_000, bids=(Level(1, 1),), asks=(), seq=1, venue_ns=T,
                state=state, basis="hash",
            )
        )  # fmt: skip
    print_summary(told(Stored(), model), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert "books verified        38 of 40 (95 %), 2 stale; `polybot status --tokens` says why" in lines
    assert told(Stored()).proved == "no books"


def test_without_a_database_the_trades_that_were_heard_of_are_counted(tmp_path: Path) -> None:
    model = PipelineModel()
    for number, liquidity in enumerate(get_args(Liquidity)):
        fill = Fill(
            ts_ns=T, trade_id=str(number), client_order_id="o", strategy="s", token_id="11", market="m", side="SELL",
            price_e6=400_000, size_e6=ONE, notional_e6=400_000, fee_e6=0, liquidity=liquidity, status="confirmed", mode="paper",
        )  # fmt: skip
        model.on_message(fill)
    summary = told(read_stored(f"sqlite:///{tmp_path / 'none.db'}", "now"), model)
    assert (summary.fills, summary.booked, summary.profit) == (2, "nothing", "unknown: a held outcome has no mid")
