"""How many of a token's batches were held against their hash, between two times of telling."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.messages.records import HashChecks


@dataclass(slots=True)
class HashTally:
    """``undecided``: some field that the hash is made with was unknown."""

    matched: int = 0
    missed: int = 0
    undecided: int = 0

    def tell(self, token_id: str, market_id: str, start_ns: int, now_ns: int) -> HashChecks | None:
        """What was counted since it was told last; None if nothing was."""
        done = self.matched + self.missed + self.undecided
        if not done:
            return None
        told = HashChecks(
            ts_ns=now_ns,
            token_id=token_id,
            market=market_id,
            start_ns=start_ns,
            done=done,
            matched=self.matched,
            undecided=self.undecided,
        )
        self.matched = self.missed = self.undecided = 0
        return told
