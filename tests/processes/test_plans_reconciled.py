"""A plan under way survives the loss of whoever carries it out, or of his words: it ends once, and as what is held says."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pipeline.base.clock import EventClock
from pipeline.base.settings import DutchBookSection, RiskSection, ThresholdsSection
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, Gap, PeerStarted, Stage
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome
from pipeline.messages.orders import Fill, OrderUpdate, PlaceOrder, PlanEnded
from pipeline.messages.records import AuditRecord, FillRecord, OrderRecord
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.trading.limits import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from processes.executor import Executor
from processes.strategy import StrategyEngine

MS = 1_000_000
T = 1_780_000_000_000 * MS
ONE = 1_000_000
RULES = DutchRules.from_settings(DutchBookSection(), ThresholdsSection(), RiskSection())
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
UNIVERSE = MarketUniverse(ts_ns=T, markets=MARKETS)


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


class Held(FakeRelayer):
    """Fills everything, but holds the answers from the ``after``-th order on back until they are let go."""

    def __init__(self, after: int) -> None:
        super().__init__("1")
        self.left, self.held = after, [object()][:0]

    def submit(self, order: PlaceOrder, now_ns: int) -> Iterable[RelayerEvent]:
        events = list(super().submit(order, now_ns))
        if self.left:
            self.left -= 1
            return events
        self.held += events
        return ()

    def restore(self, orders: object, now_ns: int) -> Iterable[RelayerEvent]:
        return ()

    def let_go(self) -> list[RelayerEvent]:
        held, self.held, self.left = self.held, [], 99
        return [event for event in held if isinstance(event, RelayerEvent)]


class Seat(Stage):
    """A place in which a stage can be replaced, and in which it can be deaf to the executor."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.deaf = stage, False
        self.role = stage.role  # type: ignore[misc]

    def start(self, now_ns: int) -> Iterable[Message]:
        return self.stage.start(now_ns)

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        return () if self.deaf and isinstance(msg, (Fill, OrderUpdate)) else self.stage.handle(msg, now_ns)

    def next_timer_ns(self) -> int | None:
        return self.stage.next_timer_ns()

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        return self.stage.on_timer(now_ns)


class Bench:
    """The Dutch Book desk and the executor, each in a seat; the second leg's answer is held back."""

    def __init__(self, after: int = 1) -> None:
        self.said: list[Message] = []
        self.relayer = Held(after)
        self.relayer.forgets = False
        self.executor = Seat(self.new_executor())
        self.strategy = Seat(self.new_engine("s1"))
        self.run = Lockstep([self.executor, self.strategy], EventClock(T), tap=self.hear)
        self.run.start()
        self.run.inject("scheduler", UNIVERSE)
        self.run.inject("writer", Committed(ts_ns=T, producer="executor", seq=0))
        self.run.run_until_idle()
        self.seq = 0
        self.books: dict[str, BookSnapshot] = {}
        self.show(30, 32)
        assert len(self.orders()) == after + 1 and not self.ends()

    def new_executor(self) -> Executor:
        return Executor(self.relayer, Limits.from_settings(RiskSection()), "fake")

    def new_engine(self, session: str) -> StrategyEngine:
        return StrategyEngine([], session, 2_000 * MS, dutch_book=RULES)

    def hear(self, arrival: Arrival) -> None:
        self.said.append(arrival.message)

    @property
    def now(self) -> int:
        return self.run.clock.now_ns()

    def show(self, bid: int, ask: int, markets: str = "abc") -> None:
        self.seq += 1
        for market in markets:
            for book in pair(market, bid, ask, self.now + MS, self.seq):
                self.books[book.token_id] = book
                self.run.inject("book_builder", book)
                self.run.run_until_idle()

    def answer(self) -> None:
        for event in self.relayer.let_go():
            self.run.hear("executor", event)
        self.run.run_until_idle()

    def tell(self) -> None:
        """The snapshot that the executor's bus gives a new subscriber."""
        stage = self.executor.stage
        assert isinstance(stage, Executor)
        self.run.inject("executor", stage.snapshot(self.now))
        self.run.run_until_idle()

    def replace_strategy(self) -> None:
        """Killed, and started again: it knows nothing; its subscriptions bring what stands."""
        self.strategy.stage = self.new_engine("s2")
        self.run.inject("scheduler", UNIVERSE)
        self.tell()
        for book in self.books.values():
            self.run.inject("book_builder", book)
        self.run.run_until_idle()

    def replace_executor(self) -> None:
        """Killed, and started again on its journal."""
        kept = (OrderRecord, FillRecord, AuditRecord)
        fresh = self.new_executor()
        fresh.recover([msg for msg in self.said if isinstance(msg, kept)])
        engine = self.strategy.stage
        list(engine.peer_started(PeerStarted("exec", "executor", "2"), self.now))
        self.executor.stage = fresh
        for msg in fresh.start(self.now):
            self.run.inject("executor", msg)
        self.run.inject("scheduler", UNIVERSE)
        self.run.inject("writer", Committed(ts_ns=self.now, producer="executor", seq=0))
        self.run.run_until_idle()

    def lose_words(self) -> None:
        list(self.strategy.stage.missed(Gap("exec", "exec.dutch_book", "executor", 3, 5), self.now))

    def wait(self, ms: int) -> None:
        self.run.run(to_ns=self.now + ms * MS)

    def orders(self) -> list[tuple[str, str]]:
        return [(msg.token_id, msg.side) for msg in self.said if isinstance(msg, PlaceOrder)]

    def ends(self) -> list[tuple[str, int]]:
        return [(msg.outcome, msg.result_e6) for msg in self.said if isinstance(msg, PlanEnded)]

    def audits(self) -> list[str]:
        return [msg.outcome for msg in self.said if isinstance(msg, AuditRecord)]


LEGS = [(f"{name}-yes", "BUY") for name in "abc"]


def test_a_strategy_that_died_mid_plan_completes_it_when_it_is_back() -> None:
    bench = Bench()
    bench.replace_strategy()
    assert not bench.ends()
    bench.answer()
    assert bench.orders() == LEGS
    bench.wait(3_000)
    assert bench.ends() == [("complete", 2 * ONE)] and bench.audits() == ["complete"]


def test_an_answer_that_came_while_the_strategy_was_dead_is_in_the_snapshot() -> None:
    bench = Bench()
    bench.strategy.deaf = True
    bench.answer()
    bench.strategy.deaf = False
    bench.replace_strategy()
    bench.wait(3_000)
    assert bench.orders() == LEGS
    assert bench.ends() == [("complete", 2 * ONE)] and bench.audits() == ["complete"]


def test_a_strategy_that_comes_back_to_dearer_books_unwinds() -> None:
    bench = Bench()
    bench.strategy.deaf = True
    bench.answer()
    bench.strategy.deaf = False
    bench.show(35, 42, "c")
    bench.replace_strategy()
    bench.wait(9_000)
    assert bench.orders() == [*LEGS[:2], ("a-yes", "SELL"), ("b-yes", "SELL")]
    assert bench.ends() == [("unwound", -2 * ONE)] and bench.audits() == ["unwound"]


def test_a_plan_of_which_nothing_is_known_any_more_is_ended_as_held() -> None:
    bench = Bench()
    bench.replace_executor()
    bench.strategy.stage = bench.new_engine("s2")
    bench.run.inject("scheduler", UNIVERSE)
    bench.tell()
    bench.wait(3_000)
    (end,) = (msg for msg in bench.said if isinstance(msg, PlanEnded))
    assert (end.outcome, end.result_e6) == ("partial-held", -16 * ONE)
    assert end.reason.startswith("held: 50 of a-yes: whoever carried it out is gone")
    assert bench.audits() == ["partial-held"]
    bench.tell()
    assert len(bench.ends()) == 1


@pytest.mark.parametrize("books_move", [False, True])
def test_words_of_the_executor_that_were_lost_mid_plan_are_made_good_by_its_snapshot(books_move: bool) -> None:
    bench = Bench()
    bench.strategy.deaf = True
    bench.answer()
    bench.lose_words()
    bench.strategy.deaf = False
    if books_move:
        bench.show(35, 42, "c")
    bench.wait(500)
    assert len(bench.orders()) == 2
    bench.tell()
    bench.wait(9_000)
    assert bench.orders()[:3] == LEGS
    assert bench.ends() == [("complete", 2 * ONE)] and bench.audits() == ["complete"]


def test_an_order_whose_answer_is_still_to_come_is_waited_for_after_a_gap() -> None:
    bench = Bench()
    bench.lose_words()
    bench.tell()
    assert len(bench.orders()) == 2
    bench.answer()
    assert bench.orders() == LEGS and bench.ends() == [("complete", 2 * ONE)]


def test_an_executor_that_died_mid_plan_tells_from_its_journal_where_it_stands() -> None:
    bench = Bench()
    bench.replace_executor()
    bench.show(30, 32)
    bench.wait(500)
    bench.answer()
    bench.wait(9_000)
    assert len(bench.ends()) == len(bench.audits()) == 1
    assert bench.ends()[0][0] in ("complete", "unwound")


def test_a_plan_that_the_executor_has_told_the_end_of_is_not_ended_twice() -> None:
    bench = Bench()
    for msg in bench.executor.stage.stop(bench.now):
        bench.hear(Arrival("exec", "executor", "1", 0, msg))
    told = bench.audits()
    bench.replace_executor()
    bench.wait(9_000)
    assert len(told) == 1 and bench.ends() == [] and bench.audits() == told


def test_a_halt_that_was_said_while_words_were_lost_ends_the_plan() -> None:
    bench = Bench()
    bench.lose_words()
    stage = bench.executor.stage
    assert isinstance(stage, Executor)
    list(stage.desk.stand_still("operator", False, bench.now))
    bench.tell()
    assert [outcome for outcome, _ in bench.ends()] == ["partial-held"]
