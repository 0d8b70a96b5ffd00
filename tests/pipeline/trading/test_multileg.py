"""Plans of several legs: every one ends in one state, says what is held, and never loses what a complete set covers."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.units import ONE_E6, notional_ceil_e6, notional_floor_e6
from pipeline.messages.market import BookSnapshot, Level, Side
from pipeline.messages.orders import Fill, OrderStatus, OrderUpdate
from pipeline.trading.diff import Quote
from pipeline.trading.multileg import MultiLeg
from pipeline.trading.multileg_legs import LegRun
from pipeline.trading.multileg_value import Form, covered_e6, excess_e6

MS = 1_000_000
T = 1_000_000 * MS
DEADLINE, GIVE_UP = T + 2_000 * MS, T + 7_000 * MS


def book(token: str, bid: int, ask: int, size: int = 1_000, seq: int = 1) -> BookSnapshot:
    """Prices in cents; 0 is an empty side."""
    return BookSnapshot(
        ts_ns=T,
        token_id=token,
        market=f"m-{token}",
        tick_size_e6=10_000,
        bids=(Level(bid * 10_000, size * ONE_E6),) if bid else (),
        asks=(Level(ask * 10_000, size * ONE_E6),) if ask else (),
        seq=seq,
        venue_ns=T,
        state="VERIFIED",
        basis="hash",
    )


@dataclass
class Venue:
    """Fills what the test says, in millionths of the order's size; books are by token."""

    books: dict[str, BookSnapshot]
    sent: list[Quote] = field(default_factory=list)

    def of(self, token_id: str) -> BookSnapshot | None:
        return self.books.get(token_id)

    def answer(self, plan: MultiLeg, quote: Quote, part: int, status: OrderStatus | None = None) -> None:
        name = f"o{len(self.sent)}"
        self.sent.append(quote)
        plan.sent(name)
        size = quote.size_e6 * part // ONE_E6
        if size:
            plan.on_fill(fill(quote, name, size))
        plan.on_update(update(quote, name, size, status or ("matched" if size == quote.size_e6 else "cancelled")))


def fill(quote: Quote, name: str, size: int) -> Fill:
    notional = notional_ceil_e6 if quote.side == "BUY" else notional_floor_e6
    return Fill(
        ts_ns=T,
        trade_id=f"{name}-t",
        client_order_id=name,
        strategy="dutch_book",
        token_id=quote.token_id,
        market=f"m-{quote.token_id}",
        side=quote.side,
        price_e6=quote.price_e6,
        size_e6=size,
        notional_e6=notional(quote.price_e6, size),
        fee_e6=0,
        liquidity="taker",
        status="confirmed",
        mode="fake",
    )


def update(quote: Quote, name: str, filled: int, status: OrderStatus) -> OrderUpdate:
    return OrderUpdate(
        ts_ns=T,
        client_order_id=name,
        strategy="dutch_book",
        token_id=quote.token_id,
        market=f"m-{quote.token_id}",
        side=quote.side,
        price_e6=quote.price_e6,
        size_e6=quote.size_e6,
        filled_e6=filled,
        status=status,
    )


def plan(form: Form = "YES", prices: tuple[int, ...] = (30, 30, 30), size: int = 10, least: int = 0) -> MultiLeg:
    legs = [
        LegRun(name, f"m-{name}", price * 10_000, size * ONE_E6, min_size_e6=least * ONE_E6)
        for name, price in zip("abcdef", prices, strict=False)
    ]
    return MultiLeg(form, legs, started_ns=T, deadline_ns=DEADLINE, give_up_ns=GIVE_UP, answer_ns=4_000 * MS)


def venue(*prices: tuple[int, int]) -> Venue:
    return Venue({name: book(name, *price) for name, price in zip("abcdef", prices, strict=False)})


def run(made: MultiLeg, place: Venue, *parts: int, now_ns: int = T) -> None:
    """Answer one order for each part."""
    for part in parts:
        quote = made.step(place.of, now_ns)
        assert quote is not None
        place.answer(made, quote, part)


def test_legs_are_bought_one_after_the_other_and_the_plan_is_complete() -> None:
    made, place = plan(), venue((29, 30), (29, 30), (29, 30))
    run(made, place, ONE_E6, ONE_E6, ONE_E6)
    assert made.step(place.of, T) is None
    assert (made.outcome, made.reason, made.locked_e6) == ("complete", "10 of 10 sets", ONE_E6)
    assert [(quote.token_id, quote.order_type, quote.post_only) for quote in place.sent] == [
        (name, "FAK", False) for name in "abc"
    ]


def test_nothing_of_the_first_leg_is_no_plan_at_all() -> None:
    made, place = plan(), venue((29, 30), (29, 30), (29, 30))
    run(made, place, 0)
    assert made.step(place.of, T) is None
    assert (made.outcome, made.reason) == ("rejected", "nothing was bought: BUY of a: cancelled")


def test_a_first_leg_filled_in_part_makes_all_legs_smaller() -> None:
    made, place = plan(), venue((29, 30), (29, 30), (29, 30))
    run(made, place, 400_000, ONE_E6, ONE_E6)
    made.step(place.of, T)
    assert [quote.size_e6 for quote in place.sent] == [10 * ONE_E6, 4 * ONE_E6, 4 * ONE_E6]
    assert (made.outcome, made.reason) == ("complete", "4 of 10 sets: BUY of a: cancelled")


def test_what_is_missing_is_bought_at_worse_prices_while_that_beats_selling() -> None:
    made, place = plan(), venue((29, 30), (29, 30), (29, 30))
    run(made, place, ONE_E6, ONE_E6, 500_000)
    assert made.step(place.of, T) is None  # the book on which the rest was not there
    place.books["c"] = book("c", 29, 35, seq=2)
    quote = made.step(place.of, T)
    assert quote == Quote("c", "BUY", 350_000, 5 * ONE_E6, "FAK", False)
    place.answer(made, quote, ONE_E6)
    made.step(place.of, T)
    assert (made.outcome, made.locked_e6) == ("complete", 750_000)


def test_too_dear_to_complete_everything_beyond_the_sets_is_sold_at_the_deadline() -> None:
    made, place = plan(), venue((29, 30), (29, 30), (29, 90))
    run(made, place, ONE_E6, ONE_E6, 500_000)
    assert made.step(place.of, T) is None and made.outcome == ""
    assert made.next_wake_ns(T) == DEADLINE + 1
    run(made, place, ONE_E6, ONE_E6, now_ns=DEADLINE + 1)
    made.step(place.of, DEADLINE + 1)
    assert [(quote.token_id, quote.side, quote.size_e6) for quote in place.sent[3:]] == [
        ("a", "SELL", 5 * ONE_E6),
        ("b", "SELL", 5 * ONE_E6),
    ]
    assert (made.outcome, made.reason) == ("complete", "5 of 10 sets: BUY of c: cancelled")
    assert made.locked_e6 == 5 * ONE_E6 - 7_500_000 + 2_900_000


def test_a_leg_that_cannot_be_had_at_all_is_unwound() -> None:
    made, place = plan(), venue((29, 30), (29, 30), (29, 0))
    run(made, place, ONE_E6, ONE_E6, 0)
    assert made.step(place.of, T) is None
    run(made, place, ONE_E6, ONE_E6, now_ns=DEADLINE + 1)
    made.step(place.of, DEADLINE + 1)
    assert (made.outcome, made.locked_e6) == ("unwound", -200_000)
    assert made.held == [0, 0, 0]


def test_what_cannot_be_sold_is_held_and_reported() -> None:
    made, place = plan(), venue((0, 30), (29, 30), (29, 0))
    run(made, place, ONE_E6, ONE_E6, 0)
    made.step(place.of, T)
    run(made, place, ONE_E6, now_ns=DEADLINE + 1)
    made.step(place.of, DEADLINE + 1)
    assert (made.outcome, made.reason) == ("partial-held", "held: 10 of a: BUY of c: cancelled")
    assert made.residual_e6 == [10 * ONE_E6, 0, 0]


def test_a_doubtful_book_is_waited_for_until_the_time_is_over() -> None:
    made, place = plan(), venue((29, 30), (29, 30))
    run(made, place, ONE_E6, ONE_E6, 0)
    del place.books["a"], place.books["b"]
    assert made.step(place.of, DEADLINE + 1) is None
    assert made.next_wake_ns(DEADLINE + 1) == GIVE_UP + 1
    assert made.step(place.of, GIVE_UP + 1) is None
    assert made.outcome == "partial-held"


def test_no_legs_that_pay_for_each_other_are_kept_where_that_is_worth_more_than_selling() -> None:
    made, place = plan("NO", (60, 60, 60)), venue((50, 60), (40, 60), (59, 0))
    run(made, place, ONE_E6, ONE_E6, 0)
    made.step(place.of, T)
    made.step(place.of, DEADLINE + 1)
    assert (made.outcome, made.reason) == ("partial-held", "held: 10 of a, 10 of b: BUY of c: cancelled")
    assert made.locked_e6 == -2_000_000
    better = plan("NO", (60, 60, 60))
    run(better, place, ONE_E6, ONE_E6, 0)
    place.books["b"] = book("b", 55, 60, seq=2)
    better.step(place.of, T)
    run(better, place, ONE_E6, ONE_E6, now_ns=DEADLINE + 1)
    better.step(place.of, DEADLINE + 1)
    assert (better.outcome, better.locked_e6) == ("unwound", -1_500_000)


def test_an_order_without_an_answer_ends_the_wait_for_it() -> None:
    made, place = plan(), venue((29, 30), (29, 30), (29, 30))
    assert made.step(place.of, T) is not None
    made.sent("o1")
    assert made.step(place.of, T + 4_000 * MS) is None and made.outcome == ""
    made.step(place.of, T + 4_000 * MS + 1)
    assert (made.outcome, made.reason) == ("expired", "nothing was bought: no answer to order o1")


def test_an_order_that_was_taken_and_has_no_end_leaves_the_plan_as_it_is() -> None:
    made, place = plan(), venue((29, 30), (29, 30), (29, 30))
    run(made, place, ONE_E6)
    quote = made.step(place.of, T)
    assert quote is not None
    made.sent("o9")
    made.on_update(update(quote, "o9", 0, "delayed"))
    made.step(place.of, GIVE_UP)
    assert not made.outcome
    made.step(place.of, GIVE_UP + 1)
    assert (made.outcome, made.reason) == ("partial-held", "held: 10 of a: no answer to order o9")


def test_a_trade_told_after_the_orders_end_is_waited_for() -> None:
    made, place = plan(), venue((29, 30), (29, 30), (29, 30))
    quote = made.step(place.of, T)
    assert quote is not None
    made.sent("o1")
    made.on_update(update(quote, "o1", 10 * ONE_E6, "matched"))
    assert made.step(place.of, T) is None and made.outcome == ""
    made.on_fill(fill(quote, "o1", 10 * ONE_E6))
    assert made.step(place.of, T) is not None


holdings = st.lists(st.integers(0, 50), min_size=2, max_size=5)


@given(st.sampled_from(["YES", "NO"]), holdings)
def test_covered_is_the_least_over_all_resolutions_and_the_excess_adds_nothing(form: Form, held: list[int]) -> None:
    if form == "YES":
        worst = min(held)
    else:
        worst = min([sum(held) - no for no in held] + [sum(held)])
    assert covered_e6(form, held) == worst
    spare = excess_e6(form, held)
    assert covered_e6(form, [size - more for size, more in zip(held, spare, strict=True)]) == worst


answers = st.lists(
    st.tuples(st.sampled_from([0, 300_000, 1_000_000]), st.integers(0, 3_000), st.integers(0, 99), st.integers(0, 99)),
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["YES", "NO"]), st.integers(2, 4), st.sampled_from([0, 5]), answers)
def test_every_plan_ends_and_its_books_balance(form: Form, count: int, least: int, told: list[tuple[int, int, int, int]]) -> None:
    made = plan(form, (30,) * count, least=least)
    place = venue(*[(29, 30)] * count)
    now, sold = T, 0
    for part, pause, bid, spread in told:
        quote = made.step(place.of, now)
        if quote is not None:
            side: Side = quote.side
            assert quote.size_e6 >= least * ONE_E6 and quote.size_e6 > 0
            if side == "SELL":
                sold += 1
                assert quote.size_e6 <= next(leg.held_e6 for leg in made.legs if leg.token_id == quote.token_id)
                assert now > DEADLINE
            place.answer(made, quote, part)
        now += pause * MS
        token = "abcd"[bid % count]
        place.books[token] = book(token, bid, min(99, bid + spread) if spread else 0, seq=len(place.sent) + now)
    while not made.outcome:
        quote = made.step(place.of, now)
        if quote is not None:
            place.answer(made, quote, 0)
        else:
            due = made.next_wake_ns(now)
            assert made.outcome or due is not None
            now = max(now, due or now)
    assert made.step(place.of, now + 1) is None
    assert all(size >= 0 for size in made.held)
    even = max(made.residual_e6) < 10_000
    assert (made.outcome == "partial-held") == (not even)
    if made.outcome == "rejected":
        assert made.locked_e6 == 0


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["YES", "NO"]), st.lists(st.integers(1, 97), min_size=2, max_size=4), st.sampled_from([ONE_E6, 500_000]))
def test_a_complete_plan_never_loses_on_any_resolution_that_it_covers(form: Form, prices: list[int], part: int) -> None:
    count = len(prices)
    payout = 100 if form == "YES" else (count - 1) * 100
    if sum(prices) >= payout:
        return
    made = plan(form, tuple(prices), size=20)
    place = venue(*[(price - 1, price) for price in prices])
    run(made, place, part, *[ONE_E6] * (count - 1))
    assert made.step(place.of, T) is None and made.outcome == "complete"
    spent = sum(leg.spent_e6 for leg in made.legs)
    winners: list[int | None] = [*range(count), *([None] if form == "NO" else [])]
    for winner in winners:
        pays = sum(held for i, held in enumerate(made.held) if (i == winner) == (form == "YES"))
        assert pays - spent >= made.locked_e6 > 0
