"""How often fresh books are asked for: a few at once per token, ever longer waits while nothing heals, a limit a minute over all."""

from __future__ import annotations

import heapq
from collections import deque

from pipeline.base.units import NS_PER_S

MINUTE_NS = 60 * NS_PER_S
FIRST_WAIT_NS = NS_PER_S
LONGEST_WAIT_NS = MINUTE_NS
MOST_TRIES = 10
TOKEN_INTERVAL_NS = 6 * NS_PER_S
TOKEN_BURST = 5


class ResyncBudget:
    """Tokens that wait for a fresh book.

    A token whose books heal it may ask five times at once and then ten times a minute. One that nothing heals waits 1, 2, 4 … 60 s
    between tries and is given up after ten.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._asked: deque[int] = deque()
        self._tries: dict[str, int] = {}
        self._paid_until_ns: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        self._queue: list[tuple[int, str]] = []

    @property
    def due_ns(self) -> int | None:
        """When a waiting token may be asked for next; None if none waits."""
        while self._queue and self._waiting.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def want(self, token_id: str, now_ns: int) -> None:
        """Let a token wait for its turn, which may be at once."""
        if token_id not in self._waiting:
            self._put(token_id, max(now_ns, self._paid_until_ns.get(token_id, 0) - (TOKEN_BURST - 1) * TOKEN_INTERVAL_NS))

    def take(self, now_ns: int) -> tuple[str, bool] | None:
        """The next token whose turn it is, and whether its tries are spent; None if there is none yet.

        A token that was taken waits for its next try until it is ``settled``.
        """
        while True:
            due_ns = self.due_ns
            if due_ns is None or due_ns > now_ns:
                return None
            token_id = self._queue[0][1]
            tries = self._tries.get(token_id, 0)
            if tries >= MOST_TRIES:
                self.settled(token_id)
                return token_id, True
            while self._asked and now_ns - self._asked[0] >= MINUTE_NS:
                self._asked.popleft()
            if len(self._asked) < self.per_minute:
                break
            self._put(token_id, self._asked[0] + MINUTE_NS)
        self._asked.append(now_ns)
        self._tries[token_id] = tries + 1
        self._paid_until_ns[token_id] = max(now_ns, self._paid_until_ns.get(token_id, 0)) + TOKEN_INTERVAL_NS
        self._put(token_id, now_ns + min(FIRST_WAIT_NS << tries, LONGEST_WAIT_NS))
        return token_id, False

    def settled(self, token_id: str) -> None:
        """The token's book came, or it was given up: it waits no more, and its next trouble counts from the first try."""
        self._waiting.pop(token_id, None)
        self._tries.pop(token_id, None)

    def _put(self, token_id: str, due_ns: int) -> None:
        self._waiting[token_id] = due_ns
        heapq.heappush(self._queue, (due_ns, token_id))
