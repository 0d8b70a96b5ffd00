"""Processes that outlived their supervisor: they end by themselves, or are ended before the next session starts."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.base.clock import monotonic_ns
from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_MS
from processes.health_file import Health, read_health
from processes.options import SESSION

_LOOK_S = 0.02


def is_running(pid: int) -> bool:
    """Whether a process has this id; a dead one that nobody has taken leave of counts as gone where the system tells."""
    if sys.platform == "win32":
        return _runs_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state_of(pid) != "Z"


def is_held(lock: Path) -> bool:
    """Whether a process holds this lock file; nothing is created."""
    if not lock.is_file():
        return False
    probe = FileLock(lock)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    probe.release()
    return False


def orphans_of(state_dir: Path, health: Health) -> dict[str, int]:
    """The processes of a session without a supervisor that still run, by role. An id that another program has by now is none of them."""
    return {
        role.role: role.pid
        for role in health.roles
        if role.pid is not None and is_running(role.pid) and _is_of_session(state_dir, role.role, role.pid, health.session_id)
    }


def end_orphans(state_dir: Path, patience_ms: int) -> dict[str, int]:
    """Wait for the processes that the last supervisor left to end, and kill those that do not; returns the killed, by role.

    Call it while holding the supervisor's lock: then no supervisor looks after them.
    """
    try:
        health = read_health(state_dir)
    except BadInput:
        return {}
    if health is None:
        return {}
    deadline_ns = monotonic_ns() + patience_ms * NS_PER_MS
    while (left := orphans_of(state_dir, health)) and monotonic_ns() < deadline_ns:
        if all(_state_of(pid) == "T" for pid in left.values()):
            break  # stopped by a signal: none of them will ever notice that it is to end
        time.sleep(_LOOK_S)
    for pid in left.values():
        with contextlib.suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    deadline_ns = monotonic_ns() + 1_000 * NS_PER_MS
    while any(map(is_running, left.values())) and monotonic_ns() < deadline_ns:
        time.sleep(_LOOK_S)
    return left


def _state_of(pid: int) -> str:
    """The state of a process as one letter (T stopped, Z dead), where the system shows it; else ""."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
    return ""


def _is_of_session(state_dir: Path, role: str, pid: int, session_id: str) -> bool:
    """By its environment where the system shows it, else by the lock that it holds."""
    environment = Path(f"/proc/{pid}/environ")
    with contextlib.suppress(OSError):
        return f"{SESSION}={session_id}".encode() in environment.read_bytes().split(b"\0")
    pid_file = state_dir / f"{role}.pid"
    with contextlib.suppress(OSError):
        return pid_file.read_text(encoding="ascii").strip() == str(pid) and is_held(state_dir / f"{role}.lock")
    return False


def _runs_on_windows(pid: int) -> bool:
    """A signal would end a process there, so the system is asked for a handle."""
    import ctypes

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009
    handle = kernel.OpenProcess(0x1000, False, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    alive = bool(kernel.GetExitCodeProcess(handle, ctypes.byref(code))) and code.value == 259
    kernel.CloseHandle(handle)
    return alive
