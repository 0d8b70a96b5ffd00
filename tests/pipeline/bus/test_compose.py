"""Lockstep: the first role that has a message takes it, time moves only when nobody has one, and the run is always the same."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, Stage, StagePlan
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.edges import FollowTokens, RawFrame
from pipeline.messages.market import MarketUniverse, TradePrint, VenueTrade
from pipeline.messages.orders import ExecSnapshot, Halt
from pipeline.messages.records import HaltRecord


class Frames:
    """Two frames, one second apart."""

    accepts: tuple[type[Message], ...] = (FollowTokens,)

    def __init__(self) -> None:
        self.times = [1_000, 2_000]
        self.followed: list[Message] = []

    def take(self, msg: Message, now_ns: int) -> Iterator[Message]:
        self.followed.append(msg)
        yield RawFrame(ts_ns=now_ns, link_id="l", data=b"subscribed")

    def next_ns(self) -> int | None:
        return self.times[0] if self.times else None

    def due(self, now_ns: int) -> Iterator[Message]:
        yield RawFrame(ts_ns=self.times.pop(0), link_id="l", data=b"frame")


class Gateway(Stage):
    role = "gateway"

    def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
        if isinstance(msg, MarketUniverse):
            yield FollowTokens(ts_ns=now_ns, token_ids=("a",))
        if isinstance(msg, RawFrame):
            yield VenueTrade(ts_ns=now_ns, token_id="a", market="m", venue_ts="1", price="0.5", size="1", side="BUY")


class Builder(Stage):
    role = "book_builder"

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.due_ns = 1_500

    def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
        self.log.append(f"builder {type(msg).__name__} {now_ns}")
        if isinstance(msg, VenueTrade):
            yield TradePrint(ts_ns=now_ns, token_id="a", market="m", price_e6=1, size_e6=1, side="BUY", venue_ns=0)  # type: ignore[arg-type]

    def next_timer_ns(self) -> int | None:
        return self.due_ns if self.due_ns <= 1_500 else None

    def on_timer(self, now_ns: int) -> Iterator[Message]:
        self.log.append(f"builder timer {now_ns}")
        self.due_ns += 10_000
        yield from ()


class Executor(Stage):
    role = "executor"

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
        self.log.append(f"executor {type(msg).__name__} {now_ns}")
        if isinstance(msg, Halt):
            yield HaltRecord(ts_ns=now_ns, halted=True, reason=msg.reason)
            self.log.append("executor after the record")
        if isinstance(msg, TradePrint):
            yield ExecSnapshot(ts_ns=now_ns, accepts=True, halted=False, mode="fake", orders=(), positions=())


class Strategy(Stage):
    role = "strategy"

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
        self.log.append(f"strategy {type(msg).__name__} {now_ns}")
        yield from ()


class Writer(Stage):
    role = "writer"

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def receive(self, arrival: Arrival, now_ns: int) -> Iterator[Message]:
        self.log.append(f"writer {type(arrival.message).__name__} {arrival.producer} {arrival.seq}")
        if arrival.stream == "persist.durable":
            yield Committed(ts_ns=now_ns, producer=arrival.producer, seq=arrival.seq)

    def current(self, topic: str) -> Iterator[Message]:
        yield Committed(ts_ns=0, producer=topic.removeprefix("committed.").removesuffix("\0"), seq=0)


def run_once(order: list[int]) -> list[str]:
    log: list[str] = []
    plans: list[Stage | StagePlan] = [StagePlan(Gateway(), [Frames()]), Builder(log), Strategy(log), Executor(log), Writer(log)]
    run = Lockstep([plans[index] for index in order])
    run.start()
    run.run_until_idle()
    log.clear()
    run.inject("scheduler", MarketUniverse(ts_ns=0, markets=()))
    run.run(until=lambda: False)
    return log


def test_the_executor_sees_a_trade_before_the_strategy_and_the_writer_before_both() -> None:
    log = run_once([0, 1, 2, 3, 4])
    start = log.index("builder VenueTrade 1000")
    assert log[start : start + 5] == [
        "builder VenueTrade 1000",
        "writer TradePrint book_builder 0",
        "executor TradePrint 1000",
        "strategy TradePrint 1000",
        "strategy ExecSnapshot 1000",
    ]


def test_a_timer_between_two_frames_fires_between_them() -> None:
    log = [line for line in run_once([0, 1, 2, 3, 4]) if line.startswith("builder")]
    assert log[-3:] == ["builder VenueTrade 1000", "builder timer 1500", "builder VenueTrade 2000"]


def test_the_order_in_which_stages_are_given_changes_nothing() -> None:
    assert run_once([0, 1, 2, 3, 4]) == run_once([4, 3, 2, 1, 0]) == run_once([2, 0, 4, 1, 3])


def test_a_durable_record_is_numbered_and_its_commit_comes_back() -> None:
    log: list[str] = []
    run = Lockstep([Executor(log), Writer(log)])
    run.start()
    run.run_until_idle()
    assert log[-1] == "executor Committed 0"
    log.clear()
    run.inject("cli", Halt(ts_ns=1, reason="test"))
    run.run_until_idle()
    assert log == [
        "executor Halt 1",
        "executor after the record",
        "writer HaltRecord executor@lockstep 1",
        "executor Committed 1",
    ]


class Ticking(Stage):
    """Notes what it hears, and asks to be woken a little after each message, and again after that."""

    def __init__(self, role: str, waits: list[int], log: list[str]) -> None:
        self.role = role  # type: ignore[misc]
        self.waits, self.log = waits, log
        self.due: list[int] = []

    def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
        self.log.append(f"{self.role} {type(msg).__name__} {msg.ts_ns} at {now_ns}")
        self.due += [now_ns + wait for wait in self.waits]
        if self.role == "gateway":
            yield VenueTrade(ts_ns=msg.ts_ns, token_id="a", market="m", venue_ts="1", price="0.5", size="1", side="BUY")

    def next_timer_ns(self) -> int | None:
        return min(self.due, default=None)

    def on_timer(self, now_ns: int) -> Iterator[Message]:
        self.due.remove(min(self.due))
        self.log.append(f"{self.role} timer at {now_ns}")
        yield from ()


class Asked:
    """Frames at given times that say when the next one is."""

    accepts: tuple[type[Message], ...] = (FollowTokens,)

    def __init__(self, name: str, times: list[int]) -> None:
        self.name, self.times = name, list(times)

    def take(self, msg: Message, now_ns: int) -> Iterator[Message]:
        yield from ()

    def next_ns(self) -> int | None:
        return self.times[0] if self.times else None

    def due(self, now_ns: int) -> Iterator[Message]:
        yield RawFrame(ts_ns=self.times.pop(0), link_id=self.name, data=b"")


class Drawn(Asked):
    """The same, which may also be drawn ahead of time."""

    def ahead(self, to_ns: int | None) -> Generator[Message, None, None]:
        while self.times and (to_ns is None or self.times[0] <= to_ns):
            yield RawFrame(ts_ns=self.times.pop(0), link_id=self.name, data=b"")


Times = st.lists(st.integers(0, 60), max_size=12)


@given(Times, Times, st.lists(st.integers(1, 20), max_size=2), st.lists(st.integers(1, 20), max_size=2), st.booleans())
def test_frames_drawn_ahead_of_time_give_the_same_run(
    times: list[int], others: list[int], gateway: list[int], builder: list[int], other_first: bool
) -> None:
    def run_with(kind: type[Asked]) -> list[str]:
        log: list[str] = []
        edges: list[Asked] = [kind("recording", times), Asked("other", others)]
        if other_first:
            edges.reverse()
        plan = StagePlan(Ticking("gateway", gateway, log), list(edges))
        run = Lockstep([plan, Ticking("book_builder", builder, log)])
        run.start()
        run.run(to_ns=30)
        log.append("half")
        run.run(until=lambda: len(log) > 150)
        return log

    assert run_with(Drawn) == run_with(Asked)
