"""What tests of single stages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from pipeline.bus.stage import Stage
from pipeline.messages import Message

Run = Callable[..., list[Message]]


@pytest.fixture
def run() -> Run:
    """Gives messages to a stage as a runner on event time does: due timers before each, and at the end those until ``until_ns``."""

    def fire(stage: Stage, now_ns: int) -> list[Message]:
        out: list[Message] = []
        while (due := stage.next_timer_ns()) is not None and due <= now_ns:
            out += stage.on_timer(due)
        return out

    def give(stage: Stage, messages: Iterable[Message] = (), until_ns: int = 0) -> list[Message]:
        out: list[Message] = []
        for msg in messages:
            out += fire(stage, msg.ts_ns)
            out += stage.handle(msg, msg.ts_ns)
        return out + fire(stage, until_ns)

    return give
