from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages.records import (
    BookEvents,
    BookLevels,
    BookStateChanged,
    FeedGap,
    HaltRecord,
    HashChecks,
    LevelEvent,
    Opportunity,
    PortfolioRow,
)
from pipeline.store.buffer import RowBuffer
from pipeline.store.journal import DurableRecord, append_records
from pipeline.store.open import Store, open_store
from pipeline.store.retention import PRUNED_TABLES, count_samples, prune_events_before, prune_samples
from pipeline.store.runs import Run, save_run
from pipeline.store.status import market_statuses, table_counts

MS = 1_000_000


def change(market: str, ts_ms: int) -> BookEvents:
    event = LevelEvent(side="ask", price_e6=1, size_e6=2, change_e6=3)
    return BookEvents(ts_ns=ts_ms * MS, token_id=f"{market}/yes", market=market, seq=1, venue_ns=0, events=(event, event))


def test_old_events_go_and_the_rest_stays(store: Store) -> None:
    buffer = RowBuffer()
    for ts_ms in (10, 20, 30):
        buffer.take(1, change("mkt-1", ts_ms))
    with store.begin() as conn:
        buffer.write(conn)
        assert prune_events_before(conn, 20) == 2
        assert prune_events_before(conn, 20) == 0
        assert tuple(conn.exec_driver_sql("SELECT min(ts_ms), count(*) FROM orderbook_events").one()) == (20, 4)
        assert market_statuses(conn)[0].event_rows == 4


def test_every_kind_of_sample_is_pruned(store: Store) -> None:
    buffer = RowBuffer()
    about = {"ts_ns": 5 * MS, "token_id": "m/yes", "market": "m"}
    samples = (
        change("m", 5),
        BookLevels(**about, seq=1, venue_ns=0, bids=(), asks=(), state="QUIET", cause="x"),
        BookStateChanged(**about, old=None, new="VERIFIED", basis="seq", reason=""),
        FeedGap(**about, start_ns=5 * MS, end_ns=6 * MS, cause="x"),
        HashChecks(**about, start_ns=5 * MS, done=3, matched=2, undecided=1),
        PortfolioRow(**about, strategy="s", mode="fake", inventory_e6=1, cost_e6=1, realised_e6=0, unrealised_e6=None, fees_e6=0),
        Opportunity(
            ts_ns=5 * MS, plan_id="p", strategy="s", market="m", kind="k", taken=False, reason="", expected_profit_e6=0, size_e6=0
        ),
    )
    for sample in samples:
        assert buffer.take(1, sample)
    with store.begin() as conn:
        save_run(conn, Run(1, "book_builder", "run-1", started_ns=1, ended_ns=5 * MS))
        buffer.write(conn)
        assert prune_samples(conn, 5) == 0
        assert prune_samples(conn, 6) == 8
        counts = table_counts(conn)
    assert {counts[table.name] for table in PRUNED_TABLES} == {0}


def test_the_state_in_force_when_the_kept_time_begins_stays(store: Store) -> None:
    buffer = RowBuffer()
    with store.begin() as conn:
        save_run(conn, Run(2, "book_builder", "run-2", started_ns=1, ended_ns=40 * MS))
        for run, token, ts_ms in ((1, "m/yes", 10), (1, "m/yes", 20), (1, "m/yes", 60), (1, "m/no", 30), (2, "m/yes", 15)):
            told = BookStateChanged(
                ts_ns=ts_ms * MS, token_id=token, market="m", old=None, new="VERIFIED", basis="seq", reason=""
            )
            buffer.take(run, told)
        buffer.write(conn)
        left = "SELECT run_id, outcome_id, ts_ms FROM book_states ORDER BY run_id, ts_ms"
        assert prune_samples(conn, 40) == 1
        assert conn.exec_driver_sql(left).all() == [(1, "yes", 20), (1, "no", 30), (1, "yes", 60), (2, "yes", 15)]
        assert prune_samples(conn, 50) == 1
        assert conn.exec_driver_sql(left).all() == [(1, "yes", 20), (1, "no", 30), (1, "yes", 60)]


def test_old_copies_of_records_go_but_the_last_of_each_producer_and_what_was_made_of_them_stay(store: Store) -> None:
    def halts(*times_ms: int) -> list[DurableRecord]:
        return [DurableRecord(seq, 1, HaltRecord(ts_ns=ms * MS, halted=True, reason="x")) for seq, ms in enumerate(times_ms, 1)]

    with store.begin() as conn:
        save_run(conn, Run(1, "executor", "r", started_ns=1))
        append_records(conn, "executor@a", halts(1, 2, 30, 40))
        append_records(conn, "executor@b", halts(3, 4))
        assert count_samples(conn, 20)["journal"] == 3
        assert [prune_samples(conn, 20, at_most) for at_most in (2, 1, 10)] == [2, 0, 1]
        left = conn.exec_driver_sql("SELECT producer, seq FROM journal ORDER BY producer, seq").all()
        assert [tuple(row) for row in left] == [("executor@a", 3), ("executor@a", 4), ("executor@b", 2)]
        assert append_records(conn, "executor@b", halts(3, 4, 50)) == 3
        assert conn.exec_driver_sql("SELECT count(*) FROM halts").scalar_one() == 7


@settings(max_examples=20)  # each makes a database
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 30)), max_size=30),
    st.lists(st.tuples(st.integers(0, 31), st.integers(1, 9)), max_size=6),
)
def test_the_counts_of_stored_rows_are_those_of_the_tables(changes: list[tuple[str, int]], prunes: list[tuple[int, int]]) -> None:
    with open_store("sqlite://") as store, store.begin() as conn:
        save_run(conn, Run(1, "book_builder", "run-1", started_ns=1))
        buffer = RowBuffer()
        for market, ts_ms in changes:
            buffer.take(1, change(market, ts_ms))
        buffer.write(conn)
        left = sorted(ts_ms for _, ts_ms in changes for _ in range(2))
        for before, at_most in prunes:
            gone = prune_samples(conn, before, at_most)
            assert gone == min(at_most, sum(ts_ms < before for ts_ms in left))
            left = left[gone:]
            stored = [row[0] for row in conn.exec_driver_sql("SELECT ts_ms FROM orderbook_events ORDER BY ts_ms")]
            assert stored == left
            query = "SELECT market_id, count(*) FROM orderbook_events GROUP BY market_id"
            rows = dict(conn.exec_driver_sql(query).all())
            assert {s.market_id: s.event_rows for s in market_statuses(conn) if s.event_rows} == rows
