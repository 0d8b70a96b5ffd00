"""A place in a queue moves by trades, and by cancels as far as the model says; it never moves twice for one thing."""

from __future__ import annotations

import pytest

from pipeline.trading.paper.order import ASK, BID, PaperOrder
from pipeline.trading.paper.queue import NEAR_NS, TRADE_LAG_NS, Drop, FillModel, Flow, OwnLevel, Part


def level(shown: int = 100) -> OwnLevel:
    return OwnLevel(BID, 400_000, shown)


def order(name: str = "a", size: int = 20) -> PaperOrder:
    return PaperOrder(name, 0, "BUY", 400_000, size)


def drop(size: int, number: int = 1, ns: int = 0) -> Drop:
    return Drop(ns, ns, BID, 400_000, size, number)


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
@pytest.mark.parametrize("drop_first", [True, False])
def test_a_trade_moves_us_once_whether_it_or_its_drop_is_told_first(model: FillModel, drop_first: bool) -> None:
    own, ours, flow = level(100), order(), Flow()
    own.join(ours, flow.number)
    own.resize(200, None, model)
    if drop_first:
        own.resize(110, flow.fell(BID, 400_000, 90, 0, 0), model)
    for part in flow.traded(BID, 400_000, 90, 1, 1):
        assert own.trade(part, part.size_e6) == []
    if not drop_first:
        own.resize(110, flow.fell(BID, 400_000, 90, 2, 2), model)
    assert ours.ahead_e6 == 10


def test_a_trade_beyond_those_ahead_fills_us_and_no_more_than_it_took() -> None:
    own, first, second = level(100), order("a", 20), order("b", 30)
    own.join(first, 0)
    own.join(second, 0)
    done = own.trade(Part(135, 0), 135)
    assert [(execution.order.name, execution.size_e6, execution.liquidity) for execution in done] == [
        ("a", 20, "maker"),
        ("b", 15, "maker"),
    ]
    assert own.orders == [second]


def test_a_trade_that_happened_before_we_joined_does_not_move_us() -> None:
    own, ours = level(60), order()
    own.join(ours, 1)
    assert own.trade(Part(40, 0, drop(40, number=1)), 40) == []
    assert ours.ahead_e6 == 60


def test_a_drop_long_after_a_trade_is_a_cancel() -> None:
    flow = Flow()
    list(flow.traded(BID, 400_000, 40, 0, 0))
    assert flow.fell(BID, 400_000, 50, 1, NEAR_NS + 1).left_e6 == 50
    assert flow.fell(BID, 400_000, 30, 2, NEAR_NS).left_e6 == 0
    assert flow.fell(BID, 400_000, 50, TRADE_LAG_NS + 1, 0).left_e6 == 50


def test_a_trade_told_very_late_does_not_move_an_order_that_came_after_it() -> None:
    own, ours = level(60), order()
    own.join(ours, 0, since_ns=NEAR_NS + 6)
    assert own.trade(Part(70, 5), 70) == []
    assert own.trade(Part(70, 6), 70) != []


def test_a_trade_explains_the_drop_of_just_its_size_before_newer_ones() -> None:
    flow = Flow()
    first, second, third = (flow.fell(BID, 400_000, size, ns, ns) for ns, size in ((0, 30), (1, 40), (2, 50)))
    assert list(flow.traded(BID, 400_000, 40, 3, 3)) == [Part(40, 3, second)]
    assert list(flow.traded(BID, 400_000, 70, 4, 4)) == [Part(50, 4, third), Part(20, 4, first)]
    assert list(flow.traded(BID, 400_000, 25, 5, 5)) == [Part(10, 5, first), Part(15, 5)]


def test_drops_and_trades_of_other_prices_and_sides_explain_nothing() -> None:
    flow = Flow()
    flow.fell(BID, 410_000, 30, 0, 0)
    flow.fell(ASK, 400_000, 30, 0, 0)
    assert list(flow.traded(BID, 400_000, 30, 1, 1)) == [Part(30, 1)]
    assert flow.fell(ASK, 400_000, 10, 2, 2).left_e6 == 10


@pytest.mark.parametrize("later", [0, 1])
def test_a_drop_from_longer_ago_than_trades_are_told_late_explains_none_whatever_else_fell(later: int) -> None:
    flow = Flow()
    fell = flow.fell(BID, 400_000, 30, 0, 0)
    if later:
        flow.fell(ASK, 500_000, 1, TRADE_LAG_NS + 1, TRADE_LAG_NS + 1)
    assert list(flow.traded(BID, 400_000, 30, TRADE_LAG_NS + 1, 0)) == [Part(30, 0)]
    assert fell.left_e6 == 30


def test_what_the_feed_adds_is_new_and_what_it_repeats_is_not() -> None:
    own = level(100)
    own.taken_e6 = 80
    own.resize(90, drop(10), "pessimistic")
    assert own.available_e6 == 10
    own.resize(50, drop(40), "pessimistic")
    assert own.available_e6 == 0
    own.resize(70, None, "pessimistic")
    assert own.available_e6 == 20


def test_drops_that_are_only_noted_are_numbered_and_explained_like_those_that_are_looked_at() -> None:
    flow = Flow()
    flow.fell(BID, 400_000, 30, 0, 0)
    flow.note([(1, 1, BID, 400_000, 20), (1, 1, ASK, 500_000, 20)], 1)
    flow.fell(BID, 400_000, 10, 2, 2)
    flow.note([], 3)
    assert flow.number == 4
    parts = list(flow.traded(BID, 400_000, 55, 4, 4))
    assert [(part.size_e6, part.drop and part.drop.number) for part in parts] == [(10, 4), (20, 2), (25, 1)]
    flow.note([(TRADE_LAG_NS + 2, 0, BID, 400_000, 5)], TRADE_LAG_NS + 2)
    assert list(flow.traded(ASK, 500_000, 20, TRADE_LAG_NS + 2, 2)) == [Part(20, 2)]
