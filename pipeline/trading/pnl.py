"""Where profit came from: each trade's spread, how the market went against it, fees, rebates, and what a resolution paid.

For every account ``pnl == spread + adverse + inventory - fees`` to the millionth: the spread is against the mid that each trade met,
adverse selection the change of that mid within a minute, and inventory all that came later (or could not be measured). Rebates and
rewards are estimates of what the venue pays once a day, and are never part of ``pnl``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.base.units import ONE_E6, UsdcE6
from pipeline.messages.market import FeeSchedule, Side
from pipeline.messages.orders import Liquidity
from pipeline.trading.fees import fee_floor_e6
from pipeline.trading.markouts import HORIZONS_MS, NO_TRADES, earned_floor_e6
from pipeline.trading.portfolio import Holding

LATER_MS = HORIZONS_MS[1:]
"""The horizons of adverse selection, in milliseconds."""
MINUTE_MS = HORIZONS_MS[-1]
Key = tuple[str, str]
"""(market, token)."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One of our trades as it is on record. ``mids`` are the mids at and after it by horizon in milliseconds, as far as they are known.

    ``undoes``: it takes an earlier trade back that failed, and is none itself.
    """

    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    notional_e6: int
    fee_e6: int
    liquidity: Liquidity
    mids: Mapping[int, int] = field(default_factory=dict)
    undoes: bool = False


@dataclass(slots=True)
class Attribution:
    """The trades of one account (a strategy in a mode, or a part of it), added up. Money in millionths of a dollar.

    ``adverse_e6`` and ``measured`` are by horizon: how far the mid moved for our trades (a loss is negative), and over how many of them.
    """

    trades: int = 0
    bought_e6: int = 0
    sold_e6: int = 0
    fees_e6: int = 0
    rebates_e6: int = 0
    rewards_e6: int = 0
    settlement_e6: int = 0
    spread_e6: int = 0
    adverse_e6: dict[int, int] = field(default_factory=lambda: dict.fromkeys(LATER_MS, 0))
    measured: dict[int, int] = field(default_factory=lambda: dict.fromkeys(HORIZONS_MS, 0))
    holdings: dict[Key, Holding] = field(default_factory=dict)

    def add(self, trade: Trade, fees: FeeSchedule | None = None) -> None:
        """Count a trade; trades come in the order in which they happened. ``fees`` is its market's schedule, for the rebate."""
        key = (trade.market, trade.token_id)
        holding = self.holdings.get(key)
        if holding is None:
            holding = self.holdings[key] = Holding("", trade.token_id, trade.market)
        realised_e6 = holding.realised_e6
        holding.trade(trade.side, trade.size_e6, trade.notional_e6, trade.fee_e6)
        if trade.liquidity == "settlement":
            self.settlement_e6 += holding.realised_e6 - realised_e6
        elif trade.liquidity not in NO_TRADES:
            self.trades += -1 if trade.undoes else 1
            self._measure(trade)
        if trade.liquidity == "maker":
            self.rebates_e6 += rebate_floor_e6(fees, trade.price_e6, trade.size_e6)
        if trade.side == "BUY":
            self.bought_e6 += trade.notional_e6
        else:
            self.sold_e6 += trade.notional_e6
        self.fees_e6 += trade.fee_e6

    @property
    def cash_e6(self) -> int:
        """What came in less what went out, fees included."""
        return self.sold_e6 - self.bought_e6 - self.fees_e6

    @property
    def realised_e6(self) -> int:
        """Profit of what was closed, against its average cost, before fees."""
        return sum(holding.realised_e6 for holding in self.holdings.values())

    def unrealised_e6(self, marks: Mapping[Key, int]) -> int | None:
        """What is held, at the marks of its tokens, less what it cost; None if a mark is missing. Rounded down once over all."""
        value_e6 = self.value_e6(marks)
        return None if value_e6 is None else value_e6 - sum(holding.cost_e6 for holding in self.holdings.values())

    def value_e6(self, marks: Mapping[Key, int]) -> int | None:
        """What is held at the marks of its tokens, rounded down once over all; None if a mark is missing."""
        total = 0
        for key, holding in self.holdings.items():
            if holding.inventory_e6:
                mark_e6 = marks.get(key)
                if mark_e6 is None:
                    return None
                total += holding.inventory_e6 * mark_e6
        return total // ONE_E6

    def pnl_e6(self, marks: Mapping[Key, int]) -> int | None:
        """Profit after fees with what is held at its marks, without rebates and rewards; None if a mark is missing."""
        value_e6 = self.value_e6(marks)
        return None if value_e6 is None else self.cash_e6 + value_e6

    def inventory_e6(self, marks: Mapping[Key, int]) -> int | None:
        """What holding on to positions brought beyond the first minute: the rest of the profit."""
        pnl_e6 = self.pnl_e6(marks)
        return None if pnl_e6 is None else pnl_e6 + self.fees_e6 - self.spread_e6 - self.adverse_e6[MINUTE_MS]

    def _measure(self, trade: Trade) -> None:
        at_e6 = trade.mids.get(0)
        if at_e6 is None:
            return
        self.measured[0] += 1
        self.spread_e6 += earned_floor_e6(trade.side, trade.price_e6, at_e6, trade.size_e6)
        for horizon_ms in LATER_MS:
            later_e6 = trade.mids.get(horizon_ms)
            if later_e6 is not None:
                self.measured[horizon_ms] += 1
                self.adverse_e6[horizon_ms] += earned_floor_e6(trade.side, at_e6, later_e6, trade.size_e6)


def rebate_floor_e6(fees: FeeSchedule | None, price_e6: int, size_e6: int) -> UsdcE6:
    """What a maker may expect back of a trade: the rebated part of the fee that its taker paid, rounded down.

    The venue shares each market's pool by what makers' trades paid in fees, so that the part is the same for all; it pays once a day,
    from a dollar up. Source: maker rebates page, seen 2026-11-22.
    """
    if fees is None:
        return UsdcE6(0)
    return UsdcE6(fee_floor_e6(fees, price_e6, size_e6, "taker") * fees.rebate_rate_e6 // ONE_E6)


def attribute(trades: Iterable[Trade], schedules: Mapping[str, FeeSchedule | None]) -> Attribution:
    """The trades of one account added up; ``schedules`` are the fee schedules by market."""
    found = Attribution()
    for trade in trades:
        found.add(trade, schedules.get(trade.market))
    return found
