"""How long an order is under way: always the same time, or drawn from times that were measured.

A draw depends on the seed and on what is sent, not on how many draws came before: the same run draws the same times after a restart too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_MS, parse_e6

LONGEST_MS = 60_000


class Latency(Protocol):
    """The time between sending something and its arrival at the venue."""

    def draw_ns(self, what: str) -> int:
        """The time that ``what`` takes, in nanoseconds."""


class ConstantLatency:
    """Everything takes ``latency_ns``."""

    def __init__(self, latency_ns: int) -> None:
        self.latency_ns = latency_ns

    def draw_ns(self, what: str) -> int:
        """Always the same."""
        return self.latency_ns


class RecordedLatency:
    """Each thing takes one of the measured times, chosen by a hash of the seed and its name."""

    def __init__(self, samples_ns: Sequence[int], seed: int) -> None:
        self.samples_ns = tuple(samples_ns)
        self._key = str(seed).encode()

    def draw_ns(self, what: str) -> int:
        """One of the measured times."""
        digest = hashlib.blake2b(what.encode(), digest_size=8, key=self._key).digest()
        return self.samples_ns[int.from_bytes(digest, "big") % len(self.samples_ns)]


def read_latencies(path: Path) -> tuple[int, ...]:
    """The times of a file in nanoseconds: one a line, in milliseconds; empty lines and lines that begin with # are skipped."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}; [paper] latency_file wants one time in milliseconds a line") from None
    found = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            value = parse_e6(text)
        except ValueError as error:
            raise BadInput(f"{path}:{number}: {error}; give a time in milliseconds, such as 85.5") from None
        if not 0 <= value <= LONGEST_MS * NS_PER_MS:
            raise BadInput(f"{path}:{number}: {text} ms is outside 0 to {LONGEST_MS}")
        found.append(value)
    if not found:
        raise BadInput(f"{path}: holds no times; give one in milliseconds a line")
    return tuple(found)
