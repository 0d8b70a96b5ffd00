"""A book builder that starts again: the gateway's copy of a book is as old as the venue's last word on it, not as the copying."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.market.verify import book_hash
from pipeline.messages import Message
from pipeline.messages.control import JobDue
from pipeline.messages.edges import SPOT_CHECK, RawFrame, RestBody
from pipeline.messages.market import BookSnapshot, Market, MarketUniverse, Outcome, VenueBook
from pipeline.messages.records import BookStateChanged
from pipeline.trading.policy import heard_ns
from processes.book_builder import BookBuilder
from processes.gateway import Gateway

S = 1_000_000_000
MARKET, OTHER, TOKEN, MOVING = "0x" + "1" * 64, "0x" + "2" * 64, "7" * 70, "8" * 70
BIDS, ASKS = (("0.40", "100"), ("0.41", "10")), (("0.50", "5"), ("0.47", "20"))


def told(token_id: str = TOKEN, market: str = MARKET, **changed: Any) -> dict[str, Any]:
    book = {
        "event_type": "book",
        "asset_id": token_id,
        "market": market,
        "bids": [{"price": price, "size": size} for price, size in BIDS],
        "asks": [{"price": price, "size": size} for price, size in ASKS],
        "timestamp": "1795366279463",
        "hash": book_hash(market, token_id, "1795366279463", BIDS, ASKS, "5", "0.01", False, "0.45"),
        "tick_size": "0.01",
        "last_trade_price": "0.45",
    }
    return book | changed


def frame(body: object, ts_ns: int) -> RawFrame:
    return RawFrame(ts_ns=ts_ns, link_id="ws-0", data=json.dumps(body).encode(), mono_ns=ts_ns)


def spot(body: object, ts_ns: int) -> RestBody:
    return RestBody(
        ts_ns=ts_ns,
        request="books",
        status=200,
        body=json.dumps([body]).encode(),
        token_ids=(TOKEN,),
        cause=SPOT_CHECK,
    )


def universe(ts_ns: int) -> MarketUniverse:
    markets = tuple(
        Market(market_id=name, outcomes=(Outcome(token, "Yes"),), tick_size="0.01", min_order_size="5", neg_risk=False)
        for name, token in ((MARKET, TOKEN), (OTHER, MOVING))
    )
    return MarketUniverse(ts_ns=ts_ns, markets=markets)


def begun(gateway: Gateway, now_ns: int, universe_first: bool) -> list[Message]:
    """What a new book builder makes of the gateway's copies at a time."""
    builder = BookBuilder(unvouched_ms=60_000)
    out: list[Message] = []
    copies: list[Message] = list(gateway.current("feed."))
    for msg in [universe(now_ns), *copies] if universe_first else [*copies, universe(now_ns)]:
        out += builder.handle(msg, now_ns)
    out += builder.current("book.")
    return out + list(builder.handle(JobDue(ts_ns=now_ns, job="staleness"), now_ns))


def ages_s(out: list[Message], now_ns: int) -> dict[str, int]:
    """The seconds since each book was vouched for, as whoever reads the last of its snapshots takes it."""
    return {msg.token_id: (now_ns - heard_ns(msg)) // S for msg in out if isinstance(msg, BookSnapshot)}


@pytest.mark.parametrize("universe_first", [True, False])
def test_a_book_that_the_venue_no_longer_tells_is_as_old_after_the_builders_restart_as_before(universe_first: bool) -> None:
    gateway = Gateway()
    list(gateway.handle(frame([told(), told(MOVING, OTHER)], S), S))
    list(gateway.handle(frame(told(MOVING, OTHER), 39 * S), 39 * S))
    out = begun(gateway, 40 * S, universe_first)
    assert ages_s(out, 40 * S) == {TOKEN: 39, MOVING: 1}
    proved = {msg.token_id: msg.verified_ns for msg in out if isinstance(msg, BookStateChanged) and msg.new == "VERIFIED"}
    assert proved == {TOKEN: S, MOVING: 39 * S}


def test_a_spot_check_that_found_the_same_levels_vouches_for_the_copy_and_another_does_not() -> None:
    gateway = Gateway()
    list(gateway.handle(frame([told(), told(MOVING, OTHER)], S), S))
    list(gateway.handle(spot(told(), 30 * S), 30 * S))
    list(gateway.handle(spot(told(bids=[{"price": "0.39", "size": "7"}]), 35 * S), 35 * S))
    assert ages_s(begun(gateway, 40 * S, True), 40 * S) == {TOKEN: 10, MOVING: 39}


def test_a_copy_that_nothing_has_vouched_for_in_two_rounds_of_spot_checks_is_stale_at_once() -> None:
    gateway = Gateway()
    list(gateway.handle(frame([told()], S), S))
    out = begun(gateway, 70 * S, True)
    assert [msg.new for msg in out if isinstance(msg, BookStateChanged)] == ["VERIFIED", "STALE"]


def test_a_copy_of_the_generic_stream_is_as_old_as_its_last_message() -> None:
    builder = BookBuilder()
    told = VenueBook(ts_ns=90 * S, token_id="m/yes", market="m", bids=BIDS, asks=ASKS, source="mirror", seq=4, vouched_ns=2 * S)
    assert ages_s(list(builder.handle(told, 90 * S)), 90 * S) == {"m/yes": 88}


def test_whoever_begins_to_listen_hears_a_book_as_old_as_it_is() -> None:
    gateway, builder = Gateway(), BookBuilder()
    list(builder.handle(universe(S), S))
    for msg in gateway.handle(frame([told()], S), S):
        list(builder.handle(msg, S))
    list(builder.handle(JobDue(ts_ns=25 * S, job="staleness"), 25 * S))
    assert ages_s(list(builder.current("book.")), 25 * S) == {TOKEN: 24}
