"""The dead man's switch: a chain of heartbeats without which the venue cancels all that we have there. Pure.

Every 5 s with the id that the last one was answered with; 10 s without one, and all open orders of the account are cancelled. After a
wrong id the venue tells the one that it expects (heartbeats page, seen 2026-11-22).
"""

from __future__ import annotations

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.venue.clob.replies import decode_heartbeat_reply

EVERY_NS = 5 * NS_PER_S
LAPSE_NS = 10 * NS_PER_S
"""After so long without one the venue may have cancelled everything."""
AGAIN_NS = 500 * NS_PER_MS


class DeadMan:
    """When to send the next heartbeat, with which id, and whether the chain may have been broken."""

    def __init__(self) -> None:
        self.heartbeat_id = ""
        self.due_ns: int | None = None
        self._kept_ns: int | None = None
        self._sent_ns = 0

    def start(self, now_ns: int) -> None:
        """The first one is due."""
        self.due_ns = now_ns

    def stop(self) -> None:
        """Send no more."""
        self.due_ns = None

    def sent(self, now_ns: int) -> None:
        """One has left; the next is due in time whether it is answered or not."""
        self._sent_ns, self.due_ns = now_ns, now_ns + EVERY_NS

    def on_reply(self, status: int, body: bytes, now_ns: int) -> bool:
        """Take the id that comes with the answer; True if the chain was broken, so that orders may be gone."""
        told = decode_heartbeat_reply(status, body)
        if told.heartbeat_id:
            self.heartbeat_id = told.heartbeat_id
        if self.due_ns is None:
            return False
        if not told.accepted:
            self.due_ns = now_ns if told.heartbeat_id else min(self.due_ns, now_ns + AGAIN_NS)
            return False
        lapsed = self._kept_ns is not None and self._sent_ns - self._kept_ns >= LAPSE_NS
        self._kept_ns = self._sent_ns
        return lapsed
