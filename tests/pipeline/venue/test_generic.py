import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadFrame
from pipeline.messages.market import BookDelta, VenueBook
from pipeline.venue.decode import FrameDecoder, decode_books
from pipeline.venue.generic import GenericRules

RULES = GenericRules("mkt-1")


def decode(data: object, rules: GenericRules = RULES) -> list:
    text = data if isinstance(data, str) else json.dumps(data)
    return FrameDecoder(rules).decode(text.encode(), 9)


def test_the_three_lines_of_the_protocol() -> None:
    decoder = FrameDecoder(RULES)
    lines = (
        b'{"type":"snapshot","seq":1,"bids":[[0.40,100.0]],"asks":[[0.47,100.0]]}\n',
        b'{"type":"delta","seq":2}\n',
        b'{"type":"delta","seq":3,"bids":[[0.41,10.0]]}\n',
    )
    assert [message for line in lines for message in decoder.decode(line, 9)] == [
        VenueBook(
            ts_ns=9,
            token_id="mkt-1/yes",
            market="mkt-1",
            bids=(("0.40", "100.0"),),
            asks=(("0.47", "100.0"),),
            source="ws",
            seq=1,
        ),
        BookDelta(ts_ns=9, token_id="mkt-1/yes", market="mkt-1", seq=2),
        BookDelta(ts_ns=9, token_id="mkt-1/yes", market="mkt-1", seq=3, bids=(("0.41", "10.0"),)),
    ]


def test_numbers_keep_the_text_they_were_written_in() -> None:
    text = '{"type":"delta","seq":3,"bids":[[0.1,0.3],["0.20",-7],[2e-1,"1.500000"],[0.3,0]]}'
    assert decode(text)[0].bids == (("0.1", "0.3"), ("0.20", "-7"), ("2e-1", "1.500000"), ("0.3", "0"))


def test_event_time_is_ts_ms_and_else_the_time_of_receipt() -> None:
    assert decode({"type": "delta", "seq": 1, "ts_ms": 1_700_000_000_123})[0].ts_ns == 1_700_000_000_123_000_000
    assert decode({"type": "delta", "seq": 1, "ts_ms": "1700000000123"})[0].ts_ns == 1_700_000_000_123_000_000
    assert decode({"type": "delta", "seq": 1})[0].ts_ns == 9


def test_numeric_strings_are_numbers_everywhere() -> None:
    (found,) = decode({"type": "l2_snapshot", "seq": "12", "bids": [["0.4", "1"]], "asks": []})
    assert (found.seq, found.bids, found.asks) == (12, (("0.4", "1"),), ())
    assert decode('{"type":"delta","seq":12.0}')[0].seq == 12


def test_a_wrapped_object_is_unwrapped_and_the_outside_fills_what_it_leaves_out() -> None:
    (found,) = decode({"market": "mkt-1", "channel": "l2", "data": {"type": "l2_update", "seq": 4, "asks": [[0.5, 1]]}})
    assert found == BookDelta(ts_ns=9, token_id="mkt-1/yes", market="mkt-1", seq=4, asks=(("0.5", "1"),))


def test_other_markets_channels_and_types_are_skipped_and_counted() -> None:
    decoder = FrameDecoder(RULES)
    for line in (
        {"type": "delta", "seq": 1, "market": "mkt-2"},
        {"type": "delta", "seq": 1, "channel": "trades"},
        {"type": "heartbeat"},
        {"type": "delta", "seq": 1, "channel": "l2", "market": "mkt-1"},
        {"type": "delta", "seq": 2, "market": "mkt-2"},
    ):
        decoder.decode(json.dumps(line).encode(), 1)
    assert decoder.counts == {"other_market": 2, "other_channel": 1, "unknown:heartbeat": 1}


def test_the_outcome_is_the_lines_own_or_the_callers() -> None:
    assert decode({"type": "delta", "seq": 1, "outcome_id": "no"})[0].token_id == "mkt-1/no"
    assert decode({"type": "delta", "seq": 1}, GenericRules("mkt-1", "up"))[0].token_id == "mkt-1/up"


def test_without_a_market_given_each_line_must_name_its_own() -> None:
    assert decode({"type": "delta", "seq": 1, "market": "a"}, GenericRules())[0].market == "a"
    with pytest.raises(BadFrame, match="market"):
        decode({"type": "delta", "seq": 1}, GenericRules())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"type": "delta"}, "seq: missing"),
        ({"type": "delta", "seq": True}, "seq"),
        ({"type": "delta", "seq": 1.5}, "seq"),
        ({"type": "delta", "seq": -1}, "seq"),
        ({"type": "delta", "seq": 2**80}, "seq"),
        ({"type": "delta", "seq": 1, "ts_ms": 2**60}, "ts_ms"),
        ({"type": "delta", "seq": 1, "bids": [[0.4]]}, "bids"),
        ({"type": "delta", "seq": 1, "bids": {"0.4": 1}}, "bids"),
        ({"type": "delta", "seq": 1, "bids": [[0.4, None]]}, "bids"),
        ({"type": "delta", "seq": 1, "bids": [[True, 1]]}, "bids"),
        ({"type": "delta", "seq": 1, "bids": [["x", 1]]}, "'x' is not a number"),
        ({"type": "delta", "seq": 1, "asks": [[0.1234567, 1]]}, "at most six decimal places"),
        ({"type": "snapshot", "seq": 1, "bids": [[0.4, -1]], "asks": []}, "size -1 of a snapshot is negative"),
        ({"type": "snapshot", "seq": 1, "bids": [[0.4, "-0.5"]], "asks": []}, "size -0.5 of a snapshot is negative"),
        ({"type": "snapshot", "seq": 1}, "neither bids nor asks"),
        ({"data": [1]}, "data: expected an object"),
    ],
)
def test_a_wrong_line_is_refused_with_its_reason(line: dict, reason: str) -> None:
    with pytest.raises(BadFrame, match=reason):
        decode(line)


NUMBERS = (
    st.sampled_from(["1", "-2.50", "1e3", "x", "0.1234567"])
    | st.integers(-5, 5)
    | st.just(2**70)
    | st.floats(0, 1)
    | st.booleans()
)
LEVELS = st.none() | st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3) | st.just([[1]])
FRAMES = st.fixed_dictionaries(
    {"type": st.sampled_from(["delta", "l2_update", "snapshot", "ping", 7])},
    optional={
        "seq": st.integers(-1, 3) | st.sampled_from(["4", None, 2**63]),
        "ts_ms": st.integers(-1, 3) | st.sampled_from(["4", None, 2**62]),
        "bids": LEVELS,
        "asks": LEVELS,
        "market": st.sampled_from(["mkt-1", "mkt-2", "", None, 7]),
        "outcome_id": st.sampled_from(["no", "", None]),
        "channel": st.sampled_from(["l2", "trades", None]),
        "checksum": st.sampled_from([1, "a", None]),
        "data": st.sampled_from([None, {"seq": 9}]),
        "event_type": st.sampled_from([None, "book"]),
        "more": st.just([]),
    },
)


@given(FRAMES, st.sampled_from([RULES, GenericRules(), GenericRules("mkt-2", "up")]))
def test_a_frame_means_the_same_behind_another_generic_one_as_at_the_beginning(frame: dict, rules: GenericRules) -> None:
    first, later = FrameDecoder(rules), FrameDecoder(rules)
    later.decode(b'{"type":"delta","seq":0,"market":"mkt-1"}', 9)
    later.counts.clear()
    told = []
    for decoder in (first, later):
        try:
            told.append((decoder.decode(json.dumps(frame).encode(), 9), decoder.counts))
        except BadFrame:
            told.append("refused")
    assert told[0] == told[1]


def test_a_decoder_reads_both_protocols_in_any_order() -> None:
    decoder = FrameDecoder(RULES)
    venue = b'{"event_type":"book","type":"x","asset_id":"1","market":"0x1","bids":[],"asks":[]}'
    generic = b'{"type":"delta","seq":1}'
    kinds = [type(decoder.decode(data, 1)[0]) for data in (venue, generic, generic, venue, generic)]
    assert kinds == [VenueBook, BookDelta, BookDelta, VenueBook, BookDelta]


def test_a_providers_snapshot_needs_no_type() -> None:
    (found,) = decode_books(b'{"seq":5,"bids":[[0.4,1]],"asks":[],"checksum":"c1"}', 3, "fake", RULES)
    assert (found.token_id, found.seq, found.source, found.hash) == ("mkt-1/yes", 5, "fake", "c1")
