import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.bus.stage import Arrival
from pipeline.messages import Message
from pipeline.messages.control import Committed, JobDue, WriterState
from pipeline.messages.market import Level, Market, Outcome, TradePrint
from pipeline.messages.records import (
    BookEvents,
    BookLevels,
    BookStateChanged,
    FeedGap,
    HaltRecord,
    HashChecks,
    LevelEvent,
    MarketStatus,
    MarketVersion,
    Opportunity,
    PortfolioRow,
    RunEnded,
    RunStarted,
)
from pipeline.store.open import Store, open_store
from pipeline.store.runs import replay_of
from pipeline.store.status import latest_book_states, latest_runs, market_statuses, table_counts
from processes.writer import Writer, build

MS = 1_000_000
NOW = 1_700_000_000_000 * MS
ABOUT: dict[str, Any] = {"ts_ns": NOW, "token_id": "mkt-1/yes", "market": "mkt-1"}


def lossy(message: Message, run: str = "run-1", producer: str = "book_builder") -> Arrival:
    return Arrival("persist.lossy", producer, run, 0, message)


def halt(seq: int, run: str = "run-9") -> Arrival:
    return Arrival("persist.durable", "executor@j1", run, seq, HaltRecord(ts_ns=NOW, halted=True, reason=f"number {seq}"))


def events(count: int = 1, market: str = "mkt-1", seq: int = 1) -> BookEvents:
    levels = tuple(LevelEvent(side="bid", price_e6=n, size_e6=n + 1, change_e6=-n) for n in range(count))
    return BookEvents(ts_ns=NOW, token_id=f"{market}/yes", market=market, seq=seq, venue_ns=NOW - 5 * MS, events=levels)


def said(writer: Writer, arrival: Arrival, now_ns: int = NOW) -> list[Message]:
    return list(writer.receive(arrival, now_ns))


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with store.connect() as conn:
        return [tuple(row) for row in conn.exec_driver_sql(sql)]


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store("sqlite://") as opened:
        yield opened


@pytest.fixture
def writer(store: Store) -> Writer:
    started = Writer(store, commit_interval_ms=100, commit_rows=1_000, retention_ms=1_000)
    assert list(started.start(NOW)) == []
    return started


def test_every_lossy_kind_becomes_its_row(store: Store, writer: Writer) -> None:
    market = Market(market_id="mkt-1", outcomes=(Outcome("mkt-1/yes", "Yes"),), question="?")
    for message in (
        events(2),
        BookLevels(
            **ABOUT,
            seq=4,
            venue_ns=0,
            bids=(Level(400_000, 5),),
            asks=(Level(470_001, 6),),
            state="VERIFIED",
            cause="job",
            checksum="h",
        ),
        TradePrint(**ABOUT, price_e6=7, size_e6=8, side="SELL", venue_ns=NOW, transaction_hash="0x1"),
        MarketVersion(ts_ns=NOW, market=market, valid_from_ns=NOW),
        MarketStatus(
            ts_ns=NOW,
            market="mkt-1",
            last_seq=4,
            last_update_ts_ms=9,
            snapshots=1,
            deltas=2,
            trades=3,
            counts={"resync_gap": 5, "invalid": 6, "crossed": 7},
        ),
        BookStateChanged(**ABOUT, old="QUIET", new="SUSPECT", basis="hash", reason="mismatch", verified_ns=3),
        FeedGap(**ABOUT, start_ns=NOW, end_ns=0, cause="gap"),
        FeedGap(**ABOUT, start_ns=NOW, end_ns=NOW + 1, cause="gap", healed_by="rest"),
        HashChecks(**ABOUT, start_ns=NOW, done=3, matched=2, undecided=1),
        Opportunity(
            ts_ns=NOW,
            plan_id="p",
            strategy="s",
            market="mkt-1",
            kind="k",
            taken=True,
            reason="r",
            expected_profit_e6=1,
            size_e6=2,
        ),
        PortfolioRow(
            **ABOUT, strategy="s", mode="paper", inventory_e6=1, cost_e6=2, realised_e6=3, unrealised_e6=None, fees_e6=4
        ),
    ):
        assert said(writer, lossy(message)) == []
    list(writer.stop(NOW))
    ms = NOW // MS
    assert rows(
        store, "SELECT run_id, market_id, outcome_id, seq, ts_ms, ts_ns, side, price_e6, size_e6, change_e6 FROM orderbook_events"
    ) == [
        (1, "mkt-1", "yes", 1, ms - 5, NOW, "bid", 0, 1, 0),
        (1, "mkt-1", "yes", 1, ms - 5, NOW, "bid", 1, 2, -1),
    ]
    assert rows(
        store, "SELECT seq, ts_ms, best_bid_e6, best_ask_e6, mid_e6, checksum, state, cause, bids, asks FROM orderbook_snapshots"
    ) == [(4, ms, 400_000, 470_001, 435_000, "h", "VERIFIED", "job", "[[400000,5]]", "[[470001,6]]")]
    assert rows(store, "SELECT side, price_e6, size_e6, transaction_hash FROM trades") == [("SELL", 7, 8, "0x1")]
    assert rows(store, "SELECT question, valid_from_ns FROM markets") == [("?", NOW)]
    assert rows(store, "SELECT outcome_id, token_id, name FROM outcomes") == [("yes", "mkt-1/yes", "Yes")]
    assert rows(store, "SELECT old, new, basis, reason, verified_ns FROM book_states") == [
        ("QUIET", "SUSPECT", "hash", "mismatch", 3)
    ]
    assert rows(store, "SELECT start_ns, end_ns, cause, healed_by FROM feed_gaps") == [(NOW, NOW + 1, "gap", "rest")]
    assert rows(store, "SELECT ts_ms, ts_ns, done, matched, undecided FROM hash_checks") == [(ms, NOW, 3, 2, 1)]
    assert rows(store, "SELECT plan_id, taken, expected_profit_e6, size_e6 FROM opportunities") == [("p", 1, 1, 2)]
    assert rows(store, "SELECT mode, inventory_e6, cost_e6, realised_e6, unrealised_e6, fees_e6 FROM portfolio") == [
        ("paper", 1, 2, 3, None, 4)
    ]
    with store.connect() as conn:
        (status,) = market_statuses(conn)
        (state,) = latest_book_states(conn)
        assert conn.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    assert (status.last_seq, status.snapshots, status.deltas, status.trades, status.resync_gap, status.invalid) == (
        4,
        1,
        2,
        3,
        5,
        6,
    )
    assert (status.other, status.event_rows, status.snapshot_rows, status.question) == ({"crossed": 7}, 2, 1, "?")
    assert (state.outcome_id, state.state) == ("yes", "SUSPECT")


def test_rows_are_committed_by_the_timer(store: Store, writer: Writer) -> None:
    assert writer.next_timer_ns() is None
    said(writer, lossy(events()))
    assert rows(store, "SELECT count(*) FROM orderbook_events") == [(0,)]
    assert writer.next_timer_ns() == NOW + 100 * MS
    assert list(writer.on_timer(NOW + 100 * MS)) == []
    assert rows(store, "SELECT count(*) FROM orderbook_events") == [(1,)]
    assert writer.next_timer_ns() is None


def test_rows_are_committed_when_there_are_enough(store: Store, writer: Writer) -> None:
    said(writer, lossy(events(999)))
    said(writer, lossy(events(1)))
    assert rows(store, "SELECT count(*) FROM orderbook_events") == [(1_000,)]


def test_committed_is_said_after_the_commit_to_subscribers_and_again(writer: Writer) -> None:
    assert said(writer, halt(1)) == []
    committed = Committed(ts_ns=NOW + 100 * MS, producer="executor@j1", seq=1)
    assert list(writer.on_timer(NOW + 100 * MS)) == [committed]
    well = WriterState(ts_ns=NOW + 100 * MS, state="ok")
    assert list(writer.reminders()) == [committed, well]
    assert list(writer.current("committed.executor@j1")) == [committed]
    assert list(writer.current("committed.")) == [well, committed]
    assert list(writer.current("committed.writer")) == [well]


def test_an_unknown_producer_hears_that_nothing_of_it_is_stored(writer: Writer) -> None:
    nothing = Committed(ts_ns=NOW, producer="executor@new", seq=0)
    assert list(writer.current("committed.executor@new")) == [nothing]
    assert list(writer.reminders()) == [nothing, WriterState(ts_ns=NOW, state="ok")]
    assert [c.producer for c in writer.current("committed.executor\0") if isinstance(c, Committed)] == ["executor"]


def test_a_gap_is_not_crossed_and_repeats_are_stored_once(store: Store, writer: Writer) -> None:
    for seq in (1, 3, 2, 2, 1, 3, 5):
        said(writer, halt(seq))
    assert [c.seq for c in writer.on_timer(NOW + 100 * MS) if isinstance(c, Committed)] == [3]
    assert rows(store, "SELECT seq FROM journal") == [(1,), (2,), (3,)]
    assert rows(store, "SELECT count(*) FROM halts") == [(3,)]


def test_a_restarted_writer_says_where_it_stands(store: Store, writer: Writer) -> None:
    said(writer, halt(1))
    list(writer.stop(NOW))
    again = Writer(store)
    assert list(again.start(NOW)) == [Committed(ts_ns=NOW, producer="executor@j1", seq=1)]


def test_a_run_is_known_from_its_envelope_and_told_by_its_first_words(store: Store, writer: Writer) -> None:
    said(writer, lossy(events()))
    said(writer, halt(1))
    said(writer, lossy(RunStarted(ts_ns=NOW + 1, session_id="s", role="executor", pid=7, source="fake"), "run-9", "executor"))
    said(writer, lossy(RunEnded(ts_ns=NOW + 2, role="executor", reason="stopped", counts={"a": 1}), "run-9", "executor"))
    list(writer.stop(NOW))
    with store.connect() as conn:
        executor, builder = latest_runs(conn)
    assert (builder.id, builder.producer, builder.run, builder.session, builder.ended_ns) == (
        1,
        "book_builder",
        "run-1",
        "",
        None,
    )
    assert (executor.id, executor.producer, executor.run, executor.session, executor.pid) == (2, "executor", "run-9", "s", 7)
    assert (executor.ended_ns, executor.reason, executor.counts) == (NOW + 2, "stopped", {"a": 1})
    assert rows(store, "SELECT run_id FROM halts") == [(2,)]


def test_a_run_met_again_by_a_restarted_writer_keeps_its_row(store: Store, writer: Writer) -> None:
    said(writer, lossy(events()))
    list(writer.stop(NOW))
    again = Writer(store)
    said(again, lossy(events()))
    said(again, lossy(events(), "run-2"))
    list(again.stop(NOW))
    assert rows(store, "SELECT run_id FROM orderbook_events") == [(1,), (1,), (2,)]


def test_its_own_run_is_told_before_the_start_and_ended_by_stop(store: Store) -> None:
    writer = Writer(store)
    said(writer, lossy(RunStarted(ts_ns=NOW, session_id="s", role="writer", pid=1, source=""), "run-w", "writer"))
    list(writer.start(NOW))
    list(writer.stop(NOW + 5))
    with store.connect() as conn:
        (run,) = latest_runs(conn)
    assert (run.role, run.ended_ns, run.reason) == ("writer", NOW + 5, "stopped")


def test_a_replay_is_one_transaction_and_can_be_found_by_its_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'polybot.db'}"
    body = msgspec.json.encode({"file_sha256": "ab", "market_id": "mkt-1"}).decode()
    with open_store(url) as store:
        writer = Writer(store, commit_interval_ms=None, commit_rows=None)
        list(writer.start(0))
        said(writer, lossy(RunStarted(ts_ns=NOW, session_id="s", role="gateway", pid=1, source="f", body=body)))
        for _ in range(3):
            said(writer, lossy(events(4_000)))
        assert said(writer, halt(1)) == [Committed(ts_ns=NOW, producer="executor@j1", seq=1)]
        assert writer.next_timer_ns() is None
        assert rows(store, "SELECT count(*) FROM orderbook_events") == [(0,)]
        list(writer.stop(NOW))
        assert rows(store, "SELECT count(*) FROM orderbook_events") == [(12_000,)]
        with store.connect() as conn:
            assert replay_of(conn, "ab", "mkt-1") == 1
            assert replay_of(conn, "ab", "mkt-2") is None


def test_a_replay_that_is_not_stopped_leaves_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'polybot.db'}"
    with open_store(url) as store:
        writer = Writer(store, commit_interval_ms=None, commit_rows=None)
        list(writer.start(0))
        said(writer, lossy(events(9_000)))
        said(writer, halt(1))
    with open_store(url, read_only=True) as store, store.connect() as conn:
        counts = table_counts(conn)
    assert {name for name, count in counts.items() if count} == set()


def test_pruning_goes_on_until_nothing_old_is_left(store: Store, writer: Writer) -> None:
    for _ in range(21):
        said(writer, lossy(events(1_000)))
    later = NOW + 5_000 * MS
    assert said(writer, Arrival("control", "scheduler", "r", 0, JobDue(ts_ns=later, job="prune")), later) == []
    assert writer.next_timer_ns() == later + 100 * MS
    list(writer.on_timer(later + 100 * MS))
    assert rows(store, "SELECT count(*) FROM orderbook_events") == [(1_000,)]
    list(writer.on_timer(later + 200 * MS))
    assert rows(store, "SELECT count(*) FROM orderbook_events") == [(0,)]
    assert writer.next_timer_ns() is None
    assert writer.counts()["pruned_rows"] == 21_000


def test_a_locked_database_delays_rows_and_loses_no_record(tmp_path: Path) -> None:
    path = tmp_path / "polybot.db"
    with open_store(f"sqlite:///{path}") as store:
        writer = Writer(store, commit_interval_ms=100, commit_rows=10, max_waiting_rows=30)
        list(writer.start(NOW))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        said(writer, halt(1))
        said(writer, lossy(events(9)))
        (state,) = writer.on_timer(NOW + 100 * MS)
        assert isinstance(state, WriterState) and state.state == "degraded"
        assert writer.next_timer_ns() == NOW + 1_100 * MS
        assert writer.counts()["commit_failures"] == 1
        said(writer, lossy(events(20)), NOW + 200 * MS)
        said(writer, lossy(events(5)), NOW + 200 * MS)
        assert writer.counts()["dropped_rows"] == 34
        said(writer, lossy(events(2)), NOW + 300 * MS)
        other.execute("ROLLBACK")
        other.close()
        committed = Committed(ts_ns=NOW + 1_100 * MS, producer="executor@j1", seq=1)
        assert list(writer.on_timer(NOW + 1_100 * MS)) == [committed, WriterState(ts_ns=NOW + 1_100 * MS, state="ok")]
        assert rows(store, "SELECT count(*) FROM orderbook_events") == [(2,)]
        assert rows(store, "SELECT event_rows FROM market_status") == [(2,)]
        assert writer.next_timer_ns() is None


def test_a_broken_invariant_is_raised(store: Store, writer: Writer) -> None:
    said(writer, lossy(events()))
    with store.begin() as conn:
        conn.exec_driver_sql("INSERT INTO runs (id, producer, run, started_ns) VALUES (5, 'book_builder', 'run-1', 1)")
    with pytest.raises(IntegrityError):
        writer.on_timer(NOW + 100 * MS)


@settings(max_examples=20)  # each makes a database
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["run-1", "run-2"]), st.integers(0, 5)), max_size=20),
    st.integers(1, 12),
    st.booleans(),
)
def test_rows_in_are_rows_out_whatever_the_batches(batches: list[tuple[str, str, int]], commit_rows: int, once: bool) -> None:
    with open_store("sqlite://") as store:
        writer = Writer(store, commit_interval_ms=None, commit_rows=None) if once else Writer(store, commit_rows=commit_rows)
        list(writer.start(NOW))
        expected = []
        for seq, (market, run, count) in enumerate(batches):
            said(writer, lossy(events(count, market, seq), run))
            expected += [(run, market, "yes", seq, n, n + 1, -n) for n in range(count)]
        list(writer.stop(NOW))
        query = (
            "SELECT run, e.market_id, outcome_id, seq, price_e6, size_e6, change_e6 "
            "FROM orderbook_events AS e JOIN runs ON runs.id = run_id ORDER BY e.id"
        )
        assert rows(store, query) == expected
        assert writer.counts()["rows"] == len(expected)


def test_the_configured_database_is_opened(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'polybot.db'}"
    writer = build(Config(Settings()).with_values({"db": {"url": url}, "venue": {"name": "fake"}}, "test"))
    assert writer.store.venue == "fake"
    writer.store.close()
