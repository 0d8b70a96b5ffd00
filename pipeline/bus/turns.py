"""Everything that a stage is ever asked, the first time and again: the one place that calls it and notes what it was given."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from pipeline.bus import input_log
from pipeline.bus.input_log import InputLog
from pipeline.bus.stage import Arrival, Gap, PeerStarted, Stage
from pipeline.messages import Message

SendAll = Callable[[Iterable[Message]], None]
"""Takes all that a turn yields, in order, each before the stage goes on."""


class Turns:
    """One stage, asked turn by turn. What it answers goes to ``send_all``; with a ``log`` question and answer are noted there."""

    def __init__(self, stage: Stage, send_all: SendAll, log: InputLog | None = None) -> None:
        self.stage, self._send_all, self._log = stage, send_all, log
        self._answers: deque[Iterator[Message]] = deque()

    def recover(self, records: list[Message]) -> None:
        """The records of earlier lives."""
        if self._log is not None:
            self._log.recovers(records)
        self.stage.recover(records)

    def checkpoint(self, now_ns: int) -> Message | None:
        """What all records so far amount to."""
        if self._log is None:
            return self.stage.checkpoint(now_ns)
        self._log.event(input_log.CHECKPOINT, now_ns)
        found = self.stage.checkpoint(now_ns)
        for _ in self._log.said(() if found is None else (found,)):
            pass
        return found

    def start(self, now_ns: int) -> None:
        """The start."""
        self._note(input_log.START, now_ns)
        self._say(self.stage.start(now_ns))

    def take(self, arrival: Arrival, now_ns: int) -> None:
        """One message."""
        if self._log is None:
            self._send_all(self.stage.receive(arrival, now_ns))
        else:
            self._log.took(arrival, now_ns)
            self._send_all(self._log.said(self.stage.receive(arrival, now_ns)))

    def timer(self, now_ns: int) -> None:
        """The timer, which is due."""
        self._note(input_log.TIMER, now_ns)
        self._say(self.stage.on_timer(now_ns))

    def missed(self, gap: Gap, now_ns: int) -> None:
        """Messages of a topic were lost."""
        if self._log is not None:
            self._log.missed(gap, now_ns)
        self._say(self.stage.missed(gap, now_ns))

    def peer_started(self, peer: PeerStarted, now_ns: int) -> None:
        """A sender restarted."""
        if self._log is not None:
            self._log.peer(peer, now_ns)
        self._say(self.stage.peer_started(peer, now_ns))

    def remind(self, now_ns: int) -> None:
        """What is said again and again. A stage that says nothing then was not asked, as far as the log goes."""
        found = self.stage.reminders()
        if found:
            self._note(input_log.REMIND, now_ns)
            self._say(found)

    def wind_up(self, now_ns: int) -> None:
        """The beginning of the end."""
        self._note(input_log.WIND_UP, now_ns)
        self._say(self.stage.wind_up(now_ns))

    def stop(self, now_ns: int) -> None:
        """The end."""
        self._note(input_log.STOP, now_ns)
        self._say(self.stage.stop(now_ns))

    # --- new subscribers -------------------------------------------------------------------------------------------

    @property
    def owes(self) -> bool:
        """A new subscriber waits for state."""
        return bool(self._answers)

    def subscribed(self, topic: str, now_ns: int) -> None:
        """Somebody wants the state behind a topic: it is given by ``answer``."""
        self._note(input_log.SUBSCRIBED, now_ns, topic)
        self._answers.append(iter(self.stage.current(topic)))
        self._say(())

    def answer(self, at_most: int, now_ns: int) -> int:
        """Give the first of the waiting subscribers so many messages, and return how many there were: fewer, when it has all."""
        self._note(input_log.ANSWER, now_ns, at_most)
        given = 0

        def drawn() -> Iterator[Message]:
            nonlocal given
            for msg in islice(self._answers[0], at_most):
                given += 1
                yield msg

        self._say(drawn())
        if given < at_most:
            self._answers.popleft()
        return given

    # --- small steps -----------------------------------------------------------------------------------------------

    def _note(self, kind: int, now_ns: int, *more: str | int) -> None:
        if self._log is not None:
            self._log.event(kind, now_ns, *more)

    def _say(self, messages: Iterable[Message]) -> None:
        self._send_all(messages if self._log is None else self._log.said(messages))
