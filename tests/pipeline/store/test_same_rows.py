"""Three sessions in one database; the second is written again into another one, and the two are compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from pipeline.messages.market import Level, Market, Outcome, TradePrint
from pipeline.messages.records import (
    BookEvents,
    BookLevels,
    FillRecord,
    HaltRecord,
    LevelEvent,
    MarketStatus,
    MarketVersion,
    OrderRecord,
)
from pipeline.store.buffer import RowBuffer
from pipeline.store.journal import DurableRecord, append_records
from pipeline.store.open import Store, open_store
from pipeline.store.premises import begin_like, premises_of
from pipeline.store.retention import prune_samples
from pipeline.store.runs import Run, save_run
from pipeline.store.same_rows import APPENDED, KEYED, SameRows, compare_rows
from pipeline.store.schema import metadata

MS = 1_000_000
HOUR_NS = 3_600_000 * MS
SECOND = 2
ABOUT: dict[str, Any] = {"token_id": "m/yes", "market": "m"}
ORDER: dict[str, Any] = {
    "venue_order_id": "",
    "strategy": "spread",
    "mode": "fake",
    "side": "BUY",
    "price_e6": 400_000,
    "size_e6": 10_000_000,
    "filled_e6": 0,
    "order_type": "GTC",
    "post_only": True,
    "plan_id": "p",
}


def market(market_id: str, question: str) -> Market:
    return Market(market_id=market_id, outcomes=(Outcome(f"{market_id}/yes", "yes"),), question=question)


def session(conn: Connection, number: int) -> None:
    """Everything that a session writes: markets, samples, an order of its own and one that all sessions have."""
    run, ts_ns = number, number * HOUR_NS
    save_run(conn, Run(run, "book_builder", f"session-{number}", started_ns=ts_ns))
    buffer = RowBuffer()
    for listed in (market("m", "the same in all sessions"), market(f"own-{number}", "?"), market("changes", f"version {number}")):
        buffer.take(run, MarketVersion(ts_ns=ts_ns, market=listed, valid_from_ns=ts_ns))
    events = (LevelEvent(side="bid", price_e6=400_000, size_e6=number, change_e6=number),)
    buffer.take(run, BookEvents(ts_ns=ts_ns, seq=1, venue_ns=ts_ns, events=events, **ABOUT))
    bids = (Level(400_000, number),)
    buffer.take(run, BookLevels(ts_ns=ts_ns, seq=1, venue_ns=ts_ns, bids=bids, asks=(), state="QUIET", cause="", **ABOUT))
    for price_e6 in (410_000, 420_000):
        buffer.take(run, TradePrint(ts_ns=ts_ns, venue_ns=ts_ns, side="BUY", price_e6=price_e6, size_e6=1, **ABOUT))
    buffer.take(
        run,
        MarketStatus(ts_ns=ts_ns, market="m", last_seq=number, last_update_ts_ms=ts_ns // MS, snapshots=1, deltas=1, trades=2),
    )
    buffer.write(conn)
    own = f"o-{number}"
    fill = FillRecord(
        ts_ns=ts_ns + 2,
        trade_id=f"t-{number}",
        client_order_id=own,
        strategy="spread",
        mode="fake",
        side="BUY",
        price_e6=400_000,
        size_e6=1,
        notional_e6=1,
        fee_e6=0,
        liquidity="maker",
        status="matched",
        **ABOUT,
    )
    records = [
        *(
            OrderRecord(ts_ns=ts_ns + at, client_order_id=name, status=status, **ORDER, **ABOUT)
            for at, (name, status) in enumerate(((own, "live"), ("lasting", "live"), (own, "filled")))
        ),
        fill,
        HaltRecord(ts_ns=ts_ns, halted=True, reason=f"session {number}"),
    ]
    if number > SECOND:  # a trade of the session before failed
        before = {"client_order_id": f"o-{number - 1}", "reverses": f"t-{number - 1}"}
        records.append(msgspec.structs.replace(fill, trade_id=f"x-{number}", status="failed", **before))
    first = premises_of(conn).last_records.get("executor@j")
    begin = 1 if first is None else first.seq + 1
    append_records(conn, "executor@j", [DurableRecord(seq, run, record) for seq, record in enumerate(records, begin)])


@pytest.fixture
def original() -> Iterator[Store]:
    with open_store("sqlite://") as store:
        for number in (1, SECOND, 3):
            with store.begin() as conn:
                session(conn, number)
        yield store


@pytest.fixture
def again(original: Store) -> Iterator[Store]:
    """The second session alone, on premises as it found them."""
    with open_store("sqlite://") as before, before.begin() as conn:
        session(conn, 1)
        premises = premises_of(conn)
    with open_store("sqlite://") as store:
        with store.begin() as conn:
            begin_like(conn, premises)
            session(conn, SECOND)
        yield store


def compared(original: Store, again: Store) -> SameRows:
    with original.connect() as there, again.connect() as here:
        return compare_rows(there, here, SECOND, SECOND)


def changed(original: Store, *statements: str) -> None:
    with original.begin() as conn:
        conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for statement in statements:
            conn.exec_driver_sql(statement)


def test_a_session_among_others_is_the_same_but_for_what_they_explain(original: Store, again: Store) -> None:
    found = compared(original, again)
    assert found.difference is None
    assert found.excused == {
        "earlier": 3,  # the market that did not change: its row, its outcome and its version
        "later": 5,  # the market that changed again and its outcome, the status of m, the lasting order, the trade that failed
    }
    assert found.same > 15


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("runs", "SET source = 'another' WHERE id = 2"),
        ("markets", "SET question = 'another' WHERE market_id = 'own-2'"),
        ("outcomes", "SET name = 'another' WHERE market_id = 'own-2'"),
        ("market_versions", "SET body = 'another' WHERE condition_id = 'changes' AND run_id = 2"),
        ("orderbook_events", "SET size_e6 = 9 WHERE run_id = 2"),
        ("orderbook_snapshots", "SET bids = '[]' WHERE run_id = 2"),
        ("trades", "SET price_e6 = 9 WHERE run_id = 2 AND price_e6 = 420000"),
        ("journal", "SET body = '[0,0]' WHERE seq = 7"),
        ("orders", "SET filled_e6 = 1 WHERE client_order_id = 'o-2'"),
        ("order_events", "SET reason = 'another' WHERE run_id = 2 AND client_order_id = 'lasting'"),
        ("halts", "SET reason = 'another' WHERE run_id = 2"),
    ],
)
def test_a_row_that_is_another_one_is_the_difference(original: Store, again: Store, table: str, change: str) -> None:
    changed(original, f"UPDATE {table} {change}")
    difference = compared(original, again).difference
    assert difference is not None
    assert difference.table == table
    assert difference.was is not None
    assert difference.was != difference.is_


@pytest.mark.parametrize("table", ["trades", "order_events", "journal", "halts", "orderbook_events"])
def test_a_row_that_is_gone_or_too_many_is_the_difference(original: Store, again: Store, table: str) -> None:
    changed(original, f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table} WHERE run_id = 2)")
    gone = compared(original, again).difference
    assert gone is not None
    assert (gone.table, gone.was is None or gone.was != gone.is_) == (table, True)
    with original.begin() as there, again.begin() as here:
        here.exec_driver_sql(f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table} WHERE run_id = 2)")
        there.exec_driver_sql("INSERT INTO halts (run_id, ts_ms, ts_ns, halted, reason) VALUES (2, 1, 1, 1, 'too many')")
    too_many = compared(original, again).difference
    assert too_many is not None
    assert (too_many.table, too_many.is_) == ("halts", None)


def test_pruned_rows_are_counted_and_later_ones_are_not_excused(original: Store, again: Store) -> None:
    with original.begin() as conn:
        prune_samples(conn, (SECOND * HOUR_NS + 1) // MS + 1)
    found = compared(original, again)
    assert found.difference is None
    assert found.excused["pruned"] == 9  # an event, a snapshot, two trades, and the five copies of records


def test_a_row_that_is_younger_than_what_was_pruned_is_not_excused(original: Store, again: Store) -> None:
    with original.begin() as conn:
        assert prune_samples(conn, SECOND * HOUR_NS // MS)
    assert compared(original, again).difference is None
    changed(original, "DELETE FROM trades WHERE run_id = 2 AND price_e6 = 410000")
    difference = compared(original, again).difference
    assert difference is not None
    assert difference.table == "trades"


def test_every_table_of_a_session_is_compared() -> None:
    compared_tables = {table.name for table in (*APPENDED, *KEYED)}
    assert set(metadata.tables) - compared_tables == {"meta", "accepted_rules"}
