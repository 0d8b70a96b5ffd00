"""After each trade the mid is noted at once and at each horizon, where a book can be trusted."""

from __future__ import annotations

import pytest

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.market import BookSnapshot, Level
from pipeline.messages.orders import Fill, Liquidity, TradeStatus
from pipeline.messages.records import FillRecord, HaltRecord, Markout
from pipeline.trading.markouts import HORIZONS_MS, Markouts, earned_floor_e6


def fill(liquidity: Liquidity = "maker") -> Fill:
    return Fill(
        ts_ns=0,
        trade_id="t",
        client_order_id="o",
        strategy="s",
        token_id="yes",
        market="m",
        side="BUY",
        price_e6=400_000,
        size_e6=10_000_000,
        notional_e6=4_000_000,
        fee_e6=0,
        liquidity=liquidity,
        status="confirmed",
        mode="paper",
    )


def test_the_mid_is_noted_at_the_trade_and_at_each_horizon() -> None:
    mids: dict[str, int] = {"yes": 420_000}
    markouts = Markouts(mids.get)
    markouts.on_fill(fill(), 0)
    mids["yes"] = 430_000
    assert markouts.next_ns() == 0
    assert [(m.horizon_ms, m.mid_e6) for m in markouts.due(0)] == [(0, 420_000)]
    found = []
    while (due := markouts.next_ns()) is not None:
        mids["yes"] += 1_000
        found += [(m.horizon_ms, m.mid_e6, m.ts_ns // NS_PER_S) for m in markouts.due(due)]
    assert found == [(1_000, 431_000, 1), (10_000, 432_000, 10), (60_000, 433_000, 60)]
    assert [horizon for horizon, *_ in found] == list(HORIZONS_MS[1:])


def book(mid_cents: int) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=0,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=(Level((mid_cents - 1) * 10_000, 1),),
        asks=(Level((mid_cents + 1) * 10_000, 1),),
        seq=1,
        venue_ns=0,
        state="VERIFIED",
        basis="hash",
    )


@pytest.mark.parametrize(("liquidity", "met"), [("maker", 420_000), ("taker", 380_000)])
def test_a_resting_order_met_the_mid_before_the_book_moved(liquidity: Liquidity, met: int) -> None:
    markouts = Markouts(lambda token_id: 380_000)
    for ms, cents in ((0, 45), (100, 42), (2_000, 42), (2_900, 39), (2_950, 38)):
        markouts.on_book(book(cents), ms * NS_PER_MS)
    markouts.on_fill(fill(liquidity), 3_000 * NS_PER_MS)
    assert [m.mid_e6 for m in markouts.due(3_000 * NS_PER_MS)] == [met]


def test_where_no_book_can_be_trusted_there_is_no_mid() -> None:
    markouts = Markouts(lambda token_id: None)
    markouts.on_fill(fill(), 0)
    assert [m.mid_e6 for m in markouts.due(60 * NS_PER_S)] == [None] * 4


def test_what_a_resolution_pays_is_no_trade() -> None:
    markouts = Markouts(lambda token_id: 1)
    markouts.on_fill(fill("settlement"), 0)
    assert markouts.next_ns() is None


def test_a_purchase_gains_as_the_price_rises_and_a_sale_as_it_falls() -> None:
    assert earned_floor_e6("BUY", 400_000, 420_000, 10_000_000) == 200_000
    assert earned_floor_e6("SELL", 400_000, 420_000, 10_000_000) == -200_000
    assert earned_floor_e6("SELL", 400_000, 400_001, 1) == -1


# --- over a restart -------------------------------------------------------------------------------------------------


def record(at_s: int, trade: str = "t", status: TradeStatus = "confirmed", liquidity: Liquidity = "taker") -> FillRecord:
    return FillRecord(
        ts_ns=at_s * NS_PER_S,
        trade_id=trade,
        client_order_id="o",
        strategy="s",
        mode="paper",
        token_id="yes",
        market="m",
        side="BUY",
        price_e6=400_000,
        size_e6=10_000_000,
        notional_e6=4_000_000,
        fee_e6=0,
        liquidity=liquidity,
        status=status,
    )


def all_due(markouts: Markouts) -> list[Markout]:
    found: list[Markout] = []
    while (due := markouts.next_ns()) is not None:
        found += markouts.due(due)
    return found


def test_what_was_still_to_come_is_noted_after_a_restart_and_what_was_missed_is_unknown() -> None:
    markouts = Markouts({"yes": 420_000}.get)
    for told in (record(100), HaltRecord(ts_ns=105 * NS_PER_S, halted=False, reason="")):
        markouts.recover(told)
    markouts.begin(130 * NS_PER_S)
    # The second after the trade was lived through; ten seconds after it nobody looked; the minute is still to come.
    assert [(m.trade_id, m.horizon_ms, m.mid_e6, m.ts_ns // NS_PER_S) for m in all_due(markouts)] == [
        ("t", 10_000, None, 130),
        ("t", 60_000, 420_000, 160),
    ]


def test_a_trade_is_waited_for_from_its_first_word_and_once() -> None:
    markouts = Markouts({"yes": 420_000}.get)
    for told in (record(100, status="matched"), record(110, status="confirmed"), record(111, "s", liquidity="settlement")):
        markouts.recover(told)
    markouts.begin(112 * NS_PER_S)
    assert [(m.horizon_ms, m.ts_ns // NS_PER_S) for m in all_due(markouts)] == [(60_000, 160)]


def test_trades_of_long_ago_are_not_measured_again_whatever_is_said_of_them_later() -> None:
    markouts = Markouts({"yes": 420_000}.get)
    for told in (record(100, status="matched"), record(900, "u"), record(901, status="confirmed")):
        markouts.recover(told)
    markouts.begin(1_000 * NS_PER_S)
    assert [(m.trade_id, m.horizon_ms, m.mid_e6) for m in all_due(markouts)] == [("u", 10_000, None), ("u", 60_000, None)]


def test_the_trades_that_a_checkpoint_remembers_are_waited_for() -> None:
    markouts = Markouts({"yes": 420_000}.get)
    markouts.recover(Checkpoint(ts_ns=101 * NS_PER_S, fills=(record(100),)))
    markouts.begin(102 * NS_PER_S)
    assert [m.horizon_ms for m in all_due(markouts)] == [10_000, 60_000]
