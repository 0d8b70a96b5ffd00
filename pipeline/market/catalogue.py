"""The catalogue in memory: which market a token belongs to, its other outcome, its event, its price grid."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pipeline.base.units import parse_e6
from pipeline.messages.market import Market

TICK_SIZES: tuple[str, ...] = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")
"""The price grids the venue uses, coarse to fine (CLOB client constants, seen 2026-11)."""

USUAL_TICK_E6 = 10_000
"""The price grid assumed where neither the book nor the catalogue gives one: a cent, the venue's usual."""


@lru_cache(maxsize=1_024)
def tick_size_e6(tick_size: str) -> int:
    """A price grid in millionths of a dollar. Raises ValueError for what cannot be one."""
    value = parse_e6(tick_size)
    if not 0 < value <= 500_000:
        raise ValueError(f"tick size {tick_size} is outside 0 to 0.5")
    return value


def first_tick_e6(texts: Iterable[str | None]) -> int:
    """The first of these price grids that is one; the usual one if none is."""
    for text in texts:
        if text:
            try:
                return tick_size_e6(text)
            except ValueError:
                continue
    return USUAL_TICK_E6


def is_on_grid(price_e6: int, step_e6: int) -> bool:
    """Whether a price may be quoted on a grid: a multiple of the step, at least one step from 0 and from 1."""
    return price_e6 % step_e6 == 0 and step_e6 <= price_e6 <= 1_000_000 - step_e6


def tradable(market: Market) -> bool:
    """Whether the venue takes orders: active, not closed, accepting orders and with an order book (Gamma, seen 2026-11)."""
    return market.active and not market.closed and market.accepting_orders and market.enable_order_book


class Catalogue:
    """The followed markets by id, by token and by event; the order is the universe's."""

    def __init__(self, markets: Iterable[Market] = ()) -> None:
        self.markets: dict[str, Market] = {}
        self._by_token: dict[str, Market] = {}
        self._events: dict[str, list[Market]] = {}
        for market in markets:
            if market.market_id in self.markets:
                continue
            self.markets[market.market_id] = market
            for token_id in market.token_ids:
                self._by_token.setdefault(token_id, market)
            if market.event_id:
                self._events.setdefault(market.event_id, []).append(market)

    def __len__(self) -> int:
        return len(self.markets)

    @property
    def token_ids(self) -> tuple[str, ...]:
        """Every token, market by market."""
        return tuple(self._by_token)

    def market(self, market_id: str) -> Market | None:
        """The market of an id; None if it is not followed."""
        return self.markets.get(market_id)

    def market_of(self, token_id: str) -> Market | None:
        """The market a token is an outcome of; None if it is not followed."""
        return self._by_token.get(token_id)

    def event_markets(self, event_id: str) -> tuple[Market, ...]:
        """The followed markets of one event."""
        return tuple(self._events.get(event_id, ()))

    def outcome_index(self, token_id: str) -> int | None:
        """0 for the first outcome ("Yes"), 1 for the second; None if the token is unknown."""
        market = self._by_token.get(token_id)
        return None if market is None else market.token_ids.index(token_id)

    def complement(self, token_id: str) -> str | None:
        """The other token of a binary market; None if the market is unknown or has not exactly two."""
        market = self._by_token.get(token_id)
        if market is None or len(market.token_ids) != 2:
            return None
        first, second = market.token_ids
        return second if token_id == first else first

    def siblings(self, token_id: str) -> tuple[str, ...]:
        """All other tokens of the token's event, its complement included; of its market where it belongs to no event."""
        market = self._by_token.get(token_id)
        if market is None:
            return ()
        markets = self.event_markets(market.event_id) or (market,)
        return tuple(other for each in markets for other in each.token_ids if other != token_id)

    def tick_size_e6(self, token_id: str) -> int | None:
        """The token's price grid as the catalogue has it; None if unknown."""
        market = self._by_token.get(token_id)
        return None if market is None or market.tick_size is None else tick_size_e6(market.tick_size)
