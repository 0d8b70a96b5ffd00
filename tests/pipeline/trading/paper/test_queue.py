"""A place in a queue moves by trades, and by cancels as far as the model says; it never moves twice for one thing."""

from __future__ import annotations

import pytest

from pipeline.trading.paper.order import BID, PaperOrder
from pipeline.trading.paper.queue import TRADE_LAG_NS, Drop, FillModel, OwnLevel


def level(shown: int = 100) -> OwnLevel:
    return OwnLevel(BID, 400_000, shown)


def order(name: str = "a", size: int = 20) -> PaperOrder:
    return PaperOrder(name, 0, "BUY", 400_000, size)


def drop(size: int, number: int = 1, ns: int = 0) -> Drop:
    return Drop(ns, BID, 400_000, size, number)


@pytest.mark.parametrize(("model", "ahead"), [("pessimistic", 100), ("proportional", 75), ("optimistic", 60)])
def test_a_cancel_moves_us_as_the_model_says(model: FillModel, ahead: int) -> None:
    own, ours = level(100), order()
    own.join(ours, 0)
    own.resize(160, None, model)
    own.resize(120, drop(40), model)
    assert ours.ahead_e6 == ahead


@pytest.mark.parametrize("model", ["pessimistic", "proportional", "optimistic"])
def test_nobody_waits_behind_more_than_is_displayed(model: FillModel) -> None:
    own, ours = level(100), order()
    own.join(ours, 0)
    own.resize(30, drop(70), model)
    assert ours.ahead_e6 == 30


@pytest.mark.parametrize("model", ["pessimistic", "proportional", "optimistic"])
def test_a_trade_told_after_its_drop_moves_us_once(model: FillModel) -> None:
    own, ours = level(100), order()
    own.join(ours, 0)
    own.resize(200, None, model)
    fall = drop(90)
    own.resize(110, fall, model)
    fall.left_e6 -= 90
    assert own.trade(90, fall) == []
    assert ours.ahead_e6 == 10


@pytest.mark.parametrize("model", ["pessimistic", "proportional", "optimistic"])
def test_a_trade_told_before_its_drop_moves_us_once(model: FillModel) -> None:
    own, ours = level(100), order()
    own.join(ours, 0)
    own.resize(200, None, model)
    assert own.trade(90, None) == []
    own.credit(90, 0)
    own.resize(110, drop(90), model)
    assert ours.ahead_e6 == 10


def test_a_trade_beyond_those_ahead_fills_us_and_no_more_than_it_took() -> None:
    own, first, second = level(100), order("a", 20), order("b", 30)
    own.join(first, 0)
    own.join(second, 0)
    done = own.trade(135, None)
    assert [(execution.order.name, execution.size_e6, execution.liquidity) for execution in done] == [
        ("a", 20, "maker"),
        ("b", 15, "maker"),
    ]
    assert own.orders == [second]


def test_a_trade_that_happened_before_we_joined_does_not_move_us() -> None:
    own, ours = level(60), order()
    own.join(ours, 1)
    assert own.trade(40, drop(40, number=1)) == []
    assert ours.ahead_e6 == 60


def test_a_drop_long_after_a_trade_is_a_cancel() -> None:
    own, ours = level(100), order()
    own.join(ours, 0)
    own.trade(40, None)
    own.credit(40, 0)
    own.resize(50, drop(50, ns=TRADE_LAG_NS + 1), "optimistic")
    assert ours.ahead_e6 == 10


def test_what_the_feed_adds_is_new_and_what_it_repeats_is_not() -> None:
    own = level(100)
    own.taken_e6 = 80
    own.resize(90, drop(10), "pessimistic")
    assert own.available_e6 == 10
    own.resize(50, drop(40), "pessimistic")
    assert own.available_e6 == 0
    own.resize(70, None, "pessimistic")
    assert own.available_e6 == 20
