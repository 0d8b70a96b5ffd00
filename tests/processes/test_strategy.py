"""The strategy engine: nothing before the executor accepts, ids that never repeat, quotes pulled when a book is doubtful."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.clock import EventClock
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, Gap, PeerStarted
from pipeline.messages import Message
from pipeline.messages.control import Committed, JobDue
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome, State
from pipeline.messages.orders import (
    CancelAll,
    CancelOrder,
    ExecSnapshot,
    Fill,
    OpenOrder,
    OrderUpdate,
    PlaceOrder,
    Position,
    TradingHalted,
    TradingResumed,
)
from pipeline.messages.records import Opportunity, PortfolioRow
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.risk import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from processes.executor import Executor
from processes.strategy import StrategyEngine

MS = 1_000_000
T = 1_000_000 * MS
ONE = 1_000_000
NAME = "spread_capture"
MARKET = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")
UNIVERSE = MarketUniverse(ts_ns=T, markets=(MARKET,))


def quoter() -> SpreadCapture:
    return SpreadCapture(edge_e6=10_000, size_e6=20 * ONE, max_inventory_e6=200 * ONE, max_exposure_e6=500 * ONE, lean_e6=10_000)


def book(at: int = T, bid: int = 400_000, ask: int = 470_000, state: State = "VERIFIED", seq: int = 1) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=at,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=(Level(bid, 100 * ONE),),
        asks=(Level(ask, 100 * ONE),),
        seq=seq,
        venue_ns=at,
        state=state,
        basis="hash",
    )


def snapshot(**values: object) -> ExecSnapshot:
    known: dict[str, object] = {"ts_ns": T, "accepts": True, "halted": False, "mode": "fake", "orders": (), "positions": ()}
    return ExecSnapshot(**{**known, **values})  # type: ignore[arg-type]


def update(order: PlaceOrder, status: str = "live", filled_e6: int = 0) -> OrderUpdate:
    return OrderUpdate(
        ts_ns=order.ts_ns,
        client_order_id=order.client_order_id,
        strategy=NAME,
        token_id=order.token_id,
        market=order.market,
        side=order.side,
        price_e6=order.price_e6,
        size_e6=order.size_e6,
        filled_e6=filled_e6,
        status=status,  # type: ignore[arg-type]
    )


def commands(messages: Iterable[Message]) -> list[Message]:
    return [msg for msg in messages if isinstance(msg, (PlaceOrder, CancelOrder, CancelAll))]


def places(messages: Iterable[Message]) -> list[PlaceOrder]:
    return [msg for msg in messages if isinstance(msg, PlaceOrder)]


def engine(*told: Message) -> StrategyEngine:
    made = StrategyEngine([quoter()], "s1", 2_000 * MS)
    for msg in told:
        list(made.handle(msg, T))
    return made


def quoting() -> tuple[StrategyEngine, list[PlaceOrder]]:
    """An engine with a bid and an ask acknowledged."""
    made = engine(UNIVERSE, snapshot())
    orders = places(made.handle(book(), T))
    for order in orders:
        assert not commands(made.handle(update(order), T))
    return made, orders


def test_nothing_is_sent_before_an_executor_says_that_it_accepts() -> None:
    made = engine(UNIVERSE)
    assert not commands(made.handle(book(), T))
    assert not commands(made.handle(snapshot(accepts=False), T))
    orders = places(made.handle(snapshot(), T))
    assert [(order.token_id, order.side, order.price_e6) for order in orders] == [("yes", "BUY", 410_000), ("no", "BUY", 540_000)]
    assert all(order.expires_ns == T + 2_000 * MS and order.post_only for order in orders)


def test_a_decision_says_what_was_seen_and_names_its_plan() -> None:
    first, second = places(engine(UNIVERSE, snapshot()).handle(book(), T))
    assert first.decision == second.decision
    assert first.decision.intents == 2
    seen = msgspec.json.decode(first.decision.seen)
    assert seen["books"] == [
        {"token_id": "yes", "bid": ["0.4", "100"], "ask": ["0.47", "100"], "state": "VERIFIED", "seq": 1, "hash": ""}
    ]
    (again, _) = places(engine(UNIVERSE, snapshot()).handle(book(), T))
    assert again.decision.plan_id == first.decision.plan_id
    (other, _) = places(engine(UNIVERSE, snapshot()).handle(book(seq=2), T))
    assert other.decision.plan_id != first.decision.plan_id


def test_a_book_that_comes_whole_is_looked_at_as_deep_as_the_later_ones() -> None:
    made = StrategyEngine([quoter()], "s1", 2_000 * MS, depth=1)
    deep = msgspec.structs.replace(book(), bids=(Level(400_000, 100 * ONE), Level(390_000, ONE)), full_depth=True)
    for msg in (UNIVERSE, snapshot(), deep):
        list(made.handle(msg, T))
    seen = made.quoters[NAME].view("yes", T)
    assert seen is not None
    assert seen.book.bids == (Level(400_000, 100 * ONE),)


def test_order_ids_go_on_where_the_executor_says() -> None:
    made = engine(UNIVERSE, snapshot(next_counters={NAME: 18}))
    assert [order.client_order_id for order in places(made.handle(book(), T))] == ["s1-spread_capture-18", "s1-spread_capture-19"]


def test_orders_of_an_earlier_life_are_taken_over() -> None:
    resting = OpenOrder("s1-spread_capture-1", NAME, "yes", "m", "BUY", 410_000, 20 * ONE, 0, "live", T)
    stray = OpenOrder("s1-spread_capture-2", NAME, "yes", "m", "BUY", 380_000, 20 * ONE, 0, "live", T)
    made = engine(UNIVERSE, snapshot(orders=(resting, stray), next_counters={NAME: 3}))
    sent = commands(made.handle(book(), T))
    assert [msg.client_order_id for msg in sent if isinstance(msg, CancelOrder)] == ["s1-spread_capture-2"]
    assert [(order.token_id, order.side) for order in places(sent)] == [("no", "BUY")]


def test_the_same_book_again_asks_for_nothing() -> None:
    made, _ = quoting()
    assert not commands(made.handle(book(T + 10_000 * MS, seq=2), T + 10_000 * MS))


def test_requotes_wait_for_the_interval_and_then_happen_by_themselves() -> None:
    made, _ = quoting()
    moved = book(T + 100 * MS, 420_000, 490_000, seq=2)
    assert not commands(made.handle(moved, T + 100 * MS))
    assert made.next_timer_ns() == T + 500 * MS
    sent = commands(made.on_timer(T + 500 * MS))
    assert [type(msg).__name__ for msg in sent] == ["CancelOrder", "CancelOrder", "PlaceOrder", "PlaceOrder"]


def test_a_doubtful_book_pulls_at_once() -> None:
    made, orders = quoting()
    said = list(made.handle(book(T + MS, state="SUSPECT", seq=2), T + MS))
    assert [msg.client_order_id for msg in said if isinstance(msg, CancelOrder)] == [order.client_order_id for order in orders]
    assert [(msg.taken, msg.reason) for msg in said if isinstance(msg, Opportunity)] == [(False, "book of yes is SUSPECT")]
    assert not commands(made.handle(book(T + 2 * MS, state="SUSPECT", seq=3), T + 2 * MS))


def test_a_book_that_nothing_is_heard_of_is_pulled_by_the_clock() -> None:
    made, orders = quoting()
    due = T + 60_000 * MS + 1
    while (at := made.next_timer_ns()) is not None and at < due:
        assert not commands(made.on_timer(at))
    assert made.next_timer_ns() == due
    assert len(commands(made.on_timer(due))) == len(orders)


def test_a_halt_stops_commands_and_resuming_starts_them_again() -> None:
    made, _ = quoting()
    list(made.handle(TradingHalted(ts_ns=T, reason="x"), T))
    later = T + 1_000 * MS
    assert not commands(made.handle(book(later, 420_000, 490_000, seq=2), later))
    assert len(commands(made.handle(TradingResumed(ts_ns=T), later))) == 4


def test_a_venue_that_takes_no_orders_is_left_alone_and_its_quotes_pulled_where_cancels_work() -> None:
    held = [
        OpenOrder(f"s1-{NAME}-{n}", NAME, token, "m", "BUY", price, 20 * ONE, 0, "live", T)
        for n, token, price in ((1, "yes", 410_000), (2, "no", 540_000))
    ]
    for state, cancelled in (("restarting", 0), ("disabled", 0), ("cancel_only", 2), ("post_only", 0)):
        made, _ = quoting()
        told = snapshot(orders=tuple(held), next_counters={NAME: 3}, venue_state=state)
        sent = commands(made.handle(told, T + 600 * MS))
        assert len([msg for msg in sent if isinstance(msg, CancelOrder)]) == cancelled, state
        moved = commands(made.handle(book(T + 700 * MS, 420_000, 490_000, seq=2), T + 700 * MS))
        assert bool(places(moved)) == (state == "post_only"), state
        back = snapshot(orders=(), next_counters={NAME: 3})
        assert len(places(made.handle(back, T + 9_000 * MS))) == 2, state


def test_a_new_executor_is_told_nothing_before_its_own_snapshot() -> None:
    made, _ = quoting()
    list(made.peer_started(PeerStarted("exec", "executor", "run2"), T))
    later = T + 1_000 * MS
    assert not commands(made.handle(book(later, 420_000, 490_000, seq=2), later))
    orders = places(made.handle(snapshot(next_counters={NAME: 3}), later))
    assert [order.client_order_id for order in orders] == ["s1-spread_capture-3", "s1-spread_capture-4"]


def test_lost_words_of_the_executor_are_waited_for_and_lost_books_are_not() -> None:
    made, _ = quoting()
    later = T + 1_000 * MS
    list(made.missed(Gap("book", "book.yes", "book_builder", 2, 5), T))
    assert commands(made.handle(book(later, 420_000, 490_000, seq=2), later))
    list(made.missed(Gap("exec", "exec.spread_capture", "executor", 2, 5), T))
    assert not commands(made.handle(book(later + 1_000 * MS, 440_000, 500_000, seq=3), later + 1_000 * MS))


def test_a_command_without_an_answer_is_forgotten_and_sent_anew_under_a_new_id() -> None:
    made = engine(UNIVERSE, snapshot())
    first = places(made.handle(book(), T))
    again: list[PlaceOrder] = []
    while not again:
        at = made.next_timer_ns()
        assert at is not None and at <= T + 4_000 * MS
        again = places(made.on_timer(at))
    assert {order.client_order_id for order in again}.isdisjoint(order.client_order_id for order in first)


def test_a_snapshot_does_not_forget_the_command_that_is_still_on_its_way() -> None:
    made = engine(UNIVERSE, snapshot())
    assert len(places(made.handle(book(), T))) == 2
    assert not commands(made.handle(snapshot(), T + MS))


def test_after_a_rejection_the_market_is_left_alone_for_a_while() -> None:
    made = engine(UNIVERSE, snapshot())
    first, second = places(made.handle(book(), T))
    list(made.handle(update(second), T))
    assert not commands(made.handle(update(first, "rejected"), T))
    assert not commands(made.handle(book(T + 1_900 * MS, seq=2), T + 1_900 * MS))
    assert len(places(made.handle(book(T + 2_000 * MS, seq=3), T + 2_000 * MS))) == 1


def test_a_fill_moves_the_position_and_is_told_with_its_mark() -> None:
    made, (bid, _) = quoting()
    fill = Fill(
        ts_ns=T,
        trade_id="t",
        client_order_id=bid.client_order_id,
        strategy=NAME,
        token_id="yes",
        market="m",
        side="BUY",
        price_e6=410_000,
        size_e6=10 * ONE,
        notional_e6=4_100_000,
        fee_e6=0,
        liquidity="maker",
        status="confirmed",
        mode="fake",
    )
    (row,) = made.handle(fill, T)
    assert isinstance(row, PortfolioRow)
    assert (row.inventory_e6, row.cost_e6, row.unrealised_e6) == (10 * ONE, 4_100_000, 250_000)
    assert not list(made.handle(fill, T))
    (again,) = made.handle(JobDue(ts_ns=T, job="snapshot"), T)
    assert again == row


def test_positions_come_with_the_snapshot() -> None:
    held = Position(strategy=NAME, token_id="yes", market="m", inventory_e6=200 * ONE, cost_e6=80 * ONE)
    other = Position(strategy="other", token_id="yes", market="m", inventory_e6=ONE, cost_e6=ONE)
    made = engine(UNIVERSE, snapshot(positions=(held, other)))
    assert [(order.token_id, order.side) for order in places(made.handle(book(), T))] == [("yes", "SELL")]


def test_a_market_that_leaves_the_universe_is_pulled() -> None:
    made, orders = quoting()
    sent = commands(made.handle(MarketUniverse(ts_ns=T, markets=()), T))
    assert [msg.client_order_id for msg in sent if isinstance(msg, CancelOrder)] == [order.client_order_id for order in orders]


def test_stopping_cancels_all_its_orders() -> None:
    made, _ = quoting()
    (last,) = made.stop(T)
    assert isinstance(last, CancelAll) and last.strategy == NAME
    assert not list(StrategyEngine([quoter()], "s1", MS).stop(T))


walks = st.lists(
    st.tuples(
        st.integers(0, 900),
        st.integers(2, 90),
        st.integers(1, 8),
        st.sampled_from(["VERIFIED", "VERIFIED", "VERIFIED", "QUIET", "SUSPECT"]),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(walks, st.sampled_from(["0", "0.3", "1"]))
def test_with_the_executor_every_order_is_taken_and_both_hold_the_same(
    walk: list[tuple[int, int, int, State]], ratio: str
) -> None:
    arrivals: list[Arrival] = []
    limits = Limits(max_order_e6=200 * ONE, max_open_orders=200, max_total_e6=5_000 * ONE)
    executor = Executor(FakeRelayer(ratio), limits, "fake")
    made = StrategyEngine([quoter()], "s1", 2_000 * MS)
    run = Lockstep([executor, made], EventClock(T), tap=arrivals.append)
    run.start()
    run.inject("scheduler", UNIVERSE)
    run.inject("writer", Committed(ts_ns=T, producer="executor", seq=0))
    at = T
    for seq, (pause_ms, bid, spread, state) in enumerate(walk, 1):
        at += pause_ms * MS
        run.inject("book_builder", book(at, bid * 10_000, min(99, bid + spread) * 10_000, state, seq))
        run.run_until_idle()
        account = made.desks[NAME].account
        assert account.orders("m", at) == tuple(order.shown() for order in executor.ledger.in_market("m"))
        assert account.portfolio.shown() == executor.ledger.portfolio.shown()
        assert len(account.orders("m", at)) <= 2
        assert abs(sum(held.inventory_e6 * (1 if held.token_id == "yes" else -1) for held in account.portfolio)) <= 200 * ONE
        if state == "SUSPECT":
            assert not executor.ledger.open
    run.stop()
    refused = [a.message.reason for a in arrivals if isinstance(a.message, OrderUpdate) and a.message.status == "rejected"]
    assert not refused
    assert not executor.ledger.open
    ids = [a.message.client_order_id for a in arrivals if isinstance(a.message, PlaceOrder)]
    assert len(ids) == len(set(ids))
