"""The catalogue: the live service's shapes and traps, and paging that reaches everything once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fake_venue import gamma
from pipeline.fake_venue.catalogue import all_markets, build_events
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.gamma import BadQuery, Listing
from pipeline.messages.market import BookSnapshot, Level, MarketUniverse
from pipeline.messages.orders import Decision, PlaceOrder
from pipeline.trading.policy import allowed_states
from pipeline.venue.gamma_decode import decode_event
from pipeline.venue.paper_latency import ConstantLatency
from pipeline.venue.paper_relayer import PaperRelayer

START_NS = 1_780_000_000_000_000_000


def listings_of(binary: int = 4, event: int = 4) -> list[Listing]:
    return FakeExchange(ExchangePlan(binary_markets=binary, event_markets=event), START_NS).listings()


MANY = listings_of(230, 12)


@given(limit=st.integers(1, 100))
def test_paging_by_cursor_walks_all_markets_once(limit: int) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        items, cursor = gamma.page_of_markets(MANY, {"limit": [str(limit)], "after_cursor": [cursor]})
        assert len(items) <= limit
        seen.extend(item["id"] for item in items)
        if not cursor:
            break
    assert seen == [listing.id for listing in MANY]


@pytest.mark.parametrize("query", [{"limit": ["101"]}, {"limit": ["0"]}, {"limit": ["x"]}, {"after_cursor": ["???"]}])
def test_a_bad_limit_or_cursor_is_refused(query: dict[str, list[str]]) -> None:
    with pytest.raises(BadQuery):
        gamma.page_of_markets(MANY, query)


def test_arrays_inside_texts_and_numbers_as_numbers() -> None:
    body = json.loads(gamma.encode(gamma.market_body(listings_of()[0])))
    assert isinstance(body["clobTokenIds"], str) and len(json.loads(body["clobTokenIds"])) == 2
    assert json.loads(body["outcomes"]) == ["Gulls", "Herons"]
    assert len(json.loads(body["outcomePrices"])) == 2
    assert body["orderMinSize"] == 5 and body["orderPriceMinTickSize"] == 0.01
    assert body["feesEnabled"] is True and body["feeSchedule"] == {
        "exponent": 1,
        "rate": 0.05,
        "takerOnly": True,
        "rebateRate": 0.15,
    }
    assert body["rewardsMaxSpread"] == 4.5
    assert body["events"][0]["slug"] == "gulls-beat-herons"


def test_every_field_has_the_type_of_the_live_service(shared: Path) -> None:
    real = json.loads((shared / "data/real/rest/polyarb/gamma_feed_market.json").read_text())
    made = json.loads(gamma.encode(gamma.market_body(listings_of()[1])))
    number = (int, float)
    for key, value in made.items():
        if key in real and real[key] is not None and value is not None:
            assert isinstance(value, type(real[key])) or (isinstance(value, number) and isinstance(real[key], number)), key


def test_the_neg_risk_event_nests_its_markets() -> None:
    event = gamma.event_body(gamma.events_of(listings_of())[-1])
    assert event["negRisk"] is True and len(event["markets"]) == 4
    assert {market["negRiskMarketID"] for market in event["markets"]} == {event["negRiskMarketID"]}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"slug": ["gulls-beat-herons"]}, ["900001"]),
        ({"id": ["900001,900003"]}, ["900001", "900003"]),
        ({"id": ["900001", "900002"]}, ["900001", "900002"]),
        ({"closed": ["true"]}, []),
        ({"tag_slug": ["crypto"]}, ["900002"]),
        ({"volume_num_min": ["1"]}, []),
    ],
)
def test_filters(query: dict[str, list[str]], wanted: list[str]) -> None:
    assert [item["id"] for item in gamma.page_of_markets(listings_of(), query).items] == wanted


def test_ids_are_the_same_in_every_run_and_never_shared() -> None:
    specs = all_markets(build_events(40, 10))
    assert specs == all_markets(build_events(40, 10))
    assert len({spec.condition_id for spec in specs}) == len({spec.id for spec in specs}) == 50
    assert len({token for spec in specs for token in spec.token_ids}) == 100


def test_decoys_say_what_makes_them_false():
    plain = FakeExchange(ExchangePlan(), START_NS).listings()
    listings = FakeExchange(ExchangePlan(decoys=True), START_NS).listings()
    assert [listing.market for listing in listings[: len(plain)]] == [listing.market for listing in plain]
    events = {group[0].market.event_slug: group for group in gamma.events_of(listings)}
    bodies = {slug: gamma.event_body(group) for slug, group in events.items()}
    decoded = {slug: decode_event(gamma.encode(body)) for slug, body in bodies.items()}
    assert not any(refused for _, refused in decoded.values())
    told = {slug: markets for slug, (markets, _) in decoded.items()}
    assert all(market.neg_risk_augmented for market in told["who-hosts-the-games"])
    assert [market.is_other for market in told["who-hosts-the-games"]] == [False, False, True]
    assert [market.active for market in told["who-wins-the-prize"]] == [True, True, False]
    assert {market.event_market_count for market in told["who-wins-the-prize"]} == {3}
    assert all(market.cumulative and not market.neg_risk for market in told["bridge-opens-by"])
    assert {market.min_order_size for market in told["which-ship-is-first"]} == {"500000"}
    assert {market.event_market_count for market in told["who-wins-the-mayoral-race"]} == {4}


def test_a_sports_market_says_its_delay_and_a_crypto_market_its_kind() -> None:
    events = {group[0].market.event_slug: group for group in gamma.events_of(listings_of())}
    found = {slug: decode_event(gamma.encode(gamma.event_body(group)))[0] for slug, group in events.items()}
    sports, crypto = found["gulls-beat-herons"][0], found["coin-above-60k-on-friday"][0]
    assert (sports.seconds_delay, sports.taker_delay) == (3, False)
    assert (crypto.seconds_delay, crypto.taker_delay) == (0, True)
    others = [market for slug, markets in found.items() for market in markets if market not in (sports, crypto)]
    assert not any(market.seconds_delay or market.taker_delay for market in others)
    for listing in listings_of():
        again = gamma.event_body([Listing(listing.market, listing.id)])
        (market,), _ = decode_event(gamma.encode(again))
        assert market.taker_delay == listing.market.taker_delay, "a recorded market keeps its delay"


@pytest.mark.parametrize(("slug", "held_ns"), [("gulls-beat-herons", 3_000_000_000), ("coin-above-60k-on-friday", 50_000_000)])
def test_a_taker_on_paper_is_held_in_the_listed_sports_and_crypto_markets(slug: str, held_ns: int) -> None:
    (listing,) = (each for each in listings_of() if each.market.slug == slug)
    (market,), _ = decode_event(gamma.encode(gamma.event_body([listing])))
    token_id = market.token_ids[0]
    paper = PaperRelayer("pessimistic", ConstantLatency(0), allowed_states("paper"), 50_000_000)
    paper.on_universe(MarketUniverse(ts_ns=0, markets=(market,)), 0)
    book = BookSnapshot(
        ts_ns=0,
        token_id=token_id,
        market=market.market_id,
        tick_size_e6=10_000,
        bids=(Level(400_000, 50_000_000),),
        asks=(Level(450_000, 50_000_000),),
        seq=1,
        venue_ns=0,
        state="VERIFIED",
        basis="hash",
        full_depth=True,
    )
    paper.on_book(book, 0)
    order = PlaceOrder(
        ts_ns=0,
        client_order_id="a",
        token_id=token_id,
        market=market.market_id,
        side="BUY",
        price_e6=450_000,
        size_e6=20_000_000,
        order_type="GTC",
        post_only=False,
        expires_ns=1,
        decision=Decision("p", "s", "r"),
    )
    assert [event.kind for event in paper.submit(order, 0)] == ["delayed"]
    assert paper.next_timer_ns() == held_ns
    assert [event.kind for event in paper.tick(held_ns)] == ["accepted", "filled"]
