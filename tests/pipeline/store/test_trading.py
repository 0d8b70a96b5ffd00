import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages.market import Level
from pipeline.messages.records import BookLevels, FillRecord
from pipeline.store.buffer import RowBuffer
from pipeline.store.journal import DurableRecord, append_records
from pipeline.store.open import Store, open_store
from pipeline.store.runs import Run, save_run
from pipeline.store.trading import list_fills, pnl, positions

FILL = FillRecord(
    ts_ns=1,
    trade_id="t-0",
    client_order_id="o-1",
    strategy="spread",
    mode="fake",
    token_id="m/yes",
    market="m",
    side="BUY",
    price_e6=400_000,
    size_e6=10_000_000,
    notional_e6=4_000_000,
    fee_e6=0,
    liquidity="maker",
    status="matched",
)


def keep(store: Store, *fills: FillRecord) -> None:
    with store.begin() as conn:
        append_records(conn, "executor@1", [DurableRecord(seq, 1, fill) for seq, fill in enumerate(fills, 1)])


def mid(store: Store, bid_e6: int, ask_e6: int) -> None:
    buffer = RowBuffer()
    bids, asks = (Level(bid_e6, 1),), (Level(ask_e6, 1),)
    buffer.take(
        1,
        BookLevels(
            ts_ns=7_000_000, token_id="m/yes", market="m", seq=1, venue_ns=0, bids=bids, asks=asks, state="QUIET", cause=""
        ),
    )
    with store.begin() as conn:
        buffer.write(conn)


def test_a_round_trip_leaves_its_spread_less_fees(store: Store) -> None:
    sale = msgspec.structs.replace(FILL, trade_id="t-1", side="SELL", price_e6=430_000, notional_e6=4_300_000, fee_e6=50_000)
    keep(store, FILL, sale)
    with store.connect() as conn:
        (row,) = pnl(conn)
    assert (row.strategy, row.mode, row.fills, row.bought_e6, row.sold_e6, row.fees_e6) == (
        "spread",
        "fake",
        2,
        4_000_000,
        4_300_000,
        50_000,
    )
    assert (row.cash_e6, row.value_e6, row.pnl_e6) == (250_000, 0, 250_000)


def test_held_shares_are_worth_the_last_mid_and_nothing_is_guessed_without_one(store: Store) -> None:
    keep(store, FILL)
    with store.connect() as conn:
        assert [(row.value_e6, row.pnl_e6) for row in pnl(conn)] == [(None, None)]
    mid(store, 500_000, 520_000)
    mid(store, 410_000, 430_000)
    with store.connect() as conn:
        assert [(row.value_e6, row.pnl_e6) for row in pnl(conn)] == [(4_200_000, 200_000)]
        (position,) = positions(conn)
    assert (position.outcome_id, position.inventory_e6, position.mid_e6, position.mid_ts_ms) == ("yes", 10_000_000, 420_000, 7)


def test_a_failed_trade_is_undone_by_its_reversal(store: Store) -> None:
    failed = msgspec.structs.replace(FILL, trade_id="t-0-failed", side="SELL", status="failed", reverses="t-0")
    keep(store, FILL, failed)
    with store.connect() as conn:
        (row,) = pnl(conn)
        fills = {fill.trade_id: (fill.status, fill.reverses) for fill in list_fills(conn)}
    assert (row.cash_e6, row.value_e6, row.pnl_e6) == (0, 0, 0)
    assert fills == {"t-0": ("failed", ""), "t-0-failed": ("failed", "t-0")}


def test_a_trade_that_failed_is_told_so_in_its_own_row_and_in_that_of_its_order_alone(store: Store) -> None:
    retrying = msgspec.structs.replace(FILL, status="retrying")
    maker = msgspec.structs.replace(FILL, client_order_id="o-other", status="retrying")
    failed = msgspec.structs.replace(
        FILL, ts_ns=FILL.ts_ns + 5_000_000, trade_id="t-0-failed", side="SELL", status="failed", reverses="t-0"
    )
    keep(store, FILL, retrying, maker, failed)
    with store.connect() as conn:
        told = {(fill.trade_id, fill.client_order_id): fill.status for fill in list_fills(conn)}
        sizes = {fill.size_e6 for fill in list_fills(conn)}
    assert told == {
        ("t-0", FILL.client_order_id): "failed",
        ("t-0", "o-other"): "retrying",
        ("t-0-failed", FILL.client_order_id): "failed",
    }
    assert sizes == {FILL.size_e6}


def test_modes_and_strategies_are_kept_apart(store: Store) -> None:
    live = msgspec.structs.replace(FILL, trade_id="t-1", mode="live")
    other = msgspec.structs.replace(FILL, trade_id="t-2", strategy="dutch_book")
    keep(store, FILL, live, other)
    with store.connect() as conn:
        assert [(row.strategy, row.mode) for row in pnl(conn)] == [("dutch_book", "fake"), ("spread", "fake"), ("spread", "live")]
        assert [row.mode for row in pnl(conn, mode="live")] == ["live"]
        assert [fill.trade_id for fill in list_fills(conn, strategy="dutch_book")] == ["t-2"]


@settings(max_examples=15)  # each makes a database
@given(
    st.lists(
        st.tuples(
            st.booleans(), st.integers(0, 1_000_000), st.integers(1, 10**12), st.integers(0, 10**12), st.integers(-(10**9), 10**9)
        ),
        max_size=10,
    )
)
def test_profit_adds_up_to_the_millionth(trades: list[tuple[bool, int, int, int, int]]) -> None:
    with open_store("sqlite://") as store:
        with store.begin() as conn:
            save_run(conn, Run(1, "executor", "r", started_ns=1))
        cash = held = 0
        fills = []
        for number, (buys, price_e6, size_e6, notional_e6, fee_e6) in enumerate(trades):
            fills.append(
                msgspec.structs.replace(
                    FILL,
                    trade_id=f"t-{number}",
                    side="BUY" if buys else "SELL",
                    price_e6=price_e6,
                    size_e6=size_e6,
                    notional_e6=notional_e6,
                    fee_e6=fee_e6,
                )
            )
            cash += (-notional_e6 if buys else notional_e6) - fee_e6
            held += size_e6 if buys else -size_e6
        keep(store, *fills)
        mid(store, 333_333, 333_334)
        with store.connect() as conn:
            rows = pnl(conn)
        assert [(row.cash_e6, row.pnl_e6) for row in rows] == ([(cash, cash + held * 333_333 // 1_000_000)] if trades else [])
