"""Captures that others made: raw frames wrapped in lines of their own, each kind told by its keys.

``{"receivedAt", "payloadUtf8"}``; ``{"t", "dir", "data"}`` with dir open, send, recv, close; ``{"receivedAtMs", "data"}``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from pipeline.base.units import NS_PER_MS
from pipeline.messages import Message
from pipeline.messages.edges import FrameSent, LinkEvent, RawFrame

CaptureKind = Literal["payload", "session", "journal"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def capture_kind(first: Any) -> CaptureKind | None:
    """Which capture the first line of a file belongs to; None if to none of them."""
    if not isinstance(first, dict):
        return None
    if "payloadUtf8" in first:
        return "payload"
    if "dir" in first and "t" in first:
        return "session"
    if "receivedAtMs" in first and isinstance(first.get("data"), str):
        return "journal"
    return None


def capture_message(line: Any, kind: CaptureKind, where: str) -> Message:
    """One line of a capture. Raises ValueError if it lacks what its kind has."""
    try:
        return _READ[kind](line, where)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise ValueError(f"not a line of this capture: {error}") from None


def iso_ns(text: str) -> int:
    """UTC nanoseconds of an ISO time with its zone; exact to the microsecond. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return (moment - _EPOCH) // _MICROSECOND * 1_000


def _payload(line: Any, where: str) -> Message:
    return RawFrame(ts_ns=iso_ns(line["receivedAt"]), link_id="capture", data=line["payloadUtf8"].encode(), where=where)


def _session(line: Any, where: str) -> Message:
    ts_ns, direction = iso_ns(line["t"]), line["dir"]
    if direction == "recv":
        return RawFrame(ts_ns=ts_ns, link_id="capture", data=line["data"].encode(), where=where)
    if direction == "send":
        return FrameSent(ts_ns=ts_ns, link_id="capture", data=line["data"].encode())
    if direction == "open":
        return LinkEvent(ts_ns=ts_ns, link_id="capture", state="up")
    return LinkEvent(ts_ns=ts_ns, link_id="capture", state="closed", reason=str(line.get("data", ""))[:200])


def _journal(line: Any, where: str) -> Message:
    return RawFrame(
        ts_ns=msgspec.convert(line["receivedAtMs"], int) * NS_PER_MS,
        link_id=str(line.get("connectionId", "capture")),
        data=line["data"].encode(),
        mono_ns=int(line.get("monotonicNs", 0)),
        where=where,
    )


_READ = {"payload": _payload, "session": _session, "journal": _journal}
