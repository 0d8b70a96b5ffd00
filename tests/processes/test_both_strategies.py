"""Both strategies in one engine, with the executor: a Dutch Book does not meet our own quotes, and its audit tells its end."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from pipeline.base.clock import EventClock
from pipeline.base.settings import DutchBookSection, RiskSection, ThresholdsSection
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival
from pipeline.messages.control import Committed
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome
from pipeline.messages.orders import Fill, OrderUpdate, PlaceOrder, PlanEnded
from pipeline.messages.records import AuditRecord, FillRecord
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.limits import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from processes.executor import Executor
from processes.strategy import StrategyEngine

MS = 1_000_000
T = 1_780_000_000_000 * MS
ONE = 1_000_000
MARKETS = tuple(
    Market(
        market_id=name,
        outcomes=(Outcome(f"{name}-yes", "Yes"), Outcome(f"{name}-no", "No")),
        event_id="e",
        group_item_title=name,
        min_order_size="5",
        neg_risk=True,
        neg_risk_market_id="n",
        event_market_count=3,
    )
    for name in "abc"
)
QUOTER = SpreadCapture(
    edge_e6=10_000,
    size_e6=20 * ONE,
    max_inventory_e6=200 * ONE,
    max_exposure_e6=500 * ONE,
    lean_e6=10_000,
    merge_from_e6=5 * ONE,
)
RULES = DutchRules.from_settings(DutchBookSection(), ThresholdsSection(), RiskSection())


def pair(market: str, bid: int, ask: int, at: int, seq: int) -> Iterable[BookSnapshot]:
    for token, low, high in ((f"{market}-yes", bid, ask), (f"{market}-no", 100 - ask, 100 - bid)):
        yield BookSnapshot(
            ts_ns=at,
            token_id=token,
            market=market,
            tick_size_e6=10_000,
            bids=(Level(low * 10_000, 50 * ONE),),
            asks=(Level(high * 10_000, 50 * ONE),),
            seq=seq,
            venue_ns=at,
            state="VERIFIED",
            basis="hash",
        )


class Takers(FakeRelayer):
    """Fills what takes, and lets everything else rest."""

    def __init__(self) -> None:
        super().__init__("0")
        self._whole_fills = FakeRelayer("1")

    def submit(self, order: PlaceOrder, now_ns: int) -> Iterable[RelayerEvent]:
        return super().submit(order, now_ns) if order.post_only else self._whole_fills.submit(order, now_ns)


class Bench:
    """The engine and the executor in lockstep, and all that was said."""

    def __init__(self, relayer: FakeRelayer) -> None:
        self.said: list[Arrival] = []
        self.executor = Executor(relayer, Limits.from_settings(RiskSection()), "fake")
        self.engine = StrategyEngine([QUOTER], "s1", 2_000 * MS, dutch_book=RULES)
        self.run = Lockstep([self.executor, self.engine], EventClock(T), tap=self.said.append)
        self.run.start()
        self.run.inject("scheduler", MarketUniverse(ts_ns=T, markets=MARKETS))
        self.run.inject("writer", Committed(ts_ns=T, producer="executor", seq=0))
        self.run.run_until_idle()

    def show(self, bid: int, ask: int, at: int, seq: int) -> None:
        for market in "abc":
            for book in pair(market, bid, ask, at, seq):
                self.run.inject("book_builder", book)
                self.run.run_until_idle()

    def of(self, kind: type[msgspec.Struct]) -> list[object]:
        return [arrival.message for arrival in self.said if isinstance(arrival.message, kind)]


def test_a_dutch_book_is_taken_after_our_own_quotes_have_left_and_they_come_back() -> None:
    bench = Bench(Takers())
    bench.show(31, 36, T + MS, 1)
    assert len(bench.executor.ledger.open) == 6
    bench.show(30, 32, T + 1_000 * MS, 2)
    bench.run.run(to_ns=T + 3_000 * MS)
    orders = [msg for msg in bench.of(PlaceOrder) if isinstance(msg, PlaceOrder) and msg.decision.strategy == "dutch_book"]
    assert [(order.token_id, order.side, order.price_e6) for order in orders] == [
        (f"{name}-yes", "BUY", 320_000) for name in "abc"
    ]
    rejected = [msg.reason for msg in bench.of(OrderUpdate) if isinstance(msg, OrderUpdate) and msg.status == "rejected"]
    assert not rejected
    assert [msg.outcome for msg in bench.of(PlanEnded) if isinstance(msg, PlanEnded)] == ["complete"]
    assert bench.engine.desks["spread_capture"].account.has_orders("a")


def test_the_audit_of_a_plan_of_several_legs_tells_its_end() -> None:
    bench = Bench(FakeRelayer("1"))
    bench.show(30, 32, T + MS, 1)
    bench.run.run(to_ns=T + 2_000 * MS)
    audits = [msg for msg in bench.of(AuditRecord) if isinstance(msg, AuditRecord) and msg.strategy == "dutch_book"]
    assert [audit.outcome for audit in audits] == ["complete"]
    acks = json.loads(audits[0].acks)
    assert [ack["action"] for ack in acks] == ["place", "place", "place", "end"]
    assert (acks[-1]["status"], acks[-1]["result"]) == ("complete", "2")
    assert [leg["held"] for leg in acks[-1]["legs"]] == ["50", "50", "50"]
    assert json.loads(audits[0].seen)["form"] == "YES"


def test_matched_pairs_of_the_quoter_become_dollars() -> None:
    bench = Bench(FakeRelayer("1"))
    bench.show(31, 37, T + MS, 1)
    merged = [msg for msg in bench.of(FillRecord) if isinstance(msg, FillRecord) and msg.liquidity == "merge"]
    assert len(merged) >= 2 and sum(record.notional_e6 for record in merged) == sum(record.size_e6 for record in merged) // 2
    told = [msg for msg in bench.of(Fill) if isinstance(msg, Fill) and msg.liquidity == "merge"]
    assert len(told) == len(merged)
    account = bench.engine.desks["spread_capture"].account
    assert account.portfolio.shown() == bench.executor.ledger.portfolio.shown()
    assert all(position.inventory_e6 == 0 for position in account.portfolio.shown())


def test_no_sets_are_converted_so_that_their_money_is_free_again() -> None:
    bench = Bench(Takers())
    bench.show(31, 36, T + MS, 1)
    bench.show(40, 41, T + 1_000 * MS, 2)
    bench.run.run(to_ns=T + 3_000 * MS)
    bought = [msg for msg in bench.of(FillRecord) if isinstance(msg, FillRecord) and msg.liquidity == "taker"]
    assert [(record.token_id, record.size_e6) for record in bought] == [(f"{name}-no", 50 * ONE) for name in "abc"]
    converted = [msg for msg in bench.of(FillRecord) if isinstance(msg, FillRecord) and msg.liquidity == "convert"]
    assert [(record.token_id, record.side) for record in converted] == [(f"{name}-no", "SELL") for name in "abc"]
    assert sum(record.notional_e6 for record in converted) == 100 * ONE
    account = bench.engine.desks["dutch_book"].account
    assert all(position.inventory_e6 == position.cost_e6 == 0 for position in account.portfolio.shown())
    held = [each.shown() for each in bench.executor.ledger.portfolio if each.strategy == "dutch_book"]
    assert account.portfolio.shown() == tuple(held)
    audits = [msg for msg in bench.of(AuditRecord) if isinstance(msg, AuditRecord) and msg.strategy == "dutch_book"]
    assert [(audit.outcome, json.loads(audit.intents)[-1]["action"]) for audit in audits][-1] == ("complete", "convert")
