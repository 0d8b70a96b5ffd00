"""What the executor says of itself unasked: when it begins to take commands, and how the venue stands."""

from __future__ import annotations

from pipeline.bus.stage import PeerStarted
from pipeline.messages.control import Committed
from pipeline.messages.edges import VenueStateSeen
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome, State
from pipeline.messages.orders import Decision, ExecSnapshot, OrderUpdate, PlaceOrder
from pipeline.messages.records import OrderRecord
from pipeline.trading.limits import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from pipeline.venue.relayer import Relayer
from pipeline.venue.scripted import ScriptedRelayer
from processes.executor import Executor

MS = 1_000_000
T = 1_000 * MS
LIMITS = Limits(max_order_e6=200_000_000, max_open_orders=4, max_total_e6=40_000_000)
MARKET = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")


def book(state: State = "VERIFIED") -> BookSnapshot:
    bids, asks = (Level(400_000, 100_000_000),), (Level(470_000, 100_000_000),)
    return BookSnapshot(
        ts_ns=T,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=bids,
        asks=asks,
        seq=1,
        venue_ns=T,
        state=state,
        basis="hash",
    )


def place(counter: int, expires_ns: int = T + 2_000 * MS) -> PlaceOrder:
    return PlaceOrder(
        ts_ns=T,
        client_order_id=f"x-s-{counter}",
        token_id="yes",
        market="m",
        side="BUY",
        price_e6=410_000,
        size_e6=10_000_000,
        order_type="GTC",
        post_only=True,
        expires_ns=expires_ns,
        decision=Decision(plan_id=f"p{counter}", strategy="s", reason="why", decided_ns=T),
    )


def ready(relayer: Relayer | None = None) -> Executor:
    executor = Executor(relayer or FakeRelayer("0"), LIMITS, "fake")
    list(executor.start(T))
    for msg in (MarketUniverse(ts_ns=T, markets=(MARKET,)), book(), Committed(ts_ns=T, producer="executor@1f", seq=0)):
        list(executor.handle(msg, T))
    return executor


def test_it_accepts_nothing_before_the_writer_was_heard_and_the_books_have_come() -> None:
    executor = Executor(FakeRelayer("1"), LIMITS, "fake")
    (first,) = executor.start(T)
    assert isinstance(first, ExecSnapshot) and (first.accepts, first.reason) == (False, "waiting for the writer")
    (answer,) = executor.handle(place(1), T)
    assert isinstance(answer, ExecSnapshot) and not answer.accepts
    assert not list(executor.handle(Committed(ts_ns=T, producer="another", seq=0), T))
    assert not list(executor.handle(Committed(ts_ns=T, producer="executor", seq=0), T))
    assert not list(executor.handle(MarketUniverse(ts_ns=T, markets=(MARKET,)), T))
    (answer,) = executor.handle(place(1), T)
    assert isinstance(answer, ExecSnapshot) and (answer.accepts, answer.reason) == (False, "waiting for books")
    (now,) = executor.handle(book(), T)
    assert isinstance(now, ExecSnapshot) and now.accepts
    assert not list(executor.handle(Committed(ts_ns=T, producer="executor", seq=3), T))
    assert executor.counts()["refused"] == 2
    assert not executor.ledger.counters


def test_books_that_do_not_come_are_waited_for_no_longer_than_told() -> None:
    executor = Executor(FakeRelayer("1"), LIMITS, "fake", books_wait_ns=2_000 * MS)
    list(executor.start(T))
    list(executor.handle(Committed(ts_ns=T, producer="executor", seq=0), T))
    assert executor.next_timer_ns() == T + 2_000 * MS
    (now,) = executor.on_timer(T + 2_000 * MS)
    assert isinstance(now, ExecSnapshot) and now.accepts
    assert executor.next_timer_ns() is None


def test_a_new_book_builder_is_waited_for_like_the_first() -> None:
    executor = ready()
    (away,) = executor.peer_started(PeerStarted("book", "book_builder", "another"), T)
    assert isinstance(away, ExecSnapshot) and (away.accepts, away.reason) == (False, "waiting for books")
    (again,) = executor.handle(book(), T + MS)
    assert isinstance(again, ExecSnapshot) and again.accepts


def test_the_venues_state_is_learned_from_refusals_said_and_left_again() -> None:
    executor = ready(relayer=ScriptedRelayer(FakeRelayer("0")))
    assert not list(executor.handle(VenueStateSeen(ts_ns=T, state="cancel_only"), T))
    said = list(executor.handle(place(1), T))
    assert [msg.reason for msg in said if isinstance(msg, OrderUpdate)] == ["exchange is in cancel-only mode"]
    snapshot = said[-1]
    assert isinstance(snapshot, ExecSnapshot) and (snapshot.venue_state, snapshot.accepts) == ("cancel_only", True)
    refused = [msg.reason for msg in executor.handle(place(2), T) if isinstance(msg, OrderUpdate)]
    assert refused == ["venue is cancel_only"]
    assert executor.counts()["submitted"] == 1
    assert executor.next_timer_ns() == T + 5_000 * MS
    list(executor.handle(VenueStateSeen(ts_ns=T, state="normal"), T))
    (back,) = executor.on_timer(T + 5_000 * MS)
    assert isinstance(back, ExecSnapshot) and back.venue_state == "normal"
    list(executor.handle(book(), T + 5_000 * MS))
    later = place(3, expires_ns=T + 9_000 * MS)
    records = [msg for msg in executor.handle(later, T + 5_000 * MS) if isinstance(msg, OrderRecord)]
    assert records[-1].status == "live"


def test_when_every_book_is_stale_the_link_is_lost_and_orders_wait_for_it() -> None:
    executor = ready()
    said = list(executor.handle(book("STALE"), T))
    assert [msg.venue_state for msg in said if isinstance(msg, ExecSnapshot)] == ["link_lost"]
    assert [msg.reason for msg in executor.handle(place(1), T) if isinstance(msg, OrderUpdate)] == ["venue is link_lost"]
    assert [msg.venue_state for msg in executor.handle(book(), T) if isinstance(msg, ExecSnapshot)] == ["normal"]
