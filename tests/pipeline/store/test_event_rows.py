from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages.records import BookEvents, LevelEvent
from pipeline.store.buffer import RowBuffer
from pipeline.store.open import Store, open_store

MARKETS = ("mkt-1", "mkt-2")
TOKENS = ("{}/yes", "{}/no", "7777")
told = st.lists(
    st.tuples(st.sampled_from([1, 2]), st.sampled_from(MARKETS), st.sampled_from(TOKENS), st.integers(0, 3)), max_size=120
)


def messages(given_rows: list[tuple[int, str, str, int]]) -> list[tuple[int, BookEvents]]:
    out = []
    for seq, (run_id, market, token, events) in enumerate(given_rows):
        levels = tuple(LevelEvent("bid" if place % 2 else "ask", 1_000 * place, seq, -seq) for place in range(events))
        ts_ns = seq * 1_500_000
        out.append((run_id, BookEvents(ts_ns, token.format(market), market, seq, ts_ns // 2 if seq % 3 else 0, levels)))
    return out


def expected(told: list[tuple[int, BookEvents]]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for run_id, msg in told:
        outcome = msg.token_id.removeprefix(f"{msg.market}/")
        ts_ms = (msg.venue_ns or msg.ts_ns) // 1_000_000
        for event in msg.events:
            level = (event.side, event.price_e6, event.size_e6, event.change_e6)
            rows.append((run_id, msg.market, outcome, msg.seq, ts_ms, msg.ts_ns, *level))
    return rows


def stored(store: Store) -> list[tuple[Any, ...]]:
    with store.connect() as conn:
        found = conn.exec_driver_sql(
            "SELECT run_id, market_id, outcome_id, seq, ts_ms, ts_ns, side, price_e6, size_e6, change_e6 "
            "FROM orderbook_events ORDER BY id"
        )
        return [tuple(row) for row in found]


def write(store: Store, buffer: RowBuffer, *, fails: bool = False) -> None:
    with suppress(ZeroDivisionError), store.begin() as conn:
        for run_id in (1, 2):
            conn.exec_driver_sql(
                "INSERT OR IGNORE INTO runs (id, producer, run, started_ns) VALUES (?, 'book_builder', ?, 0)",
                (run_id, str(run_id)),
            )
        buffer.write(conn)
        if fails:
            raise ZeroDivisionError


@given(told)
def test_events_of_any_outcomes_and_runs_are_stored_whole_and_in_the_order_in_which_they_came(
    rows: list[tuple[int, str, str, int]],
) -> None:
    sent = messages(rows)
    buffer = RowBuffer()
    for run_id, msg in sent:
        assert buffer.take(run_id, msg)
    assert buffer.waiting == len(expected(sent))
    with open_store("sqlite://") as store:
        write(store, buffer)
        assert stored(store) == expected(sent)
        with store.connect() as conn:
            counts = {row[0]: row[1] for row in conn.exec_driver_sql("SELECT market_id, event_rows FROM market_status")}
    for market in MARKETS:
        assert counts.get(market, 0) == sum(row[1] == market for row in expected(sent))


def test_what_a_failed_transaction_took_back_is_written_with_the_next() -> None:
    first, second, third = messages([(1, "mkt-1", "{}/yes", 1), (1, "mkt-1", "{}/yes", 2), (1, "mkt-1", "{}/yes", 1)])
    buffer = RowBuffer()
    buffer.take(*first)
    with open_store("sqlite://") as store:
        write(store, buffer, fails=True)
        assert stored(store) == []
        buffer.take(*second)
        write(store, buffer)
        buffer.clear()
        assert buffer.waiting == 0
        buffer.take(*third)
        write(store, buffer)
        assert stored(store) == expected([first, second, third])


def test_samples_that_were_dropped_are_counted_and_not_written() -> None:
    first, second = messages([(1, "mkt-1", "{}/yes", 3), (1, "mkt-1", "{}/yes", 2)])
    buffer = RowBuffer()
    buffer.take(*first)
    assert buffer.drop_samples() == 3
    buffer.take(*second)
    assert buffer.waiting == 2
    with open_store("sqlite://") as store:
        write(store, buffer)
        assert stored(store) == expected([second])
