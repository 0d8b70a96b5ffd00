"""Gamma's objects as markets: exact, aligned, or refused by name."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadFrame
from pipeline.messages.market import FeeSchedule, Outcome, Rewards
from pipeline.venue.gamma_decode import MarketRefused, decode_event, decode_market, decode_markets, decode_page

CONDITION = "0x" + "ab" * 32
YES, NO = "7" * 77, "8" * 77


def raw(**changed: Any) -> bytes:
    """A market object as Gamma writes it; None removes a field."""
    market: dict[str, Any] = {
        "id": "1",
        "slug": "rain-tomorrow",
        "question": "Rain tomorrow?",
        "conditionId": CONDITION,
        "description": "It rains or not.",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps([YES, NO]),
        "active": True,
        "closed": False,
        "archived": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "orderMinSize": 5,
        "orderPriceMinTickSize": 0.01,
        "negRisk": False,
        "feesEnabled": False,
    }
    market.update(changed)
    return json.dumps({name: value for name, value in market.items() if value is not None}).encode()


def test_outcomes_and_token_ids_are_parsed_twice_and_aligned():
    assert decode_market(raw()).outcomes == (Outcome(YES, "Yes"), Outcome(NO, "No"))


def test_arrays_that_are_real_arrays_are_taken_too():
    assert decode_market(raw(outcomes=["Up", "Down"], clobTokenIds=[YES, NO])).outcomes == (
        Outcome(YES, "Up"),
        Outcome(NO, "Down"),
    )


def test_a_market_of_the_second_generation_has_its_position_ids():
    market = decode_market(raw(version="v2", positionIds=["11", "12"], clobTokenIds="[]"))
    assert market.version == "v2"
    assert market.token_ids == ("11", "12")


def test_a_market_of_the_first_generation_keeps_its_token_ids_beside_position_ids():
    assert decode_market(raw(version="v1", positionIds=["11", "12"])).token_ids == (YES, NO)


@pytest.mark.parametrize(
    ("number", "text"), [("5", "5"), ("5.0", "5"), ("0.001", "0.001"), ("1e-2", "0.01"), ("0.1", "0.1"), ("0.0025", "0.0025")]
)
def test_sizes_and_ticks_are_the_order_books_text(number, text):
    market = decode_market(raw(orderMinSize=111, orderPriceMinTickSize=None).replace(b": 111", b": " + number.encode()))
    assert market.min_order_size == text
    assert market.tick_size is None


def test_the_tick_size_is_exact():
    assert decode_market(raw(orderPriceMinTickSize=0.001)).tick_size == "0.001"


def test_times_are_utc_nanoseconds_in_both_notations():
    market = decode_market(raw(endDate="2025-11-13T23:10:38.346766Z", gameStartTime="2026-04-05 15:10:00+00"))
    assert market.end_ns == 1_763_075_438_346_766_000
    assert market.game_start_ns == 1_775_401_800_000_000_000
    assert decode_market(raw()).end_ns == 0


def test_fees_come_from_the_schedule_and_never_from_the_legacy_numbers():
    schedule = {"exponent": 1, "rate": 0.03, "takerOnly": True, "rebateRate": 0.25}
    assert decode_market(raw(feesEnabled=True, feeSchedule=schedule, takerBaseFee=1000)).fees == FeeSchedule(
        30_000, 1, True, 250_000
    )
    assert decode_market(raw(feesEnabled=False, takerBaseFee=1000)).fees == FeeSchedule()
    assert decode_market(raw(feesEnabled=True, feeType="crypto_fees")).fees is None


def test_a_null_fee_schedule_is_none():
    assert (
        decode_market(raw(feesEnabled=False).replace(b'"feesEnabled"', b'"feeSchedule": null, "feesEnabled"')).fees
        == FeeSchedule()
    )


def test_the_reward_band_is_in_cents():
    market = decode_market(
        raw(rewardsMinSize=200, rewardsMaxSpread=4.5, clobRewards=[{"rewardsDailyRate": 1276}, {"rewardsDailyRate": 0.001}])
    )
    assert market.rewards == Rewards(min_size_e6=200_000_000, max_spread_e6=45_000, daily_rate_e6=1_276_001_000)
    assert decode_market(raw(rewardsMinSize=0, rewardsMaxSpread=0)).rewards is None


def test_the_event_gives_its_name_and_its_neg_risk():
    event = {
        "id": "9",
        "slug": "weather",
        "title": "Weather ",
        "enableNegRisk": True,
        "negRiskAugmented": True,
        "negRiskMarketID": "0x12",
    }
    market = decode_market(raw(events=[event], negRisk=None))
    assert (market.event_id, market.event_slug, market.event_title) == ("9", "weather", "Weather")
    assert (market.neg_risk, market.neg_risk_augmented, market.neg_risk_market_id) == (True, True, "0x12")
    inside, refused = decode_event(json.dumps({**event, "markets": [json.loads(raw(negRisk=None))]}).encode())
    assert (inside, refused) == ([msgspec.structs.replace(market, event_market_count=1)], [])


def test_an_event_counts_its_markets_that_may_still_resolve_yes():
    open_, lost = json.loads(raw()), json.loads(raw(closed=True, outcomePrices='["0", "1"]'))
    unsettled = json.loads(raw(closed=True, outcomePrices='["0.5", "0.5"]'))
    hidden = {"slug": "team-al", "active": False}
    event = {"id": "9", "cumulativeMarkets": True, "markets": [open_, lost, unsettled, hidden]}
    inside, refused = decode_event(json.dumps(event).encode())
    assert {market.event_market_count for market in inside} == {3}
    assert all(market.cumulative for market in inside)
    assert len(refused) == 1


def test_the_catch_all_outcome_is_marked():
    assert decode_market(raw(negRiskOther=True)).is_other
    assert not decode_market(raw()).is_other


def test_a_volume_of_sixteen_digits_is_rounded_down():
    assert decode_market(raw(volume24hr=80139.75858699992)).volume_24h_e6 == 80_139_758_586


def test_an_archived_market_is_not_active_and_missing_flags_are_false():
    assert not decode_market(raw(archived=True)).active
    bare = decode_market(raw(active=None, acceptingOrders=None, enableOrderBook=None))
    assert (bare.active, bare.accepting_orders, bare.enable_order_book) == (False, False, False)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"conditionId": None}, "conditionId None is not 0x and 64 hex digits"),
        ({"conditionId": "0x" + "ab" * 31}, "is not 0x and 64 hex digits"),
        ({"marketType": "scalar"}, "it is a scalar market"),
        ({"outcomes": '["A", "B", "C"]'}, "a binary market has two"),
        ({"outcomes": "Yes,No"}, "is not a JSON array of texts"),
        ({"clobTokenIds": "[]"}, "clobTokenIds are empty; the order book does not know it"),
        ({"clobTokenIds": '["", ""]'}, "clobTokenIds are empty; the order book does not know it"),
        ({"clobTokenIds": '["1"]'}, "clobTokenIds has 1 entries for 2 outcomes"),
        ({"clobTokenIds": '["1", "0xff"]'}, "which is not a decimal number"),
        ({"clobTokenIds": '["1", "1"]'}, "gives both outcomes the token 1"),
        ({"version": "v2"}, "positionIds are empty"),
        ({"version": "v3"}, "version 'v3' is unknown; known are v1, v2"),
        ({"endDate": "soon"}, "endDate 'soon' is not a time"),
        ({"orderMinSize": -5}, "orderMinSize -5 is negative"),
        ({"orderMinSize": 0.0000001}, "at most six decimal places"),
        ({"orderMinSize": 1e300}, "orderMinSize is 1e+300"),
        ({"orderPriceMinTickSize": 1}, "orderPriceMinTickSize 1 is not below 1"),
        ({"orderPriceMinTickSize": "sNaN"}, "market rain-tomorrow"),
        ({"secondsDelay": -1}, "secondsDelay -1 is outside"),
        ({"feesEnabled": True, "feeSchedule": {"rate": 0.05, "exponent": 0.5}}, "fee exponent 0.5 is not a whole number"),
        ({"slug": "x", "question": 5}, "$.question"),
    ],
)
def test_an_odd_market_is_refused_by_name_with_the_reason(changed, reason):
    with pytest.raises(MarketRefused) as refusal:
        decode_market(raw(**changed))
    assert reason in str(refusal.value)
    assert str(refusal.value).startswith("market x: " if "slug" in changed else "market rain-tomorrow: ")


def test_a_refused_market_leaves_the_others_of_its_page():
    markets, refused = decode_markets([raw(), raw(outcomes="[]"), raw(slug="other")])
    assert [market.slug for market in markets] == ["rain-tomorrow", "other"]
    assert len(refused) == 1


def test_the_rules_hash_changes_with_the_rules_alone():
    known = decode_market(raw()).rules_hash
    assert len(known) == 32
    assert decode_market(raw(active=False, orderMinSize=15, volume24hr=3)).rules_hash == known
    for field in ("question", "description", "resolutionSource", "groupItemTitle", "questionID"):
        assert decode_market(raw(**{field: "other"})).rules_hash != known


def test_pages_are_objects_with_a_cursor_or_bare_arrays():
    page = decode_page(b'{"markets": [{"a": 1}], "next_cursor": "abc"}')
    assert (len(page.objects), page.next_cursor) == (1, "abc")
    assert decode_page(b'{"events": [{}, {}], "next_cursor": null}').next_cursor == ""
    assert len(decode_page(b" [{}, {}, {}]").objects) == 3
    for body in (b"<html>", b"", b'{"markets": 5}', b"\xff\xfe"):
        with pytest.raises(BadFrame, match="not a catalogue page"):
            decode_page(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(sorted(json.loads(raw(version="v1", endDate="x", volume24hr=1, feeSchedule={})))), json_values
    )
)
def test_whatever_a_field_holds_the_market_is_taken_or_refused_by_name(changed):
    try:
        market = decode_market(json.dumps({**json.loads(raw()), **changed}).encode())
    except MarketRefused as refusal:
        assert str(refusal).startswith("market ")
    else:
        assert msgspec.json.decode(msgspec.json.encode(market), type=type(market)) == market


@given(st.binary(max_size=40))
def test_bytes_that_are_no_market_are_refused(data):
    with pytest.raises(MarketRefused):
        decode_market(data)


def test_the_captured_neg_risk_event_is_taken_whole(shared):
    markets, refused = decode_event((shared / "data/real/rest/polyarb/gamma_negrisk_event.json").read_bytes())
    assert (len(markets), refused) == (60, [])
    assert sum(market.closed for market in markets) == 18
    assert sum(not market.active for market in markets) == 10
    spain = markets[0]
    assert (spain.group_item_title, spain.event_slug, spain.event_title) == ("Spain", "world-cup-winner", "World Cup Winner")
    assert (spain.neg_risk, spain.neg_risk_augmented) == (True, True)
    assert (spain.tick_size, spain.min_order_size) == ("0.001", "5")
    assert spain.fees == FeeSchedule(30_000, 1, True, 250_000)
    assert spain.rewards == Rewards(200_000_000, 45_000, 1_276_000_000)
    assert spain.volume_24h_e6 == 2_543_793_941_232
    assert len({market.rules_hash for market in markets}) == 60


def test_the_captured_closed_markets_are_all_taken(shared):
    file = shared / "data/real/rest/gamma/ligengxin96_BTC-5m-markets-2026-07-24.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    markets, refused = decode_markets([json.dumps(row["raw"]).encode() for row in rows])
    assert (len(markets), refused) == (292, [])
    assert [list(market.token_ids) for market in markets] == [row["token_ids"] for row in rows]
    assert [market.market_id for market in markets] == [row["condition_id"] for row in rows]
    assert all(market.closed for market in markets)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_data/gamma_market.json", ""),
        ("test_data/gamma_market_closed_binary_accepting_false.json", ""),
        ("test_data/gamma_market_closed_binary_accepting_true.json", ""),
        ("test_data/gamma_market_closed_zero_zero_legacy.json", ""),
        ("test_data/gamma_market_closed_nonbinary_legacy.json", "it is a scalar market"),
        ("test_data/gamma_market_sports_market_map_handicap.json", ""),
        ("test_data/gamma_market_sports_market_money_line.json", ""),
        ("py_resources/http_responses__market_slug.json", "outcomes are []"),
        ("py_resources/http_responses__market.json", "conditionId None"),
    ],
)
def test_each_captured_odd_market_is_taken_or_refused_by_name(shared, name, reason):
    markets, refused = decode_markets([(shared / "data/real/nautilus" / name).read_bytes()])
    assert len(markets) == (not reason)
    assert all(reason in str(refusal) for refusal in refused)


def test_a_legacy_market_without_an_order_book_is_known_but_takes_no_orders(shared):
    file = shared / "data/real/nautilus/test_data/gamma_market_closed_zero_zero_legacy.json"
    market = decode_market(file.read_bytes())
    assert (market.tick_size, market.min_order_size, market.neg_risk, market.version) == (None, None, None, None)
    assert (market.closed, market.accepting_orders, market.enable_order_book) == (True, False, False)
