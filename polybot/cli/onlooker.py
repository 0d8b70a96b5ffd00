"""Look at a running pipeline without disturbing it: subscriptions to its PUB/SUB streams, and nothing sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import TracebackType

import zmq

from pipeline.base.errors import BadInput
from pipeline.base.settings import BusSection
from pipeline.bus.stage import Arrival, Gap, Identity
from pipeline.bus.topology import STREAM, STREAMS
from pipeline.bus.transport import choose_transport
from pipeline.bus.wires import Wires

TAPPABLE = tuple(stream.name for stream in STREAMS if stream.kind == "pubsub")
"""The streams that anyone may listen to; on the others a listener would take messages away from their receiver."""


def check_tappable(name: str) -> None:
    """Raises BadInput for a stream that does not exist, or that has one receiver only."""
    if name in TAPPABLE:
        return
    known = ", ".join(TAPPABLE)
    if name in STREAM:
        raise BadInput(f"stream {name} goes to {STREAM[name].binds} alone and cannot be tapped; can be: {known}")
    raise BadInput(f"there is no stream {name}; can be tapped: {known}")


class Onlooker:
    """Subscriptions to some streams of the pipeline with this ``[bus]`` section. A context manager; use from one thread.

    ``keys`` narrows a stream to the messages about some keys. Publishers that are not there yet are connected to once they are,
    and after a restart again. ``every_message``: none is left out when we fall behind, not even state that a later one replaces.
    """

    def __init__(
        self,
        streams: Iterable[str],
        bus: BusSection,
        *,
        keys: Mapping[str, Iterable[str]] | None = None,
        every_message: bool = False,
    ) -> None:
        self.streams = tuple(streams)
        self.missed = 0
        transport = choose_transport(bus)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        topics = {name: [f"{name}.{key}" for key in wanted] for name, wanted in (keys or {}).items()}
        identity = Identity("", f"onlooker-{os.getpid()}", "cli")
        self._wires = Wires(
            _role_that_hears(self.streams, every_message), identity, transport, self._context, topics=topics, only=self.streams
        )

    def receive(self, timeout_ms: int, at_most: int = 2_000) -> list[Arrival]:
        """What has arrived; waits for the first of it. After a loss the state of its topic is asked for again."""
        found = []
        for item in self._wires.receive(timeout_ms, at_most):
            if isinstance(item, Arrival):
                found.append(item)
            elif isinstance(item, Gap):
                self.missed += item.got - item.expected
                self._wires.resubscribe(item.stream, item.topic)
        return found

    def close(self) -> None:
        """Close the subscriptions."""
        self._wires.close()
        self._context.destroy(linger=0)

    def __enter__(self) -> Onlooker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _role_that_hears(streams: tuple[str, ...], every_message: bool) -> str:
    """A role whose subscriptions these are: the onlooker reads as it does."""
    rows = [STREAM[name] for name in streams]
    roles = set.intersection(*(set(row.receivers) for row in rows))
    if every_message:
        complete = {role for role in roles if all(row.when_full != "supersede" or role in row.every_message for row in rows)}
        roles = complete or roles
    return min(roles)
