"""A book that came before the catalogue is proved by its own hash as soon as the catalogue comes."""

from __future__ import annotations

from pipeline.market.verify import book_hash
from pipeline.messages.market import BookSnapshot, Market, MarketUniverse, Outcome, VenueBook
from processes.book_builder import BookBuilder

TOKEN, MARKET = "7" * 70, "0x" + "1" * 64
BIDS, ASKS = (("0.40", "100"), ("0.41", "10")), (("0.50", "5"), ("0.47", "20"))


def mirrored(size: str = "10") -> VenueBook:
    bids = (BIDS[0], (BIDS[1][0], size))
    told = book_hash(MARKET, TOKEN, "1795366279463", BIDS, ASKS, "5", "0.01", False, "0.45")
    return VenueBook(
        ts_ns=1,
        token_id=TOKEN,
        market=MARKET,
        bids=bids,
        asks=ASKS,
        source="mirror",
        venue_ts="1795366279463",
        hash=told,
        tick_size="0.01",
        last_trade_price="0.45",
    )


def universe() -> MarketUniverse:
    market = Market(market_id=MARKET, outcomes=(Outcome(TOKEN, "Yes"),), tick_size="0.01", min_order_size="5", neg_risk=False)
    return MarketUniverse(ts_ns=2, markets=(market,))


def states(builder: BookBuilder, *messages: VenueBook | MarketUniverse) -> list[str]:
    out = [told for number, msg in enumerate(messages, 1) for told in builder.handle(msg, number)]
    return [told.state for told in out if isinstance(told, BookSnapshot)]


def test_a_book_from_before_the_catalogue_is_verified_when_the_catalogue_comes() -> None:
    assert states(BookBuilder(), mirrored(), universe()) == ["UNVERIFIED", "VERIFIED"]


def test_a_book_whose_hash_does_not_fit_stays_unverified() -> None:
    assert "VERIFIED" not in states(BookBuilder(), mirrored(size="11"), universe())
