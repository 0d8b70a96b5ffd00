"""What a desk does with its orders when a book is trusted less: as much as the policy of the book's state says."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.base.settings import ConfidenceSection, Policy
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome, State
from pipeline.messages.orders import CancelOrder, ExecSnapshot, OrderUpdate, PlaceOrder
from pipeline.messages.records import Opportunity
from pipeline.strategy.desk import QuoteDesk
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.policy import FeedPolicy

MS = 1_000_000
T = 1_000_000 * MS
ONE = 1_000_000
MARKET = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")


def book(state: State, bid: int = 400_000, at: int = T) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=at,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=(Level(bid, 100 * ONE),),
        asks=(Level(470_000, 100 * ONE),),
        seq=1,
        venue_ns=at,
        state=state,
        basis="hash",
    )


def quoting(**confidence: Policy) -> tuple[QuoteDesk, int]:
    """A desk with acknowledged orders around a verified book, and how many there are."""
    strategy = SpreadCapture(
        edge_e6=10_000, size_e6=20 * ONE, max_inventory_e6=200 * ONE, max_exposure_e6=500 * ONE, lean_e6=10_000
    )
    desk = QuoteDesk(strategy, "s1", 2_000 * MS, FeedPolicy(ConfidenceSection(**confidence)))
    list(desk.on_universe(MarketUniverse(ts_ns=T, markets=(MARKET,)), T))
    list(desk.on_snapshot(ExecSnapshot(ts_ns=T, accepts=True, halted=False, mode="live", orders=(), positions=()), T))
    placed = [msg for msg in desk.on_book(book("VERIFIED"), T) if isinstance(msg, PlaceOrder)]
    for order in placed:
        known = {
            field: getattr(order, field) for field in ("client_order_id", "token_id", "market", "side", "price_e6", "size_e6")
        }
        list(desk.on_update(OrderUpdate(ts_ns=T, strategy=desk.strategy.name, filled_e6=0, status="live", **known), T))
    return desk, len(placed)


def moved(messages: list[Message]) -> list[type[Message]]:
    return [type(msg) for msg in messages if isinstance(msg, (PlaceOrder, CancelOrder))]


@pytest.mark.parametrize("state", ["SUSPECT", "RESYNCING", "STALE", "DEAD", "UNVERIFIED"])
def test_a_book_that_is_not_the_venues_has_its_quotes_pulled(state: State) -> None:
    desk, count = quoting()
    assert count
    assert moved(list(desk.on_book(book(state), T + 1_000 * MS))) == [CancelOrder] * count


def test_a_pending_book_keeps_its_quotes_and_gets_no_new_ones_until_it_is_proved() -> None:
    desk, _ = quoting()
    pending = list(desk.on_book(book("PENDING", bid=420_000), T + 1_000 * MS))
    assert not moved(pending)
    (told,) = (msg for msg in pending if isinstance(msg, Opportunity))
    assert (told.taken, told.reason) == (False, "book of yes is PENDING")
    proved = moved(list(desk.on_book(book("VERIFIED", bid=420_000, at=T + 1_500 * MS), T + 1_500 * MS)))
    assert CancelOrder in proved and PlaceOrder in proved


def test_without_orders_a_pending_book_gets_none() -> None:
    desk, _ = quoting(verified="no_new_quotes")
    assert not moved(list(desk.on_book(book("PENDING"), T + 1_000 * MS)))


def test_the_worse_of_a_markets_two_books_decides() -> None:
    desk, count = quoting()
    list(desk.on_book(book("PENDING"), T + 1_000 * MS))
    other = msgspec.structs.replace(book("STALE"), token_id="no")
    assert moved(list(desk.on_book(other, T + 1_100 * MS))) == [CancelOrder] * count


def test_the_policy_of_a_state_comes_from_the_settings() -> None:
    desk, count = quoting(pending="pull")
    assert moved(list(desk.on_book(book("PENDING"), T + 1_000 * MS))) == [CancelOrder] * count
