"""A strategy that stands still: nobody waits for it, its queue is bounded, and it goes on from the newest books."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import pytest
import zmq

from pipeline.base.clock import SystemClock, monotonic_ns
from pipeline.base.settings import SpreadCaptureSection
from pipeline.bus.runner import Runner
from pipeline.bus.stage import Identity, Stage
from pipeline.bus.topology import STREAM
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome
from pipeline.messages.orders import CancelOrder, ExecSnapshot, OpenOrder, PlaceOrder
from pipeline.strategy.spread import SpreadCapture
from processes.strategy import StrategyEngine

S = 1_000_000_000
T = 1_800_000_000 * S
MARKET = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")


def book(seq: int, ts_ns: int = T, token: str = "yes", bid_e6: int = 400_000) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=ts_ns,
        token_id=token,
        market="m",
        tick_size_e6=10_000,
        bids=(Level(bid_e6, 100_000_000),),
        asks=(Level(bid_e6 + 100_000, 100_000_000),),
        seq=seq,
        venue_ns=ts_ns,
        state="VERIFIED",
        basis="hash",
    )


class Books(Stage):
    """A book builder with one book a token, the newest that was published."""

    role = "book_builder"

    def __init__(self) -> None:
        self.newest: dict[str, BookSnapshot] = {}

    def current(self, topic: str) -> Iterator[Message]:
        yield from (one for one in self.newest.values() if f"book.{one.token_id}\0".startswith(topic))


class Listener(Stage):
    """What the strategy hears."""

    role = "strategy"

    def __init__(self) -> None:
        self.heard = 0
        self.books: dict[str, int] = {}

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        if isinstance(msg, BookSnapshot):
            self.heard += 1
            self.books[msg.token_id] = msg.seq
        return ()


@pytest.fixture
def run() -> Iterator[Callable[[Stage], Runner]]:
    """Makes runners of one pipeline."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made: list[Runner] = []

    def make(stage: Stage) -> Runner:
        identity = Identity("s", f"{stage.role}-1", stage.role)
        made.append(Runner(stage, identity, SystemClock(), Transport("inproc"), context))
        return made[-1]

    yield make
    for one in made:
        one.close()
    context.destroy(linger=0)


def until(runners: Iterable[Runner], done: Callable[[], bool]) -> None:
    deadline = monotonic_ns() + 10 * S
    for one in itertools.cycle(tuple(runners)):
        if done():
            return
        assert monotonic_ns() < deadline
        one.step(1)


def test_it_hears_the_newest_books_after_a_flood_that_its_queue_could_not_hold(run):
    books, listener = Books(), Listener()
    builder, strategy = run(books), run(listener)
    books.newest = {token: book(0, token=token) for token in ("yes", "no")}
    until((builder, strategy), lambda: set(listener.books) == {"yes", "no"})
    heard, count = listener.heard, 3 * STREAM["book"].hwm
    for seq in range(1, count + 1):
        token = ("yes", "no")[seq % 2]
        books.newest[token] = book(seq, token=token)
        builder.outbox.send(books.newest[token])
        builder.wires.flush()
    until((builder, strategy), lambda: sorted(listener.books.values()) == [count - 1, count])
    counts = strategy.counts()
    assert 1 <= counts["gaps"] <= 4  # at most so many of a topic within a minute do not end the process
    assert counts["superseded"] > count // 3
    assert listener.heard - heard < 200


def told(messages: Iterable[Message]) -> list[str]:
    return [type(msg).__name__ for msg in messages if isinstance(msg, (PlaceOrder, CancelOrder))]


def engine() -> StrategyEngine:
    strategy = SpreadCapture.from_settings(SpreadCaptureSection(max_book_age_ms=5_000))
    return StrategyEngine([strategy], "s", 2 * S)


def snapshot(ts_ns: int, *orders: OpenOrder) -> ExecSnapshot:
    return ExecSnapshot(ts_ns=ts_ns, accepts=True, halted=False, mode="fake", orders=orders, positions=())


def quoting() -> tuple[StrategyEngine, list[PlaceOrder]]:
    """A strategy whose quotes rest on the newest book."""
    strategy = engine()
    list(strategy.start(T))
    said: list[Message] = []
    for msg in (MarketUniverse(ts_ns=T, markets=(MARKET,)), snapshot(T), book(1)):
        said += strategy.handle(msg, T)
    placed = [msg for msg in said if isinstance(msg, PlaceOrder)]
    resting = [
        OpenOrder(
            client_order_id=order.client_order_id,
            strategy=order.decision.strategy,
            token_id=order.token_id,
            market=order.market,
            side=order.side,
            price_e6=order.price_e6,
            size_e6=order.size_e6,
            filled_e6=0,
            status="live",
            placed_ns=T,
        )
        for order in placed
    ]
    list(strategy.handle(snapshot(T, *resting), T))
    return strategy, placed


def test_quotes_are_pulled_when_it_wakes_up_on_a_book_that_is_too_old():
    strategy, placed = quoting()
    assert placed
    woken_ns = T + 10 * S
    assert (strategy.next_timer_ns() or 0) <= woken_ns
    assert told(strategy.on_timer(woken_ns)) == ["CancelOrder"] * len(placed)


def test_what_it_wants_after_ten_seconds_is_decided_on_the_newest_book_and_lives_from_then():
    strategy, _ = quoting()
    woken_ns = T + 10 * S
    said = list(strategy.handle(book(9, woken_ns, bid_e6=300_000), woken_ns))
    assert "CancelOrder" in told(said)
    assert all(msg.expires_ns == woken_ns + 2 * S for msg in said if isinstance(msg, (PlaceOrder, CancelOrder)))
