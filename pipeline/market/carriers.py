"""Which links carry which tokens, and their messages as one feed where several carry the same ones."""

from __future__ import annotations

from pipeline.market.arbiter import Arbiter
from pipeline.messages import Message
from pipeline.messages.edges import LinkEvent


class Carriers:
    """The links that are open or being opened. Messages are arbitrated from the moment two of them have a token in common."""

    def __init__(self) -> None:
        self._coming: dict[str, frozenset[str]] = {}
        self._open: dict[str, frozenset[str]] = {}
        self.arbiter: Arbiter | None = None

    def learn(self, event: LinkEvent) -> tuple[str, ...]:
        """A link changed its state: the tokens that this is about. One that is lost is about those that no other link carries."""
        link_id, tokens = event.link_id, frozenset(event.token_ids)
        self._coming.pop(link_id, None)
        self._open.pop(link_id, None)
        if event.state in ("connecting", "up"):
            if self.arbiter is None and any(not tokens.isdisjoint(others) for others in self._coming.values()):
                self.arbiter = Arbiter()
            self._coming[link_id] = tokens
            if event.state == "up":
                self._open[link_id] = tokens
            return event.token_ids
        carried = frozenset[str]().union(*self._open.values())
        lost = tuple(token_id for token_id in event.token_ids if token_id not in carried)
        if self.arbiter is not None:
            self.arbiter.forget(lost)
        return lost

    def one_feed(self, link_id: str, found: list[Message]) -> list[Message]:
        """What is to be passed on of what a link told."""
        return found if self.arbiter is None else self.arbiter.take(link_id, found)

    def counts(self) -> dict[str, int]:
        """Totals of what was arbitrated."""
        return {} if self.arbiter is None else self.arbiter.counts()
