"""The session of a state directory: its supervisor, its roles, their locks, and what a killed one left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.base.units import NS_PER_MS
from pipeline.bus.topology import ROLES, SUPERVISOR
from pipeline.bus.transport import socket_folder
from polybot.doctor.finding import Finding, Patient, show_seconds
from processes.dependencies import PLAYS
from processes.health_file import RoleHealth
from processes.orphans import is_held, is_running, orphans_of

STALE_NS = 5_000_000_000
"""A supervisor writes how it stands every second."""
MISSED = 4
"""So many heartbeats left out are told."""


def is_supervised(state_dir: Path) -> bool:
    """Whether a supervisor holds this state directory."""
    pid = pid_of(state_dir, SUPERVISOR)
    return pid is not None and is_running(pid) and is_held(state_dir / f"{SUPERVISOR}.lock")


def pid_of(state_dir: Path, role: str) -> int | None:
    """The process that wrote itself down as the role's; it may be gone."""
    try:
        return int((state_dir / f"{role}.pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def session_findings(patient: Patient) -> Iterator[Finding]:
    """The supervisor and each role's life signs."""
    health = patient.health
    if health is None:
        yield Finding("session", "ok", f"no session has run in {patient.state_dir}")
        return
    age_ns = max(0, patient.now_ns - health.ts_ns)
    if not patient.runs:
        if health.state == "stopped":
            yield Finding("session", "ok", f"none runs; {health.session_id} ended in order {show_seconds(age_ns)} ago")
        else:
            text = f"{health.session_id} was killed: its supervisor (pid {health.pid}) is gone since {show_seconds(age_ns)}"
            yield Finding("session", "warning", text, "`polybot up` goes on from what is on disk")
        return
    if age_ns > STALE_NS:
        text = f"the supervisor (pid {health.pid}) has said nothing for {show_seconds(age_ns)}"
        yield Finding("session", "problem", text, f"if it hangs: kill {health.pid}; its processes end with it")
    else:
        yield Finding("session", "ok", f"{health.session_id} is {health.state} under supervisor {health.pid}")
    for role in health.roles:
        if not role.part_of:
            yield _role_finding(role, patient)
        dropped = role.counts.get("dropped", 0) + role.counts.get("dropped_rows", 0)
        if dropped:
            text = f"{role.role} has dropped {dropped:,} samples or late commands; records of orders and fills never are"
            yield Finding("heartbeats", "warning", text, "the machine is too slow for this feed: follow fewer markets")
        if role.counts.get("degraded_now", 0):
            text = f"{role.role} cannot write the database (persistence degraded), so no order is placed"
            yield Finding("heartbeats", "problem", text, f"see {role.role}.log for why; once that is mended everything arrives")
        elif role.counts.get("degraded", 0):
            lasted = show_seconds(role.counts.get("degraded_ms", 0) * NS_PER_MS)
            text = f"{role.role} could not write the database {role.counts['degraded']:,} times, {lasted} in all"
            yield Finding("heartbeats", "warning", text, f"see {role.role}.log for why")
        gaps = role.counts.get("gaps", 0)
        if gaps:
            text = f"{role.role} has lost messages of a stream {gaps:,} times, and asked for their state again"
            yield Finding("heartbeats", "warning", text, "it stood still or did not keep up: see its log")


def _role_finding(role: RoleHealth, patient: Patient) -> Finding:
    limit_ns = patient.settings.supervisor.heartbeat_timeout_ms * NS_PER_MS
    again = f"; {role.restarts} restarts, the last after: {role.last_death}" if role.restarts else ""
    if role.state in ("waiting", "given_up"):
        return Finding("heartbeats", "problem", f"{role.role} is down ({role.last_death})", f"see {role.role}.log of the session")
    if role.waits_for:
        return Finding("heartbeats", "warning", f"{role.role} waits for {', '.join(role.waits_for)}{again}", "see their logs")
    if role.beat_ns is None:
        if role.role not in ROLES and role.role not in PLAYS:
            return Finding("heartbeats", "ok", f"{role.role} (pid {role.pid}) is there; it sends no heartbeats{again}")
        return Finding("heartbeats", "warning", f"{role.role} (pid {role.pid}) starts{again}", "look again in some seconds")
    age_ns = max(0, patient.now_ns - role.beat_ns)
    text = f"{role.role} (pid {role.pid}): last heartbeat {show_seconds(age_ns)} ago{again}"
    if age_ns >= limit_ns:
        return Finding("heartbeats", "problem", text, "the supervisor kills and restarts it; see its log")
    if age_ns >= MISSED * patient.settings.bus.heartbeat_ms * NS_PER_MS:
        return Finding(
            "heartbeats", "warning", text, f"it is stopped, or does not keep up: look again after {show_seconds(limit_ns)}"
        )
    return Finding("heartbeats", "warning" if again else "ok", text, f"see {role.role}.log for why" if again else "")


def lock_findings(patient: Patient) -> Iterator[Finding]:
    """Who holds which lock of the state directory, and what dead runs left there."""
    held, left = [], []
    for role in (SUPERVISOR, *ROLES, *PLAYS):
        pid = pid_of(patient.state_dir, role)
        if pid is None:
            continue
        if is_running(pid) and is_held(patient.state_dir / f"{role}.lock"):
            held.append(f"{role} {pid}")
        else:
            left.append(f"{role}.pid of {pid}")
    if held:
        alone = not patient.runs
        todo = (
            "they end by themselves, or the next `polybot up` ends them; those started by hand are yours to stop" if alone else ""
        )
        text = f"held by {', '.join(held)}" + (", without a supervisor" if alone else "")
        yield Finding("locks", "warning" if alone else "ok", text, todo)
    else:
        yield Finding("locks", "ok", "no role's lock is held")
    if not patient.runs:
        yield from _leftovers(patient, left)
    elif left:
        yield Finding("leftovers", "warning", f"{', '.join(left)}: gone", "nothing: the supervisor starts them again")


def _leftovers(patient: Patient, left: list[str]) -> Iterator[Finding]:
    """What a session that is over should not have left. None of it blocks the next start."""
    orphans = orphans_of(patient.state_dir, patient.health) if patient.health is not None else {}
    if orphans:
        told = ", ".join(f"{role} (pid {pid})" for role, pid in orphans.items())
        yield Finding("leftovers", "warning", f"still running: {told}", "the next `polybot up` waits for them, then ends them")
    folder = socket_folder(patient.state_dir)
    if folder.exists() and not orphans:
        left.append(str(folder))
    if left:
        yield Finding("leftovers", "warning", f"left by a killed run: {', '.join(left)}", "nothing: the next start replaces them")
    elif not orphans:
        yield Finding("leftovers", "ok", "nothing is left of earlier runs")
