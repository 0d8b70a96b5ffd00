"""The whole pipeline sends its orders to the fake venue: after a kill of the executor, venue and database agree row by row."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from urllib.request import Request, urlopen

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")

PATIENCE_S = 15.0


def test_an_executor_killed_while_it_trades_loses_and_doubles_nothing(up, program, tmp_path):
    settings = '[execution]\nrelayer = "clob"\n[fake_venue]\nrate_per_s = 400\n'
    (tmp_path / "clob.toml").write_text(settings)
    pipeline = up("--config", "clob.toml")
    venue = f"http://127.0.0.1:{_port(pipeline)}/admin"
    pipeline.until(lambda: pipeline.trades() and len(_live(venue)) > 1, 30, "orders at the venue")

    before, placed = pipeline.pids()["executor"], len(_told(venue, "orders"))
    _fill_one(venue)
    os.kill(before, signal.SIGKILL)
    _fill_one(venue)
    pipeline.until(lambda: pipeline.pids()["executor"] != before, PATIENCE_S, "the executor started again")
    pipeline.until(lambda: len(_told(venue, "orders")) > placed, PATIENCE_S, "new orders")

    halt = program("polybot.cli", "halt", "--cancel", "--reason", "end", "--state-dir", str(pipeline.state_dir))
    assert halt.wait(PATIENCE_S) == 0, halt.said
    pipeline.until(lambda: not _live(venue) and not pipeline.model.open_orders, PATIENCE_S, "no order at the venue")
    orders = {row["id"]: (row["side"], row["matched_e6"]) for row in _told(venue, "orders")}
    trades = {(row["trade_id"], row["order_id"]): row["size_e6"] for row in _told(venue, "trades") if row["status"] != "FAILED"}
    pipeline.send(signal.SIGINT)
    assert pipeline.wait(10) == 0, pipeline.said

    database = sqlite3.connect(tmp_path / "fake.db")
    intents = dict(database.execute("SELECT client_order_id, venue_order_id FROM order_intents"))
    fills = database.execute("SELECT trade_id, client_order_id, size_e6 FROM fills WHERE reverses = ''").fetchall()
    assert {(trade_id, intents[name]): size_e6 for trade_id, name, size_e6 in fills} == trades
    assert len(trades) >= 2
    assert set(orders) <= set(intents.values()) and len(set(intents.values())) == len(intents)
    rows = database.execute("SELECT client_order_id, side, filled_e6, status FROM orders").fetchall()
    assert not [row for row in rows if row[3] in ("submitted", "unknown", "live", "delayed", "partially_filled")]
    held = {intents[name]: (side, filled_e6) for name, side, filled_e6, _ in rows if intents.get(name) in orders}
    assert held == orders
    assert {mode for (mode,) in database.execute("SELECT DISTINCT mode FROM fills")} == {"offline"}


def _told(venue: str, what: str) -> list[dict[str, object]]:
    with urlopen(f"{venue}/{what}", timeout=5) as answer:
        return json.load(answer)


def _live(venue: str) -> list[object]:
    return [row["id"] for row in _told(venue, "orders") if row["status"] == "LIVE"]


def _fill_one(venue: str) -> None:
    """Somebody takes one of the orders that rest."""
    with urlopen(Request(f"{venue}/fill/{_live(venue)[0]}", method="POST"), timeout=5) as answer:
        assert answer.status == 200


def _port(pipeline) -> int:
    options = pipeline.process.args
    return int(options[options.index("--port") + 1])
