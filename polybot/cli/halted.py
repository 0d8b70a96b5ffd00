"""Whether trading is halted, from what is stored and from what an operator left on disk."""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.base.halt_file import read_halt
from pipeline.base.units import NS_PER_MS
from polybot.cli.trading_words import show_time


def halt_line(stored: tuple[bool, str, int] | None, state_dir: Path) -> str:
    """One line about a halt that stands, by the later of the two; "" if trading goes on. ``stored`` is what ``last_halt`` returns."""
    try:
        left = read_halt(state_dir)
    except BadInput as error:
        return str(error)
    if left is not None and (stored is None or left.ts_ns // NS_PER_MS > stored[2]):
        stored = (left.halted, left.reason, left.ts_ns // NS_PER_MS)
    if stored is None or not stored[0]:
        return ""
    _, reason, ts_ms = stored
    return f"trading is halted since {show_time(ts_ms)}: {reason}; `polybot resume` lets it go on"
