"""Own fills are found in trades as taker and as maker, in the same token or the other one, once for each order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.base.errors import BadFrame
from pipeline.messages.market import Side
from pipeline.venue.clob.account import MakerLeg, TradeReport
from pipeline.venue.clob.own_fills import OwnFill, own_fills

ME, OTHER = "my-key", "other-key"
TAKEN = TradeReport(
    trade_id="t1",
    status="matched",
    taker_order_id="0xtaker",
    token_id="yes",
    market="0xc0",
    side="BUY",
    size_e6=100_000_000,
    price="0.518",
    owner=OTHER,
    trader_side="MAKER",
    legs=(
        MakerLeg("0xm1", OTHER, "yes", 40_000_000, "0.51"),
        MakerLeg("0xm2", ME, "yes", 30_000_000, "0.52"),
        MakerLeg("0xm3", ME, "no", 30_000_000, "0.482"),
    ),
    venue_ns=7,
)


def fill(order_id: str, token: str, side: Side, price_e6: int, size_e6: int, liquidity: str) -> OwnFill:
    return OwnFill("t1", order_id, token, "0xc0", side, price_e6, size_e6, liquidity, "matched", 7)  # type: ignore[arg-type]


def test_as_makers_our_orders_have_their_own_price_token_and_side() -> None:
    assert own_fills(TAKEN, ME) == (
        fill("0xm2", "yes", "SELL", 520_000, 30_000_000, "maker"),
        fill("0xm3", "no", "BUY", 482_000, 30_000_000, "maker"),
    )


def test_as_the_taker_there_is_one_fill_at_the_average() -> None:
    trade = replace(TAKEN, owner=ME, trader_side="TAKER", legs=TAKEN.legs[:1])
    assert own_fills(trade, ME) == (fill("0xtaker", "yes", "BUY", 518_000, 100_000_000, "taker"),)


def test_trading_with_oneself_is_both() -> None:
    told = own_fills(replace(TAKEN, owner=ME, trader_side="TAKER"), ME)
    assert [(one.venue_order_id, one.liquidity) for one in told] == [("0xtaker", "taker"), ("0xm2", "maker"), ("0xm3", "maker")]
    seen_as_maker = own_fills(TAKEN, ME, {"0xtaker"})
    assert seen_as_maker == told


def test_orders_are_ours_by_their_ids_too() -> None:
    nobody = replace(TAKEN, legs=tuple(replace(leg, owner="") for leg in TAKEN.legs), owner="")
    assert own_fills(nobody, ME) == () and own_fills(nobody, "") == ()
    assert [one.venue_order_id for one in own_fills(nobody, "", {"0xm1"})] == ["0xm1"]


@pytest.mark.parametrize(
    ("token", "told", "wanted"),
    [("yes", None, "SELL"), ("no", None, "BUY"), ("", None, "SELL"), ("no", "SELL", "SELL"), ("yes", "BUY", "BUY")],
)
def test_a_maker_side_that_is_not_told_follows_from_the_token(token: str, told: Side | None, wanted: Side) -> None:
    [one] = own_fills(replace(TAKEN, legs=(MakerLeg("0xm", ME, token, 1, "0.5", told),)), ME)
    assert (one.side, one.token_id) == (wanted, token or "yes")


@pytest.mark.parametrize(("side", "wanted"), [("BUY", 333_334), ("SELL", 333_333)])
def test_an_average_price_is_rounded_against_us(side: Side, wanted: int) -> None:
    [one] = own_fills(replace(TAKEN, side=side, price="0.33333333333333333", owner=ME, trader_side="TAKER", legs=()), ME)
    assert one.price_e6 == wanted


@pytest.mark.parametrize("price", ["", "x", "1.1", "-0.1", "NaN", "Infinity", "1e400"])
def test_a_price_that_is_none_is_refused(price: str) -> None:
    with pytest.raises(BadFrame):
        own_fills(replace(TAKEN, price=price, owner=ME, trader_side="TAKER"), ME)
