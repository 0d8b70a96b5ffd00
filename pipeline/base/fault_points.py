"""Named places at which a process can be made to die, so that tests crash it at a step and not at a time.

``POLYBOT_FAULT_POINT`` names a file. While that file says ``<role>:<point>:<n>``, the process of that role dies, as by ``kill -9``, when
it is at that point for the n-th time since the file said so; the file goes first, so that the next life goes on. Without the variable
a point costs one comparison. Nothing but tests sets it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from pipeline.base.errors import BadInput

VARIABLE = "POLYBOT_FAULT_POINT"

FaultPoint = Literal[
    "before-journal",
    "after-journal",
    "before-send",
    "after-send",
    "before-ack",
    "after-ack",
    "before-push",
    "after-push",
    "before-commit",
    "after-commit",
]
"""Of an order on its way: its records are journalled, its request is sent and answered, its records are pushed and committed."""
POINTS: tuple[FaultPoint, ...] = get_args(FaultPoint)


def die() -> None:
    """End this process at once: no clean-up, no buffers written."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def parse(said: str) -> tuple[str, FaultPoint, int]:
    """Role, point and number of times of ``<role>:<point>:<n>``. Raises BadInput."""
    role, _, rest = said.strip().partition(":")
    name, _, times = rest.partition(":")
    point = next((point for point in POINTS if point == name), None)
    if point is None or not times.isdecimal() or int(times) < 1:
        raise BadInput(f"fault point {said.strip()!r}: give <role>:<point>:<n>, with a point of {', '.join(POINTS)}")
    return role, point, int(times)


class FaultPoints:
    """The points of one process, armed by a file."""

    def __init__(self, role: str, file: Path, act: Callable[[], None] = die) -> None:
        self._role, self._file, self._act = role, file, act
        self._said, self._passes = "", 0

    def at(self, point: FaultPoint) -> None:
        """This process is at ``point``: act if the file says so."""
        try:
            said = self._file.read_text()
        except FileNotFoundError:
            said = ""
        if said != self._said:
            self._said, self._passes = said, 0
        if not said:
            return
        role, armed, times = parse(said)
        if role == self._role and armed == point:
            self._passes += 1
            if self._passes == times:
                self._file.unlink(missing_ok=True)
                self._act()


_points: FaultPoints | None = None


def arm_from_environment(role: str) -> None:
    """Let the file that ``POLYBOT_FAULT_POINT`` names say where this process dies."""
    global _points
    file = os.environ.get(VARIABLE, "")
    _points = FaultPoints(role, Path(file)) if file else None


def reach(point: FaultPoint) -> None:
    """This process is at ``point`` now."""
    if _points is not None:
        _points.at(point)
