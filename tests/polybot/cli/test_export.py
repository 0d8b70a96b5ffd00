"""`polybot export`: what was stored is what is read back, to the last digit, and a file is whole or not there."""

from __future__ import annotations

import csv
import json
import sqlite3
import stat
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest

from pipeline.messages.market import Level
from pipeline.messages.records import BookLevels, FillRecord, Opportunity
from pipeline.store.catalogue import mention_outcomes, outcome_key
from pipeline.store.decisions import insert_opportunities, opportunity_row
from pipeline.store.export import Column, source_names, source_of
from pipeline.store.journal import DurableRecord, append_records
from pipeline.store.market import insert_snapshots, snapshot_row
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run
from polybot.export_files import open_rows, plain_text

MS = 1_000_000
NOON_MS = 1_795_348_800_000
"""2026-11-22 12:00 UTC."""
ODD = 'say "no", ünlucky; =1+1\nnext line'


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'polybot.db'}"
    with open_store(made) as store, store.begin() as conn:
        save_run(conn, Run(1, "executor", "r", 0))
        mention_outcomes(conn, 1, [("mkt-1", "mkt-1/yes")])
        fills = [
            FillRecord(
                ts_ns=(NOON_MS + n * 60_000) * MS,
                trade_id=f"t{n}",
                client_order_id="x",
                strategy="s",
                mode="paper",
                token_id="mkt-1/yes",
                market="mkt-1",
                side="BUY",
                price_e6=470_001,
                size_e6=9_007_199_254_740_993 + n,
                notional_e6=-(n + 1),
                fee_e6=0,
                liquidity="maker",
                status="confirmed",
                reverses=ODD if n == 0 else "",
            )
            for n in range(5)
        ]
        append_records(conn, "executor@j1", [DurableRecord(n + 1, 1, fill) for n, fill in enumerate(fills)])
        levels = BookLevels(
            ts_ns=NOON_MS * MS,
            token_id="mkt-1/yes",
            market="mkt-1",
            seq=4,
            venue_ns=0,
            bids=(Level(400_000, 5),),
            asks=(Level(470_001, 6), Level(480_000, 7)),
            state="VERIFIED",
            cause="job",
        )
        insert_snapshots(conn, [snapshot_row(1, outcome_key("mkt-1", "mkt-1/yes"), levels)])
        seen = Opportunity(
            ts_ns=NOON_MS * MS,
            plan_id="p",
            strategy="s",
            market="mkt-1",
            kind="k",
            taken=True,
            reason="r",
            expected_profit_e6=1,
            size_e6=2,
        )
        insert_opportunities(conn, [opportunity_row(1, seen)])
    return made


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", source_names())
def test_every_table_and_view_comes_back_as_it_is_stored(cli, url, tmp_path, name):
    for ending in ("csv", "parquet"):
        result = cli("export", name, "--db-url", url, "--out", tmp_path / f"out.{ending}")
        assert result.exit_code == 0, result.output
    columns = [column.name for column in source_of(name).columns]
    raw = sqlite3.connect(url.removeprefix("sqlite:///"))
    assert [row[1] for row in raw.execute(f"PRAGMA table_info({name})")] == columns
    expected = raw.execute(f"SELECT * FROM {name}").fetchall()
    raw.close()
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table.column_names == columns
    rows = [tuple(row[column] for column in columns) for row in table.to_pylist()]
    for row, known in zip(rows, expected, strict=True):
        for cell, stored_cell in zip(row, known, strict=True):
            # The view itself divides, and is exact only as far as a float is.
            assert float(cell) == pytest.approx(stored_cell, rel=1e-15) if isinstance(cell, Decimal) else cell == stored_cell
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        heading, *lines = csv.reader(file)
    assert heading == columns
    told = [[("" if cell is None else cell) for cell in row] for row in rows]
    assert [
        [
            Decimal(text) if isinstance(cell, Decimal) else int(text) if isinstance(cell, int) else plain_text(text)
            for text, cell in zip(line, row, strict=True)
        ]
        for line, row in zip(lines, told, strict=True)
    ] == told


def test_amounts_are_exact_beyond_what_a_float_holds(cli, url, tmp_path):
    out = tmp_path / "fills.csv"
    cli("export", "fills_plain", "--db-url", url, "--out", out)
    first = read_csv(out)[0]
    assert (first["price"], first["size"], first["notional"]) == ("0.470001", "9007199254.740993", "-0.000001")
    assert (first["reverses"], first["time"]) == (ODD, "2026-11-22 12:00:00.000")
    cli("export", "fills", "--db-url", url, "--out", tmp_path / "e6.csv")
    assert read_csv(tmp_path / "e6.csv")[0]["size_e6"] == "9007199254740993"
    cli("export", "fills_plain", "--db-url", url, "--out", tmp_path / "fills.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "fills.parquet")
    assert str(table.schema.field("size").type) == "decimal128(38, 6)"
    assert table["size"][0].as_py() == Decimal("9007199254.740993")


def test_no_value_and_an_empty_text_are_not_the_same_in_csv(cli, url, tmp_path):
    cli("export", "markets", "--db-url", url, "--out", tmp_path / "markets.csv")
    line = (tmp_path / "markets.csv").read_bytes().split(b"\r\n")[1]
    assert line.startswith(b'"mkt-1",1,"","",')
    assert line.endswith(b",")  # no body


def test_a_period_is_from_since_on_and_before_until(cli, url, tmp_path):
    asked = ("export", "fills", "--db-url", url, "--since", "2026-11-22T12:01", "--until", "2026-11-22T12:03:00Z")
    told = json.loads(cli(*asked, "--out", tmp_path / "some.csv", "--json").stdout)
    assert (told["rows"], told["format"], told["file"]) == (2, "csv", str(tmp_path / "some.csv"))
    assert told["bytes"] == (tmp_path / "some.csv").stat().st_size
    assert (told["since_ms"], told["until_ms"], told["time"]) == (NOON_MS + 60_000, NOON_MS + 180_000, "ts_ms")
    assert [row["trade_id"] for row in read_csv(tmp_path / "some.csv")] == ["t1", "t2"]
    cli("export", "orderbook_levels_plain", "--db-url", url, "--since", "2026-11-23", "--out", tmp_path / "none.csv")
    assert read_csv(tmp_path / "none.csv") == []


def test_what_cannot_be_exported_is_refused_in_one_line_and_leaves_no_file(told, cli, url, tmp_path):
    out = tmp_path / "out.csv"
    before = {file.name for file in tmp_path.iterdir()}
    asked = ("--db-url", url, "--out", out)
    assert "there is no table filz; there are: " in told("export", "filz", *asked)
    assert "not a moment" in told("export", "fills", "--since", "soon", *asked)
    assert "is not before" in told("export", "fills", "--since", "2026-11-22", "--until", "2026-11-22", *asked)
    assert "have no time" in told("export", "journal", "--since", "1d", *asked)
    assert "there is no file" in told("export", "fills", "--db-url", f"sqlite:///{tmp_path}/none.db", "--out", out)
    assert "cannot be written" in told("export", "fills", "--db-url", url, "--out", tmp_path / "none" / "out.csv")
    assert {file.name for file in tmp_path.iterdir()} == before
    assert cli("export", "fills", "--format", "xml", *asked).exit_code == 2


def test_a_file_that_is_there_is_replaced_only_by_force_and_is_private(told, cli, url, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert "is there already" in told("export", "fills", "--db-url", url, "--out", out)
    assert out.read_text() == "mine"
    assert cli("export", "fills", "--db-url", url, "--out", out, "--force").exit_code == 0
    assert len(read_csv(out)) == 5
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_without_pyarrow_parquet_is_refused_with_what_to_install_and_leaves_no_file(url, tmp_path):
    words = ["export", "fills", "--db-url", url, "--out", str(tmp_path / "out.parquet")]
    code = f"import sys; sys.modules['pyarrow'] = None; from polybot.cli import main; main({words!r})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert run.stderr == "polybot: export: Parquet needs pyarrow: `uv sync --extra parquet`, or give --format csv\n"
    assert [file.name for file in tmp_path.glob("*out*")] == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''", "'", '="a"', "", "1=1", "- no"])
def test_no_text_is_live_in_a_spreadsheet_and_each_comes_back(tmp_path, text):
    columns = (Column("name", "text"), Column("size", "amount"), Column("count", "whole"))
    file = open_rows(tmp_path / "x.csv", "csv", columns)
    file.write([(text, -1_500_000, -2)])
    file.close()
    (row,) = read_csv(tmp_path / "x.csv")
    assert not row["name"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert plain_text(row["name"]) == text
    assert (row["size"], row["count"]) == ("-1.5", "-2")
