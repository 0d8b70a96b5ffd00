"""Durable records over real sockets in one process: kept until the writer speaks, sent again where they were lost, numbered on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import zmq

from pipeline.base.clock import SystemClock, monotonic_ns
from pipeline.bus.runner import Runner, RunnerOptions
from pipeline.bus.stage import Arrival, Identity, Stage
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.records import HaltRecord

WAIT_NS = 5_000_000_000


class Remembering(Stage):
    """An executor that notes what it hears and what it is given of earlier lives."""

    role = "executor"

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.recovered: list[Message] = []

    def recover(self, records: Iterable[Message]) -> None:
        self.recovered = list(records)

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        self.heard.append(msg)
        return ()


def halt(number: int) -> HaltRecord:
    return HaltRecord(ts_ns=number, halted=True, reason=f"halt {number}")


class Durable:
    """An executor with a journal, and the writer's end of its two streams, in a context of their own: one life."""

    def __init__(self, path: Path) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.stage, self.writer_stage = Remembering(), CommittingWriter()
        self.executor = self._runner(self.stage, RunnerOptions(journal_path=path, resend_ms=1))
        self.writer = self._runner(self.writer_stage)
        assert self.executor.durable is not None
        self.outbox = self.executor.durable
        self.stage.recover(self.outbox.recovered())

    def _runner(self, stage: Stage, options: RunnerOptions | None = None) -> Runner:
        identity = Identity("session", f"{stage.role}-1", stage.role)
        return Runner(stage, identity, SystemClock(), Transport("inproc"), self.context, options=options)

    def until(self, done: Callable[[], bool]) -> None:
        deadline_ns = monotonic_ns() + WAIT_NS
        while not done():
            assert monotonic_ns() < deadline_ns, "nothing more came"
            self.executor.step(1)
            self.writer.step(1)

    def close(self) -> None:
        self.executor.close()
        self.writer.close()
        self.context.destroy(linger=0)


class CommittingWriter(Stage):
    role = "writer"

    def __init__(self) -> None:
        self.stored: list[Arrival] = []
        self.lose_next = 0
        self.last: dict[str, int] = {}

    def receive(self, arrival: Arrival, now_ns: int) -> Iterator[Message]:
        if arrival.stream != "persist.durable":
            return
        if self.lose_next:
            self.lose_next -= 1
            return
        last = self.last.get(arrival.producer, 0)
        if arrival.seq == last + 1:
            self.stored.append(arrival)
            self.last[arrival.producer] = last + 1
            yield Committed(ts_ns=1, producer=arrival.producer, seq=last + 1)

    def current(self, topic: str) -> Iterator[Message]:
        producer = topic.removeprefix("committed.").removesuffix("\0")
        yield Committed(ts_ns=1, producer=producer, seq=self.last.get(producer, 0))


def test_records_wait_in_the_journal_until_the_writer_speaks_and_arrive_once(tmp_path: Path) -> None:
    one = Durable(tmp_path / "j")
    for number in range(3):
        one.executor.outbox.send_all([halt(number)])
    assert one.outbox.backlog == 3
    one.until(lambda: one.outbox.backlog == 0)
    assert [arrival.message for arrival in one.writer_stage.stored] == [halt(0), halt(1), halt(2)]
    assert one.stage.heard[-1] == Committed(ts_ns=1, producer="executor", seq=3)
    one.close()


def test_records_lost_on_the_way_are_sent_again(tmp_path: Path) -> None:
    one = Durable(tmp_path / "j")
    one.until(lambda: one.outbox._heard)
    one.writer_stage.lose_next = 2
    for number in range(4):
        one.executor.outbox.send_all([halt(number)])
    one.until(lambda: one.outbox.backlog == 0)
    assert [arrival.seq for arrival in one.writer_stage.stored] == [1, 2, 3, 4]
    one.close()


def test_a_writer_drains_a_sender_s_records_also_where_the_end_of_its_other_stream_came_first(tmp_path: Path) -> None:
    one = Durable(tmp_path / "j")
    one.executor.outbox.send_all([halt(0)])
    one.until(lambda: one.outbox.backlog == 0)
    one.executor.wires._spoken["persist.lossy"].send_end(1)
    one.until(lambda: bool(one.writer._ended))

    def end() -> None:
        one.executor.outbox.send_all([halt(number) for number in range(1, 50)])
        one.executor.wires.send_end(50)

    last_words = threading.Thread(target=end)
    last_words.start()
    one.writer.stop()
    last_words.join()
    assert [arrival.message for arrival in one.writer_stage.stored] == [halt(number) for number in range(50)]
    one.close()


def test_a_new_life_recovers_its_records_and_continues_their_numbers(tmp_path: Path) -> None:
    first = Durable(tmp_path / "j")
    first.executor.outbox.send_all([halt(1)])
    first.close()
    second = Durable(tmp_path / "j")
    assert second.stage.recovered == [halt(1)]
    second.executor.outbox.send_all([halt(2)])
    second.until(lambda: len(second.writer_stage.stored) == 2)
    assert [arrival.seq for arrival in second.writer_stage.stored] == [1, 2]
    second.close()
