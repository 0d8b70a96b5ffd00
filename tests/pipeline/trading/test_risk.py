"""Each check refuses with its reason, and lets the good order pass."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.messages.market import BookSnapshot, Level, Market, Outcome, State
from pipeline.messages.orders import Decision, Mode, PlaceOrder
from pipeline.trading.orders import Order
from pipeline.trading.policy import mirrored
from pipeline.trading.risk import Limits, Situation, holding_stake_e6, refusal, stake_e6

LIMITS = Limits(max_order_e6=200_000_000, max_open_orders=10, max_total_e6=1_000_000_000)
MARKET = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")


def book(state: State = "VERIFIED") -> BookSnapshot:
    return BookSnapshot(
        ts_ns=1,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=(Level(400_000, 100_000_000),),
        asks=(Level(470_000, 100_000_000),),
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


@pytest.mark.parametrize(
    ("token_id", "side", "price_e6"), [("yes", "SELL", 420_000), ("yes", "BUY", 410_000), ("no", "BUY", 580_000)]
)
def test_an_own_order_that_cannot_meet_it_is_no_obstacle(token_id: str, side: str, price_e6: int) -> None:
    assert refusal(GOOD, situation(rivals=(rival(token_id, side, price_e6),)), LIMITS) == ""


@pytest.mark.parametrize(
    ("mode", "state", "passes"), [("fake", "UNVERIFIED", True), ("live", "UNVERIFIED", False), ("live", "QUIET", True)]
)
def test_an_unverified_book_is_traded_on_only_where_no_money_is_at_stake(mode: Mode, state: State, passes: bool) -> None:
    assert (refusal(GOOD, situation(mode=mode, book=book(state)), LIMITS) == "") == passes


def test_live_nobody_sells_what_is_not_free() -> None:
    sale = asked(side="SELL", price_e6=450_000)
    assert refusal(sale, situation(mode="live", free_e6=19_999_999), LIMITS) == "only 19.999999 shares of yes are free to sell"
    assert refusal(sale, situation(mode="live", free_e6=20_000_000), LIMITS) == ""
    assert refusal(sale, situation(mode="paper"), LIMITS) == ""


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
