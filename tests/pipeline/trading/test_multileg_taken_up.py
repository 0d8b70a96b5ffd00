"""A plan that changes hands in the middle: whoever takes it up from what its orders came to ends it, once, and its books balance."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.units import ONE_E6, notional_ceil_e6, notional_floor_e6
from pipeline.messages.market import BookSnapshot, Level
from pipeline.messages.orders import Fill, OrderStatus, OrderUpdate, PlanOrder
from pipeline.trading.diff import Quote
from pipeline.trading.multileg import MultiLeg
from pipeline.trading.multileg_legs import LegRun
from pipeline.trading.multileg_value import Form, covered_e6

MS = 1_000_000
T = 1_000_000 * MS
COUNT = 3


def book(token: str, bid: int, ask: int, seq: int) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=T,
        token_id=token,
        market=token,
        tick_size_e6=10_000,
        bids=(Level(bid * 10_000, 1_000 * ONE_E6),) if bid else (),
        asks=(Level(ask * 10_000, 1_000 * ONE_E6),) if ask else (),
        seq=seq,
        venue_ns=T,
        state="VERIFIED",
        basis="hash",
    )


def new_plan(form: Form) -> MultiLeg:
    legs = [LegRun(name, name, 300_000, 10 * ONE_E6) for name in "abc"]
    return MultiLeg(form, legs, started_ns=T, deadline_ns=T + 2_000 * MS, give_up_ns=T + 7_000 * MS, answer_ns=4_000 * MS)


@dataclass
class Venue:
    """Knows every order and what became of it; the words about the last one may be ``lost``."""

    books: dict[str, BookSnapshot]
    orders: dict[str, PlanOrder] = field(default_factory=dict)

    def trade(self, made: MultiLeg, quote: Quote, part: int, lost: bool = False) -> None:
        name, size = f"o{len(self.orders)}", quote.size_e6 * part // ONE_E6
        notional = (notional_ceil_e6 if quote.side == "BUY" else notional_floor_e6)(quote.price_e6, size)
        status: OrderStatus = "matched" if size == quote.size_e6 else "cancelled"
        self.orders[name] = PlanOrder(
            name, quote.token_id, quote.token_id, quote.side, quote.price_e6, quote.size_e6, status, size, notional
        )
        made.sent(name)
        if lost:
            return
        if size:
            made.on_fill(
                Fill(
                    ts_ns=T,
                    trade_id=name,
                    client_order_id=name,
                    strategy="s",
                    token_id=quote.token_id,
                    market=quote.token_id,
                    side=quote.side,
                    price_e6=quote.price_e6,
                    size_e6=size,
                    notional_e6=notional,
                    fee_e6=0,
                    liquidity="taker",
                    status="confirmed",
                    mode="fake",
                )
            )
        made.on_update(
            OrderUpdate(
                ts_ns=T,
                client_order_id=name,
                strategy="s",
                token_id=quote.token_id,
                market=quote.token_id,
                side=quote.side,
                price_e6=quote.price_e6,
                size_e6=quote.size_e6,
                filled_e6=size,
                status=status,
            )
        )


parts = st.lists(
    st.tuples(st.sampled_from([0, 300_000, ONE_E6]), st.integers(0, 3_000), st.integers(0, 99), st.integers(0, 99)), max_size=20
)


@settings(max_examples=150)
@given(st.sampled_from(["YES", "NO"]), parts, st.integers(0, 6), st.booleans(), st.booleans())
def test_a_plan_ends_once_whoever_carries_it_on(
    form: Form, told: list[tuple[int, int, int, int]], change_at: int, dies: bool, lost: bool
) -> None:
    made = new_plan(form)
    venue = Venue({name: book(name, 29, 30, 1) for name in "abc"})
    now, changed = T, False
    steps = [*told, *[(0, 500, 0, 0)] * 60]
    for n, (part, pause, bid, spread) in enumerate(steps):
        if made.outcome:
            break
        loses = lost and not changed and len(venue.orders) == change_at
        quote = made.step(venue.books.get, now)
        if quote is not None:
            venue.trade(made, quote, part, lost=loses)
        if not changed and len(venue.orders) > change_at and not made.outcome:
            changed = True
            if dies:
                made = new_plan(form)
                made.take_up(tuple(venue.orders.values()), now)
            else:
                made.reconcile(tuple(venue.orders.values()))
            made.give_more_time(now + 5_000 * MS)
        now += pause * MS
        token = "abc"[bid % COUNT]
        venue.books[token] = book(token, bid, min(99, bid + spread) if spread else 0, n + 2)
    assert made.outcome in ("complete", "unwound", "partial-held", "rejected", "expired")
    assert made.step(venue.books.get, now + MS) is None
    held = [
        sum(each.filled_e6 * (1 if each.side == "BUY" else -1) for each in venue.orders.values() if each.token_id == name)
        for name in "abc"
    ]
    cash = sum(each.notional_e6 * (-1 if each.side == "BUY" else 1) for each in venue.orders.values())
    assert made.held == held and min(held) >= 0, "what is told is what is held"
    assert made.locked_e6 == cash + covered_e6(form, held)
    assert (made.outcome == "partial-held") == (max(held) - min(held) >= 10_000)
