"""Backtests of one tape: Polybot, and other engines in environments of their own, in turns and each run in a process of its own.

A seeded tape of a market that moves, the same rule of quoting on all sides. A run tells its own seconds: from memory without reading
the tape, from raw bytes from opening the file to the result. Events are lines of the tape, whoever counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environments import BASANA, HFTBACKTEST, NAUTILUS, Peer, PeerMissing, interpreter, play, python_of
from benchmarks.machine import Options
from benchmarks.market_tape import CHANGES, write_market_tape
from benchmarks.table import Figure

QUICK_CHANGES = 100_000
MEMORY, RAW = "memory", "raw"
COMPILED = ", compiled"
GOOD = {MEMORY: 250_000, RAW: 100_000}
EXCELLENT = {MEMORY: 700_000, RAW: 400_000}
TIMES_NAUTILUS = {MEMORY: 3.0, RAW: 2.0}
MODES: tuple[tuple[Peer, tuple[str, ...]], ...] = ((NAUTILUS, (MEMORY, RAW)), (BASANA, (MEMORY, RAW)), (HFTBACKTEST, (MEMORY,)))
Told = dict[str, Any]


@dataclass
class Played:
    """The runs of one side in one mode, or why there are none."""

    title: str
    runs: list[Told] = field(default_factory=list)
    missing: str = ""

    @property
    def rates(self) -> tuple[float, ...]:
        """Events a second of each run."""
        return tuple(run["events"] / run["seconds"] for run in self.runs)

    def note(self) -> str:
        """What a run came to."""
        last = self.runs[-1]
        cpu = sorted(run["events"] / run["cpu_s"] for run in self.runs)[len(self.runs) // 2]
        told = f"{self.title}: {last['orders']:,} orders, {last['fills']:,} fills, {cpu:,.0f} events a second of processor time"
        return f"{told}, {last['rss_mb']:.0f} MB"


def figures(options: Options) -> list[Figure]:
    """Events a second in both modes beside each peer, and from raw bytes with the first look at the file."""
    with tempfile.TemporaryDirectory(prefix="polybot-bench-") as folder:
        tape = Path(folder) / "market.jsonl"
        write_market_tape(tape, QUICK_CHANGES if options.quick else CHANGES)
        ours, theirs = played(tape, options)
    return rows(ours, theirs)


def played(tape: Path, options: Options) -> tuple[dict[str, Played], dict[tuple[str, str], Played]]:
    """Every side in every mode, round after round. A peer that fails once is left out from then on."""
    ours = {mode: Played("polybot") for mode in (MEMORY, RAW)}
    if options.compiled is not None:
        ours |= {mode + COMPILED: Played("polybot, compiled") for mode in (MEMORY, RAW)}
    theirs = {(peer.name, mode): Played(peer.title) for peer, modes in MODES for mode in modes}
    for _ in range(options.runs):
        for mode in (MEMORY, RAW):
            ours[mode].runs.append(_own(tape, mode, Path(sys.executable)))
            if options.compiled is not None:
                ours[mode + COMPILED].runs.append(_own(tape, mode, python_of(options.compiled)))
            for peer, modes in MODES:
                side = theirs.get((peer.name, mode))
                if side is None or side.missing or mode not in modes:
                    continue
                try:
                    side.runs.append(play(peer, interpreter(peer, options.peers), str(tape), mode))
                except PeerMissing as error:
                    side.missing = str(error)
    return ours, theirs


def rows(ours: dict[str, Played], theirs: dict[tuple[str, str], Played]) -> list[Figure]:
    """One row for each mode and peer; a note where the sides' orders are told."""
    found = []
    for mode, words in ((MEMORY, "backtest, events in memory"), (RAW, "backtest, from raw bytes on disk")):
        own = ours[mode]
        for peer, _ in MODES:
            side = theirs.get((peer.name, mode))
            if side is None:
                continue
            aim = TIMES_NAUTILUS[mode] if peer is NAUTILUS else None
            found.append(_row(words, mode, own.rates, side, aim, _notes(mode, ours, theirs) if peer is NAUTILUS else ""))
            compiled = ours.get(mode + COMPILED)
            if compiled is not None and peer is NAUTILUS:
                found.append(_row(words + COMPILED, mode, compiled.rates, side, aim, compiled.note()))
    in_memory = theirs[NAUTILUS.name, MEMORY]
    found.append(_row("backtest, from raw bytes, against events in memory", RAW, ours[RAW].rates, in_memory, 2.0, ""))
    looked = tuple(run["events"] / (run["seconds"] + run["look_s"]) for run in ours[RAW].runs)
    found.append(_row("backtest, from raw bytes, first look included", RAW, looked, theirs[NAUTILUS.name, RAW], None, ""))
    return found


def _row(name: str, mode: str, rates: Sequence[float], side: Played, aim: float | None, note: str) -> Figure:
    return Figure(
        name,
        "events/s",
        tuple(rates),
        GOOD[mode],
        EXCELLENT[mode],
        side.title,
        () if side.missing else side.rates,
        aim,
        missing=side.missing,
        note=note,
    )


def _notes(mode: str, ours: dict[str, Played], theirs: dict[tuple[str, str], Played]) -> str:
    """What each side did in this mode."""
    sides = [ours[mode], *(side for (_, of), side in theirs.items() if of == mode)]
    return "; ".join(side.note() for side in sides if side.runs)


def _own(tape: Path, mode: str, python: Path) -> Told:
    """One run with the Polybot that is installed for this interpreter (``-P``: not the one that this file lies beside)."""
    script = Path(__file__).with_name("backtest_run.py")
    done = subprocess.run([str(python), "-P", str(script), str(tape), mode], check=True, stdout=subprocess.PIPE)
    found: Told = json.loads(done.stdout)
    return found
