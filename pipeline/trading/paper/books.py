"""Which book each token is matched in: the two tokens of a market share one, every other token has its own."""

from __future__ import annotations

from pipeline.messages.market import Market, State
from pipeline.trading.paper.matching import PaperMarket
from pipeline.trading.paper.queue import FillModel
from pipeline.trading.policy import is_generic


class PaperBooks:
    """The books of all tokens, each made when it is first asked for."""

    def __init__(self, model: FillModel, allowed: frozenset[State]) -> None:
        self.model: FillModel = model
        self.allowed = allowed
        self.known: dict[str, tuple[PaperMarket, int]] = {}
        """What ``of`` has given so far."""

    def of(self, token_id: str) -> tuple[PaperMarket, int]:
        """The book in which a token is matched, and the token's position there."""
        found = self.known.get(token_id)
        if found is None:
            found = self.known[token_id] = (PaperMarket(self.model, self.allowed), 0)
        return found

    def forget(self, token_id: str) -> None:
        """A token's book is not known any more (every book: "")."""
        found = self.known.values() if not token_id else [self.of(token_id)]
        for paper, outcome in found:
            paper.forget(outcome)

    def join(self, market: Market) -> PaperMarket | None:
        """Put the two tokens of a market into one book, with what is known of them.

        Returns the book that the second token had alone, if it had one. The generic stream's tokens each keep their own.
        """
        if len(market.outcomes) != 2 or is_generic(market):
            return None
        first, second = market.token_ids
        paper, _ = self.of(first)
        alone, _ = self.known.get(second, (None, 0))
        if alone is paper:
            return None
        self.known[second] = (paper, 1)
        if alone is not None:
            paper.adopt(alone.ladders[0], alone.states[0])
        return alone
