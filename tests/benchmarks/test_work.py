"""What is measured is the work that it claims to be: both sides of a row come to the same."""

import sqlite3
from pathlib import Path

from msgspec.structs import replace

from benchmarks.book import made as made_book
from benchmarks.book import told
from benchmarks.eager import Eager
from benchmarks.samples import BOOK, FRAME, MARKET, TOKEN
from benchmarks.writer import made, row_of, write
from pipeline.base.units import NS_PER_MS
from pipeline.market.book import OrderBook
from pipeline.messages.market import Market, Outcome, VenuePriceChange
from pipeline.messages.orders import OpenOrder
from pipeline.strategy.base import View
from pipeline.venue.decode import FrameDecoder


def test_the_book_has_the_sizes_of_the_bare_dicts_after_all_changes() -> None:
    sizes, changes = made_book()
    opening, messages = told(sizes, changes)
    book = OrderBook.from_message(opening)
    for (is_bid, tick, by), msg in zip(changes, messages, strict=True):
        book.apply_delta(msg)
        sizes[is_bid][tick] = sizes[is_bid].get(tick, 0) + by
    for is_bid, side in ((True, book.bids), (False, book.asks)):
        assert side.sizes == {tick * 1_000: size * 1_000_000 for tick, size in sizes[is_bid].items() if size}
    assert (book.best_bid, book.best_ask) == tuple(
        best(tick for tick, size in sizes[is_bid].items() if size) * 1_000 for is_bid, best in ((True, max), (False, min))
    )


def test_the_writer_stores_the_rows_that_sqlite3_is_given(tmp_path: Path) -> None:
    messages = made(200)
    write(messages, 10, tmp_path)
    with sqlite3.connect(tmp_path / "writer.db") as conn:
        names = "run_id, market_id, outcome_id, seq, ts_ms, ts_ns, side, price_e6, size_e6, change_e6"
        stored = conn.execute(f"select {names} from orderbook_events order by id").fetchall()
    assert stored == [row_of(msg) for msg in messages]


def test_the_frame_is_two_changes_of_a_usual_length() -> None:
    found = FrameDecoder().decode(FRAME, 1)
    assert [type(msg) for msg in found] == [VenuePriceChange, VenuePriceChange]
    assert 600 <= len(FRAME) <= 621


def test_the_eager_quote_rests_and_is_then_moved_by_a_tick() -> None:
    view = View(Market(MARKET, (Outcome(TOKEN, "Yes"), Outcome("2", "No"))), BOOK, BOOK.ts_ns, "paper")
    strategy = Eager()
    [quote] = strategy.decide(view).quotes
    assert quote.price_e6 == 500_000
    order = OpenOrder("1", "eager", TOKEN, MARKET, "BUY", quote.price_e6, quote.size_e6, 0, "live", view.now_ns)
    resting = replace(view, orders=(order,), now_ns=view.now_ns + 49 * NS_PER_MS)
    assert strategy.decide(resting).quotes == (quote,)
    [moved] = strategy.decide(replace(resting, now_ns=view.now_ns + 50 * NS_PER_MS)).quotes
    assert moved.price_e6 == 490_000
