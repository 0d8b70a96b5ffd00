"""Real sockets in one process: late joiners, lost messages, restarts, superseding."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import zmq

from pipeline.base.clock import EventClock, SystemClock, monotonic_ns
from pipeline.base.errors import PortInUse, SlowConsumer
from pipeline.bus import codec
from pipeline.bus.input_reading import lives
from pipeline.bus.runner import Runner, RunnerOptions
from pipeline.bus.stage import Arrival, Gap, Identity, Stage
from pipeline.bus.topology import STREAM
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.control import BookWanted, JobDue
from pipeline.messages.market import BookSnapshot, VenueTrade
from pipeline.messages.orders import StrategyAlive
from pipeline.messages.records import FeedGap

INPROC = Transport("inproc")


def trade(token_id: str, number: int) -> VenueTrade:
    return VenueTrade(ts_ns=number, token_id=token_id, market="m", venue_ts="1", price="0.5", size=str(number), side="BUY")


def book(token_id: str, seq: int) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=seq,
        token_id=token_id,
        market="m",
        tick_size_e6=10_000,
        bids=(),
        asks=(),
        seq=seq,
        venue_ns=0,
        state="VERIFIED",
        basis="hash",
    )


class Recorder(Stage):
    """Keeps what it hears."""

    def __init__(self, role: str) -> None:
        self.role = role  # type: ignore[misc]
        self.heard: list[Message] = []
        self.gaps: list[Gap] = []
        self.runs: list[str] = []
        self.recovered: list[Message] = []

    def recover(self, records: Iterable[Message]) -> None:
        self.recovered = list(records)

    def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
        self.heard.append(msg)
        yield from ()

    def missed(self, gap: Gap, now_ns: int) -> Iterable[Message]:
        self.gaps.append(gap)
        return ()

    def peer_started(self, peer: object, now_ns: int) -> Iterable[Message]:
        self.runs.append(peer.run_id)  # type: ignore[attr-defined]
        return ()


class Publisher(Recorder):
    """Answers new subscribers with the state it was given."""

    def __init__(self, role: str, state: list[Message]) -> None:
        super().__init__(role)
        self.state = state

    def current(self, topic: str) -> Iterator[Message]:
        stream = topic.partition(".")[0]
        yield from (msg for msg in self.state if (codec.topic_of(stream, msg) + "\0").startswith(topic))


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    own: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield own
    own.destroy(linger=0)


def runner(
    stage: Stage,
    context: zmq.Context[zmq.Socket[bytes]],
    run_id: str = "1",
    options: RunnerOptions | None = None,
    transport: Transport = INPROC,
) -> Runner:
    identity = Identity("session", f"{stage.role}-{run_id}", stage.role)
    return Runner(stage, identity, SystemClock(), transport, context, options=options)


def step_until(runners: Iterable[Runner], done: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = monotonic_ns() + int(seconds * 1e9)
    while not done():
        assert monotonic_ns() < deadline, "nothing more came"
        for one in runners:
            one.step(1)


def test_late_subscriber_gets_the_current_state_then_what_follows(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    gateway = runner(Publisher("gateway", [trade("a", 1), trade("b", 2)]), context)
    say(gateway, trade("a", 0))
    builder = Recorder("book_builder")
    late = runner(builder, context)
    step_until([gateway, late], lambda: len(builder.heard) == 2)
    gateway.outbox.send(trade("a", 3))
    step_until([gateway, late], lambda: len(builder.heard) == 3)
    assert builder.heard == [trade("a", 1), trade("b", 2), trade("a", 3)]
    assert not builder.gaps
    for one in (gateway, late):
        one.close()


def test_five_thousand_states_reach_a_late_subscriber_without_loss(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    state: list[Message] = [trade(str(number), number) for number in range(5_000)]
    gateway, builder = runner(Publisher("gateway", state), context), Recorder("book_builder")
    late = runner(builder, context)
    step_until([gateway, late], lambda: len(builder.heard) == 5_000)
    assert builder.heard == state
    assert not builder.gaps
    for one in (gateway, late):
        one.close()


def say(sender: Runner, msg: Message) -> None:
    """Have a message leave by itself, as if the stage had said it in a turn of its own."""
    sender.outbox.send(msg)
    sender.wires.flush(patient=False)


def lose(sender: Runner, msg: Message) -> None:
    """Number a message as sent, and lose it."""
    spoken = sender.wires._spoken["feed"]
    spoken._numbers[msg.key] = spoken._fresh[-1][msg.key] = spoken._numbers.get(msg.key, 0) + 1


def test_a_lost_message_is_a_gap_and_the_topic_is_asked_for_again(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    gateway, builder = runner(Publisher("gateway", [trade("a", 9)]), context), Recorder("book_builder")
    listener = runner(builder, context)
    step_until([gateway, listener], lambda: len(builder.heard) == 1)
    lose(gateway, trade("a", 10))
    gateway.outbox.send(trade("a", 11))
    step_until([gateway, listener], lambda: builder.heard.count(trade("a", 9)) == 2)
    assert [(gap.topic, gap.expected, gap.got) for gap in builder.gaps] == [("feed.a", 2, 3)]
    for one in (gateway, listener):
        one.close()


def test_a_lost_tail_is_noticed_from_the_stream_head(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    gateway, builder = runner(Publisher("gateway", [trade("a", 9)]), context), Recorder("book_builder")
    listener = runner(builder, context)
    step_until([gateway, listener], lambda: len(builder.heard) == 1)
    lose(gateway, trade("a", 10))
    gateway.wires.send_heads(0)
    step_until([gateway, listener], lambda: len(builder.gaps) == 1)
    for one in (gateway, listener):
        one.close()


def test_losing_one_topic_three_times_in_a_minute_ends_the_process(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    gateway, builder = runner(Publisher("gateway", []), context), Recorder("book_builder")
    listener = runner(builder, context)
    step_until([gateway], lambda: _linked(gateway, builder, listener))
    with pytest.raises(SlowConsumer, match=r"feed\.a 3 times"):
        for _ in range(3):
            lose(gateway, trade("a", 1))
            say(gateway, trade("a", 2))
            listener.step(200)
    for one in (gateway, listener):
        one.close()


def _linked(gateway: Runner, builder: Recorder, listener: Runner) -> bool:
    say(gateway, trade("a", 0))
    listener.step(5)
    return bool(builder.heard)


@pytest.mark.skipif(not zmq.has("ipc"), reason="this platform has no ipc sockets, and inproc does not reconnect")
def test_a_restarted_publisher_is_announced_and_its_numbers_start_again(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ipc = Transport("ipc", socket_dir=Path(folder))
        builder = Recorder("book_builder")
        first = runner(Publisher("gateway", [trade("a", 1)]), context, transport=ipc)
        listener = runner(builder, context, transport=ipc)
        step_until([first, listener], lambda: len(builder.heard) == 1)
        first.close()
        second = runner(Publisher("gateway", [trade("a", 2)]), context, run_id="2", transport=ipc)
        step_until([second, listener], lambda: len(builder.heard) == 2)
        assert builder.runs == ["gateway-2"]
        assert not builder.gaps
        for one in (second, listener):
            one.close()


def test_a_strategy_that_fell_behind_handles_only_the_newest_book_and_the_executor_all(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    builder = runner(Publisher("book_builder", []), context)
    strategy, executor = Recorder("strategy"), Recorder("executor")
    slow = runner(strategy, context)
    exact = runner(executor, context, options=RunnerOptions(journal_path=tmp_path / "j"))
    builder.step(20)
    for seq in range(1, 51):
        builder.outbox.send(book("a", seq))
        builder.outbox.send(book("b", seq))
    builder.wires.flush()
    step_until([slow, exact], lambda: book("b", 50) in strategy.heard and book("b", 50) in executor.heard)
    assert strategy.heard == [book("a", 50), book("b", 50)]
    assert [msg for msg in executor.heard if msg.key == "a"] == [book("a", seq) for seq in range(1, 51)]
    for one in (builder, slow, exact):
        one.close()


def test_due_timers_fire_before_each_message(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    class Ticker(Recorder):
        due_ns = 5

        def next_timer_ns(self) -> int:
            return self.due_ns

        def on_timer(self, now_ns: int) -> Iterable[Message]:
            self.heard.append(JobDue(ts_ns=self.due_ns, job="snapshot"))
            self.due_ns += 10
            return ()

    ticker = Ticker("gateway")
    identity = Identity("s", "r", "gateway")
    one = Runner(ticker, identity, EventClock(), INPROC, context)
    for ts_ns in (3, 20):
        one._handle(Arrival("resync", "book_builder", "r", 1, BookWanted(ts_ns=ts_ns, token_id="a", market="m", cause="test")))
    assert [msg.ts_ns for msg in ticker.heard] == [3, 5, 15, 20]
    one.close()


def test_a_second_binder_of_an_address_is_refused_in_one_line(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    first = runner(Recorder("gateway"), context)
    with pytest.raises(PortInUse, match="feed"):
        runner(Recorder("gateway"), context)
    first.close()


def test_the_input_log_holds_what_was_handled_in_order(context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path) -> None:
    path = tmp_path / "runs" / "session" / "inputs" / "session.gateway.1.log"
    one = runner(Recorder("gateway"), context, options=RunnerOptions(input_log_path=path))
    wanted = [BookWanted(ts_ns=n, token_id="a", market="m", cause="test") for n in (1, 2)]
    for msg in wanted:
        one._handle(Arrival("resync", "book_builder", "r", 1, msg))
    one.close()
    [life] = lives(path.parent)
    head = life.open()
    assert head is not None
    assert (head.role, life.run_id) == ("gateway", "session.gateway.1")
    assert [event.given for event in life.events()] == [Arrival("resync", "book_builder", "r", 1, msg) for msg in wanted]
    assert not life.faults


def test_a_writer_drains_until_every_sender_it_heard_has_ended(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    class Sink(Recorder):
        def receive(self, arrival: Arrival, now_ns: int) -> Iterable[Message]:
            self.heard.append(arrival.message)
            return ()

    sink = Sink("writer")
    writer, builder = runner(sink, context), runner(Recorder("book_builder"), context)
    say(builder, FeedGap(ts_ns=1, token_id="a", market="m", start_ns=1, end_ns=0, cause="test"))
    step_until([writer], lambda: len(sink.heard) == 1)
    late = [FeedGap(ts_ns=n, token_id="a", market="m", start_ns=n, end_ns=0, cause="late") for n in range(2, 50)]

    class Late(threading.Thread):
        def run(self) -> None:
            for msg in late:
                builder.outbox.send(msg)
            builder.wires.send_end(50)

    thread = Late()
    thread.start()
    writer.stop()
    thread.join()
    assert sink.heard[1:49] == late
    for one in (writer, builder):
        one.close()


def test_what_a_stage_keeps_is_safe_before_what_it_says_leaves(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """However much it says: a full pack does not leave sooner."""
    done: list[str] = []

    class Talker(Recorder):
        def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
            done.append("kept")
            for number in range(3 * STREAM["feed"].pack):
                yield trade("a", number)

    identity = Identity("session", "gateway-1", "gateway")
    talker = Runner(
        Talker("gateway"), identity, SystemClock(), INPROC, context, before_leaving=lambda: done.append("safe")
    )  # fmt: skip
    spoken = talker.wires._spoken["feed"]
    push = spoken._push
    spoken._push = lambda frame, flags: done.append("left")
    talker._handle(Arrival("resync", "book_builder", "r", 1, BookWanted(ts_ns=1, token_id="a", market="m", cause="test")))
    assert done == ["kept", "safe", "left", "safe", "left", "safe", "left"]
    spoken._push = push
    talker.close()


def test_what_a_timer_says_leaves_before_the_loop_waits_and_a_command_before_the_next_message_is_handled(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    left: list[str] = []

    class Timed(Recorder):
        due_ns: int | None = 1

        def next_timer_ns(self) -> int | None:
            return self.due_ns

        def on_timer(self, now_ns: int) -> Iterator[Message]:
            self.due_ns = None
            yield trade("a", 1)

    class Commanding(Recorder):
        def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
            left.append("handled")
            yield StrategyAlive(ts_ns=1, strategies=("s",))

    gateway, strategy = runner(Timed("gateway"), context), runner(Commanding("strategy"), context)
    gateway.wires._spoken["feed"]._push = lambda frame, flags: left.append("said")
    receive = gateway.wires.receive
    gateway.wires.receive = lambda timeout_ms, at_most: [left.append("waits"), *receive(0, at_most)][1:]  # type: ignore[method-assign]
    gateway.step(50)
    assert left == ["said", "waits"]
    left.clear()
    strategy.wires._spoken["command"]._push = lambda frame, flags: left.append("command")
    for seq in (1, 2):
        strategy._handle(Arrival("book", "book_builder", "r", seq, book("a", seq)))
    assert left == ["handled", "command", "handled", "command"]
    for one in (gateway, strategy):
        one.close()
