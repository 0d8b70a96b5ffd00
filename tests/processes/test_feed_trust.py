"""Whose word the book builder takes, and when: the feed's, a provider's, or nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.market.spot import GRACE_NS, LOOK_AGAIN_NS
from pipeline.market.verify import book_hash
from pipeline.messages import Message
from pipeline.messages.control import BookWanted
from pipeline.messages.market import BookSource, FeedStatus, Market, MarketUniverse, Outcome, State, VenueBook, VenuePriceChange
from processes.book_builder import BookBuilder

MS = 1_000_000
MARKET = Market(market_id="0xm", outcomes=(Outcome("1", "Yes"), Outcome("2", "No")), min_order_size="5", neg_risk=False)
ASKS = (("0.45", "10"),)


def hash_of(bid_size: str, at_ms: int) -> str:
    return book_hash("0xm", "1", str(at_ms), (("0.40", bid_size),), ASKS, "5", "0.01", False, "")


def whole(bid_size: str, at_ms: int, source: BookSource = "ws") -> VenueBook:
    return VenueBook(
        ts_ns=at_ms * MS,
        token_id="1",
        market="0xm",
        bids=(("0.40", bid_size),),
        asks=ASKS,
        source=source,
        venue_ts=str(at_ms),
        hash=hash_of(bid_size, at_ms),
        tick_size="0.01",
        last_trade_price="",
    )


def change(bid_size: str, at_ms: int) -> VenuePriceChange:
    changes = (("0.40", bid_size, "BUY"),)
    return VenuePriceChange(
        ts_ns=at_ms * MS, token_id="1", market="0xm", venue_ts=str(at_ms), hash=hash_of(bid_size, at_ms), changes=changes
    )


def link(state: Any, at_ms: int, *token_ids: str) -> FeedStatus:
    return FeedStatus(ts_ns=at_ms * MS, link_id="ws-1", state=state, token_ids=token_ids)


class Kept:
    """A book builder with one verified book at 1000 ms."""

    def __init__(self) -> None:
        self.builder = BookBuilder()
        self.out: list[Message] = []
        self.hear(MarketUniverse(ts_ns=MS, markets=(MARKET,)), whole("10", 1_000))
        assert self.state() == "VERIFIED"

    def hear(self, *messages: Message) -> None:
        for msg in messages:
            self.pass_time(msg.ts_ns // MS)
            self.out += self.builder.handle(msg, msg.ts_ns)

    def pass_time(self, to_ms: int) -> None:
        while (due := self.builder.next_timer_ns()) is not None and due <= to_ms * MS:
            self.out += self.builder.on_timer(due)

    def state(self) -> State | None:
        (book,) = self.builder.shelf.all()
        return book.confidence.state

    def wanted(self) -> list[str]:
        return [msg.cause for msg in self.out if isinstance(msg, BookWanted)]


@pytest.fixture
def kept() -> Kept:
    return Kept()


def freeze(kept: Kept, at_ms: int = 2_000) -> None:
    """An answer that is newer, and a feed that goes on without what it holds."""
    kept.hear(whole("12", at_ms, "spot"), link("up", at_ms + GRACE_NS // MS, "1"))
    kept.pass_time(at_ms + (GRACE_NS + LOOK_AGAIN_NS) // MS)
    assert (kept.state(), kept.wanted()) == ("RESYNCING", ["frozen"])


@pytest.mark.parametrize("source", ["rest", "spot"])
def test_while_a_link_is_down_no_answer_brings_its_books_back(kept: Kept, source: BookSource) -> None:
    kept.hear(link("down", 2_000, "1"), whole("10", 2_100, source), link("up", 2_200, "1"), whole("11", 2_300, source))
    assert kept.state() == "STALE"
    kept.hear(whole("12", 2_400))
    assert kept.state() == "VERIFIED"


def test_a_lost_link_whose_tokens_another_carries_costs_nothing(kept: Kept) -> None:
    kept.hear(link("down", 2_000), change("11", 2_100))
    assert kept.state() == "VERIFIED"


def test_the_copy_of_the_feed_brings_a_book_back_after_its_link(kept: Kept) -> None:
    kept.hear(link("down", 2_000, "1"), link("up", 2_100, "1"), whole("11", 2_200, "mirror"))
    assert kept.state() == "VERIFIED"


@pytest.mark.parametrize("source", ["rest", "spot", "mirror"])
def test_a_frozen_token_is_healed_by_the_feed_alone(kept: Kept, source: BookSource) -> None:
    freeze(kept)
    kept.hear(whole("12", 4_500, source))
    assert kept.state() == "RESYNCING"
    kept.hear(whole("12", 4_600))
    assert kept.state() == "VERIFIED"


def test_a_frozen_token_that_speaks_again_without_its_book_asks_for_any(kept: Kept) -> None:
    freeze(kept)
    kept.hear(change("13", 5_000), change("14", 5_100))
    if kept.state() != "VERIFIED":
        assert kept.wanted()[-1] == "resumed"
        kept.hear(whole("14", 5_200, "rest"))
    assert kept.state() == "VERIFIED"


def test_a_change_that_proves_the_book_thaws_it(kept: Kept) -> None:
    freeze(kept)
    kept.hear(change("12", 4_600))
    assert kept.state() == "VERIFIED"


def test_a_token_that_is_followed_no_longer_is_not_accused(kept: Kept) -> None:
    kept.hear(whole("12", 2_000, "spot"), MarketUniverse(ts_ns=2_100 * MS, markets=(), version=2))
    kept.hear(link("up", 9_000))
    assert not kept.wanted()


def test_an_answer_for_a_book_that_is_not_trusted_heals_it_at_once(kept: Kept) -> None:
    kept.hear(change("11", 2_000))
    broken = change("12", 2_100)
    kept.hear(VenuePriceChange(**{**fields(broken), "hash": "0" * 40}))
    kept.pass_time(5_000)
    assert kept.state() == "RESYNCING"
    kept.hear(whole("12", 5_100, "spot"))
    assert kept.state() == "VERIFIED"


def fields(msg: VenuePriceChange) -> dict[str, Any]:
    return {name: getattr(msg, name) for name in msg.__struct_fields__}
