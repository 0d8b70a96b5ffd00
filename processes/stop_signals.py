"""What asks a supervisor to stop: the signals of the platform, and whether somebody insists."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from pipeline.base.clock import monotonic_ns
from pipeline.base.units import NS_PER_MS

_ONE_REQUEST_NS = 500 * NS_PER_MS


class StopSignals:
    """Hears what asks this process to stop: SIGINT, SIGTERM, SIGHUP, Ctrl-Break, where the platform has them. A context manager.

    ``insists``: it was asked again. Signals within half a second are one request, as a launcher may pass on the terminal's Ctrl-C.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._last_ns = 0
        self._before: dict[int, Any] = {}

    @property
    def insists(self) -> bool:
        return self.requests > 1

    def __enter__(self) -> StopSignals:
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now_ns = monotonic_ns()
        if not self.requests or now_ns - self._last_ns >= _ONE_REQUEST_NS:
            self.requests += 1
        self._last_ns = now_ns
