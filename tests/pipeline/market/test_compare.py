import pytest

from pipeline.market.book import OrderBook
from pipeline.market.compare import compare, is_ghost
from pipeline.messages.market import TextLevel, VenueBook

OURS = ((("0.40", "5"),), (("0.45", "6"),))


def book(
    bids: tuple[TextLevel, ...] = OURS[0], asks: tuple[TextLevel, ...] = OURS[1], at: str = "1000", hash_: str = "h"
) -> OrderBook:
    msg = VenueBook(ts_ns=1, token_id="t", market="m", bids=bids, asks=asks, source="rest", venue_ts=at, hash=hash_)
    return OrderBook.from_message(msg)


def test_equal_levels_agree_whatever_the_timestamps_say() -> None:
    for at in ("900", "1000", "1100"):
        assert compare(book(), (), book((("0.4", "5.0"),), at=at, hash_="other")) == "same"


def test_other_levels_under_the_same_name_are_another_book() -> None:
    assert compare(book(), (), book((("0.40", "7"),))) == "other"


def test_an_answer_that_lags_says_nothing() -> None:
    assert compare(book(), (), book((("0.40", "7"),), at="999", hash_="x")) == "older"
    assert compare(book(), {("1000", "x")}, book((("0.40", "7"),), at="1000", hash_="x")) == "older"


def test_an_answer_with_something_that_did_not_come_is_newer() -> None:
    assert compare(book(), (), book((("0.40", "7"),), at="1001", hash_="x")) == "newer"
    assert compare(book(), (), book((("0.40", "7"),), at="1000", hash_="x")) == "newer"


@pytest.mark.parametrize("at", ["900", "1001"])
def test_a_ghost_is_a_ghost_at_any_time(at: str) -> None:
    assert compare(book(), (), book((("0.01", "100"),), (("0.99", "100"),), at=at, hash_="x")) == "ghost"


def test_a_wide_book_is_a_ghost_only_where_ours_is_tighter() -> None:
    ghost = book((("0.01", "100"), ("0.001", "5")), (("0.99", "100"),))
    assert is_ghost(ghost, book())
    assert is_ghost(book((), ()), book())
    assert not is_ghost(ghost, book((("0.01", "3"),), (("0.999", "4"),)))
    assert not is_ghost(book((("0.02", "1"),), (("0.99", "1"),)), book())
