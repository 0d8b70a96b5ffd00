"""Strategies that are not heard of any more: nobody watches over their quotes, so they are pulled. Pure: time is passed in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.messages.orders import CancelAll, Decision

ALIVE_NS = NS_PER_S
"""How often a strategy says that it lives, at most: three times within the silence that is allowed, if that is shorter."""
ASLEEP_NS = NS_PER_S
"""Asked so much later than it wanted, whoever listens was itself asleep: it judges nobody before what waits has been heard."""


def alive_every_ns(limit_ns: int) -> int:
    """How often a strategy is to say that it lives where it may be silent for ``limit_ns``; 0 is never."""
    return min(ALIVE_NS, limit_ns // 3)


def silence_ns_of(settings: Settings) -> int:
    """How long a strategy may be silent; 0, for ever, where time is a recording's and goes as its frames come."""
    return 0 if settings.venue.name == "recording" else settings.execution.strategy_silence_ms * NS_PER_MS


class Silence:
    """When each strategy was last heard of. ``limit_ns``: how long one may be silent; 0: nobody is judged."""

    def __init__(self, limit_ns: int) -> None:
        self.limit_ns = limit_ns
        self._heard: dict[str, int] = {}

    def begin(self, strategies: Iterable[str], now_ns: int) -> None:
        """Listening begins, and may have been in vain before: everybody has the whole time from here on, also who never spoke."""
        if self.limit_ns:
            self._heard = dict.fromkeys([*self._heard, *strategies], now_ns)

    def pause(self) -> None:
        """Nobody is to speak until ``begin``: nobody is judged, but who speaks all the same."""
        self._heard = {}

    def hear(self, strategies: Iterable[str], now_ns: int) -> None:
        """These strategies live."""
        if self.limit_ns:
            for strategy in strategies:
                self._heard[strategy] = now_ns

    def next_ns(self) -> int | None:
        """When ``overdue`` wants to be asked; None: nobody is listened for."""
        return min(self._heard.values()) + self.limit_ns if self._heard else None

    def overdue(self, now_ns: int) -> list[str]:
        """The strategies that have been silent for too long, each said once in that time."""
        due_ns = self.next_ns()
        if due_ns is None or now_ns < due_ns:
            return []
        if now_ns - due_ns > ASLEEP_NS:
            least_ns = now_ns + ASLEEP_NS - self.limit_ns
            self._heard = {strategy: max(heard_ns, least_ns) for strategy, heard_ns in self._heard.items()}
            return []
        found = [strategy for strategy, heard_ns in self._heard.items() if now_ns - heard_ns >= self.limit_ns]
        self._heard.update(dict.fromkeys(found, now_ns))
        return found


def pull_of(strategy: str, limit_ns: int, now_ns: int) -> CancelAll:
    """The command that pulls everything of a strategy in its stead, with the decision that is audited."""
    reason = f"the strategy was not heard of for {limit_ns // NS_PER_MS} ms, so its orders are cancelled"
    plan_id = hashlib.blake2b(f"{strategy}|{now_ns}|{reason}".encode(), digest_size=8).hexdigest()
    decision = Decision(plan_id, strategy, reason, decided_ns=now_ns)
    return CancelAll(ts_ns=now_ns, strategy=strategy, expires_ns=now_ns + NS_PER_S, decision=decision)
