"""A trade in integers, or a complaint that names what is wrong with it."""

from __future__ import annotations

import pytest

from pipeline.base.errors import BadFrame
from pipeline.market.trades import printed
from pipeline.messages.market import VenueTrade


def trade(**more: str) -> VenueTrade:
    fields = {"token_id": "t", "market": "m", "venue_ts": "7", "price": "0.49", "size": "12.5", "side": "SELL"} | more
    return VenueTrade(ts_ns=9_000_000, **fields)


def test_price_and_size_are_millionths_and_the_time_is_the_venues() -> None:
    told = printed(trade(transaction_hash="0xabc"))
    assert (told.price_e6, told.size_e6, told.side, told.venue_ns, told.transaction_hash) == (
        490_000,
        12_500_000,
        "SELL",
        7_000_000,
        "0xabc",
    )


def test_without_a_time_of_the_venue_it_happened_when_it_reached_us() -> None:
    assert printed(trade(venue_ts="")).venue_ns == 9_000_000


@pytest.mark.parametrize(
    ("field", "value"), [("price", "1.01"), ("price", "x"), ("size", "-1"), ("size", ""), ("side", "buy"), ("side", "")]
)
def test_what_is_no_price_size_or_side_is_refused_by_token(field: str, value: str) -> None:
    with pytest.raises(BadFrame, match="trade of token t"):
        printed(trade(**{field: value}))
