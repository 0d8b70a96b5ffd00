"""Changed rules of a market, and which of them an operator has accepted: what counts is the last that he accepted, else the first seen."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, insert, select

from pipeline.messages.market import Market
from pipeline.store.schema import accepted_rules, market_versions


@dataclass(frozen=True)
class RulesSeen:
    """The rules of a market as hashes: when each was first seen, the oldest first, and the last that was accepted, when and why."""

    seen: tuple[tuple[str, int], ...]
    accepted: str = ""
    accepted_ts_ms: int = 0
    reason: str = ""

    @property
    def latest(self) -> str:
        """The rules as they are; "" where the catalogue gives none."""
        return self.seen[-1][0] if self.seen else ""

    @property
    def trusted(self) -> str:
        """The rules under which the market may be part of a set."""
        return self.accepted or (self.seen[0][0] if self.seen else "")

    @property
    def have_changed(self) -> bool:
        """The rules are others than those that are trusted, so that the market is part of no set."""
        return self.latest != self.trusted


def rules_of(conn: Connection, market_id: str) -> RulesSeen:
    """How the rules of a market changed over its versions; a return to earlier rules is a change too."""
    v, a = market_versions.c, accepted_rules.c
    seen: list[tuple[str, int]] = []
    for body, valid_from_ns in conn.execute(select(v.body, v.valid_from_ns).where(v.condition_id == market_id).order_by(v.id)):
        rules = msgspec.json.decode(body, type=Market).rules_hash
        if rules and (not seen or seen[-1][0] != rules):
            seen.append((rules, valid_from_ns))
    row = conn.execute(
        select(a.rules_hash, a.ts_ms, a.reason).where(a.market_id == market_id).order_by(a.id.desc()).limit(1)
    ).first()
    return RulesSeen(tuple(seen)) if row is None else RulesSeen(tuple(seen), row.rules_hash, row.ts_ms, row.reason)


def accept_rules(conn: Connection, market_id: str, rules_hash: str, reason: str, ts_ms: int) -> None:
    """Note that an operator accepts these rules of a market."""
    conn.execute(insert(accepted_rules).values(market_id=market_id, rules_hash=rules_hash, reason=reason, ts_ms=ts_ms))
