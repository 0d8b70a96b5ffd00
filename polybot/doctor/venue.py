"""The venue's clock, and the ports that we need."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from pipeline.bus.topology import STREAMS
from polybot.doctor.finding import Finding, Patient, show_seconds

TIMEOUT_S = 2.0
_S = 1_000_000_000
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WARN_NS, _PROBLEM_NS = 2 * _S, 30 * _S
"""Signed requests carry our time: half a minute off, and the venue refuses them."""


def clock_findings(patient: Patient, now: Callable[[], int] = time.time_ns) -> Iterator[Finding]:
    """Our clock against the venue's ``GET /time`` (whole seconds), and steps back that roles have seen."""
    url = patient.settings.polymarket.clob_url.rstrip("/")
    yield _drift(url, patient.offline, now)
    for role in patient.health.roles if patient.health is not None else ():
        steps = role.counts.get("clock_steps_back", 0)
        if steps:
            yield Finding(
                "clock",
                "warning",
                f"{role.role} saw the machine's clock set back {steps} times; its own time went on",
                "let NTP slew the clock instead of setting it",
            )


def _drift(url: str, offline: bool, now: Callable[[], int]) -> Finding:
    if offline:
        return Finding("clock", "unknown", "the venue was not asked for its time (--offline)")
    try:
        sent_ns = now()
        seconds = _time_of(url)
        heard_ns = now()
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return Finding("clock", "unknown", f"{url}/time gave no time: {reason}", "look again while the venue can be reached")
    # The venue's time lies between its second's begin and end, and was read between sending and hearing.
    ahead_ns, behind_ns = sent_ns - (seconds + 1) * _S, seconds * _S - heard_ns
    off_ns = max(ahead_ns, behind_ns, 0)
    if off_ns < _WARN_NS:
        return Finding("clock", "ok", f"agrees with {url} within {show_seconds(off_ns + _S)}")
    way = "ahead of" if ahead_ns > 0 else "behind"
    text = f"the machine's clock is {show_seconds(off_ns)} {way} {url}"
    return Finding("clock", "problem" if off_ns >= _PROBLEM_NS else "warning", text, "set the clock by NTP")


def _time_of(url: str) -> int:
    """The venue's UTC seconds."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{parts.scheme or 'no scheme'}: not an HTTP address")
    handlers = [urllib.request.ProxyHandler({})] if parts.hostname in _LOOPBACK else []
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(f"{url}/time", headers={"user-agent": "polybot"})
    with opener.open(request, timeout=TIMEOUT_S) as answer:
        return int(json.loads(answer.read(64)))


def port_findings(patient: Patient) -> Iterator[Finding]:
    """The fake venue's port, and those of the streams where the platform has no ipc sockets."""
    fake, bus = patient.settings.fake_venue, patient.settings.bus
    if patient.runs:
        yield Finding("ports", "ok", "a session runs here and has those that it needs")
        return
    if is_free(fake.host, fake.port):
        yield Finding("ports", "ok", f"port {fake.port} of the fake venue is free on {fake.host}")
    else:
        yield Finding(
            "ports",
            "warning",
            f"port {fake.port} of the fake venue is taken on {fake.host}",
            "`polybot up` takes a free one instead; or set [fake_venue] port",
        )
    if not uses_tcp(patient):
        return
    taken = [bus.base_port + stream.port for stream in STREAMS if not is_free("127.0.0.1", bus.base_port + stream.port)]
    if taken:
        yield Finding(
            "ports", "problem", f"ports of streams are taken: {', '.join(map(str, taken))}", "set another [bus] base_port"
        )
    else:
        yield Finding("ports", "ok", f"the {len(STREAMS)} ports of the streams from {bus.base_port} on are free")


def uses_tcp(patient: Patient) -> bool:
    """Whether the streams go over loopback ports here."""
    import zmq

    wanted = patient.settings.bus.transport
    return wanted == "tcp" or (wanted == "auto" and not zmq.has("ipc"))


def is_free(host: str, port: int) -> bool:
    """Whether a port can be bound now."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
