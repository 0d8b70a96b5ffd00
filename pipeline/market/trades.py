"""Trades as the feed tells them, in integers."""

from __future__ import annotations

from pipeline.base.errors import BadFrame
from pipeline.base.units import parse_price_e6, parse_size_e6
from pipeline.market.venue_time import venue_ns_of
from pipeline.messages.market import TradePrint, VenueTrade


def printed(msg: VenueTrade) -> TradePrint:
    """What a trade of the venue says. Raises BadFrame for a bad number or side."""
    try:
        price_e6, size_e6 = parse_price_e6(msg.price), parse_size_e6(msg.size)
    except ValueError as error:
        raise BadFrame(f"trade of token {msg.token_id}: {error}") from None
    if msg.side != "BUY" and msg.side != "SELL":
        raise BadFrame(f"trade of token {msg.token_id}: side {msg.side!r} is neither BUY nor SELL")
    return TradePrint(
        ts_ns=msg.ts_ns,
        token_id=msg.token_id,
        market=msg.market,
        price_e6=price_e6,
        size_e6=size_e6,
        side="BUY" if msg.side == "BUY" else "SELL",
        venue_ns=venue_ns_of(msg.venue_ts, msg.ts_ns),
        transaction_hash=msg.transaction_hash,
    )
