"""The matching engine: price-time order, exact sizes, never crossed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.fake_venue.matching import ASK, BID, LevelChange, Match, MatchingBook, RestingOrder

TICK = 10_000


def book_of(*orders: tuple[int, int, int]) -> MatchingBook:
    book = MatchingBook()
    for number, (side, price, size) in enumerate(orders, 1):
        book.rest(RestingOrder(number, "maker", side, price, size))
    book.drain_changes()
    return book


def test_the_oldest_order_of_the_best_price_is_filled_first() -> None:
    book = book_of((ASK, 520_000, 5), (ASK, 510_000, 3), (ASK, 510_000, 4))
    assert book.match(BID, 520_000, 9) == [
        Match(2, "maker", 510_000, 3),
        Match(3, "maker", 510_000, 4),
        Match(1, "maker", 520_000, 2),
    ]
    assert book.drain_changes() == [LevelChange(ASK, 510_000, 0), LevelChange(ASK, 520_000, 3)]


def test_a_taker_stops_at_its_limit() -> None:
    book = book_of((BID, 490_000, 5), (BID, 480_000, 5))
    assert book.match(ASK, 490_000, 100) == [Match(1, "maker", 490_000, 5)]
    assert book.best(BID) == 480_000


def test_a_cancelled_order_is_gone_and_its_level_with_it() -> None:
    book = book_of((BID, 490_000, 5), (BID, 480_000, 5))
    assert book.cancel(1) is not None
    assert book.cancel(1) is None
    assert (book.best(BID), book.total(BID, 490_000), book.depth()) == (480_000, 0, 1)


orders = st.lists(
    st.tuples(st.sampled_from((BID, ASK)), st.integers(1, 99), st.integers(1, 1_000), st.booleans(), st.integers(0, 200)),
    max_size=60,
)


@given(orders)
def test_shares_are_neither_made_nor_lost_and_the_book_never_crosses(steps: list[tuple[int, int, int, bool, int]]) -> None:
    book, placed, filled, cancelled = MatchingBook(), 0, 0, 0
    for number, (side, tick, size, cancel, which) in enumerate(steps):
        if cancel:
            gone = book.cancel(which)
            cancelled += gone.size_e6 if gone else 0
            continue
        matches = book.match(side, tick * TICK, size)
        taken = sum(match.size_e6 for match in matches)
        filled += taken
        placed += size - taken
        if size > taken:
            book.rest(RestingOrder(number, "maker", side, tick * TICK, size - taken))
        bid, ask = book.best(BID), book.best(ASK)
        assert bid is None or ask is None or bid < ask
    resting = sum(order.size_e6 for order in book.orders.values())
    assert resting == placed - filled - cancelled
    assert resting == sum(book.total(side, price) for side in (BID, ASK) for price in book.prices(side))


@given(orders)
def test_the_changes_drained_are_the_difference_of_the_books(steps: list[tuple[int, int, int, bool, int]]) -> None:
    book, told = MatchingBook(), {}
    for number, (side, tick, size, _, _) in enumerate(steps):
        left = size - sum(match.size_e6 for match in book.match(side, tick * TICK, size))
        if left:
            book.rest(RestingOrder(number, "maker", side, tick * TICK, left))
        for change in book.drain_changes():
            told[change.side, change.price_e6] = change.total_e6
    assert {key: total for key, total in told.items() if total} == {
        (side, price): book.total(side, price) for side in (BID, ASK) for price in book.prices(side)
    }
