"""What a desk keeps of one token between its decisions: when it may decide again, when it is woken, and what it said last."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.strategy.signals import Signals


@dataclass(slots=True)
class Quoting:
    """One token's. ``next_quote_ns``: nothing new is quoted before; ``decided_ns``: of the last decision; 0 before any.

    ``jumped_ns``: until then its mid is taken to have jumped. ``wake_ns`` is when the desk is woken for it, None if it is not.
    ``standing`` is why nothing rests, as it was told last, "" where something does; None before anything was told. ``signals`` begin
    with the first book.
    """

    next_quote_ns: int = 0
    decided_ns: int = 0
    jumped_ns: int = 0
    wake_ns: int | None = None
    standing: str | None = None
    signals: Signals | None = None
