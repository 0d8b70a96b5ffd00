"""A ladder holds what the feed told of every level, whichever token told it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages.market import BookSnapshot, Level
from pipeline.trading.paper.ladder import Ladder
from pipeline.trading.paper.order import ASK, BID


def snapshot(
    bids: dict[int, int], asks: dict[int, int], *, changed: tuple[dict[int, int], dict[int, int]] | None = None, depth: int = 100
) -> BookSnapshot:
    """A book of cents and whole shares; whole if no changes are given."""
    full = changed is None
    return BookSnapshot(
        ts_ns=1,
        token_id="yes",
        market="m",
        tick_size_e6=10_000,
        bids=levels(dict(sorted(bids.items(), reverse=True)[:depth])),
        asks=levels(dict(sorted(asks.items())[:depth])),
        seq=1,
        venue_ns=1,
        state="VERIFIED",
        basis="hash",
        changed_bids=() if changed is None else levels(changed[0]),
        changed_asks=() if changed is None else levels(changed[1]),
        full_depth=full,
    )


def levels(sizes: dict[int, int]) -> tuple[Level, ...]:
    return tuple(Level(cents * 10_000, shares * 1_000_000) for cents, shares in sizes.items())


def test_the_other_token_tells_the_same_book() -> None:
    yes, no = Ladder(0), Ladder(1)
    yes.take(snapshot({40: 10}, {45: 20}))
    no.take(snapshot({55: 20}, {60: 10}))
    assert yes.sizes == no.sizes == ({400_000: 10_000_000}, {450_000: 20_000_000})


def test_a_book_kept_alone_turns_over_when_it_proves_to_be_the_other_token_s() -> None:
    alone = Ladder(0)
    alone.take(snapshot({55: 20}, {60: 10}))
    assert alone.mirrored().sizes == ({400_000: 10_000_000}, {450_000: 20_000_000})


def test_changes_beyond_the_shown_depth_are_kept() -> None:
    ladder = Ladder()
    ladder.take(snapshot({40: 10}, {45: 20}))
    changes = ladder.take(snapshot({40: 10, 30: 7}, {45: 20}, changed=({30: 7}, {}), depth=1))
    assert changes == [(BID, 300_000, 0, 7_000_000)]
    assert ladder.size(BID, 300_000) == 7_000_000


def test_a_stated_top_heals_what_a_lost_message_left_wrong() -> None:
    ladder = Ladder()
    ladder.take(snapshot({40: 10, 39: 5}, {45: 20}))
    ladder.take(snapshot({39: 6}, {46: 1}, changed=({}, {})))
    assert sorted(ladder.settle()) == [
        (BID, 390_000, 5_000_000, 6_000_000),
        (BID, 400_000, 10_000_000, 0),
        (ASK, 450_000, 20_000_000, 0),
        (ASK, 460_000, 0, 1_000_000),
    ]
    assert ladder.settle() == []


SIDES = st.dictionaries(st.integers(1, 49), st.integers(1, 50), max_size=12)
ASKS = st.dictionaries(st.integers(50, 99), st.integers(1, 50), max_size=12)


@given(st.lists(st.tuples(SIDES, ASKS), min_size=1, max_size=6))
def test_following_the_changes_gives_the_same_as_every_whole_book(books: list[tuple[dict[int, int], dict[int, int]]]) -> None:
    followed = Ladder()
    known: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for number, (bids, asks) in enumerate(books):
        changed = tuple(
            {cents: new.get(cents, 0) for cents in old.keys() | new.keys() if old.get(cents) != new.get(cents)}
            for old, new in zip(known, (bids, asks), strict=True)
        )
        followed.take(snapshot(bids, asks, changed=None if not number else (changed[0], changed[1]), depth=3))
        if not number:
            followed.take(snapshot(bids, asks))
        whole = Ladder()
        whole.take(snapshot(bids, asks))
        assert followed.sizes == whole.sizes
        assert followed.tops == (max(followed.sizes[BID], default=0), min(followed.sizes[ASK], default=1_000_000))
        known = (bids, asks)
