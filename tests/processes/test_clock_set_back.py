"""A machine's clock that is set back while we trade: lifetimes, limits and days go on as if it had not been."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import zmq

from pipeline.base.clock import SystemClock
from pipeline.base.settings import RateLimitsSection
from pipeline.bus.runner import Runner
from pipeline.bus.stage import Identity, Stage
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome
from pipeline.messages.orders import Decision, OrderUpdate, PlaceOrder
from pipeline.messages.records import AuditRecord, FillRecord, OrderRecord
from pipeline.trading.limits import Limits
from pipeline.trading.rate_limits import RateLimits
from pipeline.venue.fake_relayer import FakeRelayer
from processes.executor import Executor

S = 1_000_000_000
DAY = 86_400 * S
MIDNIGHT = 20_000 * DAY
LIMITS = Limits(max_order_e6=200_000_000, max_open_orders=99, max_total_e6=4_000_000_000, max_daily_loss_e6=500_000)


class Machine:
    """An executor on a machine whose clock can be set back; ``seconds`` is real time, in which everything happens."""

    def __init__(
        self, start_ns: int = MIDNIGHT, ratio: str = "0", rates: RateLimits | None = None, records: Iterable[Message] = ()
    ) -> None:
        self.wall_ns, self.mono_ns = start_ns, 0
        self.clock = SystemClock(lambda: self.wall_ns, lambda: self.mono_ns)
        self.executor = Executor(FakeRelayer(Decimal(ratio)), LIMITS, "fake", rates=rates)
        self.said: list[Message] = []
        self._orders = 0
        self.executor.recover(records)
        now_ns = self.clock.now_ns()
        market = Market(market_id="m", outcomes=(Outcome("yes", "Yes"), Outcome("no", "No")), min_order_size="5")
        book = BookSnapshot(
            ts_ns=now_ns,
            token_id="yes",
            market="m",
            tick_size_e6=10_000,
            bids=(Level(400_000, 100_000_000),),
            asks=(Level(470_000, 100_000_000),),
            seq=1,
            venue_ns=now_ns,
            state="VERIFIED",
            basis="hash",
        )
        list(self.executor.start(now_ns))
        for msg in (
            MarketUniverse(ts_ns=now_ns, markets=(market,)),
            book,
            Committed(ts_ns=now_ns, producer="executor@1f", seq=0),
        ):
            self.hear(msg)

    def hear(self, msg: Message) -> list[Message]:
        """Hand over a message, timers first, as a runner does."""
        due_ns = self.executor.next_timer_ns()
        if due_ns is not None and due_ns <= self.clock.now_ns():
            self.said += self.executor.on_timer(self.clock.now_ns())
        said = list(self.executor.handle(msg, self.clock.now_ns()))
        self.said += said
        return said

    def order(self, side: str = "BUY", price_e6: int = 410_000, post_only: bool = True) -> PlaceOrder:
        """An order decided on this moment, to be taken within two seconds."""
        self._orders += 1
        now_ns = self.clock.now_ns()
        decision = Decision(plan_id=f"p{self._orders}", strategy="s", reason="why", decided_ns=now_ns, intents=1)
        return PlaceOrder(
            ts_ns=now_ns,
            client_order_id=f"x{now_ns}-s-{self._orders}",
            token_id="yes",
            market="m",
            side=side,  # type: ignore[arg-type]
            price_e6=price_e6,
            size_e6=10_000_000,
            order_type="GTC",
            post_only=post_only,
            expires_ns=now_ns + 2 * S,
            decision=decision,
        )

    def lose(self) -> None:
        """Buy dear and sell cheap: 0.6 dollars are lost."""
        self.hear(self.order(price_e6=460_000, post_only=False))
        self.hear(self.order("SELL", 400_000, post_only=False))

    def set_back(self, seconds: int) -> None:
        self.wall_ns -= seconds * S

    def live(self, seconds: int) -> None:
        self.wall_ns += seconds * S
        self.mono_ns += seconds * S


class Ticking(Stage):
    """Wants to be woken every second."""

    role = "strategy"

    def __init__(self) -> None:
        self.woken_ns: list[int] = []
        self.due_ns = MIDNIGHT

    def next_timer_ns(self) -> int:
        return self.due_ns

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        self.woken_ns.append(now_ns)
        self.due_ns = now_ns + S
        return ()


def test_a_running_process_tells_the_step_in_its_heartbeats_and_its_timers_go_on():
    machine, stage = Machine(), Ticking()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    runner = Runner(stage, Identity("s", "r", "strategy"), machine.clock, Transport("inproc"), context)
    try:
        runner.step()
        machine.set_back(5)
        for _ in range(10):
            machine.live(1)
            runner.step()
        counts = runner.counts()
    finally:
        runner.close()
        context.destroy(linger=0)
    assert counts["clock_steps_back"] == 1
    assert len(stage.woken_ns) >= 5
    assert stage.woken_ns == sorted(stage.woken_ns)


def outcomes(messages: Iterable[Message]) -> list[str]:
    return [msg.status for msg in messages if isinstance(msg, OrderUpdate)]


def test_orders_are_taken_at_once_after_the_clock_was_set_back():
    machine = Machine()
    machine.set_back(5)
    assert outcomes(machine.hear(machine.order()))[-1] == "live"
    assert machine.clock.steps_back == 1


def test_a_command_does_not_live_longer_because_the_clock_was_set_back():
    machine = Machine()
    late = machine.order()
    machine.set_back(5)
    machine.clock.now_ns()
    machine.live(3)
    machine.hear(late)
    assert "live" not in outcomes(machine.said)
    assert machine.executor.counts()["expired"] == 1


def test_the_budget_of_orders_refills_although_the_clock_was_set_back():
    machine = Machine(rates=RateLimits.from_settings(RateLimitsSection(orders_per_s=1, orders_burst=1)))
    machine.hear(machine.order())
    machine.set_back(5)
    machine.clock.now_ns()
    machine.live(2)
    assert "live" in outcomes(machine.hear(machine.order()))


def test_a_day_that_has_begun_is_not_taken_back():
    machine = Machine(MIDNIGHT + S, "1")
    machine.lose()
    machine.set_back(5)
    assert machine.clock.now_ns() >= MIDNIGHT + S
    assert machine.executor.desk.gate.day_e6(machine.clock.now_ns()) == -600_000


def test_a_restart_on_a_clock_set_back_over_midnight_still_knows_the_loss():
    machine = Machine(MIDNIGHT + S, "1")
    machine.lose()
    records = [msg for msg in machine.said if isinstance(msg, (OrderRecord, FillRecord, AuditRecord))]
    again = Machine(MIDNIGHT - 4 * S, "1", records=records)
    again.hear(again.order())
    (refused,) = [msg for msg in again.said if isinstance(msg, OrderUpdate)]
    assert refused.reason == "lost 0.6 today; max_daily_loss_usdc is 0.5"


def test_what_is_recorded_after_the_step_is_not_stamped_before_what_was_recorded_before():
    machine = Machine()
    machine.hear(machine.order())
    machine.set_back(5)
    machine.live(1)
    machine.hear(machine.order())
    stamps = [msg.ts_ns for msg in machine.said]
    assert stamps == sorted(stamps)
