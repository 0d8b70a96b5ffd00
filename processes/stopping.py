"""The orderly end of a session: wave after wave, within its time, and what was waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.base.clock import monotonic_ns
from pipeline.base.units import NS_PER_MS

_SHARE_PERCENT = 40
"""How much of the time that is left a wave may have for itself before the next is asked to stop as well."""
_TURN_MS = 20


class Stoppable(Protocol):
    """A running process, as far as stopping it goes."""

    def exit_code(self) -> int | None: ...

    def ask_to_stop(self) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True)
class StopReport:
    """How everything ended. ``waited_ms``: for each process, how long after it was asked it was gone, in the order of asking."""

    total_ms: int = 0
    waited_ms: tuple[tuple[str, int], ...] = ()
    killed: tuple[str, ...] = ()

    def told(self) -> str:
        """One line for a person."""
        waited = ", ".join(f"{role} {ms / 1_000:.1f} s" for role, ms in self.waited_ms if role not in self.killed)
        killed = f"; killed, as they did not end in time: {', '.join(self.killed)}" if self.killed else ""
        return f"stopped in {self.total_ms / 1_000:.1f} s; waited for {waited or 'nothing'}{killed}"


def stop_in_order(
    waves: Sequence[Sequence[str]],
    children: Mapping[str, Stoppable],
    listen: Callable[[int], None],
    hurry: Callable[[], bool],
    allowed_ms: int,
) -> StopReport:
    """Ask the processes to stop, wave after wave, and kill what has not ended after ``allowed_ms`` or once somebody is in a ``hurry``.

    A wave is asked when all before it have ended or have had their share of the time: one that hangs takes from the others their
    turn, not their time. ``listen`` is called with milliseconds to wait.
    """
    began_ns = monotonic_ns()
    deadline_ns = began_ns + allowed_ms * NS_PER_MS
    asked_ns: dict[str, int] = {}
    waited_ms: dict[str, int] = {}

    def alive() -> list[str]:
        now_ns = monotonic_ns()
        left = []
        for role in asked_ns:
            if children[role].exit_code() is None:
                left.append(role)
            elif role not in waited_ms:
                waited_ms[role] = (now_ns - asked_ns[role]) // NS_PER_MS
        return left

    for number, wave in enumerate(waves):
        for role in wave:
            if role in children:
                asked_ns[role] = monotonic_ns()
                children[role].ask_to_stop()
        last = number == len(waves) - 1
        now_ns = monotonic_ns()
        until_ns = deadline_ns if last else now_ns + max(0, deadline_ns - now_ns) * _SHARE_PERCENT // 100
        while alive() and not hurry() and monotonic_ns() < until_ns:
            listen(_TURN_MS)
    killed = tuple(alive())
    for role in killed:
        children[role].kill()
    total_ms = (monotonic_ns() - began_ns) // NS_PER_MS
    told = tuple((role, waited_ms.get(role, total_ms)) for role in asked_ns)
    return StopReport(total_ms, told, killed)
