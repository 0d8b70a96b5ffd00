"""Two links as one feed. The property at the end is the promise: what at least one link brought is told, and the book comes out right."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.market.arbiter import Arbiter
from pipeline.market.hashed import HashedBook
from pipeline.market.market_feed import MarketFeed
from pipeline.market.token_book import BookRules
from pipeline.messages import Message
from pipeline.messages.market import Level, Market, VenueBook, VenuePriceChange, VenueTrade

MS = 1_000_000


def change(at_ms: int, price: str = "0.40", size: str = "5", hash_: str = "") -> VenuePriceChange:
    return VenuePriceChange(
        ts_ns=at_ms * MS,
        token_id="t",
        market="0xm",
        venue_ts=str(at_ms),
        hash=hash_ or f"h{at_ms}",
        changes=((price, size, "BUY"),),
    )


def book(at_ms: int) -> VenueBook:
    return VenueBook(
        ts_ns=at_ms * MS,
        token_id="t",
        market="0xm",
        bids=(("0.40", "5"),),
        asks=(),
        source="ws",
        venue_ts=str(at_ms),
        hash=f"h{at_ms}",
    )


def late(msg: Message, by_ms: int = 7) -> Message:
    """The same thing, received later."""
    return type(msg)(**{**{name: getattr(msg, name) for name in msg.__struct_fields__}, "ts_ns": msg.ts_ns + by_ms * MS})


def test_what_one_link_told_the_other_tells_in_vain() -> None:
    arbiter = Arbiter()
    told = [book(1), change(2), change(3)]
    assert arbiter.take("a", told) == told
    assert arbiter.take("b", [late(msg) for msg in told]) == []
    assert arbiter.counts()["told_twice"] == 3


def test_what_one_link_lost_the_other_fills_in_followed_by_what_came_since() -> None:
    arbiter = Arbiter()
    arbiter.take("a", [book(1), change(2), change(4), change(5)])
    lost = change(3)
    assert arbiter.take("b", [book(1), change(2), lost, change(4)]) == [lost, change(4), change(5)]
    assert arbiter.counts()["filled_in"] == 1


def test_links_that_lose_different_things_fill_each_other() -> None:
    arbiter = Arbiter()
    arbiter.take("a", [change(1), change(3)])
    assert arbiter.take("b", [change(1), change(2)]) == [change(2), change(3)]
    assert arbiter.take("b", [change(4)]) == [change(4)]
    assert arbiter.take("a", [change(4), change(5)]) == [change(5)]


def test_the_rest_of_a_batch_goes_to_its_batch_though_another_has_its_time() -> None:
    arbiter = Arbiter()
    first, rest = change(2, "0.40", hash_="x"), change(2, "0.41", hash_="x")
    other = change(2, "0.42", hash_="y")
    arbiter.take("a", [first, other])
    assert arbiter.take("b", [first, rest]) == [rest, other]


def test_a_change_made_undone_and_made_again_in_one_millisecond_is_told_as_often_as_a_link_tells_it() -> None:
    arbiter = Arbiter()
    made, undone = change(2, size="5", hash_="x"), change(2, size="0", hash_="y")
    assert arbiter.take("a", [made, undone, made]) == [made, undone, made]
    assert arbiter.take("b", [made, undone, made]) == []
    assert arbiter.take("b", [undone]) == [undone]


def test_a_whole_book_that_the_feed_has_passed_is_left_out_and_a_newer_one_is_not() -> None:
    arbiter = Arbiter()
    arbiter.take("a", [book(1), change(5)])
    assert arbiter.take("b", [book(4)]) == []
    assert arbiter.take("b", [book(6)]) == [book(6)]
    assert arbiter.take("a", [change(3)]) == []
    assert arbiter.counts()["told_too_late"] == 2


def test_trades_are_told_once_in_whatever_order() -> None:
    def trade(at_ms: int) -> VenueTrade:
        return VenueTrade(ts_ns=at_ms, token_id="t", market="0xm", venue_ts=str(at_ms), price="0.4", size="1", side="BUY")

    arbiter = Arbiter()
    assert arbiter.take("a", [trade(2)]) == [trade(2)]
    assert arbiter.take("b", [trade(1), trade(2), trade(3)]) == [trade(1), trade(3)]


def test_after_both_links_were_lost_everything_is_a_beginning() -> None:
    arbiter = Arbiter()
    arbiter.take("a", [book(9)])
    arbiter.forget(["t"])
    assert arbiter.take("a", [book(3)]) == [book(3)]


def test_what_is_older_than_all_that_is_remembered_is_left_out() -> None:
    arbiter = Arbiter(kept=4)
    arbiter.take("a", [change(at_ms) for at_ms in range(10, 30)])
    assert arbiter.take("b", [change(1)]) == []


step = st.tuples(
    st.lists(
        st.tuples(st.integers(30, 70).map(lambda cents: f"0.{cents}"), st.sampled_from(["0", "5", "7.5", "100"]), st.booleans()),
        min_size=1,
        max_size=4,
        unique_by=lambda entry: entry[0],
    ),
    st.integers(1, 3),
    st.sampled_from(["both", "both", "a", "b"]),
    st.integers(0, 3),
    st.integers(0, 30),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=25), lag=st.integers(0, 12))
def test_a_verified_book_is_the_venues_whatever_two_links_lose_and_a_change_on_both_shows_that_nothing_is_missing(
    true_token: Callable[..., object], steps: list, lag: int
) -> None:
    true = true_token([("0.29", "10")], [("0.71", "10")])
    links: dict[str, list[tuple[int, Message]]] = {"a": [(0, true.whole())], "b": [(lag, true.whole())]}  # type: ignore[attr-defined]
    order = 0
    for entries, frames, brought_by, repeat, after_ms in [*steps, ([("0.29", "11", True)], 1, "both", 0, 5)]:
        changes = [(price, size, "BUY" if price < "0.50" else "SELL") for price, size, _ in entries]
        batch = true.batch(*changes, frames=frames, after_ms=after_ms + 1)  # type: ignore[attr-defined]
        for number, frame in enumerate(batch):
            order += 1
            lost = brought_by if brought_by != "both" and number == repeat % len(batch) else ""
            for name, delay in (("a", 0), ("b", lag)):
                if lost != name:
                    links[name].append((order + delay, frame))
                    if repeat == 3:
                        links[name].append((order + delay, frame))
    feed = MarketFeed("0xm")
    feed.set_market(Market(market_id="0xm", outcomes=(), min_order_size="5", neg_risk=False))
    kept = HashedBook("t", feed, BookRules())
    arbiter = Arbiter()
    coming = sorted((at, name, i, msg) for name, told in links.items() for i, (at, msg) in enumerate(told))
    now_ns = 0
    for _, name, _, frame in coming:
        now_ns += MS
        for msg in arbiter.take(name, [frame]):
            if isinstance(msg, VenueBook):
                kept.take_book(msg, now_ns)
            else:
                kept.take_change(msg, now_ns)  # type: ignore[arg-type]
            if kept.confidence.state == "VERIFIED" and kept.batch is None:
                assert kept.book is not None
                assert kept.book.levels() == true.at[(kept.book.venue_ts, kept.book.hash)]  # type: ignore[attr-defined]
    kept.deadline(now_ns + 10_000 * MS)
    assert kept.book is not None
    levels: tuple[tuple[Level, ...], tuple[Level, ...]] = true.book.levels()  # type: ignore[attr-defined]
    assert kept.book.levels() == levels
    assert kept.confidence.state == "VERIFIED"
