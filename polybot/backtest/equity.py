"""Equity over time: profit with what is held at its last known mids, how far below its peak, and the markets that were traded."""

from __future__ import annotations

from typing import Generic, TypeVar

from pipeline.base.units import ONE_E6
from pipeline.trading.portfolio import Holding
from polybot.backtest.collector import Collector
from polybot.backtest.result import EquityPoint, MarketPoint
from processes.executor import Executor

KEPT = 4_096
"""The most points of one series that are kept; from there on every other one is left out, and again."""

T = TypeVar("T")


class Thinned(Generic[T]):
    """A series of at most ``KEPT`` points, evenly taken; the same points whoever asks."""

    def __init__(self) -> None:
        self.points: list[T] = []
        self._every = 1
        self._seen = 0

    def add(self, point: T, *, always: bool = False) -> None:
        """Keep the point if it is its turn."""
        if always or self._seen % self._every == 0:
            self.points.append(point)
            if len(self.points) > KEPT and not always:
                self.points = self.points[::2]
                self._every *= 2
        self._seen += 1


class Sampler:
    """Notes equity and the books of traded markets. ``max_drawdown_e6`` is over every sample, also those that are not kept."""

    def __init__(self, executor: Executor, collector: Collector) -> None:
        self._executor, self._collector = executor, collector
        self._followed = executor.followed
        self._marks: dict[str, int] = {}
        self._peak_e6 = 0
        self.max_drawdown_e6 = 0
        self.equity: Thinned[EquityPoint] = Thinned()
        self.markets: dict[str, Thinned[MarketPoint]] = {}

    @property
    def marks(self) -> dict[str, int]:
        """The last known mid of each token that was held."""
        return self._marks

    def sample(self, ts_ns: int, *, last: bool = False) -> None:
        """Note everything as it stands."""
        equity_e6 = self.equity_e6()
        self._peak_e6 = max(self._peak_e6, equity_e6)
        drawdown_e6 = self._peak_e6 - equity_e6
        self.max_drawdown_e6 = max(self.max_drawdown_e6, drawdown_e6)
        self.equity.add(EquityPoint(ts_ns, equity_e6, drawdown_e6), always=last)
        for market_id in self._collector.markets:
            self._note(market_id, ts_ns, last)

    def equity_e6(self) -> int:
        """Cash that came in, and what is held at its mids. Rounded down once over all."""
        cash_e6 = value = 0
        for holding in self._executor.ledger.portfolio:
            cash_e6 += holding.cash_e6
            if holding.inventory_e6:
                value += holding.inventory_e6 * self._mark_e6(holding)
        return cash_e6 + value // ONE_E6

    def _mark_e6(self, holding: Holding) -> int:
        """The mid; where there is none at the moment the last one, and before any what was paid."""
        mid_e6 = self._followed.mid_e6(holding.token_id)
        if mid_e6 is not None:
            self._marks[holding.token_id] = mid_e6
            return mid_e6
        known = self._marks.get(holding.token_id)
        return known if known is not None else holding.average_price_e6 or 0

    def _note(self, market_id: str, ts_ns: int, last: bool) -> None:
        series = self.markets.get(market_id)
        if series is None:
            series = self.markets[market_id] = Thinned()
        tokens = self._collector.tokens_of(market_id)
        book = self._followed.book(tokens[0])
        shown = book is not None and bool(book.bids or book.asks)
        net_e6 = 0
        for holding in self._executor.ledger.portfolio.in_market(market_id):
            net_e6 += holding.inventory_e6 if holding.token_id == tokens[0] else -holding.inventory_e6
        series.add(
            MarketPoint(
                ts_ns,
                book.bids[0].price_e6 if shown and book is not None and book.bids else None,
                book.asks[0].price_e6 if shown and book is not None and book.asks else None,
                net_e6,
            ),
            always=last,
        )
