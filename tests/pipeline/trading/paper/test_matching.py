"""Our orders trade against the books of others as they would have: never more than was there, never twice, never on a doubted book."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.units import NS_PER_MS, ONE_E6
from pipeline.market.confidence import SHOWN
from pipeline.messages.market import BookSnapshot, Level, Side, State, TradePrint
from pipeline.messages.orders import OrderType
from pipeline.trading.paper.matching import PaperMarket
from pipeline.trading.paper.order import ASK, BID, Execution, PaperOrder
from pipeline.trading.paper.queue import FILL_MODELS, FillModel

CENT = 10_000
TOKENS = ("yes", "no")
ALLOWED: frozenset[State] = frozenset({"VERIFIED", "QUIET", "UNVERIFIED"})


@dataclass
class Venue:
    """A displayed book that a test changes; ``tell`` gives the snapshots of it, ``trade`` a print. Prices in cents, sizes in shares."""

    told_through: tuple[int, ...] = (0, 1)
    sizes: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    seq: int = 0
    added: dict[tuple[int, int], int] = field(default_factory=dict)
    """All shares that were ever newly displayed, by (side, price in the first token)."""
    _told: dict[int, tuple[dict[int, int], dict[int, int]]] = field(default_factory=dict)

    def set(self, side: int, cents: int, shares: int) -> None:
        """Give a level of the first token's book a total."""
        old = self.sizes[side].get(cents, 0)
        if shares > old:
            self.added[side, cents] = self.added.get((side, cents), 0) + shares - old
        if shares:
            self.sizes[side][cents] = shares
        else:
            self.sizes[side].pop(cents, None)

    def best(self, side: int) -> int | None:
        """The best price of a side in cents."""
        prices = self.sizes[side]
        return (max(prices) if side == BID else min(prices)) if prices else None

    def tell(self, now_ns: int, state: State = "VERIFIED") -> list[tuple[BookSnapshot, int]]:
        """The book as the builder would publish it, with the token's position."""
        return [(self._snapshot(outcome, now_ns, state), outcome) for outcome in self.told_through]

    def _snapshot(self, outcome: int, now_ns: int, state: State) -> BookSnapshot:
        known = self._told.get(outcome)
        self.seq += 1
        whole = [levels(self.sizes[side], side, outcome) for side in (BID, ASK)]
        changed: list[tuple[Level, ...]] = [(), ()]
        if state in SHOWN:
            self._told[outcome] = (dict(self.sizes[BID]), dict(self.sizes[ASK]))
        if known is not None and state in SHOWN:
            for side in (BID, ASK):
                old, new = known[side], self.sizes[side]
                moved = {cents: new.get(cents, 0) for cents in old.keys() | new.keys() if old.get(cents) != new.get(cents)}
                changed[side] = levels(moved, side, outcome)
        bids, asks = (BID, ASK) if outcome == 0 else (ASK, BID)
        return BookSnapshot(
            ts_ns=now_ns,
            token_id=TOKENS[outcome],
            market="m",
            tick_size_e6=CENT,
            bids=whole[bids][: 3 if known is not None else None],
            asks=whole[asks][: 3 if known is not None else None],
            seq=self.seq,
            venue_ns=now_ns,
            state=state,
            basis="hash",
            changed_bids=changed[bids],
            changed_asks=changed[asks],
            full_depth=known is None and state in SHOWN,
        )


def levels(sizes: dict[int, int], side: int, outcome: int) -> tuple[Level, ...]:
    """Levels of a side of the first token as a token shows them, best first."""
    ordered = sorted(sizes, reverse=side == BID)
    return tuple(Level(ONE_E6 - cents * CENT if outcome else cents * CENT, sizes[cents] * ONE_E6) for cents in ordered)


def print_of(taken: int, cents: int, shares: int, now_ns: int, outcome: int = 0) -> TradePrint:
    """A trade that took ``taken`` at a price of the first token, told of either token."""
    side: Side = "BUY" if (taken == ASK) == (outcome == 0) else "SELL"
    price = ONE_E6 - cents * CENT if outcome else cents * CENT
    return TradePrint(
        ts_ns=now_ns,
        token_id=TOKENS[outcome],
        market="m",
        price_e6=price,  # type: ignore[arg-type]
        size_e6=shares * ONE_E6,  # type: ignore[arg-type]
        side=side,
        venue_ns=now_ns,
    )


def ms(number: int) -> int:
    """Milliseconds as nanoseconds."""
    return number * NS_PER_MS


class Bench:
    """A paper market fed by a made-up venue, with all that was filled."""

    def __init__(self, model: FillModel = "pessimistic", told_through: tuple[int, ...] = (0, 1), turned: bool = False) -> None:
        self.market = PaperMarket(model, ALLOWED)
        self.venue = Venue(told_through)
        self.done: list[Execution] = []
        self.turned = turned
        """Whether our orders are asked for on the other token instead."""
        self.now_ns = 0

    def tell(self, state: State = "VERIFIED") -> list[Execution]:
        self.now_ns += NS_PER_MS
        return self._did(
            [e for book, at in self.venue.tell(self.now_ns, state) for e in self.market.on_book(book, at, self.now_ns)]
        )

    def trade(self, taken: int, cents: int, shares: int, outcome: int = 0) -> list[Execution]:
        self.now_ns += NS_PER_MS
        told = print_of(taken, cents, shares, self.now_ns, outcome)
        return self._did(self.market.on_trade(told, outcome, self.now_ns))

    def order(self, name: str, side_at: int, cents: int, shares: int, kind: OrderType = "GTC") -> PaperOrder:
        """An order of ours at a price of the first token."""
        outcome = 1 if self.turned else 0
        side: Side = "BUY" if (side_at == BID) == (outcome == 0) else "SELL"
        price = ONE_E6 - cents * CENT if outcome else cents * CENT
        return PaperOrder(name, outcome, side, price, shares * ONE_E6, kind)

    def take(self, name: str, side_at: int, cents: int, shares: int) -> list[Execution]:
        return self._did(self.market.take(self.order(name, side_at, cents, shares, "FAK")))

    def rest(self, name: str, side_at: int, cents: int, shares: int) -> PaperOrder:
        order = self.order(name, side_at, cents, shares)
        self.market.rest(order)
        return order

    def _did(self, done: list[Execution]) -> list[Execution]:
        self.done += done
        return done


def shown(done: list[Execution]) -> list[tuple[str, int, int]]:
    """(name, price of the own token in cents, whole shares)."""
    return [(e.order.name, e.price_e6 // CENT, e.size_e6 // ONE_E6) for e in done]


@pytest.fixture
def bench() -> Bench:
    """A book of 40 bid, 45 asked, a hundred shares each."""
    made = Bench()
    made.venue.set(BID, 40, 100)
    made.venue.set(BID, 39, 50)
    made.venue.set(ASK, 45, 100)
    made.venue.set(ASK, 46, 50)
    made.tell()
    return made


def test_a_taker_walks_the_depth_up_to_its_limit(bench: Bench) -> None:
    assert shown(bench.take("a", BID, 46, 120)) == [("a", 45, 100), ("a", 46, 20)]


def test_what_was_taken_is_gone_until_the_feed_adds_to_it(bench: Bench) -> None:
    bench.take("a", BID, 45, 70)
    assert shown(bench.take("b", BID, 45, 100)) == [("b", 45, 30)]
    bench.tell()
    assert bench.take("c", BID, 45, 10) == []
    bench.venue.set(ASK, 45, 90)
    bench.tell()
    assert bench.take("d", BID, 45, 10) == []
    bench.venue.set(ASK, 45, 97)
    bench.tell()
    assert shown(bench.take("e", BID, 45, 10)) == [("e", 45, 7)]


def test_the_other_token_s_buyers_take_the_same_shares(bench: Bench) -> None:
    bench.take("a", ASK, 40, 80)
    bench.turned = True
    assert shown(bench.take("b", ASK, 40, 80)) == [("b", 60, 20)]


def test_a_resting_order_fills_after_all_that_stood_before_it(bench: Bench) -> None:
    bench.rest("a", BID, 40, 20)
    assert bench.trade(BID, 40, 100) == []
    assert shown(bench.trade(BID, 40, 15)) == [("a", 40, 15)]
    assert shown(bench.trade(BID, 40, 15)) == [("a", 40, 5)]
    assert bench.market.orders == {}


def test_a_trade_told_of_the_other_token_moves_the_same_queue(bench: Bench) -> None:
    bench.rest("a", BID, 40, 20)
    assert bench.trade(BID, 40, 100, outcome=1) == []
    assert shown(bench.trade(BID, 40, 15, outcome=1)) == [("a", 40, 15)]


def test_a_trade_through_our_price_fills_us_first_and_no_more_than_it_took(bench: Bench) -> None:
    bench.rest("a", BID, 42, 20)
    bench.rest("b", BID, 41, 20)
    assert shown(bench.trade(BID, 40, 30)) == [("a", 42, 20), ("b", 41, 10)]


def test_a_trade_told_late_does_not_fill_an_order_that_came_after_it(bench: Bench) -> None:
    bench.venue.set(BID, 40, 60)
    bench.tell()
    bench.rest("a", BID, 42, 20)
    assert bench.trade(BID, 40, 40) == []
    assert shown(bench.trade(BID, 40, 5)) == [("a", 42, 5)]


def test_an_order_that_arrives_across_ours_trades_with_it_at_our_price(bench: Bench) -> None:
    bench.rest("a", BID, 42, 50)
    bench.venue.set(ASK, 41, 30)
    assert shown(bench.tell()) == [("a", 42, 30)]
    assert bench.tell() == []


@pytest.mark.parametrize("state", ["SUSPECT", "RESYNCING", "STALE", "DEAD", "PENDING"])
def test_nothing_fills_while_the_book_is_doubted(bench: Bench, state: State) -> None:
    bench.rest("a", BID, 42, 50)
    bench.venue.set(ASK, 41, 30)
    assert bench.tell(state) == []
    assert bench.trade(BID, 40, 10) == []
    assert not bench.market.is_ready


def test_a_trade_that_a_pending_book_explains_counts_once_it_is_trusted(bench: Bench) -> None:
    bench.rest("a", BID, 42, 50)
    bench.tell("PENDING")
    bench.trade(BID, 40, 10)
    assert shown(bench.tell()) == [("a", 42, 10)]


def test_a_trade_on_a_book_that_proves_wrong_is_forgotten(bench: Bench) -> None:
    bench.rest("a", BID, 42, 50)
    bench.tell("PENDING")
    bench.trade(BID, 40, 10)
    bench.tell("SUSPECT")
    assert bench.tell() == []


def test_a_trade_that_waited_for_its_book_does_not_wait_for_our_next_order(bench: Bench) -> None:
    bench.tell("PENDING")
    bench.trade(BID, 40, 10)
    bench.tell()
    bench.rest("a", BID, 42, 50)
    assert bench.tell() == []


def test_a_book_that_comes_back_leaves_us_where_we_stood_or_nearer(bench: Bench) -> None:
    ours = bench.rest("a", BID, 40, 20)
    bench.tell("STALE")
    bench.venue.set(BID, 40, 300)
    bench.tell()
    assert ours.ahead_e6 == 100 * ONE_E6
    bench.tell("STALE")
    bench.venue.set(BID, 40, 30)
    bench.tell()
    assert ours.ahead_e6 == 30 * ONE_E6


def test_a_trusted_other_token_stands_in_for_a_doubted_one() -> None:
    bench = Bench()
    bench.venue.set(ASK, 45, 100)
    bench.tell()
    (first, _), (second, _) = bench.venue.tell(9, "SUSPECT")
    bench.market.on_book(first, 0, 9)
    assert bench.market.is_ready
    assert shown(bench.take("a", BID, 45, 10)) == [("a", 45, 10)]
    bench.market.on_book(second, 1, 9)
    assert not bench.market.is_ready


# --- any tape --------------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from([BID, ASK]), st.integers(1, 9), st.integers(0, 30)),
        st.tuples(st.just("trade"), st.sampled_from([BID, ASK]), st.integers(1, 9), st.integers(1, 30)),
        st.tuples(st.just("take"), st.sampled_from([BID, ASK]), st.integers(1, 9), st.integers(1, 30)),
        st.tuples(st.just("rest"), st.sampled_from([BID, ASK]), st.integers(1, 9), st.integers(1, 30)),
        st.tuples(st.just("cancel"), st.just(0), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("doubt"), st.just(0), st.integers(0, 2), st.just(0)),
    ),
    max_size=80,
)
DOUBTS: tuple[State, ...] = ("PENDING", "SUSPECT", "VERIFIED")


def play(steps: list[Any], bench: Bench, trades: Counter[int]) -> None:
    """Run a tape: the book lies between 40 and 60 cents, bids at 50 and below, asks at 51 and above."""
    bench.tell()
    state: State = "VERIFIED"
    for number, (kind, side, offset, shares) in enumerate(steps):
        name = f"o{number}"
        cents = 51 - offset if side == BID else 50 + offset
        if kind == "set":
            bench.venue.set(side, cents, shares)
            bench.tell(state)
        elif kind == "trade":
            trades[side] += shares
            bench.trade(side, cents, shares, outcome=number % 2)
        elif kind == "take" and bench.market.is_ready:
            bench.take(name, side, 50 + offset if side == BID else 51 - offset, shares)
        elif kind == "rest" and bench.market.is_ready and not bench.market.available_e6(bench.order(name, side, cents, shares)):
            bench.rest(name, side, cents, shares)
        elif kind == "cancel":
            bench.market.remove(f"o{offset}")
        elif kind == "doubt":
            state = DOUBTS[offset]
            bench.tell(state)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from(FILL_MODELS), st.booleans())
def test_fills_never_exceed_what_was_displayed_or_traded(steps: list[Any], model: FillModel, turned: bool) -> None:
    bench, trades = Bench(model, turned=turned), Counter[int]()
    play(steps, bench, trades)
    taken: Counter[tuple[int, int]] = Counter()
    made: Counter[int] = Counter()
    for execution in bench.done:
        order = execution.order
        assert 0 < execution.size_e6 <= execution.filled_e6 <= order.size_e6
        at = (ONE_E6 - execution.price_e6 if order.outcome else execution.price_e6) // CENT
        if execution.liquidity == "taker":
            taken[1 - order.side_at, at] += execution.size_e6
        else:
            assert execution.price_e6 == order.price_e6
            made[order.side_at] += execution.size_e6
    for level, size_e6 in taken.items():
        assert size_e6 <= bench.venue.added[level] * ONE_E6
    for side in (BID, ASK):
        came_across = sum(shares for (other, _), shares in bench.venue.added.items() if other != side)
        taken_there = sum(size for (other, _), size in taken.items() if other != side)
        assert made[side] <= (trades[side] + came_across) * ONE_E6 - taken_there


@settings(max_examples=100, deadline=None)
@given(STEPS, st.sampled_from(FILL_MODELS))
def test_asking_on_the_other_token_or_hearing_of_one_alone_changes_nothing(steps: list[Any], model: FillModel) -> None:
    def run(told_through: tuple[int, ...], turned: bool) -> list[tuple[str, int, int]]:
        bench = Bench(model, told_through, turned)
        play(steps, bench, Counter())
        return [(e.order.name, ONE_E6 - e.price_e6 if turned else e.price_e6, e.size_e6) for e in bench.done]

    plain = run((0,), False)
    assert run((0, 1), False) == plain
    assert run((0, 1), True) == plain
    assert run((1,), True) == plain


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from(FILL_MODELS))
def test_places_in_the_queue_stay_within_the_displayed_size(steps: list[Any], model: FillModel) -> None:
    bench = Bench(model)
    play(steps, bench, Counter())
    for level in bench.market.levels.values():
        assert 0 <= level.taken_e6 <= level.shown_e6
        for order in level.orders:
            assert 0 <= order.ahead_e6 <= level.shown_e6
            assert order.remaining_e6 > 0
