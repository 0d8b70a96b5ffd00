"""`polybot halt` and `resume`: left on disk without an executor, believed with one only once it says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from click.testing import CliRunner
from filelock import FileLock

from pipeline.base.config import Config
from pipeline.base.halt_file import read_halt
from pipeline.base.settings import BusSection, Settings
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.topology import STREAM
from pipeline.bus.transport import choose_transport, socket_folder
from pipeline.bus.wires import Subscribed, Wires
from pipeline.messages import Message
from pipeline.messages.orders import ExecSnapshot, Halt, OpenOrder, OrderUpdate, Resume, TradingHalted, TradingResumed
from polybot.cli import halt, resume
from polybot.cli.operating import Unconfirmed, say

ORDER = OpenOrder("s-1", "s", "t", "m", "BUY", 410_000, 5_000_000, 0, "live", 1)
ENDED = OrderUpdate(
    ts_ns=3, client_order_id="s-1", strategy="s", token_id="t", market="m", side="BUY", price_e6=410_000, size_e6=5_000_000,
    filled_e6=0, status="cancelled",
)  # fmt: skip


class Executor(threading.Thread):
    """Holds the role's lock and speaks on its sockets, as far as an operator needs it."""

    def __init__(self, state_dir: Path, answers: dict[type[Message], tuple[Message, ...]]) -> None:
        super().__init__(daemon=True)
        self.heard: list[Message] = []
        self._state_dir, self._answers = state_dir, answers
        self._ready, self._over = threading.Event(), threading.Event()

    def run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        transport = choose_transport(BusSection(state_dir=str(self._state_dir)))
        snapshot = ExecSnapshot(ts_ns=1, accepts=True, halted=False, mode="fake", orders=(ORDER,), positions=())
        identity = Identity("s", "r", "executor")
        (self._state_dir / "executor.pid").write_text("4711\n")
        with (
            FileLock(self._state_dir / "executor.lock"),
            Wires("executor", identity, transport, context, only=("exec", "operator")) as wires,
        ):
            self._ready.set()
            while not self._over.is_set():
                for item in wires.receive(20, 100):
                    if isinstance(item, Subscribed):
                        wires.send(STREAM["exec"], snapshot)
                    elif isinstance(item, Arrival):
                        self.heard.append(item.message)
                        for answer in self._answers.get(type(item.message), ()):
                            wires.send(STREAM["exec"], answer)
        context.destroy(linger=0)

    def __enter__(self) -> Executor:
        self.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join(5)


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    state_dir = tmp_path / "var"
    state_dir.mkdir()
    yield Config(Settings(bus=BusSection(state_dir=str(state_dir))))
    if socket_folder(state_dir).exists():
        for socket in socket_folder(state_dir).iterdir():
            socket.unlink()
        socket_folder(state_dir).rmdir()


def state_dir_of(config: Config) -> Path:
    return Path(config.settings.bus.state_dir)


def test_without_an_executor_the_word_is_on_disk_and_no_socket_is_made(config: Config) -> None:
    state_dir = state_dir_of(config)
    told = CliRunner().invoke(halt.command, ["--reason", "news", "--state-dir", str(state_dir)])
    assert told.exit_code == 0
    assert told.stdout == (
        f"no executor runs in {state_dir}; the halt is on disk in {state_dir / 'halt.json'} and counts from the next start\n"
    )
    word = read_halt(state_dir)
    assert word is not None and (word.halted, word.reason) == (True, "news")
    told = CliRunner().invoke(resume.command, ["--state-dir", str(state_dir), "--json"])
    assert json.loads(told.stdout)["running"] is False
    word = read_halt(state_dir)
    assert word is not None and not word.halted
    assert not socket_folder(state_dir).exists()


def test_an_executor_is_told_and_believed_once_it_says_so(config: Config) -> None:
    answers: dict[type[Message], tuple[Message, ...]] = {
        Halt: (TradingHalted(ts_ns=2, reason="news"), ENDED),
        Resume: (TradingResumed(ts_ns=4),),
    }
    with Executor(state_dir_of(config), answers) as executor:
        halted = say(config, Halt(ts_ns=1, reason="news", cancel=True))
        assert (halted.halted, halted.running, halted.cancelled) == (True, True, 1)
        assert say(config, Resume(ts_ns=3)).running
    assert [type(msg) for msg in executor.heard] == [Halt, Resume]
    word = read_halt(state_dir_of(config))
    assert word is not None and not word.halted


def test_an_executor_that_does_not_answer_is_told_of_with_its_pid(config: Config) -> None:
    with (
        Executor(state_dir_of(config), {}),
        pytest.raises(Unconfirmed, match=r"the executor \(pid 4711\) has not confirmed within"),
    ):
        say(config, Halt(ts_ns=1, reason="news"), patience_s=0.5)
    word = read_halt(state_dir_of(config))
    assert word is not None and word.halted


def test_a_halt_whose_cancels_do_not_come_says_how_many_orders_are_open(config: Config) -> None:
    answers: dict[type[Message], tuple[Message, ...]] = {Halt: (TradingHalted(ts_ns=2, reason="news"),)}
    with (
        Executor(state_dir_of(config), answers),
        pytest.raises(Unconfirmed, match="trading is halted, but 1 orders are still open"),
    ):
        say(config, Halt(ts_ns=1, reason="news", cancel=True), patience_s=0.5)
