"""The price grid of a market changes while quotes rest in it: they move onto the new one, and none is refused for its price."""

from __future__ import annotations

import pytest

from pipeline.base.clock import EventClock
from pipeline.base.settings import RiskSection
from pipeline.base.units import ONE_E6
from pipeline.bus.compose import Lockstep
from pipeline.market.catalogue import TICK_SIZES, tick_size_e6
from pipeline.messages.control import Committed
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.limits import Limits
from pipeline.trading.policy import allowed_states
from pipeline.venue.paper_latency import ConstantLatency
from pipeline.venue.paper_relayer import PaperRelayer
from processes.executor import Executor
from processes.strategy import StrategyEngine

MS = 1_000_000
T = 1_780_000_000_000 * MS
MARKET = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5", tick_size="0.01")
QUOTER = SpreadCapture(
    edge_e6=33_300, size_e6=20 * ONE_E6, max_inventory_e6=200 * ONE_E6, max_exposure_e6=500 * ONE_E6, lean_e6=10_000
)


def book(tick_e6: int, seq: int, ts_ns: int) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=ts_ns,
        token_id="yes",
        market="m",
        tick_size_e6=tick_e6,
        bids=(Level(300_000, 100 * ONE_E6),),
        asks=(Level(700_000, 100 * ONE_E6),),
        seq=seq,
        venue_ns=ts_ns,
        state="VERIFIED",
        basis="hash",
        full_depth=True,
    )


@pytest.mark.parametrize("before", TICK_SIZES)
@pytest.mark.parametrize("after", TICK_SIZES)
def test_quotes_move_onto_the_grid_as_it_is(before: str, after: str) -> None:
    relayer = PaperRelayer("pessimistic", ConstantLatency(100 * MS), allowed_states("paper"))
    executor = Executor(relayer, Limits.from_settings(RiskSection()), "paper")
    run = Lockstep([executor, StrategyEngine([QUOTER], "s1", 2_000 * MS)], EventClock(T))
    run.start()
    run.inject("scheduler", MarketUniverse(ts_ns=T, markets=(MARKET,)))
    run.inject("writer", Committed(ts_ns=T, producer="executor", seq=0))
    for seq, tick in enumerate((before, after)):
        now_ns = T + 2_000 * MS * seq
        run.inject("book_builder", book(tick_size_e6(tick), seq, now_ns))
        run.run(to_ns=now_ns + 1_900 * MS)
        prices = {order.token_id: order.price_e6 for order in executor.ledger.open.values()}
        assert set(prices) == {"yes", "no"}
        assert all(price % tick_size_e6(tick) == 0 for price in prices.values()), (tick, prices)
    assert executor.counts()["refused"] == 0
    assert executor.counts()["errors"] == 0
