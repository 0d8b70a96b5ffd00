"""Many stages in one process: in lockstep without sockets (``direct``), or with the real sockets, a thread a stage (``inproc``)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import zmq

from pipeline.base.clock import Clock, SystemClock
from pipeline.bus.lockstep import Lockstep, Tap
from pipeline.bus.runner import Runner, RunnerOptions
from pipeline.bus.stage import Identity, Stage
from pipeline.bus.transport import Transport

__all__ = ["Lockstep", "Tap", "Threads", "journal_path"]


class Threads:
    """The given stages on the ``inproc`` transport, a thread each, on the system's clock. Used as a context manager."""

    def __init__(
        self,
        plans: Sequence[tuple[Stage, RunnerOptions]],
        *,
        session_id: str,
        clock: Callable[[], Clock] = SystemClock,
        edges: dict[str, Sequence[object]] | None = None,
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._stop = threading.Event()
        self.runners: list[Runner] = []
        self.failures: list[BaseException] = []
        for stage, options in plans:
            identity = Identity(session_id, f"{session_id}.{stage.role}", stage.role)
            chosen = (edges or {}).get(stage.role, ())
            self.runners.append(
                Runner(stage, identity, clock(), Transport("inproc"), self._context, edges=chosen, options=options)  # type: ignore[arg-type]
            )
        self._threads = [threading.Thread(target=self._run, args=(runner,), name=runner.stage.role) for runner in self.runners]

    def _run(self, runner: Runner) -> None:
        try:
            runner.run(lambda: not self._stop.is_set())
        except BaseException as error:
            self.failures.append(error)
            self._stop.set()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop every stage and wait for it; raises what any of them raised."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._context.term()
        if self.failures:
            raise self.failures[0]

    def __enter__(self) -> Threads:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def journal_path(state_dir: Path, role: str, db_name: str) -> Path:
    """Where a role keeps the journal of one database: another database never gets another one's orders."""
    return state_dir / "journal" / f"{role}-{db_name}.journal"
