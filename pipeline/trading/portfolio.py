"""What is held, what it cost and what it earned, from fills alone: exact integers, average cost, short positions included.

For every position cash, cost and profit reconcile after any sequence of fills: ``cash + cost == realised - fees``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.base.units import ONE_E6, UsdcE6
from pipeline.messages.market import Side
from pipeline.messages.orders import Position


@dataclass(slots=True)
class Holding:
    """One token in one strategy's hands. ``inventory_e6`` is negative for a simulated short position, and so is ``cost_e6`` then."""

    strategy: str
    token_id: str
    market: str
    inventory_e6: int = 0
    cost_e6: int = 0
    cash_e6: int = 0
    realised_e6: int = 0
    fees_e6: int = 0

    def trade(self, side: Side, size_e6: int, notional_e6: int, fee_e6: int = 0) -> None:
        """Book a trade: ``notional_e6`` is what was paid (BUY) or received (SELL), the fee comes on top.

        What closes a position realises profit against its average cost; what goes beyond it opens the other way.
        """
        sign = 1 if side == "BUY" else -1
        closing = min(size_e6, abs(self.inventory_e6)) if self.inventory_e6 * sign < 0 else 0
        closing_notional = notional_e6 * closing // size_e6 if closing < size_e6 else notional_e6
        if closing:
            # A whole position takes its whole cost with it, so that nothing is left over by rounding.
            basis = self.cost_e6 * closing // abs(self.inventory_e6)
            self.cost_e6 -= basis
            self.realised_e6 += -sign * closing_notional - basis
            self.inventory_e6 += sign * closing
        opening = size_e6 - closing
        if opening:
            self.inventory_e6 += sign * opening
            self.cost_e6 += sign * (notional_e6 - closing_notional)
        self.cash_e6 -= sign * notional_e6 + fee_e6
        self.fees_e6 += fee_e6

    def settle(self, payout_e6: int) -> None:
        """Close at resolution: each share pays ``payout_e6`` millionths of a dollar (1 000 000 for the winner, 0 for the loser)."""
        if self.inventory_e6:
            size = abs(self.inventory_e6)
            self.trade("SELL" if self.inventory_e6 > 0 else "BUY", size, size * payout_e6 // ONE_E6)

    @property
    def average_price_e6(self) -> int | None:
        """Average cost a share, rounded down; None with no inventory."""
        return self.cost_e6 * ONE_E6 // self.inventory_e6 if self.inventory_e6 else None

    def unrealised_e6(self, mark_e6: int | None) -> int | None:
        """What closing at ``mark_e6`` would add to the profit; None without a mark, 0 with no inventory."""
        if not self.inventory_e6:
            return 0
        return None if mark_e6 is None else self.inventory_e6 * mark_e6 // ONE_E6 - self.cost_e6

    def shown(self) -> Position:
        """The holding as an ExecSnapshot shows it."""
        return Position(
            strategy=self.strategy,
            token_id=self.token_id,
            market=self.market,
            inventory_e6=self.inventory_e6,
            cost_e6=self.cost_e6,
            realised_e6=self.realised_e6,
            fees_e6=self.fees_e6,
        )


class Portfolio:
    """All holdings, by strategy and token, in the order in which they were first traded."""

    def __init__(self) -> None:
        self._holdings: dict[tuple[str, str], Holding] = {}
        self._by_market: dict[str, list[Holding]] = {}

    def __iter__(self) -> Iterator[Holding]:
        return iter(self._holdings.values())

    def holding(self, strategy: str, token_id: str, market: str = "") -> Holding:
        """The holding, made empty if there is none."""
        found = self._holdings.get((strategy, token_id))
        if found is None:
            found = self._holdings[strategy, token_id] = Holding(strategy, token_id, market)
            self._by_market.setdefault(market, []).append(found)
        return found

    def in_market(self, market: str) -> Sequence[Holding]:
        """The holdings of a market."""
        return self._by_market.get(market, ())

    def holds(self, market: str) -> bool:
        """Whether anybody holds shares of a market."""
        return any(holding.inventory_e6 for holding in self.in_market(market))

    def inventory_e6(self, strategy: str, token_id: str) -> int:
        """Shares that a strategy holds of a token, in millionths; 0 if it never traded it."""
        found = self._holdings.get((strategy, token_id))
        return found.inventory_e6 if found else 0

    def load(self, positions: Iterable[Position]) -> None:
        """Replace everything by the positions of an ExecSnapshot; cash follows from cost, profit and fees."""
        self._holdings = {
            (p.strategy, p.token_id): Holding(
                strategy=p.strategy,
                token_id=p.token_id,
                market=p.market,
                inventory_e6=p.inventory_e6,
                cost_e6=p.cost_e6,
                cash_e6=p.realised_e6 - p.fees_e6 - p.cost_e6,
                realised_e6=p.realised_e6,
                fees_e6=p.fees_e6,
            )
            for p in positions
        }
        self._by_market = {}
        for holding in self._holdings.values():
            self._by_market.setdefault(holding.market, []).append(holding)

    def shown(self) -> tuple[Position, ...]:
        """All holdings that were ever traded, as an ExecSnapshot shows them."""
        return tuple(holding.shown() for holding in self._holdings.values())


def complete_sets_e6(inventories: Iterable[int]) -> int:
    """How many complete sets (one share of each outcome of a market) are held: each is worth one dollar for certain."""
    return max(0, min(inventories, default=0))


def worst_case_e6(inventories: Mapping[str, tuple[int, int]], cost_e6: int, exhaustive: bool) -> UsdcE6:
    """The profit or loss of a neg-risk event at its worst resolution, in millionths of a dollar.

    ``inventories``: market -> (YES shares, NO shares). At most one market resolves Yes; exactly one if ``exhaustive``.
    ``cost_e6`` is what all of it cost. A 50/50 resolution is not covered.
    """
    all_no = sum(no for _, no in inventories.values())
    outcomes = [all_no + yes - no for yes, no in inventories.values()]
    if not exhaustive or not outcomes:
        outcomes.append(all_no)
    return UsdcE6(min(outcomes) - cost_e6)
