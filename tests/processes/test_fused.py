"""Four roles in one process: the same decisions as in lockstep, and the same words to the outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

import msgspec
import pytest
import zmq

from pipeline.base.clock import EventClock
from pipeline.base.settings import Settings
from pipeline.bus.compose import Lockstep
from pipeline.bus.fused import Fused, FusedPlan
from pipeline.bus.journal_reading import lines, read_file
from pipeline.bus.journal_segments import segment_files
from pipeline.bus.runner import RunnerOptions
from pipeline.bus.stage import Arrival, Identity, StagePlan
from pipeline.bus.topology import EXECUTOR, SCHEDULER, WRITER
from pipeline.bus.transport import Transport
from pipeline.bus.wires import Wires
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.market import BookSnapshot, MarketUniverse
from pipeline.messages.records import RunEnded, RunStarted
from pipeline.recording.playback import Playback
from pipeline.recording.source import FrameSource, open_frames
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.limits import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from pipeline.venue.relayer import Relayer
from pipeline.venue.relayers import relayer_of
from processes.book_builder import BookBuilder
from processes.executor import Executor
from processes.gateway import Gateway
from processes.strategy import StrategyEngine

RECORDING = Path(__file__).resolve().parents[2] / "recordings" / "fake-venue-10min"
SESSION = "20260528-202640-1"
FRAMES = 500


def fake() -> Relayer:
    return FakeRelayer(Decimal("0.5"))


def paper() -> Relayer:
    return relayer_of(Settings())[0]


def plans(source: FrameSource, relayer: Relayer) -> tuple[Gateway, Playback, list[StagePlan]]:
    settings = Settings()
    gateway, playback = Gateway(mirror=False), Playback(islice(source.messages(), FRAMES))
    dutch = DutchRules.from_settings(settings.dutch_book, settings.thresholds, settings.risk)
    engine = StrategyEngine([SpreadCapture.from_settings(settings.spread_capture)], SESSION, 2_000_000_000, dutch_book=dutch)
    executor = Executor(relayer, Limits.of(settings), mode="fake")
    stages = [StagePlan(executor), StagePlan(engine), StagePlan(BookBuilder(resync=False)), StagePlan(gateway, [playback])]
    return gateway, playback, stages


def run_of(msg: Message) -> Message:
    """Without what is the machine's or the loop's."""
    match msg:
        case RunStarted():
            return msgspec.structs.replace(msg, pid=0)
        case RunEnded():
            return msgspec.structs.replace(msg, counts={})
    return msg


class Said:
    """What the outside heard: durable records, and what else goes to the writer, by producer."""

    def __init__(self) -> None:
        self.records: list[Message] = []
        self.lossy: dict[str, list[Message]] = {}

    def take(self, arrival: Arrival) -> None:
        if arrival.stream == "persist.durable":
            self.records.append(arrival.message)
        elif arrival.stream == "persist.lossy":
            self.lossy.setdefault(arrival.producer, []).append(run_of(arrival.message))


def unfused(make: Callable[[], Relayer]) -> Said:
    source, said = open_frames(RECORDING), Said()
    gateway, playback, stages = plans(source, make())
    lockstep = Lockstep(stages, EventClock(playback.next_ns() or 0), session_id=SESSION, tap=said.take)
    lockstep.start()
    now_ns = lockstep.clock.now_ns()
    lockstep.hear(EXECUTOR, Committed(ts_ns=now_ns, producer=EXECUTOR, seq=0))
    lockstep.inject(SCHEDULER, MarketUniverse(ts_ns=now_ns, markets=source.markets, version=1))
    lockstep.run(until=lambda: gateway.ended)
    return said


class FusedRun:
    """The fused roles on event time: when nobody has a message, the clock moves to the next timer, as in lockstep."""

    def __init__(self, folder: Path, make: Callable[[], Relayer], context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.source, self.said, self.folder = open_frames(RECORDING), Said(), folder
        self.gateway, self.playback, stages = plans(self.source, make())
        self.clock = EventClock(self.playback.next_ns() or 0)
        transport = Transport("inproc")
        options = RunnerOptions(journal_path=folder / "executor-x.journal", heartbeat_ms=1)
        self.writer = Wires(WRITER, Identity(SESSION, "w", WRITER), transport, context, only=["persist.lossy"])
        self.fused = Fused(
            [
                FusedPlan(
                    plan.stage,
                    Identity(SESSION, f"{SESSION}.{plan.stage.role}", plan.stage.role),
                    options,
                    inline=plan.edges,
                )
                for plan in stages
            ],
            self.clock,
            transport,
            context,
        )

    def play(self) -> Said:
        self.fused.start()
        now_ns = self.clock.now_ns()
        durable = self.fused.runners[0].durable
        assert durable is not None
        self.hear(EXECUTOR, Committed(ts_ns=now_ns, producer=durable.producer, seq=0))
        universe = MarketUniverse(ts_ns=now_ns, markets=self.source.markets, version=1)
        for role in self.fused.exchange.roles:
            self.fused.exchange.queues[role].append(Arrival("universe", SCHEDULER, SESSION, 1, universe))
        self.fused.exchange.hand_over()
        while not self.gateway.ended:
            self._advance()
            self._listen()
        for runner in self.fused.runners:
            runner.wires.flush(patient=False)
        self._listen()
        self.fused.close()
        self.writer.close()
        paths = segment_files(self.folder / "executor-x.journal")
        self.said.records = [line.message for path in paths for line in lines(read_file(path)) if line.is_record]
        return self.said

    def hear(self, role: str, msg: Message) -> None:
        self.fused.exchange.queues[role].append(Arrival("edge", role, "", 0, msg))
        self.fused.exchange.hand_over()

    def _advance(self) -> None:
        due = [(ns, runner) for runner in self.fused.runners if (ns := runner.stage.next_timer_ns()) is not None]
        timer_ns, first = min(due, key=lambda each: each[0], default=(None, None))
        frame_ns = self.playback.next_ns()
        if first is not None and timer_ns is not None and (frame_ns is None or timer_ns <= frame_ns):
            self.clock.advance(timer_ns)
            first.fire_due_timers()
            self.fused.exchange.hand_over()
            return
        assert frame_ns is not None
        self.clock.advance(frame_ns)
        for msg in self.playback.due(self.clock.now_ns()):
            self.hear(self.gateway.role, msg)

    def _listen(self) -> None:
        for item in self.writer.receive(0, 10_000):
            if isinstance(item, Arrival):
                self.said.take(item)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.mark.parametrize("make", [fake, paper])
def test_the_same_recording_gives_the_same_journal_fused_and_unfused(make, tmp_path, context):
    apart, together = unfused(make), FusedRun(tmp_path, make, context).play()
    assert len(apart.records) > 50
    assert together.records == apart.records
    assert together.lossy == apart.lossy


def test_what_one_role_publishes_is_heard_outside_too_by_those_who_listen(tmp_path, context):
    run = FusedRun(tmp_path, fake, context)
    executor_like = Wires("strategy", Identity("", "onlooker", "cli"), Transport("inproc"), context, only=["book"])
    run.fused.step()  # reads the subscription
    run.play()
    heard = [item.message for item in executor_like.receive(0, 10_000) if isinstance(item, Arrival)]
    executor_like.close()
    assert {type(msg) for msg in heard} >= {BookSnapshot}
