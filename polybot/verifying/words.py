"""What verifying a session gave, in words and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.bus import input_log as log
from pipeline.bus.input_replay import Divergence
from pipeline.messages import Message
from polybot.verifying.scratch import Rows
from polybot.verifying.verify import Report

_LONG = 160
_FIGURES = 12
"""Figures of a stage that are shown; ``--json`` has all."""
_EXCUSES = {
    "pruned": "pruned since then",
    "earlier": "as an earlier session had left them",
    "later": "changed by a later session",
}


def summary(report: Report) -> str:
    """One line: how much was compared, and the verdict."""
    texts = [f"{report.inputs:,} inputs", f"{report.decisions:,} decisions"]
    if report.is_identical:
        more = ": with these settings it decides the same" if report.tried else ""
        return f"{', '.join(texts)}, identical{more}"
    if report.divergence is not None:
        return f"{', '.join(texts)} up to the first difference of each life"
    if report.faults:
        return f"{', '.join(texts)}, identical as far as the logs can be read"
    return f"{', '.join(texts)}, identical, but the database holds another row"


def told(report: Report) -> list[str]:
    """Everything about the first difference, or what is wrong with the files; nothing if all is identical."""
    lines = [] if report.divergence is None else _divergence(report.divergence)
    if report.other_code and not report.is_identical:
        lines.append("the program is not the one that the session ran: take that version to tell its changes from other causes")
    lines += [f"not whole: {fault}" for fault in report.faults]
    return lines + _rows_told(report.rows)


def compared(report: Report) -> str:
    """One line: what of the journals and of the database was compared."""
    found = report.rows.found
    records = f"compared: {report.journal_records:,} journal records"
    if found is None:
        return f"{records}; no database rows, as they are unknown: {report.rows.unknown}"
    excused = "".join(f", {number:,} {_EXCUSES[why]}" for why, number in sorted(found.excused.items()))
    return f"{records}, {found.same:,} database rows{excused}"


def _rows_told(rows: Rows) -> list[str]:
    """The first row that is another one."""
    found = None if rows.found is None else rows.found.difference
    if found is None:
        return []
    was, is_ = found.was or {}, found.is_ or {}
    differ = [name for name in was or is_ if was.get(name) != is_.get(name)]
    return [
        f"first differing row: {found.table}, row {found.number:,} of the session",
        f"  database: {_cut(repr(found.was)) if was else '(nothing)'}",
        f"  here:     {_cut(repr(found.is_)) if is_ else '(nothing)'}",
        *(f"    {name}: {_cut(repr(was[name]))} | {_cut(repr(is_[name]))}" for name in differ if was and is_),
    ]


def _divergence(found: Divergence) -> list[str]:
    event = found.event
    word = "decision" if found.is_decision else "answer" if found.was is not None or found.is_ is not None else "state"
    lines = [
        f"first differing {word}: {found.role} ({found.run_id}), input {found.inputs:,} (event {event.number:,}), {_time(event.now_ns)}",
        f"  {found.what}",
        f"  it was asked: {event.told()}",
    ]
    if event.kind == log.INPUT:
        lines.append(f"    {_short(event.given.message)}")
    if found.was is not None or found.is_ is not None:
        lines.append(f"  original: {_side(found.was, found.hashed)}")
        lines.append(f"  here:     {_side(found.is_, False)}")
        lines += [f"    {name}: {_cut(repr(was))} | {_cut(repr(is_))}" for name, was, is_ in _fields(found.was, found.is_)]
    agreed = f"agreed up to event {found.agreed_to:,}" if found.agreed_to else "not compared before"
    same = "; the same on both sides" if found.both and not found.states else ""
    lines.append(f"  state: {agreed}{same}")
    shown = found.states[:_FIGURES] if found.both else found.states[-_FIGURES:]
    for name, was, is_ in shown:
        values = f"{_cut(repr(was))} | {_cut(repr(is_))}" if found.both else _cut(repr(is_))
        lines.append(f"    {name}: {values}")
    if len(found.states) > len(shown):
        lines.append(f"    and {len(found.states) - len(shown):,} more, which --json has")
    return lines


def as_json(report: Report) -> dict[str, Any]:
    """The same for a program."""
    found = report.divergence
    return {
        "session": report.session_id,
        "identical": report.is_identical,
        "same_code": not report.other_code,
        "inputs": report.inputs,
        "decisions": report.decisions,
        "journal_records": report.journal_records,
        "rows": _rows_json(report.rows),
        "lives": [
            {
                "role": life.head.role,
                "run_id": life.head.run_id,
                "began": _time(life.began_ns),
                "ended": _time(life.last_ns),
                "stopped": life.ended,
                "inputs": life.inputs,
                "timers": life.timers,
                "messages": life.messages,
                "decisions": life.decisions,
                "order_intents": life.intents,
                "states": life.states,
                "identical": life.divergence is None and not life.faults,
            }
            for life in report.lives
        ],
        "empty": list(report.empty),
        "faults": list(report.faults),
        "divergence": None if found is None else _json_of(found),
    }


def _rows_json(rows: Rows) -> dict[str, Any]:
    found = rows.found
    if found is None:
        return {"compared": None, "unknown": rows.unknown, "difference": None}
    difference = None if found.difference is None else found.difference._asdict()
    return {"compared": found.same, "excused": dict(found.excused), "difference": difference}


def _json_of(found: Divergence) -> dict[str, Any]:
    return {
        "role": found.role,
        "run_id": found.run_id,
        "event": found.event.number,
        "input": found.inputs,
        "at": _time(found.event.now_ns),
        "asked": found.event.told(),
        "given": msgspec.to_builtins(found.event.given.message) if found.event.kind == log.INPUT else None,
        "what": found.what,
        "original": None if found.was is None else _named(found.was),
        "here": None if found.is_ is None else _named(found.is_),
        "state_agreed_to": found.agreed_to,
        "state": [{"name": name, "original": was, "here": is_} for name, was, is_ in found.states],
    }


def _named(msg: Message) -> dict[str, Any]:
    fields = {name: msgspec.to_builtins(getattr(msg, name)) for name in msg.__struct_fields__}
    return {"kind": type(msg).__name__} | fields


def _fields(was: msgspec.Struct | None, is_: msgspec.Struct | None) -> list[tuple[str, Any, Any]]:
    """What differs between two messages of one kind, field by field."""
    if was is None or is_ is None or type(was) is not type(is_):
        return []
    found: list[tuple[str, Any, Any]] = []
    for name in was.__struct_fields__:
        there, here = getattr(was, name), getattr(is_, name)
        if isinstance(there, msgspec.Struct) and type(there) is type(here):
            found += [(f"{name}.{inner}", a, b) for inner, a, b in _fields(there, here)]
        elif there != here:
            found.append((name, there, here))
    return found


def _side(msg: Message | None, hashed: bool) -> str:
    if msg is None:
        return "(market data: only its hash was kept)" if hashed else "(nothing)"
    return _short(msg)


def _short(msg: Message) -> str:
    return _cut(repr(msg))


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="microseconds") if ns else ""
