"""The comparison of venue, journal and database finds what is lost, doubled or altered, each in words."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from benchmarks.three_sides import Records, compare
from pipeline.messages.records import FillRecord, OrderIntent, OrderRecord
from pipeline.store.journal import DurableMessage, DurableRecord, append_records
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run

ORDER = OrderRecord(
    ts_ns=1_700_000_000_000_000_000,
    client_order_id="s-spread-1",
    venue_order_id="0xabc",
    strategy="spread",
    mode="live",
    token_id="71",
    market="0xm",
    side="BUY",
    price_e6=410_000,
    size_e6=20_000_000,
    filled_e6=20_000_000,
    order_type="GTC",
    post_only=True,
    status="matched",
    plan_id="plan-1",
)
INTENT = OrderIntent(
    ts_ns=ORDER.ts_ns,
    client_order_id="s-spread-1",
    venue_order_id="0xabc",
    token_id="71",
    market="0xm",
    side="BUY",
    price_e6=410_000,
    size_e6=20_000_000,
    order_type="GTC",
    post_only=True,
    body="{}",
    expires_ns=0,
)
FILL = FillRecord(
    ts_ns=ORDER.ts_ns,
    trade_id="t-1",
    client_order_id="s-spread-1",
    strategy="spread",
    mode="live",
    token_id="71",
    market="0xm",
    side="BUY",
    price_e6=410_000,
    size_e6=20_000_000,
    notional_e6=8_200_000,
    fee_e6=0,
    liquidity="maker",
    status="confirmed",
)
PRODUCER = "executor@1"
VENUE_ORDER = {"id": "0xabc", "asset_id": "71", "side": "BUY", "price_e6": 410_000, "matched_e6": 20_000_000, "status": "MATCHED"}
VENUE_TRADE = {
    "trade_id": "t-1",
    "order_id": "0xabc",
    "asset_id": "71",
    "side": "BUY",
    "price_e6": 410_000,
    "size_e6": 20_000_000,
    "fee_e6": 0,
    "liquidity": "maker",
    "status": "CONFIRMED",
}
RECORDS: tuple[DurableMessage, ...] = (INTENT, ORDER, FILL)


class Sides:
    """A database with some records, and the three sides as they should be."""

    def __init__(self, folder: Path, records: tuple[DurableMessage, ...] = RECORDS) -> None:
        path = folder / "sides.db"
        with open_store(f"sqlite:///{path}") as store, store.begin() as conn:
            save_run(conn, Run(1, "executor", "r", started_ns=1))
            append_records(conn, PRODUCER, [DurableRecord(seq, 1, msg) for seq, msg in enumerate(records, 1)])
        self.conn = sqlite3.connect(path)
        self.conn.row_factory = sqlite3.Row
        self.orders: list[dict[str, Any]] = [dict(VENUE_ORDER)]
        self.trades: list[dict[str, Any]] = [dict(VENUE_TRADE)]
        self.journal: Records = {(PRODUCER, seq): msg for seq, msg in enumerate(records, 1)}

    def differences(self) -> list[str]:
        try:
            return compare(self.orders, self.trades, self.journal, self.conn)
        finally:
            self.conn.close()


def test_three_sides_that_agree_differ_in_nothing(tmp_path: Path) -> None:
    assert Sides(tmp_path).differences() == []


@pytest.mark.parametrize(
    ("field", "value"), [("price_e6", 1), ("side", "SELL"), ("asset_id", "72"), ("matched_e6", 5), ("status", "LIVE")]
)
def test_an_order_that_is_another_at_the_venue_is_told(tmp_path: Path, field: str, value: Any) -> None:
    sides = Sides(tmp_path)
    sides.orders[0][field] = value
    (told,) = sides.differences()
    assert told.startswith("order s-spread-1: ")


@pytest.mark.parametrize(
    ("field", "value"), [("price_e6", 1), ("size_e6", 1), ("fee_e6", 1), ("liquidity", "taker"), ("status", "FAILED")]
)
def test_a_fill_that_is_another_at_the_venue_is_told(tmp_path: Path, field: str, value: Any) -> None:
    sides = Sides(tmp_path)
    sides.trades[0][field] = value
    (told,) = sides.differences()
    assert told.startswith("trade t-1: ")


def test_what_one_side_lacks_is_told(tmp_path: Path) -> None:
    for number, (lose, words) in enumerate(
        (
            (lambda sides: sides.trades.append({**VENUE_TRADE, "trade_id": "t-2"}), "trade t-2 of 0xabc is lost"),
            (lambda sides: sides.trades.clear(), "is here and not at the venue"),
            (lambda sides: sides.orders.append({**VENUE_ORDER, "id": "0xdef"}), "0xdef at the venue is unknown here"),
            (lambda sides: sides.orders.clear(), "the venue never had it"),
            (lambda sides: sides.journal.pop((PRODUCER, 3)), "in the database and not in the journal"),
            (lambda sides: sides.journal.update({(PRODUCER, 4): FILL}), "in the journal and not in the database"),
            (lambda sides: sides.journal.update({(PRODUCER, 2): replace(ORDER, price_e6=1)}), "differs"),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        sides = Sides(folder)
        lose(sides)
        told = sides.differences()
        assert told and any(words in line for line in told), (words, told)


def test_an_order_that_left_without_an_intent_is_told(tmp_path: Path) -> None:
    (told,) = Sides(tmp_path, (ORDER, FILL)).differences()
    assert "without an intent" in told


def test_a_failed_trade_that_is_taken_back_here_is_no_difference(tmp_path: Path) -> None:
    failed = replace(FILL, status="failed")
    reversing = replace(FILL, trade_id="t-1-reversed", side="SELL", status="failed", reverses="t-1")
    sides = Sides(tmp_path, (INTENT, ORDER, FILL, failed, replace(ORDER, filled_e6=0), reversing))
    sides.trades[0]["status"] = "FAILED"
    assert sides.differences() == []


def test_a_budget_that_is_spent_but_for_shares_below_a_cent_is_no_difference_and_less_than_that_is(tmp_path: Path) -> None:
    filled = 19_990_000
    taken = replace(ORDER, order_type="FAK", post_only=False, filled_e6=filled, status="cancelled")
    sides = Sides(tmp_path, (INTENT, taken, replace(FILL, size_e6=filled)))
    sides.orders[0].update(matched_e6=filled, order_type="FAK")
    sides.trades[0]["size_e6"] = filled
    assert compare(sides.orders, sides.trades, sides.journal, sides.conn) == []
    sides.orders[0]["matched_e6"] = filled - 1
    (told,) = sides.differences()
    assert told.startswith("order s-spread-1: ")
