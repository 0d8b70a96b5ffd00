"""The live view's model: messages and statuses in, what the screen shows out."""

from __future__ import annotations

from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome, TradePrint
from pipeline.messages.orders import ExecSnapshot, Fill, OpenOrder, OrderUpdate, Position, TradingHalted, TradingResumed
from polybot.cli.live_model import PipelineModel
from processes.supervisor import RoleStatus

S = 1_000_000_000


def book(token: str = "t1", bid: int = 400_000, ask: int = 420_000, state: str = "VERIFIED", seq: int = 7) -> BookSnapshot:
    levels = (Level(bid, 5_000_000),), (Level(ask, 6_000_000),)
    return BookSnapshot(
        ts_ns=S, token_id=token, market="m", tick_size_e6=10_000, bids=levels[0], asks=levels[1], seq=seq, venue_ns=S,
        state=state, basis="hash",
    )  # fmt: skip


def update(order: str, status: str, side: str = "BUY", price: int = 390_000) -> OrderUpdate:
    return OrderUpdate(
        ts_ns=S, client_order_id=order, strategy="spread", token_id="t1", market="m", side=side, price_e6=price,
        size_e6=10_000_000, filled_e6=0, status=status,
    )  # fmt: skip


def fill(trade: str, side: str = "BUY", price: int = 390_000, size: int = 10_000_000, status: str = "matched") -> Fill:
    return Fill(
        ts_ns=S, trade_id=trade, client_order_id="o1", strategy="spread", token_id="t1", market="m", side=side, price_e6=price,
        size_e6=size, notional_e6=price * size // 1_000_000, fee_e6=0, liquidity="maker", status=status, mode="fake",
    )  # fmt: skip


def model_of(*messages) -> PipelineModel:
    model = PipelineModel()
    for message in messages:
        model.on_message(message)
    return model


def test_tokens_stand_in_the_order_of_the_catalogue_with_their_names():
    market = Market(
        market_id="m",
        outcomes=(Outcome("t1", "Yes"), Outcome("t2", "No")),
        question="Will it rain?",
    )
    model = model_of(
        book("t2"), book("t1"), TradePrint(ts_ns=S, token_id="t9", market="x", price_e6=1, size_e6=1, side="BUY", venue_ns=0)
    )
    model.on_message(MarketUniverse(ts_ns=S, markets=(market,)))
    assert [(row.name, row.trades) for row in model.tokens()] == [
        ("Will it rain? / Yes", 0),
        ("Will it rain? / No", 0),
        ("t9", 1),
    ]


def test_books_are_counted_and_those_that_are_proved():
    model = model_of(book("t1"), book("t2", state="QUIET"), book("t3", state="STALE"), book("t1", seq=8))
    assert (model.books, model.trusted) == (3, 2)


def test_our_best_quotes_stand_beside_the_book_until_they_end():
    model = model_of(
        book(), update("o1", "live"), update("o2", "live", price=380_000), update("o3", "live", "SELL", 430_000),
        update("o4", "live", "SELL", 440_000),
    )  # fmt: skip
    (row,) = model.tokens()
    assert (row.our_bid_e6, row.our_ask_e6, model.open_orders, model.placed) == (390_000, 430_000, 4, 4)
    for order in ("o1", "o3"):
        model.on_message(update(order, "cancelled"))
    assert (row.our_bid_e6, row.our_ask_e6, model.open_orders, model.placed) == (380_000, 440_000, 2, 4)


def test_an_order_that_was_refused_was_not_placed():
    assert model_of(update("o1", "rejected")).placed == 0


def test_profit_values_what_is_held_at_the_mid():
    model = model_of(book(bid=400_000, ask=420_000), fill("x1"))
    assert (model.fills, model.pnl_e6()) == (1, 200_000)


def test_a_fill_that_is_told_again_counts_once():
    assert model_of(book(), fill("x1"), fill("x1", status="confirmed")).fills == 1


def test_the_executors_snapshot_replaces_orders_and_positions():
    position = Position(strategy="spread", token_id="t1", market="m", inventory_e6=2_000_000, cost_e6=500_000, realised_e6=70_000)
    order = OpenOrder("o9", "spread", "t1", "m", "SELL", 450_000, 1_000_000, 0, "live", S)
    model = model_of(
        book(), update("o1", "live"), fill("x1"),
        ExecSnapshot(ts_ns=S, accepts=True, halted=False, mode="fake", orders=(order,), positions=(position,)),
    )  # fmt: skip
    assert (model.open_orders, model.accepts, model.pnl_e6()) == (1, True, 820_000 - 500_000 + 70_000)


def test_a_halt_is_shown_until_trading_resumes():
    model = model_of(TradingHalted(ts_ns=S, reason="too much risk"))
    assert model.halted == "too much risk"
    model.on_message(TradingResumed(ts_ns=S))
    assert model.halted is None


def status(handled: int) -> RoleStatus:
    return RoleStatus("writer", "running", 1, 2, 0, {"handled": handled}, {"handled": handled, "rows": 5})


def test_rates_are_of_the_last_seconds():
    model = PipelineModel()
    assert model.rate("writer") == 0
    for second, handled in enumerate((0, 100, 200, 1_200, 2_200, 3_200)):
        model.on_statuses([status(handled)], second * S)
    assert model.rate("writer") == 1_000
    assert (model.total("writer", "rows"), model.total("gateway", "frames")) == (5, 0)
