"""The page: complete in itself, small enough to send, and about the run that did best; its numbers; its folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import structs

from pipeline.base.errors import BadInput
from pipeline.trading.paper.queue import FILL_MODELS
from polybot.backtest.folder import check_folder, read_run, write_folder, write_page
from polybot.backtest.page import page
from polybot.backtest.result import BacktestFill, BacktestOrder, EquityPoint, MarketPoint, RunResult
from polybot.backtest.series import band, best, markouts, queue_bins, thin
from polybot.backtest.told import table

LARGEST = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def written(result: RunResult, other: RunResult) -> str:
    pytest.importorskip("bokeh")
    return page([result, other])


def test_the_page_is_complete_in_itself_and_at_most_three_megabytes(written: str) -> None:
    assert len(written.encode()) < LARGEST
    assert not re.search(r"(?:src|href)\s*=\s*[\"']", re.sub(r"<script>.*?</script>", "", written, flags=re.S))
    for host in ("jsdelivr", "googleapis", "unpkg", "cloudflare", "cdn."):
        assert host not in written, host


def test_a_long_run_with_many_trades_and_states_makes_no_larger_page(result: RunResult) -> None:
    pytest.importorskip("bokeh")
    at, market, token = result.played.start_ns, result.markets[0], result.coverage[0]
    moments = [at + 7_000_000 * number for number in range(6_000)]
    markets = [structs.replace(market, market=f"m{number}", points=_points(moments)) for number in range(8)]
    orders = [
        structs.replace(result.orders[0], market=each.market, live_ns=ns, placed_ns=ns) for each in markets for ns in moments
    ]
    fills = [structs.replace(result.fills[0], market=each.market, ts_ns=ns) for each in markets for ns in moments]
    spans = [(ns, ns + 5_000_000, "SUSPECT" if ns % 3 else "VERIFIED") for ns in moments]
    long = structs.replace(
        result,
        orders=orders,
        fills=fills,
        markets=markets,
        equity=[EquityPoint(ns, ns % 9_999_999, 0) for ns in moments],
        coverage=[structs.replace(token, token_id=f"t{number}", spans=spans) for number in range(30)],
    )
    other_models = [structs.replace(long, played=structs.replace(long.played, fill_model=model)) for model in FILL_MODELS[1:]]
    assert len(page([long, *other_models]).encode()) < LARGEST


def _points(moments: list[int]) -> list[MarketPoint]:
    return [
        MarketPoint(ns, 400_000 + ns // 7_000_000 % 7_777, 500_000 + ns // 7_000_000 % 5_555, ns % 123_456_789) for ns in moments
    ]


def test_the_page_tells_figures_parameters_versions_and_every_run(written: str, result: RunResult, other: RunResult) -> None:
    for words in ("Equity and drawdown", "Price, quotes and fills", "Markouts", "Fill rate by queue position", "Data coverage"):
        assert words in written
    shown = best([result, other])
    assert shown.run_hash in written and shown.played.digest in written and shown.played.code in written
    assert result.run_hash[:8] in written and other.run_hash[:8] in written
    assert "[spread_capture]" in written and "simulated" in written


def test_the_table_leaves_out_what_is_nothing_for_every_run(result: RunResult, other: RunResult) -> None:
    columns, rows, _ = table([result, other])
    assert len(rows) == 2 and columns[:3] == ("run", "size", "fills by")
    assert ("fees" in columns) == bool(result.parts.fees_e6 or other.parts.fees_e6)


def test_a_folder_appears_whole_holds_every_run_and_is_never_written_over(
    result: RunResult, other: RunResult, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "results"
    check_folder(out)
    assert not out.exists()
    write_folder(out, [result, other], parquet=True)
    assert list(tmp_path.iterdir()) == [out]
    assert read_run(out / "001") == result and read_run(out / "003") == other
    trades = parquet.read_table(out / "001" / "trades.parquet").to_pydict()
    assert sum(trades["size"]) * 1_000_000 == sum(fill.size_e6 for fill in result.fills)
    assert parquet.read_table(out / "001" / "orders.parquet").num_rows == len(result.orders)
    assert parquet.read_table(out / "001" / "equity.parquet").num_rows == len(result.equity)
    with pytest.raises(BadInput, match="is there already"):
        check_folder(out)
    with pytest.raises(BadInput, match="holds 2 runs; give one of them"):
        read_run(out)
    with pytest.raises(BadInput, match="holds no run"):
        read_run(tmp_path)


def test_what_cannot_be_written_whole_leaves_nothing(result: RunResult, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("in the way", encoding="utf-8")
    with pytest.raises(BadInput, match=r"--out .*results: cannot be written"):
        write_folder(tmp_path / "results", [result], parquet=False)
    (tmp_path / "page.html").mkdir()
    with pytest.raises(BadInput, match=r"--html .*page\.html: cannot be written"):
        write_page(tmp_path / "page.html", "a page")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "results"]


def order(ahead: int | None, filled: int) -> BacktestOrder:
    given = BacktestOrder("o", "s", "m", "t", "BUY", 400_000, 10_000_000, "GTC", True, 1)
    given.ahead_e6, given.filled_e6 = (None if ahead is None else ahead * 1_000_000), filled * 1_000_000
    return given


def test_the_fill_rate_is_by_what_stood_ahead_and_leaves_out_what_never_rested() -> None:
    bins = queue_bins([order(0, 10), order(0, 0), order(50, 5), order(51, 1), order(None, 0), order(9_000, 2)])
    assert [(each.name, each.orders, round(each.rate, 3)) for each in bins] == [
        ("none ahead", 2, 0.5),
        ("to 50", 1, 0.5),
        ("to 200", 1, 0.1),
        ("over 5,000", 1, 0.2),
    ]


def test_markouts_are_cents_a_share_weighted_by_size() -> None:
    def fill(side, price, size, mids):
        return BacktestFill(1, "t", "o", "s", "m", "t", side, price, size, 0, 0, "maker", mids)

    means, counts = markouts([fill("BUY", 400_000, 3, {0: 410_000, 1_000: 400_000}), fill("SELL", 500_000, 1, {0: 480_000})])
    assert (means[:2], counts) == ([1.25, 0.0], [2, 1, 0, 0])


def test_the_band_spans_all_runs_at_every_moment(result: RunResult, other: RunResult) -> None:
    span = band([result, other])
    assert span.at == sorted(span.at) and all(low <= high for low, high in zip(span.low, span.high, strict=True))
    assert span.low[-1] == min(each.equity[-1].equity_e6 for each in (result, other)) / 1e6
    assert thin(list(range(10)), 4) == [0, 3, 6, 9]
