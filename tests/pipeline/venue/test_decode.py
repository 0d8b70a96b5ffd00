import json
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.base.errors import BadFrame
from pipeline.messages.market import (
    BestBidAsk,
    MarketResolved,
    NewMarket,
    TickSizeChange,
    VenueBook,
    VenuePriceChange,
    VenueTrade,
)
from pipeline.venue.decode import FrameDecoder, decode_books

YES, NO = "76670567130917", "54179564009642"


def entry(
    token: str = YES, price: str = "0.301", size: str = "1000", side: str = "BUY", hash: str = "h1", **more: object
) -> dict:
    return {"asset_id": token, "price": price, "size": size, "side": side, "hash": hash, **more}


def price_change(*entries: dict, timestamp: str = "1790658674035") -> bytes:
    return json.dumps(
        {"market": "0x28", "price_changes": list(entries), "timestamp": timestamp, "event_type": "price_change"}
    ).encode()


def book(**changed: object) -> dict:
    return {
        "event_type": "book",
        "asset_id": YES,
        "market": "0x28",
        "timestamp": "1790658674035",
        "bids": [{"price": "0.30", "size": "5"}],
        "asks": [{"price": "0.40", "size": "7.5"}],
        **changed,
    }


def decode(data: bytes | str | dict | list) -> list:
    raw = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    return FrameDecoder().decode(raw, 7)


def test_a_change_of_both_outcomes_is_one_message_a_token() -> None:
    found = decode(
        price_change(
            entry(best_bid="0.301", best_ask="0.397"),
            entry(NO, "0.699", side="SELL", hash="h2", best_bid="0.603", best_ask="0.699"),
        )
    )
    assert found == [
        VenuePriceChange(
            ts_ns=7,
            token_id=YES,
            market="0x28",
            venue_ts="1790658674035",
            hash="h1",
            changes=(("0.301", "1000", "BUY"),),
            best_bid="0.301",
            best_ask="0.397",
        ),
        VenuePriceChange(
            ts_ns=7,
            token_id=NO,
            market="0x28",
            venue_ts="1790658674035",
            hash="h2",
            changes=(("0.699", "1000", "SELL"),),
            best_bid="0.603",
            best_ask="0.699",
        ),
    ]


def test_entries_of_one_token_with_one_hash_are_one_change_and_keep_their_order() -> None:
    found = decode(
        price_change(
            entry(price="0.30", size="0"),
            entry(NO, "0.70", "0", "SELL", "h9"),
            entry(price="0.29", size="0", best_bid="0.28"),
            entry(price="0.28", hash="h2"),
            entry(price="0.27", hash="h1"),
        )
    )
    assert [(m.token_id, m.hash, [c[0] for c in m.changes], m.best_bid) for m in found] == [
        (YES, "h1", ["0.30", "0.29"], "0.28"),
        (NO, "h9", ["0.70"], None),
        (YES, "h2", ["0.28"], None),
        (YES, "h1", ["0.27"], None),
    ]


def test_a_list_frame_gives_its_books_in_order_with_the_text_unchanged() -> None:
    text = json.dumps([book(tick_size="0.01", last_trade_price="0.490", hash="ab"), book(asset_id=NO, version="v2")]) + "\n"
    first, second = decode(text)
    assert isinstance(first, VenueBook)
    assert (first.bids, first.asks) == ((("0.30", "5"),), (("0.40", "7.5"),))
    assert (first.tick_size, first.last_trade_price, first.hash, first.source) == ("0.01", "0.490", "ab", "ws")
    assert (second.token_id, second.version, second.tick_size, second.min_order_size) == (NO, "v2", None, None)


def test_the_other_events_become_their_messages() -> None:
    common = {"asset_id": YES, "market": "0x28", "timestamp": "1790658674035"}
    frames = [
        {"event_type": "last_trade_price", **common, "price": "0.48", "size": "2.083332", "side": "BUY", "fee_rate_bps": "0"},
        {"event_type": "tick_size_change", **common, "old_tick_size": "0.01", "new_tick_size": "0.001"},
        {"event_type": "best_bid_ask", **common, "best_bid": "0.4", "best_ask": "", "spread": "0.6"},
        {"event_type": "new_market", "market": "0x30", "assets_ids": ["1", "2"], "slug": "s", "timestamp": "1790658674035"},
        {"event_type": "market_resolved", "market": "0x28", "assets_ids": [YES, NO], "winning_asset_id": YES, "timestamp": "1"},
    ]
    assert [type(decode(frame)[0]) for frame in frames] == [VenueTrade, TickSizeChange, BestBidAsk, NewMarket, MarketResolved]


def test_heartbeats_and_an_empty_list_say_nothing_and_are_counted() -> None:
    decoder = FrameDecoder()
    for data in (b"PONG", b"PONG\n", b"PING", b"[]", b"[]\n"):
        assert decoder.decode(data, 1) == []
    assert decoder.counts == {"heartbeat": 3, "empty_list": 2}


def test_unknown_events_are_counted_by_name_and_their_neighbours_are_kept() -> None:
    decoder = FrameDecoder()
    found = decoder.decode(json.dumps([{"event_type": "market_paused", "x": 1}, book()]).encode(), 1)
    assert [m.key for m in found] == [YES]
    assert decoder.counts == {"unknown:market_paused": 1}


def test_the_names_of_unknown_events_do_not_grow_without_end() -> None:
    decoder = FrameDecoder()
    for number in range(200):
        decoder.decode(json.dumps({"event_type": f"event_{number}" + "x" * 1000}).encode(), 1)
    assert len(decoder.counts) <= 65
    assert sum(decoder.counts.values()) == 200
    assert max(map(len, decoder.counts)) <= 48


@pytest.mark.parametrize(
    "flat",
    [
        {"asset_id": YES, "changes": [{"price": "0.4", "side": "SELL", "size": "3"}], "hash": "h"},
        {"asset_id": YES, "price": "0.514", "side": "SELL", "size": "21574.08", "hash": "h"},
    ],
)
def test_the_flat_price_change_is_refused_by_name(flat: dict) -> None:
    with pytest.raises(BadFrame, match="flat form from before 2025-09-15"):
        decode({"event_type": "price_change", "market": "0x28", "timestamp": "1723967931411", **flat})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b'{"event_type":"book"', "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
        (b'{"a":1}', "neither event_type nor type"),
        (b'[1, {"event_type":"book"}]', "expected an object"),
        (json.dumps({**book(), "asks": None}).encode(), r"book: .*asks"),
        (json.dumps({**book(), "asset_id": 5}).encode(), r"book: .*asset_id"),
        (json.dumps({**book(), "asset_id": ""}).encode(), "asset_id is empty"),
        (json.dumps(book(bids=[{"price": "0.3", "size": "-5"}])).encode(), "size -5 is negative"),
        (json.dumps(book(bids=[{"price": "0.3", "size": 5}])).encode(), r"book: Expected `str`, got `int`.*size"),
        (json.dumps(book(bids=[{"price": "1.3", "size": "5"}])).encode(), "price 1.3 is outside 0 to 1"),
        (json.dumps(book(bids=[{"price": "1e999999", "size": "5"}])).encode(), "not a number"),
        (json.dumps(book(timestamp="yesterday")).encode(), "timestamp 'yesterday'"),
        (json.dumps(book(tick_size="0")).encode(), "tick size 0"),
        (price_change(entry(side="HOLD")), "price_change: Invalid enum value 'HOLD'"),
        (price_change(entry(price="nan")), "'nan' is not a number"),
        (price_change(entry(), entry(size="x")), "'x' is not a number"),
        (price_change(entry(best_bid="-1")), "outside 0 to 1"),
        (price_change(entry(token="")), "asset_id is empty"),
    ],
)
def test_a_malformed_frame_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadFrame, match=reason):
        decode(data)


def test_one_bad_event_refuses_the_whole_list_and_counts_nothing() -> None:
    decoder = FrameDecoder()
    with pytest.raises(BadFrame):
        decoder.decode(json.dumps([{"event_type": "odd"}, book(), book(asks=7)]).encode(), 1)
    assert decoder.counts == {}


def test_an_incomplete_new_market_is_dropped_quietly() -> None:
    decoder = FrameDecoder()
    assert decoder.decode(b'{"event_type":"new_market","question":7}', 1) == []
    assert decoder.counts == {"incomplete_new_market": 1}


def test_only_the_market_that_was_asked_for_passes() -> None:
    decoder = FrameDecoder(only_market="0x28")
    assert len(decoder.decode(json.dumps([book(), book(market="0x99")]).encode(), 1)) == 1
    assert decoder.counts == {"other_market": 1}


def test_the_body_of_books_is_joined_on_asset_id_and_may_be_partial() -> None:
    body = json.dumps([{k: v for k, v in book(asset_id=NO, neg_risk=True, min_order_size="5").items() if k != "event_type"}])
    (found,) = decode_books(body.encode(), 3, "rest")
    assert (found.token_id, found.source, found.neg_risk, found.min_order_size) == (NO, "rest", True, "5")
    assert decode_books(b"[]", 3, "rest") == []
    with pytest.raises(BadFrame):
        decode_books(b'{"error":"No orderbook exists for the requested token id"}', 3, "rest")


FRAMES = [
    price_change(entry(best_bid="0.3", best_ask="0.4"), entry(NO, "0.699", side="SELL", hash="h2")),
    json.dumps([book(tick_size="0.01", hash="x"), book(asset_id=NO)]).encode(),
    b'{"type":"snapshot","seq":1,"market":"m","bids":[[0.40,100.0]],"asks":[["0.47","1e2"]],"ts_ms":1700000000000}',
    b'{"data":{"type":"delta","seq":"3","bids":[[0.41,-10.0]]},"channel":"l2","market":"m"}',
    b'{"event_type":"new_market","market":"0x30","assets_ids":["1","2"],"line":null}',
]


@settings(max_examples=400, deadline=None)
@given(
    frame=st.sampled_from(FRAMES),
    cuts=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 12), st.binary(max_size=6)), min_size=1, max_size=4),
    generic_first=st.booleans(),
)
@example(frame=b'{"type":"delta","seq":' + b"9" * 5000 + b',"market":"m"}', cuts=[(0, 0, b"")], generic_first=True)
def test_a_mutated_frame_is_decoded_or_refused_and_nothing_else(
    frame: bytes, cuts: list[tuple[int, int, bytes]], generic_first: bool
) -> None:
    for place, length, inserted in cuts:
        frame = frame[:place] + inserted + frame[place + length :]
    decoder = FrameDecoder()
    if generic_first:
        decoder.decode(FRAMES[2], 1)
    counts = dict(decoder.counts)
    try:
        decoder.decode(frame, 1)
    except BadFrame as error:
        assert str(error)
        assert decoder.counts == counts


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["event_type", "type", "data", "bids", "asks", "seq", "market", "asset_id", "timestamp", "price_changes", "x"]
                ),
                inner | st.sampled_from(["book", "price_change", "delta", "snapshot", "new_market", "1"]),
                max_size=8,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_decoded_or_refused(tree: object) -> None:
    try:
        FrameDecoder().decode(json.dumps(tree).encode(), 1)
    except BadFrame as error:
        assert str(error)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ws_messages__book", VenueBook),
        ("ws_messages__last_trade_price", VenueTrade),
        ("ws_messages__price_change", "flat form"),
        ("ws_messages__price_change_v2", VenuePriceChange),
        ("ws_messages__tick_size_change", TickSizeChange),
        ("ws_market_best_bid_ask_msg", BestBidAsk),
        ("ws_market_book_msg", VenueBook),
        ("ws_market_last_trade_msg", VenueTrade),
        ("ws_market_new_market_msg", NewMarket),
        ("ws_market_price_change_msg", VenuePriceChange),
        ("ws_market_resolved_msg", MarketResolved),
        ("ws_market_tick_size_msg", TickSizeChange),
        ("ws_book_snapshot", "neither event_type nor type"),
        ("ws_last_trade", "neither event_type nor type"),
        ("ws_quotes", "neither event_type nor type"),
        ("ws_tick_size_change", "neither event_type nor type"),
    ],
)
def test_the_fixtures_of_another_adapter_decode_or_are_refused_by_name(shared: Path, name: str, expected: type | str) -> None:
    (file,) = (shared / "data" / "real" / "nautilus").glob(f"*/{name}.json")
    if isinstance(expected, str):
        with pytest.raises(BadFrame, match=expected):
            decode(file.read_bytes())
    else:
        assert {type(message) for message in decode(file.read_bytes())} == {expected}


def test_bodies_of_the_real_book_endpoint_decode(shared: Path) -> None:
    for file in sorted((shared / "data" / "real" / "rest" / "polyarb").glob("clob_book_*.json")):
        (found,) = decode_books(file.read_bytes(), 1, "rest")
        assert found.min_order_size == "5"
        assert found.hash


def test_deep_nesting_is_refused_also_where_a_library_has_raised_the_recursion_limit() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        for data in (b"[" * 100_000, b'{"event_type":"book","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"):
            with pytest.raises(BadFrame, match="nested too deeply"):
                decode(data)
            with pytest.raises(BadFrame, match="nested too deeply"):
                decode_books(data, 1, "rest")
    finally:
        sys.setrecursionlimit(before)
