"""The dead man's switch: credentials that have begun to send heartbeats and stop lose all their open orders. Pure; time is handed in."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.base.units import NS_PER_S
from pipeline.fake_venue.accounts import Refused
from pipeline.fake_venue.catalogue import digest

PATIENCE_S = 10
"""Without a heartbeat for so long all open orders are cancelled (heartbeats page, seen 2026-11-22)."""


class Heartbeats:
    """The chains of all credentials: the id each has to send next, and until when. ``cancel`` is told whose orders have to go."""

    def __init__(self, cancel: Callable[[str, int], int]) -> None:
        self._cancel = cancel
        self._expected: dict[str, str] = {}
        self._until_ns: dict[str, int] = {}
        self._count = 0

    def beat(self, api_key: str, heartbeat_id: str, now_ns: int) -> str:
        """One heartbeat; the id to send next. The first of a chain may have any id. Raises Refused (400) with the id expected."""
        expected = self._expected.get(api_key)
        if expected is not None and heartbeat_id != expected:
            refused = Refused(400, "Invalid Heartbeat ID")
            refused.body = {"error_msg": refused.text, "heartbeat_id": expected}
            raise refused
        self._until_ns[api_key] = now_ns + PATIENCE_S * NS_PER_S
        return self._renew(api_key)

    def advance(self, now_ns: int) -> None:
        """Strike those that are overdue. Their chain goes on with the same id."""
        for api_key in [key for key, until_ns in self._until_ns.items() if until_ns <= now_ns]:
            del self._until_ns[api_key]
            self._cancel(api_key, now_ns)

    def expire(self, now_ns: int) -> list[str]:
        """Strike all that are alive as if they were overdue, and expect another id from them; their API keys."""
        struck = list(self._until_ns)
        self._until_ns.clear()
        for api_key in struck:
            self._cancel(api_key, now_ns)
            self._renew(api_key)
        return struck

    def _renew(self, api_key: str) -> str:
        self._count += 1
        text = digest("heartbeat", f"{api_key}/{self._count}")
        made = self._expected[api_key] = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
        return made
