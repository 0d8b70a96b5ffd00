"""Comparing what we hold with what the venue holds, step by step: its open orders, those that are not among them, then its trades. Pure."""

from __future__ import annotations

from typing import Literal

from pipeline.base.units import NS_PER_S
from pipeline.venue.clob.account import FIRST_PAGE, OrderReport, Page

Phase = Literal["idle", "orders", "looks", "trades"]

EVERY_NS = 30 * NS_PER_S
BLIND_NS = 2 * NS_PER_S
"""The same while the user channel is away: then this is the only way to hear of trades."""
AGAIN_NS = NS_PER_S
OVERLAP_NS = 60 * NS_PER_S
"""How much further back trades are asked for than should be needed: clocks differ, and lists lag."""


class Reconciliation:
    """Where a comparison stands. ``is_done``: one has been completed since the start."""

    def __init__(self) -> None:
        self.phase: Phase = "idle"
        self.is_done = False
        self.begun_ns = 0
        self.due_ns: int | None = None
        self.cursor = FIRST_PAGE
        self.listed: dict[str, OrderReport] = {}
        self.awaited: set[str] = set()
        self.is_blind = True
        self._again = False

    def want(self, now_ns: int) -> None:
        """Compare as soon as possible, afresh if a comparison is under way."""
        if self.phase == "idle":
            self.due_ns = now_ns
        else:
            self._again = True

    def begin(self, now_ns: int) -> None:
        """Ask for the first page of open orders."""
        self.phase, self.begun_ns, self.due_ns, self.cursor = "orders", now_ns, None, FIRST_PAGE
        self.listed, self.awaited, self._again = {}, set(), False

    def fail(self, now_ns: int) -> None:
        """An answer was none: try all of it again."""
        self.phase, self.due_ns = "idle", now_ns + AGAIN_NS

    def on_page(self, page: Page[OrderReport]) -> bool:
        """One page of open orders; True if another one is to be asked for."""
        self.listed.update((told.venue_order_id, told) for told in page.items)
        self.cursor = page.next_cursor
        return bool(page.next_cursor)

    def finish(self, now_ns: int) -> None:
        """The trades have been read too."""
        self.phase, self.is_done = "idle", True
        self.due_ns = now_ns if self._again else now_ns + (BLIND_NS if self.is_blind else EVERY_NS)
