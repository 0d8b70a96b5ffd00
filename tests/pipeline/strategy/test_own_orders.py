"""The book without our own orders, on both outcomes."""

from __future__ import annotations

import msgspec

from pipeline.base.units import ONE_E6
from pipeline.messages.market import BookSnapshot, Level, Side
from pipeline.messages.orders import OpenOrder, OrderStatus
from pipeline.strategy.own_orders import without_own

BOOK = BookSnapshot(
    ts_ns=1,
    token_id="yes",
    market="m",
    tick_size_e6=10_000,
    bids=(Level(420_000, 20 * ONE_E6), Level(400_000, 100 * ONE_E6)),
    asks=(Level(450_000, 30 * ONE_E6), Level(470_000, 100 * ONE_E6)),
    seq=1,
    venue_ns=1,
    state="VERIFIED",
    basis="hash",
)


def order(token: str, side: Side, price: int, size: int, filled: int = 0, status: OrderStatus = "live") -> OpenOrder:
    return OpenOrder("o", "s", token, "m", side, price, size * ONE_E6, filled * ONE_E6, status, 1)


def test_our_own_level_is_gone_and_a_shared_one_is_smaller() -> None:
    seen = without_own(BOOK, [order("yes", "BUY", 420_000, 25, 5), order("yes", "SELL", 470_000, 40)])
    assert seen.bids == (Level(400_000, 100 * ONE_E6),)
    assert seen.asks == (Level(450_000, 30 * ONE_E6), Level(470_000, 60 * ONE_E6))


def test_an_order_of_the_other_outcome_stands_here_mirrored() -> None:
    seen = without_own(BOOK, [order("no", "BUY", 550_000, 30), order("no", "SELL", 600_000, 10)])
    assert seen.asks == (Level(470_000, 100 * ONE_E6),)
    assert seen.bids[1] == Level(400_000, 90 * ONE_E6)


def test_what_is_not_displayed_is_not_taken_out() -> None:
    assert without_own(BOOK, [order("yes", "BUY", 420_000, 20, status="delayed")]) is BOOK
    assert without_own(BOOK, [order("yes", "BUY", 420_000, 20, filled=20)]) is BOOK


def test_an_order_that_the_feed_shows_before_its_answer_comes_is_taken_out() -> None:
    for status in ("new", "submitted", "unknown"):
        assert without_own(BOOK, [order("yes", "BUY", 420_000, 20, status=status)]).bids == (Level(400_000, 100 * ONE_E6),)


def test_an_order_that_the_feed_does_not_show_yet_changes_no_other_level() -> None:
    seen = without_own(BOOK, [order("yes", "BUY", 430_000, 20)])
    assert msgspec.structs.replace(seen, bids=BOOK.bids) == BOOK
    assert seen.bids == BOOK.bids
