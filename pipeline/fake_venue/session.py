"""A stretch of the fake market as one subscriber would have recorded it, at full speed and without a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.fake_venue.exchange import FakeExchange
from pipeline.messages import Message
from pipeline.messages.edges import FrameSent, LinkEvent, RawFrame
from pipeline.messages.market import MarketUniverse

LINK = "market-1"
SOURCE = "the fake venue"
LATENCY_NS = 120 * NS_PER_MS
"""From the venue's clock to the reader's: the median seen on the live channel."""
PING_NS = 10 * NS_PER_S
SLICE_NS = NS_PER_S


def record_session(exchange: FakeExchange, seconds: int) -> Iterator[Message]:
    """What a reader of all tokens sends and hears from the exchange's present on: its markets, its link, and every frame. Deterministic."""
    markets = tuple(listing.market for listing in exchange.listings())
    token_ids = tuple(token_id for market in markets for token_id in market.token_ids)
    start_ns, end_ns = exchange.now_ns, exchange.now_ns + seconds * NS_PER_S
    yield MarketUniverse(ts_ns=start_ns, markets=markets, source=SOURCE)
    yield LinkEvent(ts_ns=start_ns, link_id=LINK, state="connecting", token_ids=token_ids, mono_ns=0)
    yield LinkEvent(ts_ns=start_ns, link_id=LINK, state="up", token_ids=token_ids, mono_ns=0)
    subscription = {"type": "market", "assets_ids": list(token_ids), "custom_feature_enabled": True}
    yield FrameSent(ts_ns=start_ns, link_id=LINK, data=json.dumps(subscription, separators=(",", ":")).encode())
    opening = exchange.list_frame(token_ids)
    yield RawFrame(ts_ns=start_ns + LATENCY_NS, link_id=LINK, data=opening.encode(), mono_ns=LATENCY_NS)
    ping_ns = start_ns + PING_NS
    for until_ns in range(start_ns + SLICE_NS, end_ns + 1, SLICE_NS):
        for frame in exchange.advance(until_ns):
            heard_ns = frame.ts_ns + LATENCY_NS
            while ping_ns <= heard_ns:
                yield from _ping(ping_ns, ping_ns - start_ns)
                ping_ns += PING_NS
            yield RawFrame(ts_ns=heard_ns, link_id=LINK, data=frame.text.encode(), mono_ns=heard_ns - start_ns)
    closed_ns = end_ns + LATENCY_NS
    yield LinkEvent(
        ts_ns=closed_ns, link_id=LINK, state="closed", reason="recorded", token_ids=token_ids, mono_ns=closed_ns - start_ns
    )


def _ping(ts_ns: int, mono_ns: int) -> Iterator[Message]:
    yield FrameSent(ts_ns=ts_ns, link_id=LINK, data=b"PING", mono_ns=mono_ns)
    yield RawFrame(ts_ns=ts_ns, link_id=LINK, data=b"PONG", mono_ns=mono_ns)
