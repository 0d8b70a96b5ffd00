"""Orders and trades are read alike from REST and from the user channel, with all that the venue leaves empty or prefixes."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadFrame
from pipeline.venue.clob.account import (
    OrderReport,
    TradeReport,
    decode_open_orders,
    decode_order,
    decode_trades,
    decode_user_frame,
    order_report,
    time_ns,
)

ORDER: dict[str, Any] = {
    "id": "0xab", "status": "LIVE", "market": "0xc0", "asset_id": "256", "side": "BUY", "original_size": "12", "size_matched": "2.5",
    "price": "0.6", "associate_trades": ["t1"], "order_type": "GTC", "owner": "key", "created_at": 1777824065,
}  # fmt: skip
TRADE: dict[str, Any] = {
    "event_type": "trade", "type": "TRADE", "id": "t1", "status": "MATCHED", "side": "BUY", "size": "100.0", "price": "0.5",
    "fee_rate_bps": "", "trader_side": "TAKER", "taker_order_id": "0x12", "owner": "key", "market": "0xc0", "asset_id": "256",
    "bucket_index": 1, "timestamp": "1703875260000", "transaction_hash": None,
    "maker_orders": [{"order_id": "0xm4", "owner": "other", "matched_amount": "100.0000", "price": "0.5000", "outcome": "Yes"}],
}  # fmt: skip
CANCELLED = (
    b'{"event_type":"order","id":"0x78xx","owner":"00000000-0000-0000-0000-000000000001","market":"0x0014","asset_id":"256","side":"BUY",'
    b'"original_size":"12","size_matched":"","price":"0.6","associate_trades":[],"outcome":"","type":"CANCELLATION","created_at":"",'
    b'"expiration":"0","order_type":"FOK","status":"CANCELED_order couldn\'t be fully filled. FOK orders are fully filled or killed.",'
    b'"maker_address":"0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266","timestamp":"1777824065000"}'
)


def page(*items: Any, cursor: str = "LTE=") -> bytes:
    return json.dumps({"limit": 100, "count": len(items), "next_cursor": cursor, "data": list(items)}).encode()


def test_a_page_of_open_orders_says_what_comes_next() -> None:
    told = decode_open_orders(200, page(ORDER, cursor="MTAw"))
    assert told.items == (
        OrderReport(
            "0xab",
            "live",
            "256",
            "0xc0",
            "BUY",
            600_000,
            12_000_000,
            2_500_000,
            "GTC",
            "key",
            "",
            ("t1",),
            1_777_824_065_000_000_000,
        ),
    )
    assert (told.next_cursor, told.refusal, told.unknown) == ("MTAw", None, "")
    assert decode_open_orders(200, page()).next_cursor == ""


def test_a_captured_cancellation_is_read_with_its_reason_and_empty_numbers() -> None:
    [told] = decode_user_frame(CANCELLED)
    assert isinstance(told, OrderReport)
    assert (told.state, told.matched_e6, told.reason) == (
        "cancelled", 0, "order couldn't be fully filled. FOK orders are fully filled or killed.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kind", "state", "reason"),
    [
        ("LIVE", "PLACEMENT", "live", ""),
        ("ORDER_STATUS_MATCHED", "UPDATE", "matched", ""),
        ("delayed", "", "delayed", ""),
        ("UNMATCHED", "", "unmatched", ""),
        ("CANCELED", "", "cancelled", ""),
        ("CANCELED_MARKET_RESOLVED", "", "cancelled", "MARKET_RESOLVED"),
        ("INVALID", "CANCELLATION", "cancelled", "INVALID"),
        ("INVALID", "", "invalid", ""),
    ],
)
def test_every_status_of_an_order_is_understood(status: str, kind: str, state: str, reason: str) -> None:
    told = order_report({**ORDER, "status": status, "type": kind})
    assert (told.state, told.reason) == (state, reason)


@pytest.mark.parametrize(
    ("status", "wanted"),
    [("MATCHED", "matched"), ("TRADE_STATUS_MATCHED_NOT_BROADCASTED", "matched"), ("TRADE_STATUS_MINED", "mined"),
     ("CONFIRMED", "confirmed"), ("RETRYING", "retrying"), ("TRADE_STATUS_FAILED", "failed")],
)  # fmt: skip
def test_rest_and_user_channel_mean_the_same_status(status: str, wanted: str) -> None:
    [told] = decode_trades(200, page({**TRADE, "status": status})).items
    assert told.status == wanted
    assert decode_user_frame(json.dumps({**TRADE, "status": status}).encode()) == [told]


def test_a_trade_has_its_legs() -> None:
    [told] = decode_user_frame(json.dumps([TRADE]).encode())
    assert isinstance(told, TradeReport)
    assert (told.trade_id, told.size_e6, told.price, told.trader_side) == ("t1", 100_000_000, "0.5", "TAKER")
    assert [(leg.venue_order_id, leg.size_e6, leg.side) for leg in told.legs] == [("0xm4", 100_000_000, None)]
    assert told.venue_ns == 1_703_875_260_000_000_000 and told.transaction_hash == ""


@pytest.mark.parametrize(("status", "body"), [(404, b'{"error":"not found"}'), (200, b"null"), (200, b"")])
def test_an_order_that_the_venue_does_not_have_is_no_doubt(status: int, body: bytes) -> None:
    told = decode_order(status, body)
    assert (told.items, told.refusal, told.unknown) == ((), None, "")


def test_a_single_order_is_found() -> None:
    assert decode_order(200, json.dumps(ORDER).encode()).items[0].venue_order_id == "0xab"


@pytest.mark.parametrize("read", [decode_open_orders, decode_trades, decode_order])
@pytest.mark.parametrize(
    ("status", "body"), [(0, b""), (200, b"{"), (200, b'{"data":7}'), (200, b'{"data":[{"id":"x"}]}'), (200, b"7")]
)
def test_a_page_that_cannot_be_read_whole_is_unknown(read: Any, status: int, body: bytes) -> None:
    told = read(status, body)
    assert told.unknown and not told.items and told.refusal is None


def test_a_refusal_is_told_as_such() -> None:
    told = decode_trades(401, b'{"error":"Unauthorized/Invalid api key"}').refusal
    assert told is not None and told.code == "unauthorized"


@pytest.mark.parametrize("frame", [b"PONG", b"PING", b"", b"[]", b'{"event_type":"other"}', b'["x"]'])
def test_frames_that_tell_nothing_are_no_error(frame: bytes) -> None:
    assert decode_user_frame(frame) == []


@pytest.mark.parametrize(
    "change",
    [{"id": ""}, {"side": "UP"}, {"status": "ODD"}, {"price": "x"}, {"size_matched": "1e999"}, {"original_size": "0.0000001"}],
)
def test_an_order_that_makes_no_sense_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(BadFrame):
        decode_user_frame(json.dumps({"event_type": "order", **ORDER, **change}).encode())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1777824065", 1_777_824_065 * 10**9),
        ("1777824065123", 1_777_824_065_123 * 10**6),
        ("", 0),
        ("2026-01-01T00:00:00Z", 0),
        ("9" * 30, 0),
    ],
)
def test_times_in_seconds_and_milliseconds_are_told_apart(text: str, wanted: int) -> None:
    assert time_ns(text) == wanted


names = st.sampled_from(
    ["event_type", "id", "status", "side", "price", "size", "maker_orders", "order_id", "matched_amount", "type"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["order", "trade", "BUY", "LIVE", "MATCHED", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)


@given(values)
def test_any_json_is_read_or_refused(told: Any) -> None:
    with contextlib.suppress(BadFrame):
        decode_user_frame(json.dumps(told).encode())
    decode_open_orders(200, json.dumps({"data": told}).encode())
    decode_trades(200, json.dumps(told).encode())
