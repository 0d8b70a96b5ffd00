"""Which tokens need a fresh book, who has been asked, and when to ask again. Pure: time is passed in."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.units import NS_PER_S


@dataclass(frozen=True)
class AskAgain:
    """After a failure, and between two requests for one token, the wait doubles from ``min_ns`` to ``max_ns``.

    A token that was left alone for ``calm_ns`` begins with the shortest again. An answer that does not come within ``timeout_ns`` has
    failed. ``max_ns`` 0: every request goes out at once and is never repeated, for providers that answer at once.
    """

    min_ns: int = NS_PER_S // 2
    max_ns: int = 30 * NS_PER_S
    calm_ns: int = 60 * NS_PER_S
    timeout_ns: int = 30 * NS_PER_S


@dataclass
class _Token:
    market: str
    cause: str = ""
    wanted: bool = False
    asked: bool = False
    due_ns: int = 0
    wait_ns: int = 0
    last_ns: int = 0


class BooksWanted:
    """The tokens that somebody waits for. ``waiting`` holds those that are asked for again until a book comes; ``coalesced`` counts
    requests for a token that was already waited for.
    """

    def __init__(self, rules: AskAgain | None = None) -> None:
        self.rules = rules or AskAgain()
        self.coalesced = 0
        self._tokens: dict[str, _Token] = {}
        self.waiting: set[str] = set()

    def want(self, token_id: str, market: str, cause: str, now_ns: int) -> bool:
        """Somebody needs a book of the token; True if it is to be asked for at once."""
        token = self._tokens.setdefault(token_id, _Token(market))
        if token.wanted and self.rules.max_ns:
            self.coalesced += 1
            return False
        token.wanted, token.cause, token.asked = True, cause, False
        if not self.rules.max_ns:
            return True
        if not token.wait_ns or now_ns - token.last_ns > self.rules.calm_ns:
            token.wait_ns, token.due_ns = 0, now_ns
        else:
            token.due_ns = max(now_ns, token.last_ns + token.wait_ns)
        self.waiting.add(token_id)
        return token.due_ns <= now_ns

    def ask(self, token_id: str, now_ns: int) -> tuple[str, str]:
        """The token is being asked for; its market and why."""
        token = self._tokens[token_id]
        token.asked, token.last_ns = True, now_ns
        token.wait_ns = min(max(token.wait_ns * 2, self.rules.min_ns), self.rules.max_ns)
        token.due_ns = now_ns + self.rules.timeout_ns
        return token.market, token.cause

    def answered(self, token_id: str) -> None:
        """A whole book of the token has come, asked for or not."""
        token = self._tokens.get(token_id)
        if token is not None:
            token.wanted = token.asked = False
            self.waiting.discard(token_id)

    def failed(self, token_id: str, now_ns: int) -> None:
        """The request brought no book: ask again after the wait."""
        token = self._tokens.get(token_id)
        if token is None or not token.wanted:
            return
        if not self.rules.max_ns:
            token.wanted = False
            return
        token.asked, token.due_ns = False, now_ns + token.wait_ns

    def due(self, now_ns: int) -> list[str]:
        """The tokens to ask for now, in the order of their first request."""
        return [token_id for token_id in self._tokens if token_id in self.waiting and self._tokens[token_id].due_ns <= now_ns]

    def next_ns(self) -> int | None:
        """When ``due`` has something next."""
        if not self.waiting:
            return None
        return min(self._tokens[token_id].due_ns for token_id in self.waiting)

    def market_of(self, token_id: str) -> str:
        """The market that a request for the token named; "" if there was none."""
        token = self._tokens.get(token_id)
        return "" if token is None else token.market
