"""An order's life at the paper venue: under way, refused, resting, taking, held, cancelled, expired, restored, resolved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from pipeline.base.settings import PaperSection
from pipeline.base.units import NS_PER_MS, NS_PER_S, ONE_E6, PriceE6, SizeE6
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import (
    BookSnapshot,
    FeeSchedule,
    Level,
    Market,
    MarketResolved,
    MarketUniverse,
    Outcome,
    Side,
    State,
    TradePrint,
)
from pipeline.messages.orders import Decision, OrderType, PlaceOrder
from pipeline.trading.orders import Order
from pipeline.trading.policy import allowed_states
from pipeline.venue.paper_latency import ConstantLatency
from pipeline.venue.paper_relayer import PaperRelayer

LATENCY = 100 * NS_PER_MS
FEES = FeeSchedule(rate_e6=40_000, rebate_rate_e6=250_000)
MARKET = Market("m", (Outcome("yes", "Yes"), Outcome("no", "No")), tick_size="0.01", min_order_size="5", fees=FEES)


def place(
    name: str,
    side: Side,
    cents: int,
    shares: int,
    kind: OrderType = "GTC",
    *,
    token: str = "yes",
    post_only: bool = False,
    **more: Any,
) -> PlaceOrder:
    return PlaceOrder(
        ts_ns=0,
        client_order_id=name,
        token_id=token,
        market="m",
        side=side,
        price_e6=PriceE6(cents * 10_000),
        size_e6=SizeE6(shares * ONE_E6),
        order_type=kind,
        post_only=post_only,
        expires_ns=10**18,
        decision=Decision("p", "s", "why"),
        **more,
    )


def book(
    bids: dict[int, int], asks: dict[int, int], state: State = "VERIFIED", token: str = "yes", tick_e6: int = 10_000
) -> BookSnapshot:
    def levels(sizes: dict[int, int]) -> tuple[Level, ...]:
        return tuple(Level(cents * 10_000, shares * ONE_E6) for cents, shares in sizes.items())

    return BookSnapshot(
        ts_ns=0,
        token_id=token,
        market="m",
        tick_size_e6=tick_e6,
        bids=levels(bids),
        asks=levels(asks),
        seq=1,
        venue_ns=0,
        state=state,
        basis="hash",
        full_depth=True,
    )


def trade(side: Side, cents: int, shares: int) -> TradePrint:
    return TradePrint(
        ts_ns=0,
        token_id="yes",
        market="m",
        price_e6=PriceE6(cents * 10_000),
        size_e6=SizeE6(shares * ONE_E6),
        side=side,
        venue_ns=0,
    )


def told(events: Iterable[RelayerEvent]) -> list[tuple[str, ...]]:
    """(kind, order, what of it) of each event."""
    found: list[tuple[str, ...]] = []
    for event in events:
        if event.kind == "filled":
            found.append(
                (event.kind, event.client_order_id, f"{event.size_e6 // ONE_E6}@{event.price_e6 // 10_000} {event.liquidity}")
            )
        else:
            found.append(
                (event.kind, event.client_order_id, event.reason) if event.reason else (event.kind, event.client_order_id)
            )
    return found


def relayer(market: Market = MARKET, *, books: bool = True, latency_ns: int = 0, delay_ns: int = 0) -> PaperRelayer:
    made = PaperRelayer("pessimistic", ConstantLatency(latency_ns), allowed_states("paper"), delay_ns)
    made.on_universe(MarketUniverse(ts_ns=0, markets=(market,)), 0)
    if books:
        made.on_book(book({40: 100, 39: 100}, {45: 100, 46: 100}), 0)
    return made


def test_an_order_arrives_after_its_latency_and_trades_with_the_book_of_then() -> None:
    paper = relayer(latency_ns=LATENCY)
    assert told(paper.submit(place("a", "BUY", 45, 20), 0)) == []
    assert paper.next_timer_ns() == LATENCY
    paper.on_book(book({40: 100}, {45: 8, 46: 100}), LATENCY - 1)
    assert told(paper.tick(LATENCY)) == [("accepted", "a"), ("filled", "a", "8@45 taker")]
    assert told(paper.on_book(book({40: 100}, {45: 20}), LATENCY + 1)) == [("filled", "a", "12@45 maker")]


def test_a_cancel_is_under_way_too_and_loses_against_a_trade() -> None:
    paper = relayer(latency_ns=LATENCY)
    paper.submit(place("a", "BUY", 41, 20), 0)
    paper.tick(LATENCY)
    assert told(paper.cancel("a", LATENCY)) == []
    assert told(paper.on_trade(trade("SELL", 41, 5), LATENCY + 1)) == [("filled", "a", "5@41 maker")]
    assert told(paper.tick(2 * LATENCY)) == [("cancelled", "a")]
    assert told(paper.on_trade(trade("SELL", 41, 50), 3 * LATENCY)) == []
    assert told(paper.cancel("a", 3 * LATENCY)) == [("cancel_refused", "a", "no such open order")]


def test_a_cancel_never_overtakes_its_order() -> None:
    class Slow:
        def draw_ns(self, what: str) -> int:
            return 5 if what.startswith("cancel") else LATENCY

    paper = PaperRelayer("pessimistic", Slow(), allowed_states("paper"))
    paper.on_universe(MarketUniverse(ts_ns=0, markets=(MARKET,)), 0)
    paper.on_book(book({40: 100}, {45: 100}), 0)
    paper.submit(place("a", "BUY", 41, 20), 0)
    paper.cancel("a", 0)
    assert told(paper.tick(LATENCY)) == [("accepted", "a"), ("cancelled", "a")]


def test_post_only_is_refused_where_it_crosses_on_arrival() -> None:
    paper = relayer()
    (event,) = paper.submit(place("a", "BUY", 45, 20, post_only=True), 1)
    assert (event.kind, event.code) == ("rejected", "crosses")
    assert told(paper.submit(place("b", "BUY", 44, 20, post_only=True), 1)) == [("accepted", "b")]


def test_fak_takes_what_is_there_and_fok_all_or_nothing() -> None:
    paper = relayer()
    assert told(paper.submit(place("a", "BUY", 45, 120, "FAK"), 1)) == [
        ("accepted", "a"),
        ("filled", "a", "100@45 taker"),
        ("cancelled", "a", "FAK: the rest is not kept"),
    ]
    (event,) = paper.submit(place("b", "BUY", 45, 10, "FAK"), 1)
    assert (event.kind, event.code) == ("rejected", "no_match")
    (event,) = paper.submit(place("c", "BUY", 46, 101, "FOK"), 1)
    assert (event.kind, event.code) == ("rejected", "no_match")
    assert told(paper.submit(place("d", "BUY", 46, 100, "FOK"), 1)) == [("accepted", "d"), ("filled", "d", "100@46 taker")]


def test_takers_pay_the_market_s_fee_and_makers_none() -> None:
    paper = relayer()
    taker = next(event for event in paper.submit(place("a", "BUY", 45, 100, "FAK"), 1) if event.kind == "filled")
    assert taker.fee_e6 == 990_000  # 100 x 0.04 x 0.45 x 0.55
    paper.submit(place("b", "BUY", 42, 10), 1)
    (maker,) = paper.on_trade(trade("SELL", 42, 10), 2)
    assert (maker.liquidity, maker.fee_e6) == ("maker", 0)


def test_an_order_on_the_other_token_is_matched_in_the_one_book() -> None:
    paper = relayer()
    assert told(paper.submit(place("a", "BUY", 60, 30, token="no"), 1)) == [("accepted", "a"), ("filled", "a", "30@60 taker")]
    assert told(paper.submit(place("b", "SELL", 40, 100, "FAK"), 1))[1] == ("filled", "b", "70@40 taker")


def test_tokens_are_one_book_also_when_the_market_is_heard_of_last() -> None:
    paper = PaperRelayer("pessimistic", ConstantLatency(0), allowed_states("paper"))
    paper.on_book(book({55: 100}, {60: 100}, token="no"), 0)
    known = Order("a", "s", "no", "m", "BUY", 580_000, 20 * ONE_E6, "GTC", True, "p", 0, status="live")
    paper.restore([known], 0)
    paper.on_universe(MarketUniverse(ts_ns=0, markets=(MARKET,)), 0)
    paper.on_book(book({40: 100}, {45: 100}), 1)
    assert told(paper.on_trade(trade("BUY", 45, 5), 2)) == [("filled", "a", "5@58 maker")]


@pytest.mark.parametrize(("seconds", "crypto", "held_ns"), [(3, False, 3 * NS_PER_S), (0, True, 50 * NS_PER_MS)])
def test_a_taker_is_held_where_the_market_says_and_cannot_be_cancelled_then(seconds: int, crypto: bool, held_ns: int) -> None:
    market = msgspec.structs.replace(MARKET, seconds_delay=seconds, taker_delay=crypto)
    paper = relayer(market, delay_ns=50 * NS_PER_MS)
    assert told(paper.submit(place("a", "BUY", 45, 20), 0)) == [("delayed", "a")]
    assert told(paper.cancel("a", 1)) == [("cancel_refused", "a", "a delayed order cannot be cancelled")]
    assert told(paper.submit(place("b", "BUY", 41, 20), 1)) == [("accepted", "b")]
    paper.on_book(book({40: 100}, {45: 5}), 2)
    assert told(paper.tick(held_ns)) == [("accepted", "a"), ("filled", "a", "5@45 taker")]
    assert told(paper.cancel("a", held_ns + 1)) == [("cancelled", "a")]


def test_a_held_taker_whose_market_went_away_rests_or_is_refused() -> None:
    paper = relayer(msgspec.structs.replace(MARKET, seconds_delay=3))
    paper.submit(place("a", "BUY", 45, 20), 0)
    paper.submit(place("b", "BUY", 45, 20, "FAK"), 0)
    paper.on_book(book({40: 100}, {46: 100}), 1)
    assert told(paper.tick(3 * NS_PER_S)) == [
        ("accepted", "a"),
        ("rejected", "b", "no orders found to match: FAK orders trade at once or not at all"),
    ]


def test_gtd_dies_a_minute_before_its_expiration() -> None:
    paper = relayer()
    assert told(paper.submit(place("a", "BUY", 41, 20, "GTD", good_till_ns=179 * NS_PER_S), 0))[0][0] == "rejected"
    paper.submit(place("b", "BUY", 41, 20, "GTD", good_till_ns=200 * NS_PER_S), 0)
    assert paper.next_timer_ns() == 140 * NS_PER_S
    assert told(paper.tick(140 * NS_PER_S)) == [("expired", "b", "GTD: one minute before its expiration")]


def test_the_tick_and_the_least_size_are_checked_when_the_order_arrives() -> None:
    paper = relayer()
    (event,) = paper.submit(msgspec.structs.replace(place("a", "BUY", 41, 20), price_e6=415_000), 1)
    assert (event.kind, event.code) == ("rejected", "invalid")
    paper.on_book(book({40: 100}, {45: 100}, tick_e6=1_000), 2)
    assert told(paper.submit(msgspec.structs.replace(place("b", "BUY", 41, 20), price_e6=415_000), 2)) == [("accepted", "b")]
    assert told(paper.submit(place("c", "BUY", 41, 4), 2))[0][0] == "rejected"


@pytest.mark.parametrize("state", ["SUSPECT", "RESYNCING", "STALE", "PENDING"])
def test_on_a_doubted_book_what_must_trade_is_refused_and_what_may_rest_waits(state: State) -> None:
    paper = relayer()
    paper.on_book(book({40: 100}, {45: 100}, state), 1)
    assert told(paper.submit(place("a", "BUY", 45, 20, "FAK"), 1)) == [
        ("rejected", "a", f"there is no book to trade on: it is {state}")
    ]
    assert told(paper.submit(place("b", "BUY", 45, 20), 1)) == [("accepted", "b")]
    assert told(paper.submit(place("c", "BUY", 45, 20, post_only=True), 1)) == [("accepted", "c")]
    assert told(paper.on_trade(trade("SELL", 40, 50), 2)) == []
    assert told(paper.on_book(book({40: 100}, {45: 100}), 3))[:2] == [
        ("filled", "b", "20@45 taker"),
        ("cancelled", "c", "invalid post-only order: order crosses book"),
    ]


@pytest.mark.parametrize("lost", ["", "yes"])
def test_a_book_that_was_lost_is_not_traded_on_until_it_comes_again(lost: str) -> None:
    paper = relayer()
    paper.submit(place("a", "BUY", 41, 20), 0)
    paper.forget_books(lost)
    assert told(paper.on_trade(trade("SELL", 41, 5), 1)) == []
    assert told(paper.submit(place("b", "BUY", 45, 20, "FAK"), 1))[0][0] == "rejected"
    paper.on_book(book({40: 100}, {45: 100}), 2)
    assert told(paper.on_trade(trade("SELL", 41, 5), 3)) == [("filled", "a", "5@41 maker")]


def test_after_a_restart_orders_come_back_at_the_back_of_their_level() -> None:
    paper = relayer(books=False)
    live = Order(
        "a", "s", "yes", "m", "BUY", 400_000, 20 * ONE_E6, "GTC", True, "p", 0, status="partially_filled", filled_e6=5 * ONE_E6
    )
    sent = Order("b", "s", "yes", "m", "SELL", 460_000, 20 * ONE_E6, "GTC", True, "p", 0, status="submitted")
    taker = Order("c", "s", "yes", "m", "BUY", 450_000, 20 * ONE_E6, "FAK", False, "p", 0, status="submitted")
    assert told(paper.restore([live, sent, taker], 0)) == [
        ("accepted", "b"),
        ("rejected", "c", "there is no book to trade on: it is unknown"),
    ]
    assert told(paper.on_book(book({40: 100}, {45: 100}), 1)) == []
    assert told(paper.on_trade(trade("SELL", 40, 110), 2)) == [("filled", "a", "10@40 maker")]
    events = list(paper.on_trade(trade("SELL", 40, 110), 3))
    assert told(events) == [("filled", "a", "5@40 maker")]
    assert events[0].trade_id == "a-t20000000"


def test_a_restored_order_never_takes() -> None:
    paper = relayer(books=False)
    live = Order("a", "s", "yes", "m", "BUY", 460_000, 20 * ONE_E6, "GTC", True, "p", 0, status="live")
    paper.restore([live], 0)
    assert told(paper.on_book(book({40: 100}, {45: 8}), 1)) == []
    assert told(paper.on_book(book({40: 100}, {45: 8}), 2)) == [("filled", "a", "8@46 maker")]


def test_a_resolution_ends_all_orders_of_the_market() -> None:
    paper = relayer(latency_ns=LATENCY)
    paper.submit(place("a", "BUY", 41, 20), 0)
    paper.tick(LATENCY)
    paper.submit(place("b", "BUY", 41, 20), LATENCY)
    resolved = MarketResolved(ts_ns=0, market="m", venue_ts="1", token_ids=("yes", "no"), winning_token_id="yes")
    assert told(paper.on_resolved(resolved, LATENCY + 1)) == [
        ("cancelled", "a", "the market has resolved"),
        ("cancelled", "b", "the market has resolved"),
    ]
    paper.submit(place("c", "BUY", 41, 20), LATENCY + 2)
    assert told(paper.tick(3 * LATENCY)) == [("rejected", "c", "the market has resolved")]


def test_a_market_that_closes_cancels_what_rests() -> None:
    paper = relayer()
    paper.submit(place("a", "BUY", 41, 20), 0)
    closed = msgspec.structs.replace(MARKET, accepting_orders=False)
    events = paper.on_universe(MarketUniverse(ts_ns=0, markets=(closed,)), 1)
    assert told(events) == [("cancelled", "a", "market m takes no orders")]


def test_the_venue_s_modes_refuse_what_they_refuse() -> None:
    paper = relayer()
    paper.submit(place("a", "BUY", 41, 20), 0)
    paper.on_venue_state("post_only", 1)
    (event,) = paper.submit(place("b", "BUY", 45, 20), 1)
    assert (event.kind, event.code) == ("rejected", "post_only")
    paper.on_venue_state("restarting", 2)
    assert [(e.kind, e.code) for e in paper.submit(place("c", "BUY", 41, 20), 2)] == [("rejected", "restarting")]
    assert [(e.kind, e.code) for e in paper.cancel("a", 2)] == [("cancel_refused", "restarting")]
    paper.on_venue_state("cancel_only", 3)
    assert [(e.kind, e.code) for e in paper.submit(place("d", "BUY", 41, 20), 3)] == [("rejected", "cancel_only")]
    assert told(paper.cancel("a", 3)) == [("cancelled", "a")]


def test_stopping_cancels_at_once_what_a_cancel_would_reach_too_late() -> None:
    paper = relayer(latency_ns=LATENCY)
    paper.submit(place("a", "BUY", 41, 20), 0)
    paper.tick(LATENCY)
    paper.submit(place("b", "BUY", 41, 20), LATENCY)
    assert told(paper.cancel_all(LATENCY)) == []
    assert [kind for kind, *_ in told(paper.close(LATENCY + 1))] == ["cancelled", "cancelled"]


def test_the_settings_name_the_model_and_the_times(tmp_path: Any) -> None:
    file = tmp_path / "times.txt"
    file.write_text("7\n")
    paper = PaperRelayer.from_settings(PaperSection(latency_file=str(file)), allowed_states("paper"))
    paper.submit(place("a", "BUY", 41, 20), 0)
    assert paper.next_timer_ns() == 7 * NS_PER_MS
