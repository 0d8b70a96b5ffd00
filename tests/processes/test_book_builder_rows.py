"""Without rows the book builder says the same, but for what only the database wants."""

from __future__ import annotations

from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.session import record_session
from pipeline.messages import Message
from pipeline.messages.edges import RawFrame
from pipeline.messages.market import BookSnapshot, MarketUniverse
from pipeline.messages.records import BookEvents, HashChecks, MarketStatus
from pipeline.venue.decode import FrameDecoder
from processes.book_builder import BookBuilder

START_NS = 1_780_000_000_000_000_000
FOR_THE_DATABASE = (BookEvents, MarketStatus, HashChecks)


def said(rows: bool) -> list[Message]:
    """Everything a builder says to some seconds of the offline venue, timers included."""
    builder, decoder = BookBuilder(resync=False, rows=rows), FrameDecoder()
    found: list[Message] = []
    for msg in record_session(FakeExchange(ExchangePlan(seed=3, rate_per_s=100), START_NS), 8):
        messages = decoder.decode(msg.data, msg.ts_ns) if isinstance(msg, RawFrame) else [msg]
        for each in messages:
            if not isinstance(msg, RawFrame | MarketUniverse):
                continue
            while (due_ns := builder.next_timer_ns()) is not None and due_ns <= msg.ts_ns:
                found += builder.on_timer(due_ns)
            found += builder.handle(each, msg.ts_ns)
    found += builder.stop(msg.ts_ns)
    return found


def test_books_and_their_states_are_the_same_with_and_without_rows() -> None:
    with_rows, without = said(rows=True), said(rows=False)
    assert [msg for msg in with_rows if not isinstance(msg, FOR_THE_DATABASE)] == [
        msg for msg in without if not isinstance(msg, FOR_THE_DATABASE)
    ]
    assert sum(isinstance(msg, BookSnapshot) for msg in without) > 100
    assert sum(isinstance(msg, BookEvents) for msg in with_rows) > 100
    assert not any(isinstance(msg, BookEvents | MarketStatus) for msg in without)
