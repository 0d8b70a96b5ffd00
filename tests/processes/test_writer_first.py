"""The writer is back before the executor resumes: on real sockets, no order is taken while nobody says what is on disk."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import zmq

from pipeline.base.clock import SystemClock, monotonic_ns
from pipeline.base.settings import Settings
from pipeline.bus.runner import Runner, RunnerOptions
from pipeline.bus.stage import Identity, Stage
from pipeline.bus.transport import Transport
from pipeline.messages import Message
from pipeline.messages.orders import Decision, ExecSnapshot, OrderUpdate, PlaceOrder
from pipeline.store.open import open_store
from pipeline.store.trading import list_orders
from pipeline.trading.limits import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from processes.executor import Executor
from processes.writer import Writer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ipc sockets")
S = 1_000_000_000


class Asker(Stage):
    """A strategy that orders when it is told to, and keeps what the executor says."""

    role = "strategy"

    def __init__(self) -> None:
        self.states: list[tuple[bool, str]] = []
        self.updates: list[str] = []

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        if isinstance(msg, ExecSnapshot):
            self.states.append((msg.accepts, msg.reason))
        elif isinstance(msg, OrderUpdate):
            self.updates.append(msg.client_order_id)
        return ()


class Pipeline:
    """An executor and a writer that come and go; both keep what they have on disk."""

    def __init__(self, folder: Path, transport: Transport) -> None:
        self.transport = transport
        self.folder, self.db_url = folder, f"sqlite:///{folder / 'x.db'}"
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.asker = Asker()
        self.runners: dict[str, Runner] = {}
        self._lives = 0
        self._orders = 0
        self.start(self.asker)

    def start(self, stage: Stage) -> None:
        self._lives += 1
        options = RunnerOptions(journal_path=self.folder / f"{stage.role}.journal", resend_ms=50)
        identity = Identity("s", f"s.{stage.role}.{self._lives}", stage.role)
        one = Runner(stage, identity, SystemClock(), self.transport, self.context, options=options)
        self.runners[stage.role] = one
        one.start()

    def start_executor(self) -> None:
        limits = Limits.from_settings(Settings().risk)
        self.start(Executor(FakeRelayer(Decimal(0)), limits, "fake", books_wait_ns=S // 100))

    def start_writer(self) -> None:
        self.start(Writer(open_store(self.db_url), commit_interval_ms=1))

    def kill(self, role: str) -> None:
        """Its sockets and files close, and it says nothing more."""
        one = self.runners.pop(role)
        one.close()
        if isinstance(one.stage, Writer):
            one.stage.store.close()

    def order(self) -> str:
        """Ask for an order; returns its id."""
        self._orders += 1
        asker, now_ns = self.runners["strategy"], SystemClock().now_ns()
        name = f"s-a-{self._orders}"
        decision = Decision(plan_id=name, strategy="a", reason="why", decided_ns=now_ns, intents=1)
        asker.outbox.send(
            PlaceOrder(
                ts_ns=now_ns,
                client_order_id=name,
                token_id="m/yes",
                market="m",
                side="BUY",
                price_e6=400_000,
                size_e6=10_000_000,
                order_type="GTC",
                post_only=True,
                expires_ns=now_ns + 60 * S,
                decision=decision,
            )
        )
        return name

    def step(self, turns: int) -> None:
        for _ in range(turns):
            for one in self.runners.values():
                one.step(1)

    def until(self, done: Callable[[], bool]) -> None:
        deadline = monotonic_ns() + 10 * S
        while not done():
            assert monotonic_ns() < deadline, (self.asker.states, self.asker.updates)
            self.step(1)

    def stored(self) -> list[str]:
        with open_store(self.db_url, read_only=True) as store, store.connect() as conn:
            return [order.client_order_id for order in list_orders(conn)]

    def close(self) -> None:
        for role in list(self.runners):
            self.kill(role)
        self.context.destroy(linger=0)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with tempfile.TemporaryDirectory(prefix="pb") as sockets:  # short, as a socket's path must be
        one = Pipeline(tmp_path, Transport("ipc", socket_dir=Path(sockets)))
        yield one
        one.close()


def refused_while_alone(pipeline: Pipeline) -> None:
    """An order that reaches an executor without a writer gets the state of things for an answer, and nothing else."""
    pipeline.until(lambda: bool(pipeline.asker.states))
    before = len(pipeline.asker.states)
    name = pipeline.order()
    pipeline.until(lambda: len(pipeline.asker.states) > before)
    pipeline.step(20)
    assert set(pipeline.asker.states) == {(False, "waiting for the writer")}
    assert name not in pipeline.asker.updates


def taken_once_the_writer_is_there(pipeline: Pipeline) -> str:
    pipeline.start_writer()
    pipeline.until(lambda: pipeline.asker.states[-1][0])
    name = pipeline.order()
    pipeline.until(lambda: name in pipeline.asker.updates)
    pipeline.until(lambda: pipeline.runners["executor"].counts()["backlog"] == 0)
    return name


def test_an_executor_takes_no_order_before_the_writer_speaks_at_the_start_and_after_both_were_killed(pipeline):
    pipeline.start_executor()
    refused_while_alone(pipeline)
    first = taken_once_the_writer_is_there(pipeline)
    pipeline.kill("executor")
    pipeline.kill("writer")
    pipeline.asker.states.clear()
    pipeline.start_executor()
    refused_while_alone(pipeline)
    second = taken_once_the_writer_is_there(pipeline)
    assert sorted(pipeline.stored()) == [first, second]
