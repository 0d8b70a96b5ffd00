"""Sets of outcomes across which a Dutch Book may lie: which tokens belong together, and whether their best prices look cheap.

A set is an event of several markets (YES and NO of each), or one market of the generic stream with all its outcomes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.base.units import ONE_E6
from pipeline.messages.market import BookSnapshot, Market
from pipeline.strategy.dutch_book import event_refusal, outcomes_refusal
from pipeline.trading.multileg_value import Form
from pipeline.trading.policy import is_generic

FORMS: tuple[Form, ...] = ("NO", "YES")


@dataclass(slots=True)
class EventSet:
    """The tokens of one set, and the sums of their best asks, kept as books change.

    ``yes`` and ``no`` are aligned with ``markets``; ``no`` is empty for the outcomes of one generic market. ``refusals`` say for each
    form why it may not be traded whatever the prices, "" if it may. Until ``quiet_until_ns`` nothing about it is worth a look.
    """

    name: str
    title: str
    markets: tuple[Market, ...]
    yes: tuple[str, ...]
    no: tuple[str, ...] = ()
    refusals: dict[Form, str] = field(default_factory=dict)
    quiet_until_ns: int = 0
    _asks: dict[str, int] = field(default_factory=dict)
    _yes_total_e6: int = 0
    _yes_missing: int = 0
    _no_gain_e6: int = -ONE_E6

    def __post_init__(self) -> None:
        self._yes_missing = len(self.yes)

    def tokens(self, form: Form) -> tuple[str, ...]:
        """The tokens that a set of this form is made of."""
        return self.yes if form == "YES" else self.no

    def market_of(self, token_id: str) -> Market:
        """The market of one of the tokens."""
        if not self.no:
            return self.markets[0]
        at = self.yes.index(token_id) if token_id in self.yes else self.no.index(token_id)
        return self.markets[at]

    def note(self, book: BookSnapshot) -> bool:
        """Take a book's best ask into the sums; False if it is the same as before."""
        token_id = book.token_id
        ask = book.asks[0].price_e6 if book.asks else -1
        before = self._asks.get(token_id, -1)
        if ask == before:
            return False
        self._asks[token_id] = ask
        if token_id in self.yes:
            self._yes_total_e6 += max(0, ask) - max(0, before)
            self._yes_missing += (ask < 0) - (before < 0)
        else:
            self._no_gain_e6 += (ONE_E6 - ask if ask >= 0 else 0) - (ONE_E6 - before if before >= 0 else 0)
        return True

    def looks_cheap(self, form: Form) -> bool:
        """The best asks alone, without fees, cost less than a set pays. Of NO, the legs that cost a dollar are left out."""
        if form == "YES":
            return not self._yes_missing and self._yes_total_e6 < ONE_E6
        return self._no_gain_e6 > 0


def sets_of(markets: Sequence[Market], first_rules: Mapping[str, str], allow_other: bool) -> list[EventSet]:
    """All sets among the followed markets, by event in the order of their first markets.

    ``first_rules``: market id -> hash of its rules when it was first seen. YES and NO of one market of the venue are no set: they are
    one book.
    """
    found = []
    for group in _groups(markets):
        first = group[0]
        if is_generic(first):
            # The outcomes of one generic market each have a book of their own.
            refusals: dict[Form, str] = {"YES": outcomes_refusal(first, allow_other)}
            if len(first.outcomes) > 1:
                found.append(EventSet(first.market_id, first.question, (first,), first.token_ids, refusals=refusals))
            continue
        pairs = tuple(market for market in group if len(market.outcomes) == 2)
        if len(pairs) < 2 or len(pairs) < len(group):
            continue
        told = max(market.event_market_count for market in pairs)
        refusals = {form: event_refusal(form, pairs, len(pairs) == told, allow_other) for form in FORMS}
        changed = _changed(pairs, first_rules)
        if changed:
            refusals = dict.fromkeys(FORMS, changed)
        yes, no = (tuple(market.token_ids[side] for market in pairs) for side in (0, 1))
        found.append(EventSet(first.event_id, first.event_title, pairs, yes, no, refusals))
    return found


def _groups(markets: Iterable[Market]) -> list[list[Market]]:
    groups: dict[str, list[Market]] = {}
    for market in markets:
        name = market.market_id if is_generic(market) or not market.event_id else f"event {market.event_id}"
        groups.setdefault(name, []).append(market)
    return list(groups.values())


def _changed(markets: Iterable[Market], first_rules: Mapping[str, str]) -> str:
    for market in markets:
        if first_rules.get(market.market_id, market.rules_hash) != market.rules_hash:
            return f"the rules of market {market.market_id} have changed since it was first seen"
    return ""
