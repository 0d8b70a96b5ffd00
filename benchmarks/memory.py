"""Resident memory of each process with few and with many tokens followed, on the offline venue: what a process takes, and what a token."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.live import START_LIMIT_S, config_in
from benchmarks.machine import Options
from benchmarks.table import Figure
from pipeline.base.config import write_effective
from pipeline.bus.topology import BOOK_BUILDER, GATEWAY
from processes.health_file import Health, read_health

FEW, MANY = 1_000, 5_000
EXCELLENT_MB = 1_000.0
GOOD_KB, EXCELLENT_KB = 150.0, 80.0
"""Of one binary market: two tokens with their books."""
RATE = 100
"""Frames a second over all markets: memory is of what is held, not of what passes."""
SETTLE_S = 8.0
LOOK_S = 0.1


@dataclass(frozen=True)
class Held:
    """Megabytes by process, that of ``polybot up`` itself among them; ``venue_mb`` is the offline venue's, which stands for the outside."""

    mb: dict[str, float]
    venue_mb: float
    tokens: int

    @property
    def total_mb(self) -> float:
        return sum(self.mb.values())


def hold(tokens: int, fused: bool = False, values: Mapping[str, Mapping[str, Any]] | None = None) -> Held:
    """Run ``polybot up`` with so many tokens until every one has a book, and for a while longer; then look."""
    with tempfile.TemporaryDirectory(prefix="polybot-bench-") as folder:
        place = Path(folder)
        asked: dict[str, Mapping[str, Any]] = {
            "fake_venue": {"binary_markets": tokens // 2, "event_markets": 0, "decoys": False, "rate_per_s": RATE},
            "universe": {"max_tokens": tokens},
        }
        config = config_in(place, asked | dict(values or {}))
        state_dir = Path(config.settings.bus.state_dir)
        write_effective(config, place / "config.json")
        port = ("--port", str(config.settings.fake_venue.port), "--db-url", config.settings.db.url)
        words = [sys.executable, "-m", "polybot.cli", "up", "--plain", "--config", str(place / "config.json"), *port]
        started = subprocess.Popen([*words, *(["--fused"] if fused else [])], stdout=subprocess.DEVNULL)
        try:
            end = time.monotonic() + START_LIMIT_S + tokens / 50
            while _books(read_health(state_dir)) < tokens:
                if started.poll() is not None or time.monotonic() > end:
                    raise TimeoutError(f"there were not {tokens} books in time: {read_health(state_dir)}")
                time.sleep(LOOK_S)
            time.sleep(SETTLE_S)
            health = read_health(state_dir)
            assert health is not None
            pids = {role.role: role.pid for role in health.roles if not role.part_of and role.pid}
            mb = {role: resident_mb(pid) for role, pid in pids.items()} | {"up": resident_mb(started.pid)}
            return Held(mb, mb.pop("fake_venue"), _books(health))
        finally:
            started.send_signal(signal.SIGINT)
            started.wait()


def _books(health: Health | None) -> int:
    """Books that the book builder has, once frames come too."""
    counts = {role.role: role.counts for role in health.roles} if health is not None else {}
    return counts[BOOK_BUILDER].get("tokens", 0) if counts.get(GATEWAY, {}).get("frames") else 0


def resident_mb(pid: int) -> float:
    """What a process holds in memory, shared libraries included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1_024 / 1e6
    raise ValueError(f"process {pid} tells no VmRSS")


def figures(options: Options) -> list[Figure]:
    """All processes together with many tokens, and what 1,000 tokens more take; a quick run looks at the six processes only."""
    found: list[Figure] = []
    for fused in (False,) if options.quick else (False, True):
        name = "fused" if fused else "six processes"
        few, many = hold(FEW, fused), hold(MANY, fused)
        found.append(Figure(f"memory, {MANY:,} tokens, {name}", "MB", (many.total_mb,), None, EXCELLENT_MB, note=_told(many)))
        thousands = (many.tokens - few.tokens) / 1_000
        each = {role: (mb - few.mb[role]) / thousands for role, mb in many.mb.items()}
        note = ", ".join(f"{role} {mb:.1f}" for role, mb in each.items())
        per_thousand = sum(each.values())
        found.append(Figure(f"memory of 1,000 tokens more, {name}", "MB", (per_thousand,), note=note))
        found.append(Figure(f"memory of a binary market more, {name}", "kB", (2 * per_thousand,), GOOD_KB, EXCELLENT_KB))
        found.append(Figure(f"memory, {FEW:,} tokens, {name}", "MB", (few.total_mb,), note=_told(few)))
        print(f"{name}: {few.total_mb:.0f} and {many.total_mb:.0f} MB", file=sys.stderr)
    return found


def _told(held: Held) -> str:
    return ", ".join(f"{role} {mb:.0f}" for role, mb in held.mb.items()) + f"; beside them the venue {held.venue_mb:.0f}"
