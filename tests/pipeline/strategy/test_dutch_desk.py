"""The Dutch Book desk: real opportunities are taken once, false ones refused with their reason, and every plan's end is told."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from decimal import Decimal

import msgspec
import pytest

from pipeline.base.settings import DutchBookSection, RiskSection, ThresholdsSection
from pipeline.base.units import ONE_E6
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, FeeSchedule, Level, Market, MarketUniverse, Outcome, State
from pipeline.messages.orders import ExecSnapshot, Fill, OrderUpdate, PlaceOrder, PlanEnded
from pipeline.messages.records import Opportunity
from pipeline.strategy.dutch_desk import DutchDesk
from pipeline.strategy.dutch_rules import DutchRules, annual_return_e6

MS = 1_000_000
T = 1_000_000 * MS
RULES = DutchRules.from_settings(DutchBookSection(), ThresholdsSection(), RiskSection())


def member(name: str, **values: object) -> Market:
    outcomes = (Outcome(f"{name}-yes", "Yes"), Outcome(f"{name}-no", "No"))
    market = Market(
        market_id=name,
        outcomes=outcomes,
        event_id="e",
        event_title="Who wins?",
        group_item_title=name,
        min_order_size="5",
        neg_risk=True,
        neg_risk_market_id="n",
        event_market_count=3,
        rules_hash="r1",
    )
    return msgspec.structs.replace(market, **values)


def universe(**values: object) -> MarketUniverse:
    return MarketUniverse(ts_ns=T, markets=tuple(member(name, **values) for name in "abc"))


def book(token: str, bid: int, ask: int, size: int = 50, state: State = "VERIFIED", at: int = T) -> BookSnapshot:
    """Prices in cents."""
    return BookSnapshot(
        ts_ns=at,
        token_id=token,
        market=token.partition("-")[0],
        tick_size_e6=10_000,
        bids=(Level(bid * 10_000, size * ONE_E6),),
        asks=(Level(ask * 10_000, size * ONE_E6),),
        seq=1,
        venue_ns=at,
        state=state,
        basis="hash",
    )


def pair(name: str, bid: int, ask: int, size: int = 50, state: State = "VERIFIED", at: int = T) -> list[BookSnapshot]:
    """The books of both outcomes of one market, which are one book."""
    return [book(f"{name}-yes", bid, ask, size, state, at), book(f"{name}-no", 100 - ask, 100 - bid, size, state, at)]


def snapshot(**values: object) -> ExecSnapshot:
    known: dict[str, object] = {"ts_ns": T, "accepts": True, "halted": False, "mode": "fake", "orders": (), "positions": ()}
    return ExecSnapshot(**{**known, **values})  # type: ignore[arg-type]


CHEAP_YES = [*pair("a", 29, 30), *pair("b", 29, 30), *pair("c", 29, 30)]
CHEAP_NO = [*pair("a", 40, 41), *pair("b", 40, 41), *pair("c", 40, 41)]


class Bench:
    """A desk, and an executor that fills ``parts`` of the orders, in millionths, one after the other (then whole)."""

    def __init__(self, rules: DutchRules = RULES, **values: object) -> None:
        self.desk = DutchDesk(rules, "s1", 2_000 * MS)
        self.said: list[Message] = []
        self.parts: list[int] = []
        self.now = T
        self.take(self.desk.on_snapshot(snapshot(), T))
        self.take(self.desk.on_universe(universe(**values), T))

    def take(self, messages: Iterable[Message]) -> None:
        for msg in list(messages):
            self.said.append(msg)
            if isinstance(msg, PlaceOrder):
                self.answer(msg)

    def answer(self, order: PlaceOrder) -> None:
        size = order.size_e6 * (self.parts.pop(0) if self.parts else ONE_E6) // ONE_E6
        if size:
            fill = Fill(
                ts_ns=self.now,
                trade_id=f"{order.client_order_id}-t",
                client_order_id=order.client_order_id,
                strategy="dutch_book",
                token_id=order.token_id,
                market=order.market,
                side=order.side,
                price_e6=order.price_e6,
                size_e6=size,
                notional_e6=order.price_e6 * size // ONE_E6,
                fee_e6=0,
                liquidity="taker",
                status="confirmed",
                mode="fake",
            )
            self.take(self.desk.on_fill(fill, self.now))
        told = OrderUpdate(
            ts_ns=self.now,
            client_order_id=order.client_order_id,
            strategy="dutch_book",
            token_id=order.token_id,
            market=order.market,
            side=order.side,
            price_e6=order.price_e6,
            size_e6=order.size_e6,
            filled_e6=size,
            status="matched" if size == order.size_e6 else "cancelled",
        )
        self.take(self.desk.on_update(told, self.now))

    def show(self, books: Iterable[BookSnapshot]) -> Bench:
        for each in books:
            self.take(self.desk.on_book(each, self.now))
        return self

    def wait(self, until_ns: int) -> Bench:
        while (due := self.desk.next_wake_ns()) is not None and due <= until_ns:
            self.now = max(self.now, due)
            self.take(self.desk.wake(self.now))
        self.now = until_ns
        return self

    def orders(self) -> list[PlaceOrder]:
        return [msg for msg in self.said if isinstance(msg, PlaceOrder)]

    def told(self) -> list[tuple[bool, str]]:
        return [(msg.taken, msg.reason) for msg in self.said if isinstance(msg, Opportunity)]

    def ends(self) -> list[tuple[str, int]]:
        return [(msg.outcome, msg.result_e6) for msg in self.said if isinstance(msg, PlanEnded)]


def test_a_yes_set_below_a_dollar_is_bought_leg_by_leg() -> None:
    bench = Bench().show(CHEAP_YES)
    assert [(order.token_id, order.side, order.price_e6, order.size_e6) for order in bench.orders()] == [
        (f"{name}-yes", "BUY", 300_000, 50 * ONE_E6) for name in "abc"
    ]
    assert all(order.order_type == "FAK" and not order.post_only for order in bench.orders())
    uncovered = "a 50/50 resolution, which pays half a dollar a share, is not covered"
    assert bench.told() == [(True, f"50 YES sets of 3 legs cost 45 and pay 50 or more if exactly one resolves Yes; {uncovered}")]
    assert bench.ends() == [("complete", 5 * ONE_E6)]


def test_no_shares_that_cost_less_than_they_pay_are_bought() -> None:
    bench = Bench(event_market_count=9).show(CHEAP_NO)
    assert [(order.token_id, order.price_e6) for order in bench.orders()] == [(f"{name}-no", 600_000) for name in "abc"]
    assert bench.ends() == [("complete", 10 * ONE_E6)]


def test_the_same_opportunity_is_never_taken_twice() -> None:
    bench = Bench().show(CHEAP_YES)
    bench.wait(T + 5_000 * MS).show(CHEAP_YES)
    assert len(bench.orders()) == 3
    bench.show(pair("a", 29, 30, size=40, at=bench.now))
    assert len(bench.orders()) == 6


def test_a_plan_that_the_executor_remembers_is_not_taken_after_a_restart() -> None:
    plan_id = Bench().show(CHEAP_YES).orders()[0].decision.plan_id
    later = Bench()
    later.take(later.desk.on_snapshot(snapshot(plan_ids=(plan_id,)), T))
    assert later.show(CHEAP_YES).orders() == []


@pytest.mark.parametrize(
    ("values", "books", "reason"),
    [
        ({"event_market_count": 4}, CHEAP_YES, "3 of 4 markets of the event are followed: another one may resolve Yes"),
        ({"event_market_count": 0}, CHEAP_YES, "not all markets of the event are followed: another one may resolve Yes"),
        ({"neg_risk_augmented": True}, CHEAP_YES, "the event is augmented: an outcome may be added that resolves Yes"),
        ({"group_item_title": "Other"}, CHEAP_YES, "outcome Other stands for others that may be named later"),
        ({"is_other": True}, CHEAP_YES, "outcome a stands for others that may be named later"),
        ({"neg_risk": False}, CHEAP_NO, "market a is not in a neg-risk event: several may resolve Yes"),
        ({"cumulative": True}, CHEAP_NO, "the outcomes of the event are cumulative: several may resolve Yes"),
        ({"group_item_title": "by March 31"}, CHEAP_NO, "outcome by March 31 reads as one of a cumulative set"),
        ({"accepting_orders": False}, CHEAP_NO, "market a takes no orders"),
        ({"min_order_size": "60"}, CHEAP_YES, "too small for the minimum size of a leg"),
        ({"fees": FeeSchedule(rate_e6=200_000)}, CHEAP_YES, "no share count earns more than it costs"),
        ({}, [*CHEAP_YES[:4], *pair("c", 29, 30, state="SUSPECT")], "book of c-yes is SUSPECT"),
    ],
)
def test_a_false_opportunity_is_refused_and_told_once(values: dict[str, object], books: list[BookSnapshot], reason: str) -> None:
    patient = dataclasses.replace(RULES, max_book_age_ns=120_000 * MS)
    bench = Bench(patient, **values).show(books).show(books)
    assert bench.orders() == []
    assert bench.told() == [(False, reason)]
    bench.wait(T + 61_000 * MS).show(msgspec.structs.replace(each, ts_ns=bench.now) for each in books)
    assert bench.told() == [(False, reason)] * 2


def test_changed_rules_are_another_bet() -> None:
    bench = Bench()
    bench.take(bench.desk.on_universe(universe(rules_hash="r2"), T))
    bench.show(CHEAP_NO)
    assert bench.told() == [(False, "the rules of market a have changed since it was first seen")]


def test_rules_that_changed_before_this_run_began_are_known_from_the_catalogue() -> None:
    bench = Bench(rules_hash="r2", first_rules_hash="r1").show(CHEAP_NO)
    assert bench.told() == [(False, "the rules of market a have changed since it was first seen")]
    assert Bench(rules_hash="r2", first_rules_hash="r2").show(CHEAP_NO).orders()


def test_nothing_is_started_while_the_venue_is_not_normal() -> None:
    bench = Bench()
    bench.take(bench.desk.on_snapshot(snapshot(venue_state="post_only"), T))
    assert bench.show(CHEAP_YES).told() == [(False, "the venue is post_only")]


def test_books_of_both_outcomes_that_differ_for_a_moment_are_waited_for() -> None:
    early = [*CHEAP_YES[:5]]
    bench = Bench().show([*pair("c", 29, 45), *early])
    assert bench.orders() == [] and bench.told() == []
    bench.show(CHEAP_YES[5:])
    assert len(bench.orders()) == 3


def test_books_of_both_outcomes_that_go_on_differing_are_told() -> None:
    bench = Bench().show([*pair("c", 29, 45), *CHEAP_YES[:5]]).wait(T + 60 * MS)
    assert bench.told() == [(False, "the books of both outcomes of c differ")]


def test_a_profit_below_the_minimum_and_its_margin_is_refused() -> None:
    thin = DutchRules.from_settings(
        DutchBookSection(leg_miss_rate=Decimal("0")),
        ThresholdsSection(min_profit_usdc=Decimal(6)),
        RiskSection(),
    )
    assert Bench(thin).show(CHEAP_YES).told() == [(False, "profit is below the minimum and its safety margin")]


def test_what_a_missed_leg_would_cost_is_priced_in() -> None:
    wide = [*pair("a", 1, 30), *pair("b", 1, 30), *pair("c", 1, 30)]
    rules = DutchRules.from_settings(DutchBookSection(leg_miss_rate=Decimal("0.2")), ThresholdsSection(), RiskSection())
    assert Bench(rules).show(wide).told() == [(False, "profit 5 less 8.7 for a missed leg is below 0.03")]
    assert Bench().show(wide).ends() == [("complete", 5 * ONE_E6)]


def test_money_bound_for_long_must_earn_its_return() -> None:
    rules = DutchRules.from_settings(DutchBookSection(min_annual_return=Decimal("0.2")), ThresholdsSection(), RiskSection())
    year = 31_557_600 * 1_000 * MS
    assert Bench(rules, end_ns=T + year).show(CHEAP_YES).told()[0][1].startswith("return a year 0.1")
    assert Bench(rules, end_ns=T + year // 4).show(CHEAP_YES).ends()
    assert annual_return_e6(5, 45, 0, T) is None
    assert annual_return_e6(5, 45, T + year, T) == 111_111


def test_sets_are_cut_to_what_may_be_spent_on_an_event_and_on_one_order() -> None:
    rules = DutchRules.from_settings(DutchBookSection(max_cost_usdc=Decimal(9)), ThresholdsSection(), RiskSection())
    assert Bench(rules).show(CHEAP_YES).orders()[0].size_e6 == 10 * ONE_E6
    rules = DutchRules.from_settings(DutchBookSection(), ThresholdsSection(), RiskSection(max_order_usdc=Decimal(6)))
    assert Bench(rules).show(CHEAP_YES).orders()[0].size_e6 == 20 * ONE_E6


def test_all_legs_fit_the_free_cash_before_the_first_is_ordered() -> None:
    bench = Bench()
    bench.take(bench.desk.on_snapshot(snapshot(free_cash_e6=9 * ONE_E6), T))
    assert bench.show(CHEAP_YES).orders()[0].size_e6 == 10 * ONE_E6
    poor = Bench()
    poor.take(poor.desk.on_snapshot(snapshot(free_cash_e6=4 * ONE_E6), T))
    poor.show(CHEAP_YES)
    assert not poor.orders()
    assert poor.told()[0][1] == "balance: the free cash does not pay for all legs of the smallest plan"


def test_a_leg_that_fails_is_unwound_at_the_deadline_and_the_end_is_told() -> None:
    bench = Bench()
    bench.parts = [ONE_E6, ONE_E6, 0]
    bench.show(CHEAP_YES)
    assert bench.ends() == []
    bench.show([*pair("c", 90, 95, at=bench.now)])
    bench.wait(T + 2_001 * MS)
    assert [order.side for order in bench.orders()] == ["BUY"] * 3 + ["SELL"] * 2
    assert bench.ends() == [("unwound", -ONE_E6)]
    (end,) = (msg for msg in bench.said if isinstance(msg, PlanEnded))
    assert end.decision.intents == 0
    assert json.loads(end.legs)[0] == {
        "token_id": "a-yes",
        "market": "a",
        "planned": "50",
        "held": "0",
        "spent": "15",
        "earned": "14.5",
    }


def test_our_own_quotes_are_asked_to_leave_before_a_plan_meets_them() -> None:
    quoted = {"a"}
    bench = Bench()
    bench.desk.has_quotes = quoted.__contains__
    bench.show(CHEAP_YES)
    assert bench.orders() == [] and bench.desk.claims == {"a", "b", "c"}
    quoted.clear()
    bench.take(bench.desk.poke(T + MS))
    assert bench.ends() == [("complete", 5 * ONE_E6)]
    assert bench.desk.claims == frozenset()


def test_quotes_that_stay_are_a_reason_to_refuse() -> None:
    bench = Bench()
    bench.desk.has_quotes = {"a"}.__contains__
    bench.show(CHEAP_YES).wait(T + 1_001 * MS)
    assert bench.told() == [(False, "our own quotes did not leave the markets of the set in time")]
    assert bench.desk.claims == frozenset()


def test_a_halt_ends_a_plan_as_it_stands() -> None:
    bench = Bench()
    bench.parts = [ONE_E6, 0]
    bench.show(CHEAP_YES)
    bench.take(bench.desk.on_halt(True, T))
    assert [(msg.outcome, msg.reason) for msg in bench.said if isinstance(msg, PlanEnded)] == [
        ("partial-held", "held: 50 of a-yes: trading was halted")
    ]
    assert bench.show(pair("a", 20, 21)).orders()[2:] == []


def test_the_outcomes_of_a_generic_market_make_a_set_of_their_own() -> None:
    outcomes = tuple(Outcome(f"mkt-1/{word}", word) for word in ("red", "green", "blue"))
    market = Market(market_id="mkt-1", outcomes=outcomes)
    bench = Bench()
    bench.take(bench.desk.on_universe(MarketUniverse(ts_ns=T, markets=(market,)), T))
    bench.show(msgspec.structs.replace(book(f"mkt-1/{word}", 29, 30), market="mkt-1") for word in ("red", "green", "blue"))
    assert bench.ends() == [("complete", 5 * ONE_E6)]


def test_both_outcomes_of_one_market_of_the_venue_are_one_book_and_no_set() -> None:
    bench = Bench()
    bench.take(bench.desk.on_universe(MarketUniverse(ts_ns=T, markets=(member("a"),)), T))
    bench.show([book("a-yes", 40, 45), book("a-no", 40, 45)])
    assert bench.said == []
