"""Named places at which a process can be made to die, so that tests crash it at a step and not at a time.

``POLYBOT_FAULT_POINT=<role>:<point>:<n>`` kills the process of that role, as ``kill -9`` does, when it is at that point for the n-th
time. Without it a point costs one comparison. Nothing but tests sets it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
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
"""Of an order on its way: its intent is journalled, its request sent and answered; its records are pushed to the writer and committed."""
POINTS: tuple[FaultPoint, ...] = get_args(FaultPoint)


def die() -> None:
    """End this process at once: no clean-up, no buffers written."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


class _Armed:
    """The one point that is armed in this process, if any, and how often it is still passed."""

    point: FaultPoint | None = None
    passes = 0
    act: Callable[[], None] = staticmethod(die)


def arm(point: FaultPoint, at: int = 1, act: Callable[[], None] = die) -> None:
    """Do ``act`` when ``point`` is reached for the ``at``-th time."""
    _Armed.point, _Armed.passes, _Armed.act = point, at, staticmethod(act)


def disarm() -> None:
    """Nothing happens at any point."""
    _Armed.point = None


def arm_from_environment(role: str) -> None:
    """Arm what ``POLYBOT_FAULT_POINT`` says for this role. Raises BadInput for what cannot be read."""
    said = os.environ.get(VARIABLE, "")
    if not said:
        return
    whose, _, rest = said.partition(":")
    name, _, times = rest.partition(":")
    point = next((point for point in POINTS if point == name), None)
    if point is None or not times.isdecimal() or int(times) < 1:
        raise BadInput(f"{VARIABLE} = {said!r}: give <role>:<point>:<n>, with a point of {', '.join(POINTS)}")
    if whose == role:
        arm(point, int(times))


def reach(point: FaultPoint) -> None:
    """This process is at ``point`` now."""
    if _Armed.point is not None and _Armed.point == point:
        _Armed.passes -= 1
        if _Armed.passes == 0:
            _Armed.act()
