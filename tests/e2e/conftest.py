"""Real processes: a pipeline under `polybot up` (or any command) in a folder of its own, watched from outside, never waited for blindly."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest

from pipeline.base.settings import BusSection
from pipeline.bus.transport import socket_folder
from pipeline.messages.market import BookSnapshot
from polybot.cli.live_model import PipelineModel
from polybot.cli.onlooker import Onlooker

ROOT = Path(__file__).resolve().parents[2]


class Program:
    """A started command. Its output is read all the time, so that it never waits for us."""

    def __init__(self, args: list[str], folder: Path, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", *args],
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._heard = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, kept), daemon=True)
            for pipe, kept in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: TextIO, kept: list[str]) -> None:
        for line in pipe:
            with self._heard:
                kept.append(line)
                self._heard.notify_all()

    def until_it_says(self, words: str, seconds: float) -> None:
        """Wait for a line of standard output that holds ``words``."""
        with self._heard:
            said = self._heard.wait_for(lambda: any(words in line for line in self.out), seconds)
        assert said, f"{words}: not said within {seconds} s\n{self.said}"

    def wait(self, seconds: float) -> int:
        """Its exit code; fails the test if it does not end in time."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return code

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    @property
    def said(self) -> str:
        return f"exit code {self.process.poll()}\n--- out\n{''.join(self.out)}\n--- err\n{''.join(self.err)}"


class Pipeline(Program):
    """`polybot up` on a free port, with all it writes below ``folder``."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.state_dir = folder / "var"
        self.db_url = f"sqlite:///{folder / 'fake.db'}"
        self.books: dict[str, BookSnapshot] = {}
        self.model = PipelineModel()
        self._look: Onlooker | None = None
        places = ["--state-dir", str(self.state_dir), "--db-url", self.db_url, "--port", str(free_port())]
        super().__init__(["polybot.cli", "up", "--plain", *places, *options], folder)

    def look(self, timeout_ms: int = 20) -> None:
        """Hear what the pipeline publishes."""
        if self._look is None:
            self._look = Onlooker(["universe", "book", "exec"], BusSection(state_dir=str(self.state_dir)))
        for arrival in self._look.receive(timeout_ms):
            self.model.on_message(arrival.message)
            if isinstance(arrival.message, BookSnapshot):
                self.books[arrival.message.token_id] = arrival.message

    def until(self, reached: Callable[[], object], seconds: float, what: str) -> float:
        """Look until something is so; returns how many seconds it took."""
        began = time.monotonic()
        while not reached():
            waited = time.monotonic() - began
            assert self.process.poll() is None, f"ended while waiting for {what}\n{self.said}"
            assert waited < seconds, f"{what}: not within {seconds} s\n{self.said}\n{self.logs()}"
            self.look()
        return time.monotonic() - began

    def trades(self) -> bool:
        """Every followed token has a verified book, and orders are placed."""
        tokens = self.model.tokens()
        return bool(tokens) and self.model.trusted == len(tokens) and self.model.placed > 0

    def pids(self) -> dict[str, int]:
        """The latest process of each role, as the supervisor's log tells them."""
        return {event["child"]: event["pid"] for event in self.events("role_started", "role_restarted")}

    def events(self, *names: str) -> list[dict[str, object]]:
        """What the supervisor logged."""
        lines = [line for log in self.state_dir.glob("runs/*/supervisor.log") for line in log.read_text().splitlines()]
        return [event for event in map(json.loads, lines) if event["event"] in names]

    def logs(self) -> str:
        """The last lines of every process."""
        files = sorted(self.state_dir.glob("runs/*/*.log"))
        return "\n".join(f"--- {file.name}\n" + "\n".join(file.read_text().splitlines()[-4:]) for file in files)

    def left_behind(self) -> list[str]:
        """Processes and sockets that are still there."""
        started = [event["pid"] for event in self.events("role_started", "role_restarted")]
        found = [f"process {pid}" for pid in started if is_alive(pid)]
        return found + ([str(socket_folder(self.state_dir))] if socket_folder(self.state_dir).exists() else [])

    def close(self) -> None:
        if self._look is not None:
            self._look.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.wait(10)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> int:
    """A port that is free now."""
    return free_port()


@pytest.fixture(scope="session")
def pipeline_class() -> type[Pipeline]:
    """For tests that share one pipeline."""
    return Pipeline


@pytest.fixture
def up(tmp_path):
    """Starts pipelines in ``tmp_path``; those that still run at the end are stopped."""
    started: list[Pipeline] = []

    def start(*options: str) -> Pipeline:
        started.append(Pipeline(tmp_path, *options))
        return started[-1]

    yield start
    for pipeline in started:
        pipeline.close()


@pytest.fixture
def program(tmp_path):
    """Starts Python modules as programs in ``tmp_path``; those that still run at the end are killed."""
    started: list[Program] = []

    def start(*args: str, **environment: str) -> Program:
        started.append(Program(list(args), tmp_path, **environment))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.wait(10)
