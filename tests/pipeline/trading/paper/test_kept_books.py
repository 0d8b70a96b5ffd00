"""Books that are kept until somebody reads give the same fills, places and levels as books that are entered at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.units import NS_PER_MS, ONE_E6
from pipeline.messages.market import BookSnapshot, Level, State, TradePrint
from pipeline.trading.paper.ladder import IN_TOLD, LEAST_TOLD
from pipeline.trading.paper.matching import PaperMarket
from pipeline.trading.paper.order import ASK, BID, Execution, PaperOrder
from pipeline.trading.paper.queue import FILL_MODELS, TRADE_LAG_NS, FillModel

CENT = 10_000
DEPTH = 3
ALLOWED: frozenset[State] = frozenset({"VERIFIED", "QUIET"})
STATES: tuple[State, ...] = ("VERIFIED", "QUIET", "PENDING", "SUSPECT")
MANY = LEAST_TOLD // IN_TOLD + 60


class AtOnce(PaperMarket):
    """Enters every book when it comes."""

    def on_book(self, book: BookSnapshot, outcome: int, now_ns: int) -> Sequence[Execution]:
        return self._turned(book, outcome, now_ns)


class Feed:
    """The books of both tokens of a market, as each is told: what changed since it was told last, and its top."""

    def __init__(self) -> None:
        self.sizes: tuple[dict[int, int], dict[int, int]] = ({40: 100, 39: 50}, {45: 100, 46: 50})
        self.known: list[Any] = [None, None]

    def set(self, side: int, cents: int, shares: int) -> None:
        """Give a level a total; what it would cross is gone."""
        self.sizes[side][cents] = shares
        for price in self.sizes[1 - side]:
            if shares and (price <= cents if side == BID else price >= cents):
                self.sizes[1 - side][price] = 0

    def best(self, side: int) -> int | None:
        """The best price of a side in cents."""
        there = [cents for cents, shares in self.sizes[side].items() if shares]
        return (max(there) if side == BID else min(there)) if there else None

    def book(self, outcome: int, now_ns: int, state: State, whole: bool = False) -> BookSnapshot:
        """The next book of a token."""
        known, full = self.known[outcome], whole or self.known[outcome] is None
        self.known[outcome] = tuple(dict(side) for side in self.sizes)
        told, changed = [], []
        for side in (BID, ASK) if outcome == 0 else (ASK, BID):
            ordered = sorted(self.sizes[side].items(), reverse=side == BID)
            there = [_level(level, outcome) for level in ordered if level[1]]
            told.append(tuple(there if full else there[:DEPTH]))
            moved = [] if full else [level for level in ordered if known[side].get(level[0], 0) != level[1]]
            changed.append(tuple(_level(level, outcome) for level in moved))
        return BookSnapshot(
            ts_ns=now_ns,
            token_id=str(outcome),
            market="m",
            tick_size_e6=CENT,
            bids=told[0],
            asks=told[1],
            seq=1,
            venue_ns=now_ns - 5 * NS_PER_MS,
            state=state,
            basis="hash",
            changed_bids=changed[0],
            changed_asks=changed[1],
            full_depth=full,
        )


def _level(level: tuple[int, int], outcome: int) -> Level:
    cents, shares = level
    return Level(ONE_E6 - cents * CENT if outcome else cents * CENT, shares * ONE_E6)


def play(market: PaperMarket, steps: list[Any]) -> list[Any]:
    """Take the steps; everything that can be seen of it: fills, what could be taken, our levels and our places in them."""
    feed, seen, now_ns = Feed(), [], 1_000 * NS_PER_MS
    states: list[State] = ["VERIFIED", "VERIFIED"]

    def tell(outcome: int, whole: bool = False) -> None:
        seen.append(_told(market.on_book(feed.book(outcome, now_ns, states[outcome], whole), outcome, now_ns)))

    def trade(outcome: int, taker: int, cents: int, shares: int, venue_ns: int) -> None:
        told = TradePrint(
            ts_ns=now_ns,
            token_id=str(outcome),
            market="m",
            price_e6=cents * CENT,  # type: ignore[arg-type]
            size_e6=shares * ONE_E6,  # type: ignore[arg-type]
            side="BUY" if taker == BID else "SELL",
            venue_ns=venue_ns,
        )
        seen.append(_told(market.on_trade(told, outcome, now_ns)))
        if market.is_ready:
            seen.append(unexplained(market, now_ns))

    tell(0)
    tell(1)
    for number, (kind, outcome, side, cents, shares) in enumerate(steps):
        now_ns += NS_PER_MS
        order = PaperOrder(f"o{number}", outcome, "BUY" if side == BID else "SELL", cents * CENT, (shares + 1) * ONE_E6)
        if kind == "set":
            feed.set(side, cents, shares)
            tell(outcome)
        elif kind == "both":
            feed.set(side, cents, shares)
            tell(0)
            tell(1)
        elif kind == "many":
            for again in range(MANY):
                now_ns += NS_PER_MS
                feed.set(side, cents, shares + again % 2)
                tell(outcome)
        elif kind == "trade":
            trade(outcome, side, cents, shares + 1, now_ns)
        elif kind in ("bite", "early"):
            # Somebody takes a part of the best level, which is told before or after the books that show it, and others.
            best = feed.best(side)
            if best is not None and feed.sizes[side][best] > 1:
                taken, venue_ns = feed.sizes[side][best] // 2, now_ns
                if kind == "early":
                    trade(0, 1 - side, best, taken, venue_ns)
                feed.set(side, best, feed.sizes[side][best] - taken)
                tell(0)
                for _ in range(shares % 3 * MANY // 4):
                    now_ns += TRADE_LAG_NS // MANY * (cents % 4)
                    feed.set(1 - side, 20 if side == ASK else 80, 1 + now_ns % 7)
                    tell(0)
                if kind == "bite":
                    trade(0, 1 - side, best, taken, venue_ns)
        elif kind == "wait":
            now_ns += cents * TRADE_LAG_NS // 50
        elif kind == "turn":
            states[outcome] = STATES[cents % len(STATES)]
            tell(outcome)
        elif kind == "whole":
            tell(outcome, whole=True)
        elif kind == "lost":
            feed.set(side, cents, shares)
            feed.known[outcome] = None  # it comes again whole
            market.forget(outcome)
        elif kind == "take" and market.is_ready:
            seen.append(market.available_e6(order))
            seen.append(_told(market.take(order)))
        elif kind == "rest" and market.is_ready:
            if shares % 2:
                seen.append(market.available_e6(order))
            market.rest(order)
        elif kind == "cancel" and market.orders:
            market.remove(list(market.orders)[cents % len(market.orders)])
        seen.append(
            [
                (at, level.shown_e6, level.taken_e6, [(o.name, o.ahead_e6, o.filled_e6) for o in level.orders])
                for at, level in sorted(market.levels.items())
            ]
        )
    if market.is_ready:
        for side in ("BUY", "SELL"):
            seen.append(_told(market.take(PaperOrder("last", 0, side, 990_000 if side == "BUY" else 10_000, 10**12))))  # type: ignore[arg-type]
    return seen


def unexplained(market: PaperMarket, now_ns: int) -> list[Any]:
    """The drops and the trades that still wait for each other."""
    flow = market._flow
    for _, _, side, price_e6, _ in [fall for fall, _ in flow._noted]:
        flow._look_at(side, price_e6)
    flow.awaits_drops(now_ns)
    flow._drop_old(now_ns)
    drops = sorted((drop.ns, drop.side, drop.price_e6, drop.left_e6, sorted((drop.given or {}).items())) for drop in flow._drops)
    return [drops, [(early.ns, early.side, early.price_e6, early.left_e6) for early in flow._early]]


def _told(done: Sequence[Execution]) -> list[Any]:
    return [(e.order.name, e.price_e6, e.size_e6, e.filled_e6, e.liquidity) for e in done]


KINDS = (
    "set",
    "set",
    "set",
    "both",
    "both",
    "many",
    "trade",
    "bite",
    "bite",
    "early",
    "wait",
    "turn",
    "whole",
    "lost",
    "take",
    "rest",
    "rest",
    "cancel",
)
STEP = st.tuples(st.sampled_from(KINDS), st.integers(0, 1), st.integers(0, 1), st.integers(38, 47), st.integers(0, 60))


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, min_size=40, max_size=90), st.sampled_from(FILL_MODELS))
def test_a_book_that_is_entered_late_changes_nothing(steps: list[Any], model: FillModel) -> None:
    assert play(PaperMarket(model, ALLOWED), steps) == play(AtOnce(model, ALLOWED), steps)


def test_books_that_meet_none_of_our_levels_wait_for_a_reader_and_not_without_end() -> None:
    market, feed = PaperMarket("pessimistic", ALLOWED), Feed()
    market.on_book(feed.book(0, 0, "VERIFIED"), 0, 0)
    market.rest(PaperOrder("a", 0, "BUY", 40 * CENT, 10 * ONE_E6))
    market.on_book(feed.book(0, 0, "VERIFIED"), 0, 0)
    ladder = market.ladders[0]
    for number in range(10 * MANY):
        feed.set(BID, 30, 10 + number % 2)
        market.on_book(feed.book(0, number * TRADE_LAG_NS // MANY, "VERIFIED"), 0, number * TRADE_LAG_NS // MANY)
    assert 0 < len(ladder.told) <= 3 * MANY * IN_TOLD
    feed.set(BID, 40, 60)
    market.on_book(feed.book(0, TRADE_LAG_NS * 10, "VERIFIED"), 0, TRADE_LAG_NS * 10)
    assert market.levels[BID, 40 * CENT].shown_e6 == ladder.size(BID, 40 * CENT) == 60 * ONE_E6
    assert ladder.told
    assert not market.available_e6(PaperOrder("b", 0, "BUY", 44 * CENT, ONE_E6))
    assert not ladder.told
    assert ladder.size(BID, 30 * CENT) == feed.sizes[BID][30] * ONE_E6


def test_levels_that_are_gone_do_not_pile_up() -> None:
    market, feed = PaperMarket("pessimistic", ALLOWED), Feed()
    market.on_book(feed.book(0, 0, "VERIFIED"), 0, 0)
    for number in range(5_000):
        feed.sizes[BID][number % 1_000 - 2_000] = 5 * (number % 2)
        feed.sizes[BID][(number - 7) % 1_000 - 2_000] = 0
        market.on_book(feed.book(0, number * NS_PER_MS, "VERIFIED"), 0, number * NS_PER_MS)
        feed.sizes[BID].pop((number - 7) % 1_000 - 2_000)
    later_ns = 5_000 * NS_PER_MS + 2 * TRADE_LAG_NS
    market.on_book(feed.book(0, later_ns, "VERIFIED"), 0, later_ns)
    market.ladders[0].pass_over()
    assert len(market.ladders[0]._sizes[BID]) < 600
