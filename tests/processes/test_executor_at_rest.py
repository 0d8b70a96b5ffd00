"""An executor that looks only at what may have changed says the same, and wants to be called at the same time, as one that always looks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.settings import RateLimitsSection
from pipeline.base.units import NS_PER_MS, NS_PER_S, ONE_E6
from pipeline.bus.stage import Gap, PeerStarted
from pipeline.messages import Message
from pipeline.messages.control import Committed, WriterState
from pipeline.messages.edges import VenueStateSeen
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome, Rewards, State, TradePrint
from pipeline.messages.orders import CancelAll, CancelOrder, Decision, Halt, PlaceOrder, Resume, StrategyAlive
from pipeline.trading.limits import Limits
from pipeline.trading.policy import allowed_states
from pipeline.trading.rate_limits import RateLimits
from pipeline.venue.paper_latency import RecordedLatency
from pipeline.venue.paper_relayer import PaperRelayer
from pipeline.venue.relayer import NOTHING
from processes.executor import Executor

T = 1_790_000_000_000_000_000
LIMITS = Limits(max_order_e6=10**10, max_open_orders=10**6, max_total_e6=10**12)
REWARDS = Rewards(min_size_e6=ONE_E6, max_spread_e6=50_000, daily_rate_e6=100 * ONE_E6)
MARKET = Market("m", (Outcome("1", "Yes"), Outcome("2", "No")), tick_size="0.01", min_order_size="1", rewards=REWARDS)
UNIVERSE = MarketUniverse(ts_ns=T, markets=(MARKET,))
STATES: tuple[State, ...] = ("VERIFIED", "VERIFIED", "QUIET", "PENDING", "STALE")


class Watchful(Executor):
    """Looks at everything with every message, and works out every time when it wants to be called."""

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        self._stir()
        return super().handle(msg, now_ns)

    def next_timer_ns(self) -> int | None:
        self._stir()
        return super().next_timer_ns()


def made(kind: type[Executor]) -> Executor:
    samples = [number * NS_PER_MS for number in (0, 20, 80, 400)]
    relayer = PaperRelayer("proportional", RecordedLatency(samples, 1), allowed_states("paper"), 50 * NS_PER_MS)
    rates = RateLimits.from_settings(RateLimitsSection(orders_per_s=2, orders_burst=3, cancels_per_s=1, cancels_burst=2))
    return kind(relayer, LIMITS, "paper", rates=rates, batch_wait_ns=10 * NS_PER_MS, silence_ns=20 * NS_PER_S)


class World:
    """Two executors that are told the same; each answer and each due time is compared."""

    def __init__(self) -> None:
        self.pair = made(Executor), made(Watchful)
        self.now_ns = T
        self.said = 0
        self.sizes: tuple[dict[int, int], dict[int, int]] = ({40: 100, 39: 50}, {45: 100, 46: 50})
        self.both(lambda stage: stage.start(T))
        self.tell(UNIVERSE)
        self.tell(self.book("VERIFIED"))
        self.tell(Committed(ts_ns=T, producer="executor", seq=0))

    def tell(self, msg: Message) -> None:
        """Both hear a message."""
        self.both(lambda stage: stage.handle(msg, self.now_ns))

    def both(self, asked: Any) -> None:
        one, other = ([*asked(stage)] for stage in self.pair)
        assert one == other
        self.said += len(one)
        self.due()

    def due(self) -> int | None:
        """When both want to be called next."""
        one, other = (stage.next_timer_ns() for stage in self.pair)
        assert one == other
        return one

    def wait(self, ns: int) -> None:
        """Let time pass; what is due is called."""
        until_ns = self.now_ns + ns
        while (due_ns := self.due()) is not None and due_ns <= until_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.both(lambda stage: stage.on_timer(self.now_ns))
        self.now_ns = until_ns

    def set(self, side: int, cents: int, shares: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Give a level a total; the changed levels of both sides."""
        before = [dict(sizes) for sizes in self.sizes]
        self.sizes[side][cents] = shares
        for price in self.sizes[1 - side]:
            if shares and (price <= cents if side == 0 else price >= cents):
                self.sizes[1 - side][price] = 0
        bids, asks = (
            levels({cents: size for cents, size in new.items() if old.get(cents, 0) != size})
            for old, new in zip(before, self.sizes, strict=True)
        )
        return bids, asks

    def book(self, state: State, changed: tuple[tuple[Level, ...], tuple[Level, ...]] | None = None) -> BookSnapshot:
        """The book of the first token; whole if no changes are given."""
        bids, asks = ({cents: size for cents, size in side.items() if size} for side in self.sizes)
        return BookSnapshot(
            ts_ns=self.now_ns,
            token_id="1",
            market="m",
            tick_size_e6=10_000,
            bids=levels(bids, falling=True),
            asks=levels(asks),
            seq=1,
            venue_ns=self.now_ns,
            state=state,
            basis="hash",
            changed_bids=() if changed is None else changed[0],
            changed_asks=() if changed is None else changed[1],
            full_depth=changed is None,
        )


def levels(sizes: dict[int, int], *, falling: bool = False) -> tuple[Level, ...]:
    return tuple(Level(cents * 10_000, shares * ONE_E6) for cents, shares in sorted(sizes.items(), reverse=falling))


def step(world: World, number: int, kind: str, side: int, cents: int, shares: int) -> None:
    """One thing that happens."""
    now_ns = world.now_ns
    strategy = "ab"[shares % 2]
    decision = Decision(f"p{number}", strategy, "why", intents=1 + shares % 2)
    match kind:
        case "book":
            world.tell(world.book("VERIFIED", world.set(side, cents, shares)))
        case "turn":
            world.tell(world.book(STATES[shares % len(STATES)], ((), ())))
        case "whole":
            world.tell(world.book("VERIFIED"))
        case "trade":
            size = (shares + 1) * ONE_E6
            world.tell(TradePrint(now_ns, "1", "m", cents * 10_000, size, "BUY" if side else "SELL", now_ns))  # type: ignore[arg-type]
        case "place":
            order = PlaceOrder(
                ts_ns=now_ns,
                client_order_id=f"x-{strategy}-{number}",
                token_id="12"[cents % 2],
                market="m",
                side="SELL" if side else "BUY",
                price_e6=cents * 10_000,  # type: ignore[arg-type]
                size_e6=(shares + 1) * ONE_E6,  # type: ignore[arg-type]
                order_type="GTC" if shares % 5 else "FAK",
                post_only=bool(shares % 3 and shares % 5),
                expires_ns=now_ns + NS_PER_S,
                decision=decision,
            )
            world.tell(order)
        case "cancel":
            name = f"x-{'ab'[cents % 2]}-{max(0, number - shares)}"
            world.tell(CancelOrder(ts_ns=now_ns, client_order_id=name, expires_ns=now_ns, decision=decision))
        case "all":
            world.tell(CancelAll(ts_ns=now_ns, strategy=strategy, expires_ns=now_ns, decision=decision))
        case "alive":
            world.tell(StrategyAlive(ts_ns=now_ns, strategies=("a", "b")))
        case "halt":
            world.tell(
                Halt(ts_ns=now_ns, reason="stop", cancel=bool(side)) if shares % 4 == 0 else Resume(ts_ns=now_ns, reason="go")
            )
        case "writer":
            world.tell(WriterState(ts_ns=now_ns, state="degraded" if shares % 4 == 0 else "ok", reason="full"))
        case "venue":
            world.tell(VenueStateSeen(ts_ns=now_ns, state=("normal", "restarting", "post_only", "cancel_only")[shares % 4]))  # type: ignore[arg-type]
        case "lost":
            world.both(lambda stage: stage.missed(Gap("book", "book.1", "book_builder", 1, 3), now_ns))
            world.tell(world.book("VERIFIED"))
        case "builder":
            world.both(lambda stage: stage.peer_started(PeerStarted("book", "book_builder", "again"), now_ns))
        case "universe":
            world.tell(UNIVERSE)
        case _:
            world.wait(shares * shares * 10 * NS_PER_MS)


USUAL = ("book", "book", "book", "trade", "place", "place", "place", "cancel", "wait", "wait", "wait")
SELDOM = ("turn", "whole", "all", "alive", "halt", "writer", "venue", "lost", "builder", "universe")
STEP = st.tuples(st.sampled_from((*USUAL, *USUAL, *SELDOM)), st.integers(0, 1), st.integers(38, 47), st.integers(0, 60))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, min_size=30, max_size=80))
def test_what_is_said_and_what_is_due_need_no_look_at_everything(steps: list[Any]) -> None:
    world = World()
    for number, (kind, side, cents, shares) in enumerate(steps):
        world.wait(NS_PER_MS)
        step(world, number, kind, side, cents, shares)
    world.wait(61 * NS_PER_S)
    world.both(lambda stage: stage.wind_up(world.now_ns))
    world.tell(world.book("VERIFIED", ((), ())))
    world.both(lambda stage: stage.stop(world.now_ns))
    assert world.said


def test_a_book_and_a_trade_that_concern_nothing_of_ours_get_no_further_look() -> None:
    world = World()
    stage = world.pair[0]
    assert stage.handle(world.book("VERIFIED", world.set(0, 38, 5)), T) is NOTHING
    trade = TradePrint(T, "1", "m", 400_000, ONE_E6, "SELL", T)  # type: ignore[arg-type]
    assert stage.handle(trade, T) is NOTHING
    assert stage.handle(world.book("STALE", ((), ())), T) is not NOTHING
