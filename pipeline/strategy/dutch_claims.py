"""Markets in which our own quotes are to go, so that a plan of several steps does not meet them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Claim:
    """What one set needs free, and until when."""

    markets: frozenset[str]
    until_ns: int


class Claims:
    """The claims by set. ``markets`` are those of all of them; it is another object after every change."""

    def __init__(self) -> None:
        self.markets: frozenset[str] = frozenset()
        self._of: dict[str, Claim] = {}

    def of(self, name: str) -> Claim | None:
        """The claim of a set, if it has one."""
        return self._of.get(name)

    def names(self) -> list[str]:
        """The sets that have one, in the order in which they asked."""
        return list(self._of)

    def put(self, name: str, markets: frozenset[str], until_ns: int) -> None:
        """A set needs these markets free."""
        self._of[name] = Claim(markets, until_ns)
        self._change()

    def widen(self, name: str, markets: frozenset[str]) -> None:
        """A set that has a claim needs these markets as well."""
        self._of[name].markets |= markets
        self._change()

    def release(self, name: str) -> None:
        """A set needs nothing free any more."""
        if self._of.pop(name, None) is not None:
            self._change()

    def _change(self) -> None:
        self.markets = frozenset(market for claim in self._of.values() for market in claim.markets)
