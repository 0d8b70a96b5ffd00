"""Market data of which a log keeps the hash alone, as those who heard it noted it."""

from __future__ import annotations

from dataclasses import replace

from pipeline.bus import input_log as log
from pipeline.bus.input_replay import Divergence
from pipeline.messages import Message
from polybot.verifying.session import Session


def with_original(session: Session, found: Divergence) -> Divergence:
    """The difference with both sides, if another process heard the message that differs: the first of its kind, key and time."""
    if not found.hashed:
        return found
    wanted = {_mark(msg): msg for msg in found.heard}
    originals: dict[tuple[type[Message], str, int], Message] = {}
    for life in session.lives:
        if life.run_id == found.run_id or life.open() is None:
            continue
        for event in life.events():
            if event.kind == log.INPUT and event.given.run_id == found.run_id:
                mark = _mark(event.given.message)
                if mark in wanted:
                    originals.setdefault(mark, event.given.message)
    for mark, here in wanted.items():
        there = originals.get(mark)
        if there is not None and there != here:
            return replace(found, was=there, is_=here, hashed=False, what=f"it said another {type(here).__name__}")
    return found


def _mark(msg: Message) -> tuple[type[Message], str, int]:
    return type(msg), msg.key, msg.ts_ns
