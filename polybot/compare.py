"""Two runs side by side: where their orders, fills and profit part first, and why.

A run is a backtest's result, or what a database holds of a session. Orders are partners if they are alike (market, token, side, price,
size) and were placed within a tolerance of each other; fills if they are alike but for their size. All of it is pure.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.base.units import NS_PER_MS, format_e6
from polybot.backtest.result import BacktestFill, BacktestOrder, Parts
from polybot.cli.trading_words import short_id
from polybot.coverage.told import show_moment

BEGAN_APART_NS = 200 * NS_PER_MS
T = TypeVar("T", BacktestOrder, BacktestFill)


@dataclass(frozen=True)
class Side:
    """One of the two runs. ``facts`` are what it was made from, as far as that is known: a name is in both or it cannot be compared."""

    label: str
    facts: dict[str, str]
    orders: Sequence[BacktestOrder]
    fills: Sequence[BacktestFill]
    parts: Parts
    by_market: dict[str, int] = field(default_factory=dict)
    exact: bool = True
    """Its times are the recording's, not a clock's."""


@dataclass(frozen=True)
class Parting:
    """The first thing in which the runs differ. ``a`` and ``b`` tell each side's; "" where it has none. ``why`` says how that came."""

    what: str
    ts_ns: int
    market: str
    a: str
    b: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matched:
    """How many things are on both sides, and on one only."""

    both: int
    only_a: int
    only_b: int


@dataclass(frozen=True)
class Comparison:
    """Everything that differs. ``facts`` are (name, a, b); ``markets`` are (market, profit of a, of b), the largest difference first."""

    a: Side
    b: Side
    facts: list[tuple[str, str, str]]
    orders: Matched
    fills: Matched
    partings: list[Parting]
    markets: list[tuple[str, int, int]]
    reasons: list[str]

    @property
    def same(self) -> bool:
        """Nothing parts: the orders, the fills and the profit are equal."""
        return not self.partings and self.a.parts == self.b.parts


def compare(a: Side, b: Side, tolerance_ns: int | None = None) -> Comparison:
    """Hold two runs against each other. ``tolerance_ns`` None: nothing between two backtests, two seconds where one ran by a clock."""
    if tolerance_ns is None:
        tolerance_ns = 0 if a.exact and b.exact else 2_000 * NS_PER_MS
    orders, lone_orders = _pairs(a.orders, b.orders, lambda order: order.placed_ns, _order_key, tolerance_ns)
    fills, lone_fills = _pairs(a.fills, b.fills, lambda fill: fill.ts_ns, _fill_key, tolerance_ns)
    facts = [(name, a.facts[name], b.facts[name]) for name in a.facts if name in b.facts and a.facts[name] != b.facts[name]]
    partings = sorted(
        (
            each
            for each in (
                _first_order(a, b, lone_orders),
                _first_fate(orders),
                _first_fill(lone_fills, a, b),
                _first_price(fills),
            )
            if each is not None
        ),
        key=lambda each: each.ts_ns,
    )
    names = {*a.by_market, *b.by_market}
    markets = sorted(
        ((name, a.by_market.get(name, 0), b.by_market.get(name, 0)) for name in names), key=lambda m: (-abs(m[1] - m[2]), m[0])
    )
    return Comparison(
        a=a,
        b=b,
        facts=facts,
        orders=Matched(len(orders), len(lone_orders[0]), len(lone_orders[1])),
        fills=Matched(len(fills), len(lone_fills[0]), len(lone_fills[1])),
        partings=partings,
        markets=[each for each in markets if each[1] != each[2]],
        reasons=_reasons(a, b, facts, partings),
    )


# --- partners ------------------------------------------------------------------------------------------------------


def _pairs(
    left: Iterable[T], right: Iterable[T], when: Callable[[T], int], key: Callable[[T], object], tolerance_ns: int
) -> tuple[list[tuple[T, T]], tuple[list[T], list[T]]]:
    """((a, b) pairs in the order of a, (what is only in a, only in b)): alike things within the tolerance, the earliest first."""
    waiting: dict[object, list[T]] = defaultdict(list)
    ordered = sorted(right, key=when)
    for each in reversed(ordered):
        waiting[key(each)].append(each)
    pairs: list[tuple[T, T]] = []
    only_a: list[T] = []
    only_b: list[T] = []
    for each in sorted(left, key=when):
        others = waiting[key(each)]
        while others and when(others[-1]) < when(each) - tolerance_ns:
            only_b.append(others.pop())
        if others and when(others[-1]) <= when(each) + tolerance_ns:
            pairs.append((each, others.pop()))
        else:
            only_a.append(each)
    only_b += [each for others in waiting.values() for each in others]
    return pairs, (only_a, sorted(only_b, key=when))


def _order_key(order: BacktestOrder) -> object:
    return order.market, order.token_id, order.side, order.price_e6, order.size_e6


def _fill_key(fill: BacktestFill) -> object:
    return fill.market, fill.token_id, fill.side, fill.price_e6


# --- what parts first ----------------------------------------------------------------------------------------------


def _first_order(a: Side, b: Side, lone: tuple[list[BacktestOrder], list[BacktestOrder]]) -> Parting | None:
    """The first order that only one side placed, beside what the other one placed there next to it in time."""
    candidates = [(order, place) for place, orders in enumerate(lone) for order in orders]
    if not candidates:
        return None
    order, place = min(candidates, key=lambda each: (each[0].placed_ns, each[1]))
    others = [each for each in (b, a)[place].orders if each.market == order.market]
    nearest = min(others, key=lambda each: (abs(each.placed_ns - order.placed_ns), each.side != order.side), default=None)
    told = (told_order(order), "" if nearest is None else f"nearest: {told_order(nearest)}")
    why = ("the other one never quoted this market",) if nearest is None else tuple(_seen_apart(order, nearest, place))
    first, second = told if place == 0 else told[::-1]
    return Parting("an order that only one placed", order.placed_ns, order.market, first, second, why)


def _seen_apart(order: BacktestOrder, other: BacktestOrder, place: int) -> list[str]:
    """What the two decisions were made on, where they differ."""
    one, two = _seen(order.seen), _seen(other.seen)
    found = []
    if one.get("books") and two.get("books"):
        books = [_tops(each) for each in (one, two)]
        if books[0] != books[1]:
            left, right = books if place == 0 else books[::-1]
            apart_ns = abs(order.placed_ns - other.placed_ns)
            moments = f", {_apart(apart_ns)} apart" if apart_ns else ""
            found.append(f"they saw other books{moments}: {left} against {right}")
        else:
            found.append("they saw the same best prices and decided differently")
    for name, word in (("inventory", "held"), ("other_inventory", "held of the other outcome")):
        if name in one and name in two and one[name] != two[name]:
            first, second = (one[name], two[name]) if place == 0 else (two[name], one[name])
            found.append(f"they {word} {first} against {second} shares")
    if order.why != other.why:
        left, right = (order.why, other.why) if place == 0 else (other.why, order.why)
        found.append(f'their words: "{left}" against "{right}"')
    return found


def _apart(ns: int) -> str:
    return f"{ns / 1e6:,.0f} ms" if ns < 10_000 * NS_PER_MS else f"{ns / 1e9:,.0f} s"


def _first_fate(pairs: list[tuple[BacktestOrder, BacktestOrder]]) -> Parting | None:
    """The first order of both that traded otherwise."""
    for one, two in pairs:
        if one.filled_e6 == two.filled_e6:
            continue
        why = []
        if one.ahead_e6 is not None and two.ahead_e6 is not None:
            shares = (format_e6(one.ahead_e6), format_e6(two.ahead_e6))
            why.append(
                f"{shares[0]} against {shares[1]} shares stood ahead when they joined"
                if shares[0] != shares[1]
                else f"both joined behind {shares[0]} shares: the queue moved otherwise"
            )
        if one.live_ns and two.live_ns and one.live_ns != two.live_ns:
            why.append(f"one stood {abs(one.live_ns - two.live_ns) / 1e6:,.0f} ms before the other")
        if not one.live_ns or not two.live_ns:
            why.append(f"only one of them ever stood: {one.reason or two.reason or one.status + ' against ' + two.status}")
        elif one.ended_ns != two.ended_ns:
            why.append(f"they ended as {one.status} and {two.status}")
        when = min(each for each in (one.ended_ns, two.ended_ns, one.placed_ns) if each)
        return Parting(
            "an order that traded otherwise", max(when, one.placed_ns), one.market, told_order(one), told_order(two), tuple(why)
        )
    return None


def _first_fill(lone: tuple[list[BacktestFill], list[BacktestFill]], a: Side, b: Side) -> Parting | None:
    """The first trade that only one side had."""
    candidates = [(fill, place) for place, fills in enumerate(lone) for fill in fills]
    if not candidates:
        return None
    fill, place = min(candidates, key=lambda each: (each[0].ts_ns, each[1]))
    orders = {order.client_order_id: order for order in (a, b)[place].orders}
    order = orders.get(fill.client_order_id)
    why = []
    if order is not None:
        rivals = [each for each in (b, a)[place].orders if _order_key(each) == _order_key(order)]
        resting = any(each.placed_ns <= fill.ts_ns <= (each.ended_ns or fill.ts_ns) for each in rivals)
        why.append(
            "the other one had such an order then, which did not trade" if resting else "the other one had no such order then"
        )
    told = told_fill(fill)
    return Parting("a trade that only one had", fill.ts_ns, fill.market, *((told, "") if place == 0 else ("", told)), tuple(why))


def _first_price(pairs: list[tuple[BacktestFill, BacktestFill]]) -> Parting | None:
    """The first trade of both that is of another size, or cost another fee."""
    for one, two in pairs:
        if (one.size_e6, one.fee_e6, one.liquidity) != (two.size_e6, two.fee_e6, two.liquidity):
            return Parting("a trade that both had, not alike", one.ts_ns, one.market, told_fill(one), told_fill(two))
    return None


def _reasons(a: Side, b: Side, facts: list[tuple[str, str, str]], partings: list[Parting]) -> list[str]:
    """Why the runs part, what explains most first."""
    if not partings:
        return ["nothing parts: the same orders and trades" + (", though they were made differently" if facts else "")]
    found = [f"{name}: {one} against {two}" for name, one, two in facts]
    if a.orders and b.orders:
        later_ns = min(order.placed_ns for order in a.orders) - min(order.placed_ns for order in b.orders)
        if abs(later_ns) >= BEGAN_APART_NS:
            earlier, later = ("B", "A") if later_ns > 0 else ("A", "B")
            found.append(
                f"{later} placed its first order {abs(later_ns) / 1e9:,.1f} s after {earlier}, and so stood elsewhere in the queues"
            )
    first = partings[0]
    found += [f"{first.what}, {show_moment(first.ts_ns)} UTC: {word}" for word in first.why]
    if not facts and a.exact and b.exact:
        found.append("all that is known of how they were made is equal")
    return found


# --- words ---------------------------------------------------------------------------------------------------------


def told_order(order: BacktestOrder) -> str:
    """An order in a few words."""
    filled = f", {format_e6(order.filled_e6)} filled" if order.filled_e6 else ""
    return (
        f"{show_moment(order.placed_ns)[11:]} {order.side} {format_e6(order.size_e6)} at {format_e6(order.price_e6)} of "
        f"{short_id(order.token_id)}: {order.status}{filled}"
    )


def told_fill(fill: BacktestFill) -> str:
    """A trade in a few words."""
    return (
        f"{show_moment(fill.ts_ns)[11:]} {fill.side} {format_e6(fill.size_e6)} at {format_e6(fill.price_e6)} of "
        f"{short_id(fill.token_id)} as {fill.liquidity}"
    )


def _seen(text: str) -> dict[str, object]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _tops(seen: dict[str, object]) -> str:
    books = seen.get("books")
    told = (
        [f"{_price(each.get('bid'))}/{_price(each.get('ask'))}" for each in books if isinstance(each, dict)]
        if isinstance(books, list)
        else []
    )
    return " and ".join(told)


def _price(top: object) -> str:
    return f"{top[0]} x {top[1]}" if isinstance(top, list) and len(top) == 2 else "none"
