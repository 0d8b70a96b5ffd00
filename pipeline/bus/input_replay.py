"""Asking a stage again what it was asked in an earlier life, and comparing every answer with what was noted then."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

import msgspec

from pipeline.base.errors import PolybotError
from pipeline.bus import input_log as log
from pipeline.bus.input_log import BULK, figures
from pipeline.bus.input_reading import Event, Head, LifeLog, Mark, any_message
from pipeline.bus.stage import Stage
from pipeline.bus.topology import STRATEGY, STREAM
from pipeline.bus.turns import Turns
from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.records import OrderIntent

DECISIONS = frozenset(STREAM["command"].carries)
DURABLE = frozenset(STREAM["persist.durable"].carries)
RAISED = (ArithmeticError, AssertionError, AttributeError, LookupError, PolybotError, RuntimeError, TypeError, ValueError)
"""What a stage that meets what it never met may raise: it is told as a difference."""

Named = list[tuple[str, Any]]

_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first place where a life is not what it was. ``event`` is what the stage was asked there.

    ``what`` says in words what differs; ``was`` and ``is_`` are the two messages, None for a message that is not there (or of which
    only the hash was kept, if ``hashed``: then ``heard`` is what was said here). ``states`` are the figures of both sides that differ, if
    ``both``, else those of this side alone.
    """

    role: str
    run_id: str
    event: Event
    inputs: int
    what: str
    was: Message | None = None
    is_: Message | None = None
    hashed: bool = False
    agreed_to: int = 0
    states: tuple[tuple[str, Any, Any], ...] = ()
    both: bool = False
    heard: tuple[Message, ...] = ()

    @property
    def is_decision(self) -> bool:
        """It is in what a strategy asked the executor for."""
        return type(self.was or self.is_) in DECISIONS


@dataclass(slots=True)
class LifeResult:
    """What one life amounts to. ``durable`` are the records that it said; the first ``safe`` of them must be in the journal, and no
    ``checkpoints`` but these.
    """

    head: Head
    inputs: int = 0
    timers: int = 0
    messages: int = 0
    decisions: int = 0
    intents: int = 0
    states: int = 0
    ended: bool = False
    began_ns: int = 0
    last_ns: int = 0
    divergence: Divergence | None = None
    faults: list[str] = field(default_factory=list)
    durable: list[bytes] = field(default_factory=list)
    checkpoints: list[bytes] = field(default_factory=list)
    safe: int = 0


class _Again:
    """One stage being asked again; with ``for_decisions`` the first other decision counts more than any difference before it."""

    def __init__(self, head: Head, stage: Stage, for_decisions: bool) -> None:
        self.stage, self._for_decisions = stage, for_decisions and head.role == STRATEGY
        self.result = LifeResult(head)
        self._crc = self._agreed = 0
        self._heard: list[Message] = []
        self._turns = Turns(stage, self._hear)

    def _hear(self, messages: Iterable[Message]) -> None:
        self._heard = list(messages)

    def ask(self, event: Event, is_last: bool) -> bool:
        """One event. Returns whether to go on."""
        result = self.result
        if result.divergence is None:
            found = self._ask(event, is_last)
            if found is not None and self._for_decisions and not found.is_decision:
                found = self._other_decision(event) or found
            result.divergence = found
        elif event.said is not None or not is_last:
            result.divergence = self._ask_for_decisions(event) or result.divergence
        return result.divergence is None or (self._for_decisions and not result.divergence.is_decision)

    def _ask_for_decisions(self, event: Event) -> Divergence | None:
        """One event of a stage that is another one already."""
        self._heard = []
        try:
            self._turn(event)
        except RAISED:
            return None
        return self._other_decision(event)

    def _other_decision(self, event: Event) -> Divergence | None:
        """The first decision in the answers to an event that is another one."""
        kept = [] if event.said is None else [any_message(data) for data in event.said.kept]
        there = [msg for msg in kept if type(msg) in DECISIONS]
        here = [msg for msg in self._heard if type(msg) in DECISIONS]
        for was, is_ in zip_longest(there, here):
            if was != is_:
                return self._differs(event, _words(was, is_), was, is_)
        return None

    def _ask(self, event: Event, is_last: bool) -> Divergence | None:
        result = self.result
        result.began_ns = result.began_ns or event.now_ns
        result.last_ns = event.now_ns
        self._heard = []
        late = self._not_due(event)
        if late:
            return self._differs(event, late)
        result.safe = len(result.durable)
        try:
            self._turn(event)
        except RAISED as error:
            if is_last and event.said is None:
                return None  # the process died of it then, too
            return self._differs(event, f"it raised {type(error).__name__}: {error}; the original went on")
        return self._compared(event, is_last)

    def _not_due(self, event: Event) -> str:
        if event.kind != log.TIMER:
            return ""
        due_ns = self.stage.next_timer_ns()
        if due_ns is not None and due_ns <= event.now_ns:
            return ""
        return f"the original's timer was due; here it is {'at no time' if due_ns is None else f'due at {due_ns}'}"

    def _turn(self, event: Event) -> None:
        turns, now_ns, given = self._turns, event.now_ns, event.given
        for fact in event.learned:
            self.stage.recall(fact)
        match event.kind:
            case log.INPUT:
                self.result.inputs += 1
                turns.take(given, now_ns)
            case log.TIMER:
                self.result.timers += 1
                turns.timer(now_ns)
            case log.RECOVER:
                turns.recover(given)
            case log.CHECKPOINT:
                found = turns.checkpoint(now_ns)
                self._heard = [] if found is None else [found]
            case log.START:
                turns.start(now_ns)
            case log.GAP:
                turns.missed(given, now_ns)
            case log.PEER:
                turns.peer_started(given, now_ns)
            case log.SUBSCRIBED:
                turns.subscribed(given, now_ns)
            case log.ANSWER:
                turns.answer(given, now_ns)
            case log.REMIND:
                turns.remind(now_ns)
            case log.WIND_UP:
                turns.wind_up(now_ns)
            case log.STOP:
                turns.stop(now_ns)

    def _compared(self, event: Event, is_last: bool) -> Divergence | None:
        result, said, heard = self.result, event.said, self._heard
        crc = self._crc
        for msg in heard:
            data = _encode(msg)
            crc = zlib.crc32(data, crc)
            kind = type(msg)
            if kind in DURABLE:
                result.durable.append(data)
                result.intents += kind is OrderIntent
            elif kind is Checkpoint:
                result.checkpoints.append(data)
            result.decisions += kind in DECISIONS
        result.messages += len(heard)
        if said is None and is_last:
            return None  # killed in this turn: what it said is not known
        if (len(heard), crc) != ((0, self._crc) if said is None else (said.count, said.crc)):
            return self._other_words(event)
        self._crc = crc
        mark = event.mark
        if mark is not None:
            found = Mark(*figures(self.stage, event.number))
            if found != mark:
                return self._differs(event, "its state differs", states=_both(_flat(mark), _flat(found)))
            result.states += 1
            self._agreed = event.number
        return None

    def _other_words(self, event: Event) -> Divergence:
        """Which message is another one."""
        kept = [] if event.said is None else event.said.kept
        count = 0 if event.said is None else event.said.count
        plain = [msg for msg in self._heard if type(msg) not in BULK]
        for index in range(max(len(kept), len(plain))):
            here = plain[index] if index < len(plain) else None
            there = any_message(kept[index]) if index < len(kept) else None
            if here is None or there is None or _encode(here) != kept[index]:
                return self._differs(event, _words(there, here), there, here)
        bulk = [msg for msg in self._heard if type(msg) in BULK]
        numbers = f"{count} then, {len(self._heard)} here"
        what = "it said another number of messages" if count != len(self._heard) else "one of its messages is another one"
        found = self._differs(event, f"{what} ({numbers})", None, bulk[0] if bulk else None, hashed=True)
        return replace(found, heard=tuple(bulk))

    def _differs(
        self,
        event: Event,
        what: str,
        was: Message | None = None,
        is_: Message | None = None,
        hashed: bool = False,
        states: tuple[tuple[str, Any, Any], ...] = (),
    ) -> Divergence:
        head, both = self.result.head, bool(states)
        if not both:
            states = tuple((name, None, value) for name, value in _flat(Mark(*figures(self.stage, event.number))))
        return Divergence(head.role, head.run_id, event, self.result.inputs, what, was, is_, hashed, self._agreed, states, both)


def replay_life(
    life: LifeLog,
    build: Callable[[Head], Stage],
    *,
    for_decisions: bool = False,
    shown: Callable[[int], None] = lambda events: None,
    before_doubt: Callable[[], None] = lambda: None,
) -> LifeResult | None:
    """Ask a stage that ``build`` makes all that a life was asked, up to the first difference. None for a log that holds nothing yet.

    ``for_decisions``: a strategy is asked on, up to the first decision that differs, if there is one. ``shown`` is told now and then how
    many events are done. ``before_doubt`` is called before the last turn of a life that was killed, perhaps within it.
    """
    head = life.open()
    if head is None:
        return None
    again = _Again(head, build(head), for_decisions)
    result = again.result
    waiting: Event | None = None
    for event in life.events():
        if waiting is not None:
            if not again.ask(waiting, False):
                break
            if waiting.number % 5_000 == 0:
                shown(waiting.number)
        waiting = event
    else:
        if waiting is not None:
            if not life.ended:
                before_doubt()
            again.ask(waiting, not life.ended)
            if life.ended:
                result.safe = len(result.durable)
    result.ended = life.ended
    result.faults = life.faults
    return result


def with_state_then(life: LifeLog, build: Callable[[Head], Stage], found: Divergence) -> Divergence:
    """A difference with the states of both sides: that of the original is known by asking it again, with a stage that is as it was."""
    head = life.open()
    if head is None or found.both:
        return found
    again = _Again(head, build(head), False)
    for event in life.events():
        if not again.ask(event, False):
            return found
        if event.number == found.event.number:
            break
    there = _flat(Mark(*figures(again.stage, found.event.number)))
    return replace(found, states=_both(there, [(name, value) for name, _, value in found.states]), both=True)


def _words(was: Message | None, is_: Message | None) -> str:
    if was is None:
        return f"it said {type(is_).__name__}, which the original did not"
    if is_ is None:
        return f"it did not say {type(was).__name__}, as the original did"
    return (
        f"it said another {type(was).__name__}"
        if type(was) is type(is_)
        else f"it said {type(is_).__name__}, not {type(was).__name__}"
    )


def _deep(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, value in named:
        if isinstance(value, dict):
            yield from _deep((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _flat(mark: Mark) -> Named:
    """Everything in a mark by name."""
    held = msgspec.msgpack.decode(mark.state) if mark.state else None
    named = held.items() if isinstance(held, dict) else [("state", held)]
    return [
        *mark.counts.items(),
        ("next timer", mark.timer_ns),
        *((str(name), value) for name, value in named if value is not None),
    ]


def _both(was: Named, is_: Named) -> tuple[tuple[str, Any, Any], ...]:
    """What differs, to the innermost name."""
    there, here = dict(_deep(was)), dict(_deep(is_))
    return tuple((name, there.get(name), here.get(name)) for name in there | here if there.get(name) != here.get(name))
