"""The paper venue refuses what the venue refuses."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.base.units import NS_PER_S
from pipeline.messages.market import Market, Outcome
from pipeline.messages.orders import OrderType
from pipeline.trading.paper.order import PaperOrder
from pipeline.trading.paper.rules import arrival_refusal, cancel_refusal, order_refusal, taker_delay_ns

MARKET = Market("m", (Outcome("yes", "Yes"), Outcome("no", "No")), tick_size="0.01", min_order_size="5")


def order(price: int = 400_000, size: int = 10_000_000, kind: OrderType = "GTC", post_only: bool = False) -> PaperOrder:
    return PaperOrder("a", 0, "BUY", price, size, kind, post_only)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (order(405_000), "tick size"),
        (order(0), "tick size"),
        (order(1_000_000), "tick size"),
        (order(size=4_000_000), "lower than the minimum 5"),
        (order(kind="FAK", post_only=True), "post-only does not go with FAK"),
        (order(kind="GTD"), "invalid expiration"),
    ],
)
def test_a_wrong_order_is_refused(asked: PaperOrder, words: str) -> None:
    refusal = arrival_refusal(asked, MARKET, 10_000, 179 * NS_PER_S, 0)
    assert refusal is not None
    assert refusal[0] == "invalid"
    assert words in refusal[1]


def test_a_good_order_is_taken() -> None:
    assert arrival_refusal(order(), MARKET, 10_000, 0, 0) is None
    assert arrival_refusal(order(kind="GTD"), MARKET, 10_000, 180 * NS_PER_S, 0) is None


def test_the_book_s_own_tick_is_the_one_that_counts() -> None:
    assert arrival_refusal(order(405_000), MARKET, 1_000, 0, 0) is None


def test_a_market_that_takes_no_orders_takes_none() -> None:
    for market in (None, msgspec.structs.replace(MARKET, accepting_orders=False)):
        refusal = arrival_refusal(order(), market, 10_000, 0, 0)
        assert refusal is not None
        assert refusal[0] == "unknown_market"


def test_each_market_holds_takers_as_long_as_it_says() -> None:
    assert taker_delay_ns(MARKET, 50) == 0
    assert taker_delay_ns(msgspec.structs.replace(MARKET, taker_delay=True), 50) == 50
    assert taker_delay_ns(msgspec.structs.replace(MARKET, seconds_delay=3, taker_delay=True), 50) == 3 * NS_PER_S


def test_a_venue_that_takes_only_cancels_takes_them() -> None:
    assert order_refusal("cancel_only") is not None
    assert cancel_refusal("cancel_only") is None
    assert cancel_refusal("disabled") is not None
    assert order_refusal("normal") is None
