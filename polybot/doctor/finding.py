"""What a check found, and what all checks are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from processes.health_file import Health

Status = Literal["ok", "warning", "problem", "unknown"]
STATUSES: tuple[Status, ...] = ("ok", "warning", "problem", "unknown")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``todo`` says what to do; "" where nothing is to be done."""

    check: str
    status: Status
    text: str
    todo: str = ""


@dataclass(frozen=True)
class Patient:
    """What is examined: a configuration, a state directory and its last session, a database.

    ``runs``: a supervisor looks after the session now. ``now_ns`` is the machine's UTC time.
    """

    config: Config
    state_dir: Path
    db_url: str
    now_ns: int
    health: Health | None = None
    runs: bool = False
    offline: bool = False

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.config.settings


def worst(findings: Iterable[Finding]) -> Status:
    """The gravest status: problem, warning, unknown, ok."""
    seen = {finding.status for finding in findings}
    grave: tuple[Status, ...] = ("problem", "warning", "unknown")
    return next((status for status in grave if status in seen), "ok")


def show_bytes(count: int) -> str:
    """A size in its largest decimal unit, such as ``1.2 GB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count // (size // 10) / 10} {unit}"
    return f"{count} bytes"


def show_seconds(ns: int) -> str:
    """A duration such as ``0.4 s``, ``12 s``, ``3 min``, ``5 h``, ``40 d``."""
    seconds = ns // 1_000_000_000
    if seconds < 10:
        return f"{ns // 100_000_000 / 10} s"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
