from hypothesis import given
from hypothesis import strategies as st

from pipeline.market.book import OrderBook
from pipeline.messages.market import BookSource, TickSizeChange, VenueBook, VenuePriceChange, VenueTrade
from pipeline.venue.mirror import Mirror


def book(at: str = "10", source: BookSource = "ws", size: str = "5", token_id: str = "1") -> VenueBook:
    return VenueBook(
        ts_ns=1, token_id=token_id, market="m", bids=(("0.40", size),), asks=(), source=source, venue_ts=at, hash=f"h{at}"
    )


def change(size: str = "7", at: str = "12") -> VenuePriceChange:
    changes = (("0.40", size, "BUY"),)
    return VenuePriceChange(ts_ns=2, token_id="1", market="m", venue_ts=at, hash=f"h{at}", changes=changes)


def sizes(mirror: Mirror, topic: str = "feed.") -> list[tuple[str, str]]:
    return [(found.token_id, found.bids[0][1]) for found in mirror.current(topic)]


def test_it_follows_changes_and_forgets_what_is_not_followed() -> None:
    mirror = Mirror()
    for msg in (book(), book(token_id="2"), change()):
        mirror.take(msg)
    assert sizes(mirror) == [("1", "7"), ("2", "5")]
    assert sizes(mirror, "feed.2\0") == [("2", "5")]
    mirror.keep_only(("1",))
    assert sizes(mirror) == [("1", "7")]
    assert (mirror.drop("1"), mirror.drop("1")) == ("m", "")
    assert sizes(mirror) == []


def test_an_answer_older_than_the_copy_does_not_turn_it_back_and_a_frame_of_the_feed_does() -> None:
    mirror = Mirror()
    for msg in (book(), change(), book("11", "rest", "9")):
        mirror.take(msg)
    assert sizes(mirror) == [("1", "7")]
    mirror.take(book("13", "rest", "9"))
    assert sizes(mirror) == [("1", "9")]
    mirror.take(book("11", "ws", "4"))
    assert sizes(mirror) == [("1", "4")]


def test_what_cannot_be_applied_drops_the_copy() -> None:
    mirror = Mirror()
    mirror.take(book())
    mirror.take(change(size="many"))
    assert sizes(mirror) == []
    mirror.take(change())
    assert sizes(mirror) == []


Changes = st.tuples(
    st.sampled_from(["0.10", "0.20", "0.30", "0.70"]), st.sampled_from(["0", "5", "7.5"]), st.sampled_from(["BUY", "SELL"])
)
Events = st.lists(
    st.one_of(st.lists(Changes, min_size=1, max_size=3), st.sampled_from(["trade", "tick", "book", "asked"])), max_size=12
)


@given(Events)
def test_a_copy_is_the_book_that_every_message_applied_in_turn_gives(events: list[list[tuple[str, str, str]] | str]) -> None:
    mirror, plain = Mirror(), OrderBook.from_message(book("1"))
    mirror.take(book("1"))
    for number, event in enumerate(events, start=2):
        match event:
            case "trade":
                trade = VenueTrade(ts_ns=number, token_id="1", market="m", venue_ts="9", price="0.5", size="1", side="BUY")
                plain.follow(trade)
                mirror.take(trade)
            case "tick":
                tick = TickSizeChange(
                    ts_ns=number, token_id="1", market="m", venue_ts="9", old_tick_size="0.01", new_tick_size="0.001"
                )
                plain.follow(tick)
                mirror.take(tick)
            case "book":
                plain = OrderBook.from_message(book(str(number)), plain)
                mirror.take(book(str(number)))
            case "asked":
                assert list(mirror.current("feed.1\0"))
            case list():
                msg = VenuePriceChange(
                    ts_ns=number, token_id="1", market="m", venue_ts=str(number), hash=f"h{number}", changes=tuple(event)
                )
                plain.follow(msg)
                mirror.take(msg)
    [copy] = mirror.current("feed.")
    wanted = plain.to_venue_book(copy.ts_ns, vouched_ns=copy.vouched_ns)
    assert copy == wanted
