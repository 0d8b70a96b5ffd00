"""What can be played: recognised once, the same from CSV, Parquet and a database, and refused in one line where there is nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.messages.market import MarketResolved, VenueBook, VenueTrade
from polybot.backtest.plan import make_plans
from polybot.backtest.run import backtest
from polybot.backtest.source import chosen, look
from polybot.recordings.converting import convert_recording
from polybot.replaying import replay_file

MS = 1_780_000_000_000
HEADER = ("ts_ms", "event_type", "asset_id", "side", "price", "size", "best_bid", "best_ask")


def level2_rows() -> list[tuple[str, ...]]:
    """Both tokens of one market, each change told of both, and a token that is alone."""
    rows = []
    for number in range(40):
        at, size = str(MS + 100 * number), str(100 + number)
        rows += [
            (at, "PRICE_CHANGE", "yes", "BID", "0.4", size, "0.4", "0.5"),
            (at, "PRICE_CHANGE", "no", "ASK", "0.6", size, "0.5", "0.6"),
            (at, "PRICE_CHANGE", "yes", "ASK", "0.5", size, "0.4", "0.5"),
            (at, "PRICE_CHANGE", "no", "BID", "0.5", size, "0.5", "0.6"),
            (at, "PRICE_CHANGE", "lone", "BID", "0.125", size, "0.125", "0.9"),
        ]
    return rows


@pytest.fixture
def level2(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([HEADER, *level2_rows()])
    return file


def test_tokens_whose_changes_mirror_each_other_are_one_market(level2: Path) -> None:
    found = look(str(level2))
    assert (found.kind, found.lines) == ("level2", 200)
    assert [(market.token_ids, market.tick_size) for market in found.markets] == [(("yes", "no"), "0.01"), (("lone",), "0.001")]
    assert {msg.market for msg in found.messages()} == {"yes", "lone"}


def test_parquet_gives_the_messages_of_the_same_csv(level2: Path, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = list(zip(*level2_rows(), strict=True))
    table = {name: list(values) for name, values in zip(HEADER, columns, strict=True)}
    table |= {"ts_ms": [int(each) for each in table["ts_ms"]], "price": [float(each) for each in table["price"]]}
    parquet.write_table(arrow.table(table), tmp_path / "rows.parquet")
    found = look(str(tmp_path / "rows.parquet"))
    assert found.kind == "parquet"
    assert list(found.messages()) == list(look(str(level2)).messages())


def test_converted_tables_play_as_their_csv_and_a_folder_of_them_says_which_can_be_played(
    repository: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow.parquet")
    there, tables, rows = repository / "recordings" / "sample.jsonl", tmp_path / "tables", tmp_path / "rows.csv"
    convert_recording(there, tables, "parquet", market="mkt-1")
    convert_recording(there, rows, "csv", market="mkt-1")
    found = look(str(tables / "level2.parquet"))
    assert found.lines > 200
    assert list(found.messages()) == list(look(str(rows)).messages())
    with pytest.raises(BadInput, match=r"holds the tables of a recording; .* and .*level2\.parquet can be played"):
        look(str(tables))


def test_sampled_books_with_a_file_of_payouts_end_in_resolutions(tmp_path: Path) -> None:
    lines = [
        {"market_id": "m", "ts": MS + at, "side": side, "bid_px": [0.4], "bid_sz": [10.0], "ask_px": [0.6], "ask_sz": [5.5]}
        for at in (0, 1_000, 3_000)
        for side in ("DOWN", "UP")
    ]
    file, told = tmp_path / "books.jsonl", tmp_path / "markets.csv"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    told.write_text(f"market_id,slug,end_ts,payout_up,payout_down\nm,the-slug,{MS + 2_000},0.0,1.0\n", encoding="utf-8")
    found = look(str(file), markets_file=told)
    assert [outcome.name for outcome in found.markets[0].outcomes] == ["Up", "Down"]
    assert found.markets[0].slug == "the-slug"
    messages = list(found.messages())
    assert [type(msg) for msg in messages] == [VenueBook] * 4 + [MarketResolved] + [VenueBook] * 2
    ended = messages[4]
    assert isinstance(ended, MarketResolved)
    assert (ended.winning_outcome, ended.payouts_e6) == ("Down", (0, 1_000_000))
    first = messages[0]
    assert isinstance(first, VenueBook)
    assert (first.bids, first.asks) == ((("0.4", "10"),), (("0.6", "5.5"),))


def test_a_grid_of_sampled_books_tells_trades_that_are_new(tmp_path: Path) -> None:
    sides = [
        f"{way}_{what}_{side}_{n}"
        for side in ("up", "down")
        for n in range(1, 6)
        for way in ("bid", "ask")
        for what in ("px", "sz")
    ]
    header = [
        "ts_ms",
        "condition_id",
        "token_id_up",
        "token_id_down",
        *sides,
        "last_trade_px_up",
        "last_trade_sz_up",
        "last_trade_side_up",
    ]
    rows = []
    for number, trade in enumerate((("0.4", "1", "BUY"), ("0.4", "1", "BUY"), ("0.5", "2", "SELL"))):
        books = [{"bid": "0.4", "ask": "0.5"}[name[:3]] if "_px_" in name else "7.0" for name in sides]
        rows.append([str(MS + number), "m", "up-token", "down-token", *books, *trade])
    file = tmp_path / "grid.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    found = look(str(file))
    assert (found.kind, found.markets[0].token_ids) == ("samples", ("up-token", "down-token"))
    trades = [msg for msg in found.messages() if isinstance(msg, VenueTrade)]
    assert [(trade.price, trade.size, trade.side) for trade in trades] == [("0.5", "2", "SELL")]


def test_a_database_is_played_with_the_catalogue_that_it_holds(recording: Path, config: Config, tmp_path: Path) -> None:
    db_url = f"sqlite:///{tmp_path / 'played.db'}"
    replay_file(recording, "all", db_url)
    found = look(str(tmp_path / "played.db"))
    assert found.kind == "database" and found.lines > 500
    assert {market.market_id for market in found.markets} == {market.market_id for market in look(str(recording)).markets}
    times = [msg.ts_ns for msg in found.messages()]
    assert times == sorted(times) and len(times) == found.lines
    (plan,) = make_plans([found], config, "spread_capture", [], ("pessimistic",))
    done = backtest(plan)
    assert done.orders and done.covered is not None and done.covered > 0.9


def test_generic_lines_are_about_the_markets_that_they_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    line = '{"type":"snapshot","seq":1,"ts_ms":1780000000000,"bids":[[0.4,10]],"asks":[[0.5,10]]'
    file.write_text(f'{line}}}\n{line},"market":"other","outcome_id":"no"}}\n', encoding="utf-8")
    assert [market.token_ids for market in look(str(file)).markets] == [("mine/yes",), ("other/no",)]
    file.write_text(f'{line},"market":"other"}}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="--market third: no line"):
        look(str(file), market="third")


def test_nothing_to_play_is_refused(tmp_path: Path, recording: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "000001.jsonl").write_bytes(b"")
    with pytest.raises(BadInput, match="holds nothing to play"):
        look(str(empty))
    with pytest.raises(BadInput, match="no such file"):
        look(str(tmp_path / "missing"))
    with pytest.raises(BadInput, match=r"--market nothing: .* has no such market or event; it has"):
        chosen(look(str(recording)), ("nothing",))
