"""What a desk does with its orders when a book is trusted less: as much as the policy of the book's state says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import msgspec
import pytest

from pipeline.base.settings import ConfidenceSection, Policy
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome, State
from pipeline.messages.orders import CancelOrder, ExecSnapshot, Fill, MergePair, Mode, OrderUpdate, PlaceOrder, Position
from pipeline.messages.records import Opportunity
from pipeline.strategy.desk import QuoteDesk
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.policy import FeedPolicy, mirrored
from processes.strategy import StrategyEngine

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
    list(desk.on_snapshot(ExecSnapshot(ts_ns=T, accepts=True, halted=False, mode="offline", orders=(), positions=()), T))
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


def desk_of(strategy: SpreadCapture, mode: Mode = "paper", market: Market = MARKET) -> QuoteDesk:
    desk = QuoteDesk(strategy, "s1", 2_000 * MS)
    list(desk.on_universe(MarketUniverse(ts_ns=T, markets=(market,)), T))
    list(desk.on_snapshot(ExecSnapshot(ts_ns=T, accepts=True, halted=False, mode=mode, orders=(), positions=()), T))
    return desk


def live(desk: QuoteDesk, messages: Iterable[Message], at: int = T) -> list[PlaceOrder]:
    """The orders among messages, acknowledged."""
    placed = [msg for msg in messages if isinstance(msg, PlaceOrder)]
    for order in placed:
        known = {
            field: getattr(order, field) for field in ("client_order_id", "token_id", "market", "side", "price_e6", "size_e6")
        }
        list(desk.on_update(OrderUpdate(ts_ns=at, strategy=desk.strategy.name, filled_e6=0, status="live", **known), at))
    return placed


QUOTER = SpreadCapture(edge_e6=10_000, size_e6=20 * ONE, max_inventory_e6=200 * ONE, max_exposure_e6=500 * ONE, lean_e6=10_000)


def test_a_quote_keeps_its_place_for_its_least_lifetime_and_is_then_moved_by_itself() -> None:
    desk = desk_of(dataclasses.replace(QUOTER, min_requote_interval_ns=0, min_quote_lifetime_ns=1_000 * MS))
    live(desk, desk.on_book(book("VERIFIED"), T))
    moved_book = book("VERIFIED", bid=420_000, at=T + 100 * MS)
    assert not moved(list(desk.on_book(moved_book, T + 100 * MS)))
    assert desk.next_wake_ns() == T + 1_000 * MS
    assert moved(list(desk.wake(T + 1_000 * MS))) == [CancelOrder, PlaceOrder]


def test_each_side_is_replaced_for_itself() -> None:
    desk = desk_of(dataclasses.replace(QUOTER, min_requote_interval_ns=0))
    orders = live(desk, desk.on_book(book("VERIFIED"), T))
    sent = list(desk.on_book(book("VERIFIED", bid=420_000, at=T + MS), T + MS))
    cancelled = [msg.client_order_id for msg in sent if isinstance(msg, CancelOrder)]
    assert cancelled == [orders[0].client_order_id] and orders[0].token_id == "yes"


def test_a_jump_of_the_mid_pulls_at_once_and_quoting_waits() -> None:
    desk = desk_of(dataclasses.replace(QUOTER, max_mid_jump_e6=20_000, jump_pause_ns=2_000 * MS))
    orders = live(desk, desk.on_book(book("VERIFIED", bid=460_000), T))
    at = T + 100 * MS
    said = list(desk.on_book(book("VERIFIED", bid=400_000, at=at), at))
    assert len([msg for msg in said if isinstance(msg, CancelOrder)]) == len(orders) == 2
    assert [msg.reason for msg in said if isinstance(msg, Opportunity)] == ["mid moved by more than 0.02 within a second"]
    for order in orders:
        known = {
            field: getattr(order, field) for field in ("client_order_id", "token_id", "market", "side", "price_e6", "size_e6")
        }
        update = OrderUpdate(ts_ns=at, strategy="spread_capture", filled_e6=0, status="cancelled", **known)
        assert not moved(list(desk.on_update(update, at)))
    sent: list[Message] = []
    while not sent:
        due = desk.next_wake_ns()
        assert due is not None and due <= at + 2_000 * MS
        sent = [msg for msg in desk.wake(due) if isinstance(msg, PlaceOrder)]
    assert due == at + 2_000 * MS


def test_with_real_money_its_own_orders_are_not_taken_for_others() -> None:
    desk = desk_of(dataclasses.replace(QUOTER, min_requote_interval_ns=0), "live")
    bid, ask = live(desk, desk.on_book(book("VERIFIED"), T))
    assert (bid.price_e6, ask.token_id, ask.price_e6) == (410_000, "no", 540_000)
    shown = msgspec.structs.replace(
        book("VERIFIED", at=T + MS),
        bids=(Level(410_000, 20 * ONE), Level(400_000, 100 * ONE)),
        asks=(Level(460_000, 20 * ONE), Level(470_000, 100 * ONE)),
    )
    assert not moved(list(desk.on_book(shown, T + MS)))
    seen = desk.view("yes", T + MS)
    assert seen is not None and (seen.book.bids[0].price_e6, seen.book.asks[0].price_e6) == (400_000, 470_000)


def displaying(own: Iterable[PlaceOrder], at: int, bid: int = 400_000) -> list[BookSnapshot]:
    """The books of both outcomes with our own orders in them, each mirrored on the other outcome."""
    bids, asks = {bid: 100 * ONE}, {470_000: 100 * ONE}
    for order in own:
        yes_bid = (order.token_id == "yes") == (order.side == "BUY")
        price = order.price_e6 if order.token_id == "yes" else ONE - order.price_e6
        side = bids if yes_bid else asks
        side[price] = side.get(price, 0) + order.size_e6
    yes = msgspec.structs.replace(
        book("VERIFIED", at=at),
        bids=tuple(Level(price, size) for price, size in sorted(bids.items(), reverse=True)),
        asks=tuple(Level(price, size) for price, size in sorted(asks.items())),
    )
    return [yes, mirrored(yes, "no")]


def test_our_own_bid_and_its_mirrored_ask_are_never_outbid_however_often_the_feed_shows_them() -> None:
    desk = desk_of(dataclasses.replace(QUOTER, min_requote_interval_ns=0), "live")
    orders = live(desk, desk.on_book(book("VERIFIED"), T))
    assert [(order.token_id, order.price_e6) for order in orders] == [("yes", 410_000), ("no", 540_000)]
    for n in range(1, 6):
        for each in displaying(orders, T + n * MS):
            assert not moved(list(desk.on_book(each, T + n * MS)))
    seen = desk.view("yes", T + 6 * MS)
    assert seen is not None and seen.complement is not None
    assert (seen.complement.bids[0].price_e6, seen.complement.asks[0].price_e6) == (530_000, 600_000)


def test_an_order_that_the_feed_shows_before_the_venue_has_answered_is_not_outbid() -> None:
    desk = desk_of(dataclasses.replace(QUOTER, min_requote_interval_ns=0), "live")
    orders = [msg for msg in desk.on_book(book("VERIFIED"), T) if isinstance(msg, PlaceOrder)]
    for each in displaying(orders, T + MS):
        assert not moved(list(desk.on_book(each, T + MS)))


def test_what_was_cancelled_is_not_outbid_while_the_feed_still_shows_it() -> None:
    desk = desk_of(dataclasses.replace(QUOTER, min_requote_interval_ns=0), "live")
    bid, ask = live(desk, desk.on_book(book("VERIFIED"), T))
    at = T + 10 * MS
    sent = list(desk.on_book(displaying([bid, ask], at, bid=390_000)[0], at))
    assert moved(sent) == [CancelOrder, PlaceOrder]
    (fresh,) = live(desk, sent, at)
    assert (fresh.token_id, fresh.price_e6) == ("yes", 400_000)
    told = {name: getattr(bid, name) for name in ("client_order_id", "token_id", "market", "side", "price_e6", "size_e6")}
    gone = OrderUpdate(ts_ns=at + MS, strategy="spread_capture", filled_e6=0, status="cancelled", **told)
    assert not moved(list(desk.on_update(gone, at + MS)))
    late = displaying([bid, ask, fresh], at + 2 * MS, bid=390_000)[0]
    assert not moved(list(desk.on_book(late, at + 2 * MS)))
    somebody = msgspec.structs.replace(late, ts_ns=at + 1_100 * MS)
    assert moved(list(desk.on_book(somebody, at + 1_100 * MS))), "after a second it is somebody else's"


def test_the_orders_of_another_strategy_of_ours_are_not_outbid_either() -> None:
    engine = StrategyEngine([QUOTER, dataclasses.replace(QUOTER, name="second")], "s1", 2_000 * MS)
    list(engine.handle(MarketUniverse(ts_ns=T, markets=(MARKET,)), T))
    list(engine.handle(ExecSnapshot(ts_ns=T, accepts=True, halted=False, mode="offline", orders=(), positions=()), T))
    orders = [msg for msg in engine.handle(book("VERIFIED"), T) if isinstance(msg, PlaceOrder)]
    assert [order.price_e6 for order in orders] == [410_000, 540_000] * 2
    for each in displaying(orders, T + 600 * MS):
        assert not moved(list(engine.handle(each, T + 600 * MS)))


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_a_replaced_sale_waits_until_the_one_that_goes_gives_its_shares_back(mode: Mode) -> None:
    desk = desk_of(dataclasses.replace(QUOTER, min_requote_interval_ns=0))
    held = Position("spread_capture", "yes", "m", inventory_e6=30 * ONE, cost_e6=12 * ONE)
    cash = 1_000 * ONE if mode == "paper" else None
    snapshot = ExecSnapshot(ts_ns=T, accepts=True, halted=False, mode=mode, orders=(), positions=(held,), free_cash_e6=cash)
    list(desk.on_snapshot(snapshot, T))
    placed = live(desk, desk.on_book(book("VERIFIED"), T))
    (sale,) = (order for order in placed if order.side == "SELL")
    at = T + 5_000 * MS
    lower = msgspec.structs.replace(book("VERIFIED", at=at), asks=(Level(450_000, 100 * ONE),))
    said = list(desk.on_book(lower, at))
    assert sale.client_order_id in [msg.client_order_id for msg in said if isinstance(msg, CancelOrder)]
    assert not [msg for msg in said if isinstance(msg, PlaceOrder) and msg.side == "SELL"]


def test_a_market_left_to_another_strategy_is_pulled_and_comes_back() -> None:
    desk = desk_of(dataclasses.replace(QUOTER, min_requote_interval_ns=0))
    live(desk, desk.on_book(book("VERIFIED"), T))
    assert moved(list(desk.stand_aside(frozenset({"m"}), T + MS))) == [CancelOrder, CancelOrder]
    assert not moved(list(desk.on_book(book("VERIFIED", at=T + 2 * MS), T + 2 * MS)))
    list(
        desk.on_snapshot(ExecSnapshot(ts_ns=T, accepts=True, halted=False, mode="paper", orders=(), positions=()), T + 9_000 * MS)
    )
    assert moved(list(desk.stand_aside(frozenset(), T + 9_000 * MS))) == [PlaceOrder, PlaceOrder]


def test_matched_pairs_are_merged_once_as_far_as_they_are_not_offered() -> None:
    desk = desk_of(dataclasses.replace(QUOTER, merge_from_e6=5 * ONE))
    orders = live(desk, desk.on_book(book("VERIFIED"), T))
    said: list[Message] = []
    for order in orders:
        fill = Fill(
            ts_ns=T,
            trade_id=f"{order.client_order_id}-t",
            client_order_id=order.client_order_id,
            strategy="spread_capture",
            token_id=order.token_id,
            market="m",
            side="BUY",
            price_e6=order.price_e6,
            size_e6=8 * ONE,
            notional_e6=order.price_e6 * 8,
            fee_e6=0,
            liquidity="maker",
            status="confirmed",
            mode="paper",
        )
        said += desk.on_fill(fill, T)
    (merge,) = (msg for msg in said if isinstance(msg, MergePair))
    assert (merge.token_ids, merge.size_e6, merge.decision.reason) == (("yes", "no"), 8 * ONE, "merge 8 pairs of both outcomes")
    assert desk.account.free_e6("m", "yes", T) == 0
    assert desk.account.free_e6("m", "yes", T + 4_000 * MS) == 8 * ONE


def test_a_change_deep_in_the_book_waits_and_a_change_at_the_top_does_not() -> None:
    desk = desk_of(QUOTER)
    live(desk, desk.on_book(book("VERIFIED"), T))
    at = T + 600 * MS
    list(desk.on_book(book("VERIFIED", at=at), at))
    deep = msgspec.structs.replace(book("VERIFIED", at=at + MS), bids=(Level(400_000, 90 * ONE),))
    assert desk.on_book(deep, at + MS) == ()
    assert moved(list(desk.on_book(book("VERIFIED", bid=430_000, at=at + 2 * MS), at + 2 * MS)))


def test_nothing_is_decided_after_the_end() -> None:
    desk = desk_of(QUOTER)
    live(desk, desk.on_book(book("VERIFIED"), T))
    list(desk.close(T + 1_000 * MS))
    assert not moved(list(desk.on_book(book("VERIFIED", bid=430_000, at=T + 2_000 * MS), T + 2_000 * MS)))
