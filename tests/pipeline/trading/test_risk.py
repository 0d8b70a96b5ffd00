"""Each check refuses with its reason, and lets the good order pass."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.messages.market import BookSnapshot, Level, Market, Outcome, State
from pipeline.messages.orders import Decision, Mode, PlaceOrder
from pipeline.trading.orders import Order
from pipeline.trading.policy import mirrored
from pipeline.trading.risk import Limits, Situation, check_balance, holding_stake_e6, refusal, stake_e6

LIMITS = Limits(max_order_e6=200_000_000, max_open_orders=10, max_total_e6=1_000_000_000)
MARKET = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")


def book(
    state: State = "VERIFIED",
    bids: tuple[Level, ...] = (Level(400_000, 100_000_000),),
    asks: tuple[Level, ...] = (Level(470_000, 100_000_000),),
) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=1,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=bids,
        asks=asks,
        seq=1,
        venue_ns=1,
        state=state,
        basis="hash",
    )


GOOD = PlaceOrder(
    ts_ns=1,
    client_order_id="x-s-1",
    token_id="yes",
    market="m",
    side="BUY",
    price_e6=410_000,
    size_e6=20_000_000,
    order_type="GTC",
    post_only=True,
    expires_ns=2,
    decision=Decision(plan_id="p", strategy="s", reason=""),
)
SITUATION = Situation(mode="fake", market=MARKET, book=book(), free_e6=0)


def asked(**changes: object) -> PlaceOrder:
    return msgspec.structs.replace(GOOD, **changes)


def situation(**changes: object) -> Situation:
    values = {name: getattr(SITUATION, name) for name in Situation.__slots__}
    return Situation(**{**values, **changes})


def rival(token_id: str, side: str, price_e6: int) -> Order:
    return Order.from_command(asked(client_order_id="x-s-0", token_id=token_id, side=side, price_e6=price_e6), 1)


def test_a_good_order_passes() -> None:
    assert refusal(GOOD, SITUATION, LIMITS) == ""


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (asked(price_e6=0), "price 0 is not between 0 and 1"),
        (asked(price_e6=1_000_000), "price 1 is not between 0 and 1"),
        (asked(size_e6=0), "size 0 is not positive"),
        (asked(order_type="FOK"), "post-only does not go with FOK"),
        (asked(size_e6=4_000_000), "size 4 is below the market's minimum 5"),
        (asked(price_e6=415_000), "price 0.415 is off the tick 0.01"),
        (asked(price_e6=470_000), "post-only BUY at 0.47 crosses the ask 0.47"),
        (asked(side="SELL", price_e6=400_000), "post-only SELL at 0.4 crosses the bid 0.4"),
        (asked(size_e6=500_000_000), "notional 205 is over max_order_usdc 200"),
    ],
)
def test_an_order_is_refused_with_its_reason(order: PlaceOrder, reason: str) -> None:
    assert refusal(order, SITUATION, LIMITS) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"market": None}, "token yes is in no known market"),
        ({"market": msgspec.structs.replace(MARKET, closed=True)}, "market m takes no orders"),
        ({"market": msgspec.structs.replace(MARKET, accepting_orders=False)}, "market m takes no orders"),
        ({"book": None}, "no book of yes is known"),
        ({"book": book("SUSPECT")}, "book of yes is SUSPECT"),
        ({"open_orders": 10}, "10 orders are open; max_open_orders is 10"),
        ({"at_stake_e6": 991_800_001}, "total at stake 1000.000001 is over max_total_notional_usdc 1000"),
        ({"rivals": (rival("yes", "SELL", 410_000),)}, "would trade with our own order x-s-0 at 0.41"),
        ({"rivals": (rival("no", "BUY", 590_000),)}, "would trade with our own order x-s-0 at 0.59"),
    ],
)
def test_a_situation_refuses_with_its_reason(changes: dict[str, object], reason: str) -> None:
    assert refusal(GOOD, situation(**changes), LIMITS) == reason


STRICT = Limits(
    max_order_e6=200_000_000,
    max_open_orders=10,
    max_total_e6=1_000_000_000,
    max_market_e6=100_000_000,
    max_event_e6=150_000_000,
    max_inventory_e6=100_000_000,
    max_daily_loss_e6=50_000_000,
    max_errors=5,
    price_band_e6=100_000,
)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"now_ns": 3}, "command expired"),
        ({"halted": "news"}, "trading is halted: news"),
        ({"halted": ""}, "trading is halted: "),
        ({"venue_state": "cancel_only"}, "venue is cancel_only"),
        ({"venue_state": "link_lost"}, "venue is link_lost"),
        ({"book": book(bids=(), asks=())}, "book of yes is empty: there is no price to compare with"),
        ({"inventory_e6": 70_000_000, "buying_e6": 10_000_001}, "inventory 100.000001 is over max_inventory 100"),
        ({"market_loss_e6": (99_000_000, 100_000_001)}, "market could lose 100.000001, over max_market_usdc 100"),
        ({"event_loss_e6": (0, 150_000_001)}, "event could lose 150.000001, over max_event_usdc 150"),
        ({"day_e6": -50_000_000}, "lost 50 today; max_daily_loss_usdc is 50"),
        ({"errors": 5}, "5 errors in the last minute; max_errors_per_minute is 5"),
        ({"orders_left": 0}, "order rate is over [rate_limits] orders_per_s"),
    ],
)
def test_each_limit_refuses_with_its_reason(changes: dict[str, object], reason: str) -> None:
    assert refusal(GOOD, SITUATION, STRICT) == ""
    assert refusal(GOOD, situation(**changes), STRICT) == reason


@pytest.mark.parametrize(
    ("side", "price_e6", "reason"),
    [
        ("BUY", 570_000, ""),
        ("BUY", 580_000, "price 0.58 is 0.11 beyond the best 0.47; price_band is 0.1"),
        ("SELL", 300_000, ""),
        ("SELL", 290_000, "price 0.29 is 0.11 beyond the best 0.4; price_band is 0.1"),
        ("BUY", 10_000, ""),
    ],
)
def test_a_price_may_go_no_further_through_the_book_than_the_band(side: str, price_e6: int, reason: str) -> None:
    assert refusal(asked(side=side, price_e6=price_e6, post_only=False), SITUATION, STRICT) == reason


def test_the_band_counts_from_the_near_side_where_the_other_is_empty() -> None:
    order = asked(price_e6=510_000, post_only=False)
    assert refusal(order, situation(book=book(asks=())), STRICT) == "price 0.51 is 0.11 beyond the best 0.4; price_band is 0.1"


def test_an_exposure_over_its_limit_may_still_be_made_smaller() -> None:
    for name in ("market_loss_e6", "event_loss_e6"):
        assert refusal(GOOD, situation(**{name: (900_000_000, 900_000_000)}), STRICT) == ""


def test_short_shares_count_against_the_inventory_and_held_ones_may_always_be_sold() -> None:
    sale = asked(side="SELL", price_e6=450_000)
    assert refusal(sale, situation(selling_e6=80_000_001), STRICT) == "short inventory 100.000001 is over max_inventory 100"
    full = situation(inventory_e6=500_000_000, free_e6=20_000_000, selling_e6=900_000_000, day_e6=-60_000_000)
    assert refusal(sale, full, STRICT) == ""


def test_in_post_only_an_order_that_might_trade_at_once_waits() -> None:
    assert refusal(GOOD, situation(venue_state="post_only"), LIMITS) == ""
    assert refusal(asked(post_only=False), situation(venue_state="post_only"), LIMITS) == "venue is post_only"


@pytest.mark.parametrize(
    ("token_id", "side", "price_e6"), [("yes", "SELL", 420_000), ("yes", "BUY", 410_000), ("no", "BUY", 580_000)]
)
def test_an_own_order_that_cannot_meet_it_is_no_obstacle(token_id: str, side: str, price_e6: int) -> None:
    assert refusal(GOOD, situation(rivals=(rival(token_id, side, price_e6),)), LIMITS) == ""


@pytest.mark.parametrize(
    ("mode", "state", "passes"),
    [("fake", "UNVERIFIED", True), ("live", "UNVERIFIED", False), ("offline", "UNVERIFIED", False), ("live", "QUIET", True)],
)
def test_an_unverified_book_is_traded_on_only_where_no_money_is_at_stake(mode: Mode, state: State, passes: bool) -> None:
    assert (refusal(GOOD, situation(mode=mode, book=book(state)), LIMITS) == "") == passes


@pytest.mark.parametrize("mode", ["live", "offline"])
def test_at_a_venue_nobody_sells_what_is_not_free(mode: Mode) -> None:
    sale = asked(side="SELL", price_e6=450_000)
    assert refusal(sale, situation(mode=mode, free_e6=19_999_999), LIMITS) == "only 19.999999 shares of yes are free to sell"
    assert refusal(sale, situation(mode=mode, free_e6=20_000_000), LIMITS) == ""
    assert refusal(sale, situation(mode="paper"), LIMITS) == ""


def test_on_paper_only_what_has_no_counterpart_to_buy_is_sold_short() -> None:
    sale = asked(side="SELL", price_e6=450_000)
    short = situation(mode="paper", free_e6=19_999_999, free_cash_e6=10**9)
    assert refusal(sale, short, LIMITS) == "balance: only 19.999999 shares of yes are free to sell"
    alone = Market(market_id="m", outcomes=(Outcome("m/yes", "yes"), Outcome("m/no", "no")))
    assert check_balance(sale, situation(mode="paper", market=alone, free_cash_e6=10**9), LIMITS) == ""


def test_selling_what_is_held_passes_at_the_limit_of_what_is_at_stake() -> None:
    full = situation(at_stake_e6=LIMITS.max_total_e6, free_e6=20_000_000)
    assert refusal(asked(side="SELL", price_e6=450_000), full, LIMITS) == ""
    assert "total at stake" in refusal(GOOD, full, LIMITS)


def test_stakes_are_what_can_be_lost() -> None:
    assert stake_e6("BUY", 400_000, 10_000_000) == 4_000_000
    assert stake_e6("SELL", 400_000, 10_000_000) == 6_000_000
    assert holding_stake_e6(10_000_000, 4_000_000) == 4_000_000
    assert holding_stake_e6(-10_000_000, -4_000_000) == 6_000_000


def test_the_mirror_of_the_mirror_is_the_book() -> None:
    other = mirrored(book(), "no")
    assert (other.bids, other.asks) == ((Level(530_000, 100_000_000),), (Level(600_000, 100_000_000),))
    assert mirrored(other, "yes") == book()
