"""Whether what trading does will reach the database: if not, nothing is begun, before the journal has no room for what happens anyway."""

from __future__ import annotations

from pipeline.messages.control import WriterState
from pipeline.messages.edges import JournalSeen


def journal_objection(seen: JournalSeen, objected: bool) -> str:
    """Why nothing may be begun with the journal like this; "" if nothing speaks against it.

    One that was objected to must have shrunk to half its limit, or have twice the least room, so that trading does not flutter.
    """
    if seen.backlog > (seen.limit // 2 if objected else seen.limit):
        return f"over {seen.limit} records wait for the database; see in its log whether the writer runs and keeps up"
    if seen.free_bytes < seen.min_free_bytes * (2 if objected else 1):
        return f"the journal's disk has less than {seen.min_free_bytes // 1_000_000} MB left; make room"
    return ""


class Persistence:
    """``objection`` says why no order is placed, "" while all is well. Unknown is well: the writer is heard before any order is taken."""

    def __init__(self) -> None:
        self._writer = ""
        self._journal = ""

    @property
    def objection(self) -> str:
        """The writer's complaint before the journal's."""
        reason = self._writer or self._journal
        return f"persistence degraded: {reason}" if reason else ""

    def on_writer(self, said: WriterState) -> None:
        """The writer tells how it stands."""
        self._writer = "" if said.state == "ok" else said.reason or said.state

    def on_journal(self, seen: JournalSeen) -> None:
        """Whoever keeps the journal tells how it stands."""
        self._journal = journal_objection(seen, bool(self._journal))
