import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages.records import AuditRecord, FillRecord, HaltRecord, OrderRecord
from pipeline.store.journal import DurableRecord, JournalConflict, append_records, last_seq, last_seqs, read_records
from pipeline.store.open import Store, open_store
from pipeline.store.runs import Run, save_run
from pipeline.store.trading import history_of, last_halt, list_audits, list_fills, list_orders

ORDER = OrderRecord(
    ts_ns=1_700_000_000_123_456_789,
    client_order_id="s-spread-1",
    venue_order_id="0xabc",
    strategy="spread",
    mode="fake",
    token_id="mkt-1/yes",
    market="mkt-1",
    side="BUY",
    price_e6=410_000,
    size_e6=20_000_000,
    filled_e6=0,
    order_type="GTC",
    post_only=True,
    status="live",
    plan_id="plan-1",
    reason="quote",
)
FILL = FillRecord(
    ts_ns=1_700_000_000_223_456_789,
    trade_id="t-1",
    client_order_id="s-spread-1",
    strategy="spread",
    mode="fake",
    token_id="mkt-1/yes",
    market="mkt-1",
    side="BUY",
    price_e6=410_000,
    size_e6=10_000_000,
    notional_e6=4_100_000,
    fee_e6=-3,
    liquidity="maker",
    status="matched",
)
AUDIT = AuditRecord(
    ts_ns=1_700_000_000_323_456_789,
    plan_id="plan-1",
    strategy="spread",
    mode="fake",
    market="mkt-1",
    intents="[1]",
    acks="[2]",
    duration_ms=7,
    outcome="complete",
    reason="why",
    seen="book",
    expected_profit_e6=5,
)
HALT = HaltRecord(ts_ns=1_700_000_000_423_456_789, halted=True, reason="operator")


def records(*messages: OrderRecord | FillRecord | AuditRecord | HaltRecord, start: int = 1) -> list[DurableRecord]:
    return [DurableRecord(seq, 1, message) for seq, message in enumerate(messages, start)]


def test_every_durable_kind_is_kept_word_for_word_and_projected(store: Store) -> None:
    with store.begin() as conn:
        assert append_records(conn, "executor@1", records(ORDER, FILL, AUDIT, HALT)) == 4
    with store.connect() as conn:
        assert list(read_records(conn, "executor@1")) == [(1, ORDER), (2, FILL), (3, AUDIT), (4, HALT)]
        (order,) = list_orders(conn)
        assert (order.market_id, order.outcome_id, order.status, order.post_only) == ("mkt-1", "yes", "live", 1)
        assert (order.price_e6, order.size_e6, order.ts_ms, order.strategy, order.mode) == (
            410_000,
            20_000_000,
            1_700_000_000_123,
            "spread",
            "fake",
        )
        (fill,) = list_fills(conn)
        assert (fill.trade_id, fill.notional_e6, fill.fee_e6, fill.liquidity) == ("t-1", 4_100_000, -3, "maker")
        (audit,) = list_audits(conn, plan_id="plan-1")
        assert (audit.duration_ms, audit.intents, audit.acks, audit.expected_profit_e6) == (7, "[1]", "[2]", 5)
        assert last_halt(conn) == (True, "operator", 1_700_000_000_423)


def test_a_repeat_is_skipped_and_what_follows_a_gap_is_left(store: Store) -> None:
    later = msgspec.structs.replace(ORDER, status="matched", filled_e6=20_000_000, ts_ns=ORDER.ts_ns + 1_000_000)
    with store.begin() as conn:
        assert append_records(conn, "executor@1", records(ORDER)) == 1
        assert append_records(conn, "executor@1", records(ORDER, later)) == 2
        assert append_records(conn, "executor@1", records(HALT, start=4)) == 2
        assert last_seq(conn, "executor@1") == 2
        assert last_seqs(conn) == {"executor@1": 2}
        assert last_halt(conn) is None
        assert [step[1] for step in history_of(conn, ORDER.client_order_id)] == ["live", "matched"]
        (order,) = list_orders(conn)
    assert (order.status, order.filled_e6, order.ts_ms, order.updated_ts_ms) == (
        "matched",
        20_000_000,
        1_700_000_000_123,
        1_700_000_000_124,
    )


def test_a_repeat_that_differs_is_another_journal_and_is_refused(store: Store) -> None:
    with store.begin() as conn:
        append_records(conn, "executor@1", records(ORDER))
        with pytest.raises(JournalConflict, match="record 1 of executor@1"):
            append_records(conn, "executor@1", records(HALT))


def test_a_later_status_of_a_fill_replaces_it_and_keeps_its_first_time(store: Store) -> None:
    confirmed = msgspec.structs.replace(FILL, status="confirmed", ts_ns=FILL.ts_ns + 5_000_000)
    with store.begin() as conn:
        append_records(conn, "executor@1", records(ORDER, FILL, confirmed))
        (fill,) = list_fills(conn)
        times = tuple(conn.exec_driver_sql("SELECT ts_ns, updated_ts_ms FROM fills").one())
    assert (fill.status, fill.ts_ms) == ("confirmed", 1_700_000_000_223)
    assert times == (FILL.ts_ns, 1_700_000_000_228)


def test_a_failed_transaction_leaves_neither_record_nor_projection(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.begin() as conn:
        append_records(conn, "executor@1", records(ORDER, FILL))
        _ = 1 // 0
    with store.connect() as conn:
        assert last_seq(conn, "executor@1") == 0
        assert list_orders(conn) == []


@settings(max_examples=20)  # each makes a database
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 6)), max_size=12))
def test_any_order_of_resends_stores_each_record_once(batches: list[tuple[int, int]]) -> None:
    whole = records(*(msgspec.structs.replace(ORDER, filled_e6=number) for number in range(20)))
    with open_store("sqlite://") as store, store.begin() as conn:
        save_run(conn, Run(1, "executor", "run-1", started_ns=1))
        for start, length in [*batches, (1, 20)]:
            last = append_records(conn, "executor@1", whole[start - 1 : start - 1 + length])
            assert [seq for seq, _ in read_records(conn, "executor@1")] == list(range(1, last + 1))
        assert [message for _, message in read_records(conn, "executor@1")] == [record.message for record in whole]
        assert len(history_of(conn, ORDER.client_order_id)) == 20
