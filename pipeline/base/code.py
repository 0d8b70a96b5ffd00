"""Which program this is, to the letter: a figure over its sources, so that a past run can tell whether it is asked by the same one.

A compiled build has the same sources beside it, says the same, and so has the same figure.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from pipeline.base import units

ROOMS = ("pipeline", "processes")


@cache
def code_version(*also: str) -> str:
    """Sixteen hexadecimal digits over the names and lines of all sources that a process may run, in a few milliseconds.

    ``also`` names further rooms. Line endings, which depend on the checkout, do not count.
    """
    root = Path(__file__).resolve().parents[2]
    found = hashlib.sha256()
    for room in (*ROOMS, *also):
        for path in sorted((root / room).rglob("*.py")):
            found.update(path.relative_to(root).as_posix().encode() + b"\0")
            found.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return found.hexdigest()[:16]


def is_compiled() -> bool:
    """Whether the pure modules run as compiled (docs/compiled.md), not from their sources."""
    return not str(units.__file__).endswith((".py", ".pyc"))
