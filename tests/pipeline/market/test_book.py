"""Levels in, levels out, exactly; and nothing changes when the input is bad."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadFrame
from pipeline.market.book import BookSide, CrossedBook, OrderBook, changed_prices
from pipeline.market.verify import level_json, level_texts
from pipeline.messages.market import BookDelta, Level, TickSizeChange, VenueBook, VenuePriceChange, VenueTrade
from pipeline.messages.records import LevelEvent


def whole(bids: list[tuple[str, str]], asks: list[tuple[str, str]], **more: object) -> VenueBook:
    fields = {"ts_ns": 1, "token_id": "t", "market": "m", "source": "ws", "bids": tuple(bids), "asks": tuple(asks)} | more
    return VenueBook(**fields)  # type: ignore[arg-type]


def change(*changes: tuple[str, str, str]) -> VenuePriceChange:
    return VenuePriceChange(ts_ns=1, token_id="t", market="m", venue_ts="7", hash="h", changes=changes)


def delta(seq: int, bids: list[tuple[str, str]] | None = None, asks: list[tuple[str, str]] | None = None) -> BookDelta:
    return BookDelta(ts_ns=1, token_id="t", market="m", seq=seq, bids=tuple(bids or ()), asks=tuple(asks or ()))


def a_book(seq: int | None = None) -> OrderBook:
    return OrderBook.from_message(whole([("0.4", "100"), ("0.38", "5.5")], [("0.47", "100"), ("0.50", "1")], seq=seq))


def test_the_order_of_the_levels_received_does_not_matter() -> None:
    book = OrderBook.from_message(whole([("0.38", "5"), ("0.4", "1"), ("0.1", "2")], [("0.5", "1"), ("0.47", "3")]))
    assert book.best_bid == 400_000
    assert book.best_ask == 470_000
    assert book.top(2) == (
        (Level(400_000, 1_000_000), Level(380_000, 5_000_000)),
        (Level(470_000, 3_000_000), Level(500_000, 1_000_000)),
    )


def test_an_empty_book_has_no_best_and_is_not_crossed() -> None:
    book = OrderBook.from_message(whole([], []))
    assert (book.best_bid, book.best_ask, book.is_crossed, book.top(10)) == (None, None, False, ((), ()))


def test_a_venue_change_states_the_new_total_and_is_told_with_its_difference() -> None:
    book = a_book()
    events = book.apply(change(("0.4", "70", "BUY"), ("0.47", "0", "SELL"), ("0.41", "2", "BUY"), ("0.99", "0", "SELL")))
    assert events == (
        LevelEvent("bid", 400_000, 70_000_000, -30_000_000),
        LevelEvent("ask", 470_000, 0, -100_000_000),
        LevelEvent("bid", 410_000, 2_000_000, 2_000_000),
        LevelEvent("ask", 990_000, 0, 0),
    )
    assert (book.best_bid, book.best_ask, book.venue_ts, book.hash) == (410_000, 500_000, "7", "h")


def test_applying_a_change_twice_is_applying_it_once() -> None:
    once, twice = a_book(), a_book()
    msg = change(("0.4", "70", "BUY"), ("0.47", "0", "SELL"))
    once.apply(msg)
    twice.apply(msg)
    twice.apply(msg)
    assert once.levels() == twice.levels()


def test_a_delta_is_added_and_a_level_at_or_below_zero_is_gone() -> None:
    book = a_book(seq=1)
    events = book.apply_delta(delta(2, [("0.4", "-40"), ("0.41", "10")], [("0.47", "-100"), ("0.50", "-7")]))
    assert events == (
        LevelEvent("bid", 400_000, 60_000_000, -40_000_000),
        LevelEvent("bid", 410_000, 10_000_000, 10_000_000),
        LevelEvent("ask", 470_000, 0, -100_000_000),
        LevelEvent("ask", 500_000, 0, -1_000_000),
    )
    assert book.seq == 2
    assert book.best_ask is None


@pytest.mark.parametrize(
    "bad",
    [
        ("1.01", "5", "BUY"),
        ("-0.1", "5", "BUY"),
        ("0.4", "-1", "BUY"),
        ("0.4", "NaN", "SELL"),
        ("abc", "5", "BUY"),
        ("0.4", "5", "HOLD"),
        ("0.4", "9999999999999", "BUY"),
        ("", "5", "BUY"),
    ],
)
def test_a_change_with_one_bad_entry_changes_nothing(bad: tuple[str, str, str]) -> None:
    book = a_book()
    before = book.levels()
    with pytest.raises(BadFrame):
        book.apply(change(("0.4", "70", "BUY"), bad))
    assert book.levels() == before
    assert book.hash is None


@pytest.mark.parametrize("bad", [("1.5", "1"), ("0.4", "x"), ("0.4", "inf"), ("0.3", "1000000000000.5")])
def test_a_delta_with_one_bad_level_changes_nothing(bad: tuple[str, str]) -> None:
    book = a_book(seq=1)
    before = book.levels()
    with pytest.raises(BadFrame):
        book.apply_delta(delta(2, [("0.39", "3"), bad]))
    assert (book.levels(), book.seq) == (before, 1)


def test_a_delta_that_would_cross_the_book_is_refused_and_changes_nothing() -> None:
    book = a_book(seq=1)
    before = book.levels()
    with pytest.raises(CrossedBook):
        book.apply_delta(delta(2, [("0.4", "-100"), ("0.47", "3"), ("0.47", "4")]))
    assert (book.levels(), book.seq) == (before, 1)


@pytest.mark.parametrize("levels", [[("0.4", "1"), ("0.40", "2")], [("0.4", "-1")], [("2", "1")], [("0.4", "1e20")]])
def test_a_whole_book_with_a_bad_level_is_refused(levels: list[tuple[str, str]]) -> None:
    with pytest.raises(BadFrame):
        OrderBook.from_message(whole(levels, []))


def test_a_later_book_keeps_the_fields_it_does_not_carry() -> None:
    first = OrderBook.from_message(
        whole([], [], tick_size="0.01", last_trade_price="0.490", min_order_size="5", neg_risk=True, version="v2")
    )
    later = OrderBook.from_message(whole([("0.4", "1")], [], venue_ts="9", hash="h"), first)
    assert (later.tick_size, later.last_trade_price, later.min_order_size) == ("0.01", "0.490", "5")
    assert (later.neg_risk, later.version, later.venue_ts, later.hash) == (True, "v2", "9", "h")


def test_a_copy_that_follows_the_feed_comes_back_from_its_own_message() -> None:
    book = OrderBook.from_message(
        whole([("0.40", "100")], [("0.47", "1.50")], tick_size="0.01", min_order_size="5", neg_risk=False)
    )
    book.follow(change(("0.41", "2.0", "BUY")))
    book.follow(TickSizeChange(ts_ns=1, token_id="t", market="m", venue_ts="8", old_tick_size="0.01", new_tick_size="0.001"))
    book.follow(VenueTrade(ts_ns=1, token_id="t", market="m", venue_ts="9", price="0.47", size="1", side="BUY"))
    msg = book.to_venue_book(5)
    assert msg.bids == (("0.40", "100"), ("0.41", "2.0"))
    assert (msg.tick_size, msg.last_trade_price, msg.hash, msg.source) == ("0.001", "0.470", "h", "mirror")
    assert OrderBook.from_message(msg).to_venue_book(5) == msg


def test_a_generic_book_goes_into_a_message_with_its_seq() -> None:
    book = a_book(seq=1)
    book.follow(delta(2, [("0.41", "10.0")]))
    msg = book.to_venue_book(5)
    assert (msg.seq, msg.bids[-1]) == (2, ("0.41", "10"))


def test_the_changed_prices_of_two_sides_are_those_whose_size_differs() -> None:
    old, new = a_book(), a_book()
    new.apply(change(("0.4", "70", "BUY"), ("0.38", "0", "BUY"), ("0.2", "1", "BUY")))
    assert changed_prices(old.bids, new.bids) == {400_000, 380_000, 200_000}


entries = st.lists(
    st.tuples(
        st.integers(1, 99).map(lambda cents: f"0.{cents:02d}"),
        st.integers(0, 500).map(lambda hundredths: f"{hundredths / 100:.2f}"),
        st.sampled_from(("BUY", "SELL")),
    ),
    max_size=60,
)


@given(entries)
def test_a_book_after_any_changes_equals_a_book_from_its_levels(changes: list[tuple[str, str, str]]) -> None:
    book = OrderBook("t", "m")
    for each in changes:
        book.apply(change(each))
    totals = {(side, price): size for price, size, side in changes}
    bids = [(price, size) for (side, price), size in totals.items() if side == "BUY"]
    asks = [(price, size) for (side, price), size in totals.items() if side == "SELL"]
    again = OrderBook.from_message(whole(bids, asks))
    assert again.levels() == book.levels()
    assert again.levels_state("1").hexdigest() == book.levels_state("1").hexdigest()
    assert book.bids.prices == sorted(book.bids.sizes)
    assert msgspec.structs.replace(again.to_venue_book(1), venue_ts=None) == msgspec.structs.replace(
        book.to_venue_book(1), venue_ts=None, hash=None
    )


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 3), st.booleans()),
        max_size=60,
    ),
    st.integers(1, 4),
)
def test_the_best_levels_that_are_kept_are_those_of_the_book(steps: list[tuple[bool, int, int, bool]], depth: int) -> None:
    side_of = {is_bid: BookSide(is_bid) for is_bid in (True, False)}
    for is_bid, price, size, is_signed in steps:
        side = side_of[is_bid]
        if is_signed:
            side.add("bid" if is_bid else "ask", price, size - 2)
        else:
            side.put(price, size, "")
        levels = [Level(at, side.sizes[at]) for at in sorted(side.sizes, reverse=is_bid)]
        assert side.best(depth) == tuple(levels[:depth])
        assert side.all_levels() == tuple(levels)


@given(
    st.sets(st.integers(1, 12)),
    st.lists(st.tuples(st.booleans(), st.integers(1, 12), st.integers(0, 3), st.booleans()), max_size=60),
)
def test_the_hashed_form_of_a_side_is_that_of_its_levels_whenever_it_is_asked_for(
    filled: set[int],
    steps: list[tuple[bool, int, int, bool]],
) -> None:
    side_of, texts_of = {}, {}
    for is_bid in (True, False):
        texts_of[is_bid] = {price: level_json(f"{price / 1e6:.6f}", "5.0") for price in filled}
        side_of[is_bid] = BookSide(is_bid)
        side_of[is_bid].fill([level_texts(text) for text in texts_of[is_bid].values()], keep_text=True)
    for number, (is_bid, price, size, is_asked) in enumerate(steps):
        side, texts = side_of[is_bid], texts_of[is_bid]
        text = level_json(f"{price / 1e6:.6f}", f"{size}.{number}")
        side.put(price, size, text)
        texts.pop(price, None)
        if size:
            texts[price] = text
        if is_asked:
            assert side.joined() == ",".join(texts[at] for at in sorted(texts, reverse=not is_bid))
            assert side.text_levels(rising=True) == tuple(level_texts(texts[at]) for at in sorted(texts))
