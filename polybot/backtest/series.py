"""The numbers of the page's charts, from results: plain lists of floats for showing, never for reckoning on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TypeVar

from pipeline.base.units import ONE_E6
from polybot.backtest.result import BacktestFill, BacktestOrder, MarketResult, RunResult

MOST_POINTS = 1_200
MOST_QUOTES = 1_200
MOST_FILLS = 500
"""Of one market and side."""
MOST_SPANS = 200
"""Of one token's coverage."""
HORIZONS_MS = (0, 1_000, 10_000, 60_000)
T = TypeVar("T")


def thin(points: Sequence[T], most: int = MOST_POINTS) -> list[T]:
    """At most so many of them, evenly taken, with the last one."""
    if len(points) <= most:
        return list(points)
    step = -(-len(points) // most)
    return [*points[:-1:step], points[-1]]


def ms(ts_ns: int) -> float:
    """Milliseconds, as the charts count time."""
    return ts_ns / 1e6


def dollars(value_e6: int) -> float:
    return value_e6 / ONE_E6


@dataclass
class Band:
    """Equity of several runs at common times: the lowest and the highest of them."""

    at: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)


def band(results: Sequence[RunResult]) -> Band:
    """The band that the equities of these runs span, at the times of all of them."""
    found = Band()
    places = [0] * len(results)
    for ts_ns in thin(sorted({point.ts_ns for result in results for point in result.equity})):
        values = []
        for index, result in enumerate(results):
            points = result.equity
            while places[index] + 1 < len(points) and points[places[index] + 1].ts_ns <= ts_ns:
                places[index] += 1
            if points and points[places[index]].ts_ns <= ts_ns:
                values.append(dollars(points[places[index]].equity_e6))
        if values:
            found.at.append(ms(ts_ns))
            found.low.append(min(values))
            found.high.append(max(values))
    return found


def oriented(market: MarketResult, token_id: str, price_e6: int) -> float:
    """A price in terms of the market's first token."""
    return dollars(price_e6 if token_id == market.tokens[0] else ONE_E6 - price_e6)


def is_bid(market: MarketResult, each: BacktestOrder | BacktestFill) -> bool:
    """Whether it stands on, or took from, the buyer's side of the first token: selling the other token is buying this one."""
    return (each.side == "BUY") == (each.token_id == market.tokens[0])


def quotes(result: RunResult, market: MarketResult) -> dict[str, dict[str, list[float]]]:
    """Our resting orders of a market as lines from when they stood to when they ended, by "bid" and "ask"."""
    end_ns = result.played.end_ns
    found: dict[str, dict[str, list[float]]] = {side: {"x0": [], "x1": [], "y": []} for side in ("bid", "ask")}
    rested = [order for order in result.orders if order.market == market.market and order.live_ns]
    for order in thin(rested, MOST_QUOTES):
        place = found["bid" if is_bid(market, order) else "ask"]
        place["x0"].append(ms(order.live_ns))
        place["x1"].append(ms(order.ended_ns or end_ns))
        place["y"].append(oriented(market, order.token_id, order.price_e6))
    return found


def markouts(fills: Iterable[BacktestFill]) -> tuple[list[float], list[int]]:
    """What a share earned, in cents, from its own price to the mid at each horizon, weighted by size; and over how many trades."""
    means: list[float] = []
    counts: list[int] = []
    known = [fill for fill in fills if fill.liquidity in ("maker", "taker")]
    for horizon in HORIZONS_MS:
        measured = [fill for fill in known if horizon in fill.mids]
        shares = sum(fill.size_e6 for fill in measured)
        gain = sum((fill.mids[horizon] - fill.price_e6) * (1 if fill.side == "BUY" else -1) * fill.size_e6 for fill in measured)
        means.append(gain / shares / 10_000 if shares else 0.0)
        counts.append(len(measured))
    return means, counts


@dataclass(frozen=True)
class QueueBin:
    """Orders that joined behind so many shares: how many, and which part of their shares traded."""

    name: str
    orders: int
    rate: float


_EDGES = (0, 50, 200, 500, 1_000, 5_000)


def queue_bins(orders: Iterable[BacktestOrder]) -> list[QueueBin]:
    """The fill rate of resting orders by the shares of others ahead of them when they joined; only bins with orders."""
    rested = [order for order in orders if order.ahead_e6 is not None]
    names = ["none ahead", *(f"to {high:,}" for high in _EDGES[1:]), f"over {_EDGES[-1]:,}"]
    found = []
    for index, name in enumerate(names):
        low, high = (-1, 0) if index == 0 else (_EDGES[index - 1], _EDGES[index] if index < len(_EDGES) else 1 << 62)
        inside = [order for order in rested if low * ONE_E6 < (order.ahead_e6 or 0) <= high * ONE_E6]
        if inside:
            found.append(QueueBin(name, len(inside), fmean(order.filled_e6 / order.size_e6 for order in inside)))
    return found


def longest(spans: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The stretches of a token's coverage that can be seen: of many the longest, in their order."""
    if len(spans) <= MOST_SPANS:
        return list(spans)
    kept = sorted(range(len(spans)), key=lambda index: spans[index][0] - spans[index][1])[:MOST_SPANS]
    return [spans[index] for index in sorted(kept)]


def siblings(results: Sequence[RunResult], shown: RunResult) -> list[RunResult]:
    """The runs that differ from this one in their fill model alone, itself included."""
    return [
        each for each in results if (each.played.source, each.played.parameters) == (shown.played.source, shown.played.parameters)
    ]


def best(results: Sequence[RunResult]) -> RunResult:
    """The run that the page shows: of those of the first fill model the one with the most profit, the earliest of equals."""
    first = results[0].played.fill_model
    return max((each for each in results if each.played.fill_model == first), key=lambda each: (each.parts.pnl_e6, -each.number))


def sided(pairs: Iterable[tuple[bool, T]]) -> dict[str, list[T]]:
    """Things by "bid" and "ask"."""
    found: dict[str, list[T]] = {"bid": [], "ask": []}
    for bid, thing in itertools.chain(pairs):
        found["bid" if bid else "ask"].append(thing)
    return found
