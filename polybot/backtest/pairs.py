"""Which tokens of level-2 rows are the two outcomes of one market, where the rows do not say: those whose changes mirror each other.

A change at p with a size on one side of a token is told of the other outcome too: at one minus p, with the same size, on the other side, at
the same time. Two tokens are a pair if most of the changes of both are each other's mirror.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipeline.base.units import complement_e6, parse_e6
from pipeline.messages import Message
from pipeline.messages.market import Market, Outcome, VenueBook, VenuePriceChange, VenueTrade

ENOUGH = 0.8
"""The part of a token's changes that must be mirrored by its partner's."""
_Change = tuple[int, int, str, str]


class TokenSurvey:
    """The tokens of some feed messages: their changes, which of them mirror each other, and how fine their prices are."""

    def __init__(self) -> None:
        self.seen = 0
        self.changes: Counter[str] = Counter()
        self._mirrored: Counter[tuple[str, str]] = Counter()
        self._market: dict[str, str] = {}
        self._fine: set[str] = set()
        self._now_ns = 0
        self._open: dict[_Change, list[str]] = {}

    def see(self, messages: Iterable[Message]) -> None:
        """Look at all of them."""
        for msg in messages:
            self.seen += 1
            if isinstance(msg, VenuePriceChange):
                self._market.setdefault(msg.token_id, msg.market)
                for price, size, side in msg.changes:
                    self._change(msg.ts_ns, msg.token_id, price, size, side)
            elif isinstance(msg, VenueBook | VenueTrade):
                self._market.setdefault(msg.token_id, msg.market)

    def _change(self, ts_ns: int, token_id: str, price: str, size: str, side: str) -> None:
        self.changes[token_id] += 1
        if len(price) > 4:
            self._fine.add(token_id)
        if ts_ns != self._now_ns:
            self._now_ns = ts_ns
            self._open.clear()
        price_e6 = parse_e6(price)
        other = "SELL" if side == "BUY" else "BUY"
        waiting = self._open.get((ts_ns, complement_e6(price_e6), other, size), [])
        partner = next((each for each in waiting if each != token_id and self._market[each] == self._market[token_id]), None)
        if partner is None:
            self._open.setdefault((ts_ns, price_e6, side, size), []).append(token_id)
        else:
            waiting.remove(partner)
            self._mirrored[min(partner, token_id), max(partner, token_id)] += 1

    def markets(self) -> tuple[Market, ...]:
        """A market for each pair, named after its first token if the rows name none, and one for each token that is alone."""
        partner: dict[str, str] = {}
        for (one, other), count in self._mirrored.most_common():
            if one not in partner and other not in partner and 2 * count >= ENOUGH * (self.changes[one] + self.changes[other]):
                partner[one], partner[other] = other, one
        shared = Counter(self._market.values())
        found: dict[str, Market] = {}
        for token_id, market_id in self._market.items():
            tokens = (token_id, partner[token_id]) if token_id in partner else (token_id,)
            if any(token_id in market.token_ids for market in found.values()):
                continue
            name = market_id if market_id and shared[market_id] == len(tokens) else token_id
            outcomes = tuple(Outcome(token, word) for token, word in zip(tokens, ("Yes", "No"), strict=False))
            tick = "0.001" if any(token in self._fine for token in tokens) else "0.01"
            found[name] = Market(market_id=name, outcomes=outcomes, tick_size=tick)
        return tuple(found.values())
