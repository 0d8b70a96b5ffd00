"""Spread Capture: prices on the grid inside the spread, sizes under every cap, nothing on a doubtful book."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.settings import SpreadCaptureSection
from pipeline.base.units import ONE_E6
from pipeline.messages.market import BookSnapshot, Level, Market, Outcome, Rewards, State
from pipeline.messages.orders import Mode
from pipeline.strategy.base import View
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.diff import Quote
from pipeline.trading.pacing import in_terms_of

MS = 1_000_000
YES, NO = Outcome("yes", "Yes"), Outcome("no", "No")
PAIR = Market(market_id="m", outcomes=(YES, NO), tick_size="0.01", min_order_size="5")
SINGLE = Market(market_id="m", outcomes=(YES,))
QUOTER = SpreadCapture.from_settings(SpreadCaptureSection())


def book(
    bid: int = 400_000, ask: int = 470_000, tick: int = 10_000, state: State = "VERIFIED", token: str = "yes"
) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=1_000 * MS,
        token_id=token,
        market="m",
        tick_size_e6=tick,
        bids=(Level(bid, 100_000_000),) if bid else (),
        asks=(Level(ask, 100_000_000),) if ask else (),
        seq=1,
        venue_ns=1_000 * MS,
        state=state,
        basis="hash",
    )


def view(market: Market = PAIR, mode: Mode = "paper", **values: object) -> View:
    known: dict[str, object] = {"book": book(), "now_ns": 1_000 * MS, "complement_id": "no" if market is PAIR else ""}
    return View(market=market, mode=mode, **{**known, **values})  # type: ignore[arg-type]


def test_it_quotes_inside_the_spread_and_buys_the_other_outcome_for_want_of_shares() -> None:
    targets = QUOTER.decide(view())
    assert targets.quotes == (Quote("yes", "BUY", 410_000, 20_000_000), Quote("no", "BUY", 540_000, 20_000_000))
    assert targets.expected_profit_e6 == 1_000_000


def test_with_enough_shares_it_sells_them() -> None:
    targets = QUOTER.decide(view(inventory_e6=20_000_000, complement_inventory_e6=20_000_000))
    assert targets.quotes == (Quote("no", "SELL", 590_000, 20_000_000), Quote("yes", "SELL", 460_000, 20_000_000))


def test_a_market_with_one_outcome_is_sold_short_where_it_is_simulated_and_not_live() -> None:
    assert [quote.side for quote in QUOTER.decide(view(SINGLE)).quotes] == ["BUY", "SELL"]
    assert [quote.side for quote in QUOTER.decide(view(SINGLE, "live")).quotes] == ["BUY"]
    held = QUOTER.decide(view(SINGLE, "live", inventory_e6=7_000_000)).quotes
    assert held[1] == Quote("yes", "SELL", 460_000, 7_000_000)


def test_where_the_spread_has_no_room_it_joins_the_best_prices() -> None:
    targets = QUOTER.decide(view(book=book(500_000, 510_000)))
    assert [quote.price_e6 for quote in targets.quotes] == [500_000, 490_000]


def test_it_leans_against_what_it_holds() -> None:
    assert QUOTER.prices(view()) == (410_000, 460_000)
    assert QUOTER.prices(view(inventory_e6=200_000_000)) == (400_000, 450_000)
    assert QUOTER.prices(view(complement_inventory_e6=200_000_000)) == (420_000, 470_000)


def test_the_side_that_adds_to_the_inventory_shrinks_towards_the_cap() -> None:
    sizes = []
    for held in (0, 50, 100, 150, 190):
        quotes = QUOTER.decide(view(SINGLE, inventory_e6=held * ONE_E6)).quotes
        sizes.append(sum(quote.size_e6 for quote in quotes if quote.side == "BUY") // ONE_E6)
    assert sizes == [20, 15, 10, 5, 1]
    full = QUOTER.decide(view(SINGLE, inventory_e6=200 * ONE_E6)).quotes
    assert [quote.side for quote in full] == ["SELL"]


def test_below_the_markets_minimum_nothing_is_quoted() -> None:
    quotes = QUOTER.decide(view(inventory_e6=160 * ONE_E6)).quotes
    assert [(quote.token_id, quote.side) for quote in quotes] == [("yes", "SELL")]


def test_the_exposure_cap_halts_buying_and_lets_selling_go_on() -> None:
    assert QUOTER.decide(view(exposure_e6=500 * ONE_E6)).reason == "at the inventory or exposure cap"
    quotes = QUOTER.decide(view(exposure_e6=500 * ONE_E6, inventory_e6=10 * ONE_E6)).quotes
    assert quotes == (Quote("yes", "SELL", 460_000, 10 * ONE_E6),)


def test_it_does_not_cross_the_other_outcomes_own_book() -> None:
    other = book(490_000, 520_000, token="no")
    assert QUOTER.decide(view(complement=other)).quotes[1] == Quote("no", "BUY", 510_000, 20_000_000)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"book": book(state="SUSPECT")}, "book of yes is SUSPECT"),
        ({"book": book(state="STALE")}, "book of yes is STALE"),
        ({"complement": book(state="RESYNCING", token="no")}, "book of no is RESYNCING"),
        ({"book": book(bid=0)}, "book of yes has an empty side"),
        ({"book": book(470_000, 470_000)}, "book of yes is crossed"),
        ({"now_ns": 61_001 * MS}, "book of yes is older than 60000 ms"),
    ],
)
def test_nothing_rests_on_a_doubtful_book(values: dict[str, Any], reason: str) -> None:
    targets = QUOTER.decide(view(**values))
    assert (targets.quotes, targets.reason) == ((), reason)


def test_a_book_proved_again_is_not_old() -> None:
    proved = msgspec.structs.replace(book(), verified_ns=30_000 * MS)
    assert QUOTER.decide(view(book=proved, now_ns=61_001 * MS)).quotes


@pytest.mark.parametrize(("mode", "quoted"), [("fake", True), ("paper", True), ("replay", True), ("live", False)])
def test_an_unverified_book_is_quoted_on_only_where_no_money_is_at_stake(mode: Mode, quoted: bool) -> None:
    assert bool(QUOTER.decide(view(mode=mode, book=book(state="UNVERIFIED"))).quotes) == quoted


def test_a_market_that_takes_no_orders_is_not_quoted() -> None:
    closed = msgspec.structs.replace(PAIR, accepting_orders=False)
    assert QUOTER.decide(view(closed)).reason == "market m takes no orders"


@st.composite
def views(draw: st.DrawFn) -> tuple[SpreadCapture, View]:
    tick = draw(st.sampled_from([100_000, 10_000, 5_000, 2_500, 1_000, 100]))
    grid = ONE_E6 // tick
    low = draw(st.integers(1, grid - 2))
    high = draw(st.integers(low + 1, grid - 1))
    quoter = SpreadCapture(
        edge_e6=draw(st.integers(0, 100_000)),
        size_e6=draw(st.integers(1, 50)) * ONE_E6,
        max_inventory_e6=draw(st.integers(1, 200)) * ONE_E6,
        max_exposure_e6=draw(st.integers(0, 100)) * ONE_E6,
        lean_e6=draw(st.integers(0, 100_000)),
    )
    inventory = draw(st.integers(0, 250 * ONE_E6))
    other = draw(st.integers(0, 250 * ONE_E6))
    exposure = draw(st.integers(0, 100 * ONE_E6))
    market = draw(st.sampled_from([PAIR, SINGLE]))
    return quoter, view(
        market,
        book=book(low * tick, high * tick, tick),
        inventory_e6=inventory,
        complement_inventory_e6=other if market is PAIR else 0,
        exposure_e6=exposure,
    )


@given(views())
def test_quotes_keep_every_limit(drawn: tuple[SpreadCapture, View]) -> None:
    quoter, seen = drawn
    quotes = quoter.decide(seen).quotes
    tick = seen.book.tick_size_e6
    best_bid, best_ask = seen.book.bids[0].price_e6, seen.book.asks[0].price_e6
    spent, prices = 0, {}
    net = seen.net_e6
    for quote in quotes:
        assert quote.price_e6 % tick == 0 and tick <= quote.price_e6 <= ONE_E6 - tick
        assert 0 < quote.size_e6 <= quoter.size_e6 and quote.size_e6 % 10_000 == 0
        assert not seen.market.min_order_size or quote.size_e6 >= 5 * ONE_E6
        own = quote.price_e6 if quote.token_id == "yes" else ONE_E6 - quote.price_e6
        buys_yes = (quote.token_id == "yes") == (quote.side == "BUY")
        prices[buys_yes] = own
        assert own < best_ask if buys_yes else own > best_bid
        after = net + quote.size_e6 if buys_yes else net - quote.size_e6
        assert abs(after) <= max(quoter.max_inventory_e6, abs(net))
        if quote.side == "SELL" and seen.market is PAIR:
            held = seen.inventory_e6 if quote.token_id == "yes" else seen.complement_inventory_e6
            assert quote.size_e6 <= held
        if quote.side == "BUY":
            spent += quote.price_e6 * quote.size_e6 // ONE_E6
    assert spent <= max(0, quoter.max_exposure_e6 - seen.exposure_e6)
    if len(prices) == 2:
        assert prices[True] < prices[False]


WIDE = dataclasses.replace(QUOTER, volatility_part_e6=ONE_E6, markout_part_e6=ONE_E6, max_widening_e6=30_000, min_reward_e6=0)
REWARDED = msgspec.structs.replace(
    PAIR, rewards=Rewards(min_size_e6=50 * ONE_E6, max_spread_e6=30_000, daily_rate_e6=100 * ONE_E6)
)


def test_it_backs_off_from_what_moves_and_from_trades_that_went_against_it() -> None:
    assert WIDE.prices(view()) == (410_000, 460_000)
    assert WIDE.prices(view(volatility_e6=10_000)) == (400_000, 470_000)
    assert WIDE.prices(view(markout_e6=-10_000)) == (400_000, 470_000)
    assert WIDE.prices(view(markout_e6=10_000)) == (410_000, 460_000)
    assert WIDE.prices(view(volatility_e6=500_000)) == (380_000, 490_000)


def test_sizes_shrink_towards_the_end_of_the_market_and_the_start_of_its_game() -> None:
    hour = 3_600_000 * MS
    sizes = []
    for left in (2 * hour, hour, hour // 2, hour // 4, hour // 10):
        market = msgspec.structs.replace(SINGLE, end_ns=1_000 * MS + left)
        sizes.append([quote.size_e6 // ONE_E6 for quote in QUOTER.decide(view(market)).quotes])
    assert sizes == [[20, 20], [20, 20], [10, 10], [5, 5], [2, 2]]
    game = msgspec.structs.replace(SINGLE, end_ns=1_000 * MS + 5 * hour, game_start_ns=1_000 * MS + hour // 2)
    assert "sizes at 50 % before the end" in QUOTER.decide(view(game)).reason
    over = msgspec.structs.replace(SINGLE, end_ns=900 * MS)
    assert QUOTER.decide(view(over)).reason == "market m is past its end"


def test_it_stays_in_the_reward_band_with_the_minimum_size_where_that_pays() -> None:
    wide = book(400_000, 500_000)
    plain = QUOTER.decide(view(book=wide))
    assert [(quote.price_e6, quote.size_e6) for quote in plain.quotes] == [(410_000, 20 * ONE_E6), (510_000, 20 * ONE_E6)]
    paid = QUOTER.decide(view(REWARDED, complement_id="no", book=wide))
    assert [(quote.price_e6, quote.size_e6) for quote in paid.quotes] == [(430_000, 50 * ONE_E6), (530_000, 50 * ONE_E6)]
    assert paid.scores_e6 == (ONE_E6, ONE_E6)
    assert paid.reason.endswith("rewards 100 % and 100 % of the score")


def test_rewards_too_small_to_be_paid_out_change_nothing() -> None:
    poor = msgspec.structs.replace(REWARDED, rewards=Rewards(50 * ONE_E6, 30_000, 900_000))
    assert [quote.size_e6 for quote in QUOTER.decide(view(poor, complement_id="no")).quotes] == [20 * ONE_E6] * 2


@given(views(), st.integers(0, 50_000), st.integers(-50_000, 50_000), st.integers(1, 45_000))
def test_the_quoter_never_crosses_itself_nor_the_book(
    drawn: tuple[SpreadCapture, View], moves: int, markout: int, band: int
) -> None:
    quoter, seen = drawn
    quoter = dataclasses.replace(
        quoter, volatility_part_e6=ONE_E6, markout_part_e6=ONE_E6, max_widening_e6=20_000, min_reward_e6=1
    )
    market = msgspec.structs.replace(seen.market, rewards=Rewards(10 * ONE_E6, band, 100 * ONE_E6))
    seen = msgspec.structs.replace(seen, market=market, volatility_e6=moves, markout_e6=markout)
    own = [in_terms_of("yes", quote) for quote in quoter.decide(seen).quotes]
    bids = [price for side, price in own if side == "BUY"]
    asks = [price for side, price in own if side == "SELL"]
    assert max(bids, default=0) < min(asks, default=ONE_E6)
    assert all(price < seen.book.asks[0].price_e6 for price in bids)
    assert all(price > seen.book.bids[0].price_e6 for price in asks)
