"""What is followed: which books are missing, what a token's book and mid are, and whether any book is heard of."""

from __future__ import annotations

import msgspec

from pipeline.messages.market import BookSnapshot, Level, Market, Outcome, State
from pipeline.trading.followed import Followed


def market(name: str, event: str = "", neg_risk_id: str = "") -> Market:
    return Market(
        market_id=name,
        outcomes=(Outcome(f"{name}y", "Yes"), Outcome(f"{name}n", "No")),
        event_id=event,
        neg_risk_market_id=neg_risk_id,
    )


def book(token_id: str, state: State = "VERIFIED") -> BookSnapshot:
    return BookSnapshot(
        ts_ns=1,
        token_id=token_id,
        market="a",
        tick_size_e6=10_000,
        bids=(Level(400_000, 1),),
        asks=(Level(460_000, 1),),
        seq=1,
        venue_ns=1,
        state=state,
        basis="hash",
    )


def test_it_is_complete_once_each_market_has_a_book_of_either_token() -> None:
    followed = Followed()
    assert not followed.is_complete
    followed.on_universe([market("a"), market("b")])
    assert followed.missing == {"ay", "an", "by", "bn"}
    followed.on_book(book("ay"))
    assert followed.missing == {"by", "bn"}
    followed.on_book(book("bn", "STALE"))
    assert followed.is_complete
    followed.forget_books()
    assert not followed.is_complete and followed.book("ay") is None


def test_books_that_came_before_the_universe_count() -> None:
    followed = Followed()
    followed.on_book(book("ay"))
    followed.on_universe([market("a")])
    assert followed.is_complete


def test_a_token_without_a_book_is_seen_through_the_other_one() -> None:
    followed = Followed()
    followed.on_universe([market("a")])
    followed.on_book(book("ay"))
    other = followed.book("an")
    assert other is not None and (other.bids[0].price_e6, other.asks[0].price_e6) == (540_000, 600_000)
    assert (followed.mid_e6("ay"), followed.mid_e6("an"), followed.mid_e6("zz")) == (430_000, 570_000, None)


def test_the_link_is_lost_when_every_book_is_stale_and_back_when_one_is_heard_of() -> None:
    followed = Followed()
    for token_id in ("ay", "by"):
        followed.on_book(book(token_id))
    followed.on_book(book("ay", "STALE"))
    assert followed.link_up
    followed.on_book(book("by", "STALE"))
    assert not followed.link_up
    followed.on_book(book("by", "RESYNCING"))
    followed.on_book(book("ay", "RESYNCING"))
    assert not followed.link_up
    followed.on_book(book("ay", "UNVERIFIED"))
    assert followed.link_up


def test_dead_books_and_books_in_doubt_do_not_speak_of_the_link() -> None:
    followed = Followed()
    followed.on_book(book("ay", "DEAD"))
    followed.on_book(book("by", "SUSPECT"))
    assert followed.link_up


def test_markets_that_resolve_together_are_kept_together_also_after_they_left() -> None:
    followed = Followed()
    first, second, third = market("a", "e"), market("b", "e"), market("c", "e", "group")
    followed.on_universe([first, second, third])
    followed.on_universe([first, third])
    assert [each.market_id for each in followed.event(first)] == ["a", "b"]
    assert [each.market_id for each in followed.event(third)] == ["c"]
    assert followed.event(market("z")) == (market("z"),)
    assert followed.market("by") is None


def test_of_a_book_that_comes_whole_as_many_levels_are_kept_as_later_ones_state() -> None:
    levels = tuple(Level(400_000 - 10_000 * behind, 1_000_000) for behind in range(5))
    whole = msgspec.structs.replace(book("yes"), bids=levels, full_depth=True)
    followed = Followed(depth=2)
    assert followed.on_book(whole)
    assert followed.books["yes"] == msgspec.structs.replace(whole, bids=levels[:2])
    known = Followed()
    known.on_book(whole)
    assert known.books["yes"] is whole
