"""The invented market: reproducible, hash-correct in every frame, mirrored, and as busy as the live one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.units import NS_PER_MS, NS_PER_S, ONE_E6, parse_e6
from pipeline.fake_venue import inject, wire
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.wire import Frame

START_NS = 1_780_000_000 * NS_PER_S


def frames_of(seconds: int, **plan: Any) -> tuple[FakeExchange, list[Frame]]:
    exchange = FakeExchange(ExchangePlan(**plan), START_NS)
    return exchange, exchange.advance(START_NS + seconds * NS_PER_S)


def test_same_seed_gives_the_same_bytes() -> None:
    assert frames_of(10, seed=3)[1] == frames_of(10, seed=3)[1]


def test_another_seed_gives_other_frames() -> None:
    assert frames_of(2, seed=3)[1] != frames_of(2, seed=4)[1]


def test_frames_do_not_depend_on_how_often_they_are_asked_for() -> None:
    whole = frames_of(5, seed=5)[1]
    exchange, pieces = FakeExchange(ExchangePlan(seed=5), START_NS), []
    for ms in range(0, 5_001, 7):
        pieces.extend(exchange.advance(START_NS + min(ms, 5_000) * NS_PER_MS, at_most=3))
    while more := exchange.advance(START_NS + 5 * NS_PER_S, at_most=3):
        pieces.extend(more)
    assert pieces == whole


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_hash_recomputes_from_the_frames_alone(seed: int, readers_of: Any) -> None:
    exchange = FakeExchange(ExchangePlan(seed=seed), START_NS)
    readers = readers_of.of(exchange)
    readers.check(exchange.advance(START_NS + 8 * NS_PER_S))
    assert (readers.missed, readers.matched > 500) == (0, True)


def test_hashes_hold_through_crossing_bursts_and_tick_changes(readers_of: Any) -> None:
    exchange = FakeExchange(ExchangePlan(seed=2, rate_per_s=400), START_NS)
    readers = readers_of.of(exchange)
    readers.check(exchange.advance(START_NS + 20 * NS_PER_S))
    for name in ("crossing-burst", "tick-change", "mass-cancel-batch", "tick-change"):
        readers.check(inject.frames_of(name, exchange, None, 1)[0])
        readers.check(exchange.advance(exchange.now_ns + NS_PER_S))
    assert readers.missed == 0
    assert readers.crossings > 0


def test_every_change_is_told_for_both_tokens_as_mirror_images() -> None:
    for frame in frames_of(5)[1]:
        if frame.kind != wire.PRICE_CHANGE:
            continue
        one, other = json.loads(frame.text)["price_changes"]
        assert parse_e6(one["price"]) + parse_e6(other["price"]) == ONE_E6
        assert one["size"] == other["size"]
        assert {one["side"], other["side"]} == {"BUY", "SELL"}
        assert parse_e6(one["best_bid"]) + parse_e6(other["best_ask"]) == ONE_E6


def test_either_token_comes_first() -> None:
    exchange, frames = frames_of(5)
    yes = {market.spec.token_ids[0] for market in exchange.markets}
    first = Counter(json.loads(f.text)["price_changes"][0]["asset_id"] in yes for f in frames if f.kind == wire.PRICE_CHANGE)
    assert min(first.values()) > 0.4 * sum(first.values())


def test_one_batch_of_many_frames_has_one_timestamp_and_one_hash() -> None:
    frames = [json.loads(frame.text) for frame in frames_of(60)[1] if frame.kind == wire.PRICE_CHANGE]
    batches = Counter((body["market"], body["timestamp"], min(e["hash"] for e in body["price_changes"])) for body in frames)
    assert max(batches.values()) >= 6


def test_books_are_never_crossed_or_locked_between_batches() -> None:
    exchange = FakeExchange(ExchangePlan(seed=9), START_NS)
    for second in range(1, 30):
        exchange.advance(START_NS + second * NS_PER_S)
        for market in exchange.markets:
            bid, ask = market.best_e6
            assert bid is None or ask is None or bid < ask


def test_rates_are_near_those_of_the_live_channel() -> None:
    _, frames = frames_of(300, seed=1)
    changes = [frame for frame in frames if frame.kind == wire.PRICE_CHANGE]
    assert 120 < len(changes) / 300 < 180
    assert 0.4 < sum(frame.kind == wire.LAST_TRADE for frame in frames) / 300 < 1.2
    seconds = sorted(Counter(frame.ts_ns // NS_PER_S for frame in changes).values())
    assert 2.5 < seconds[int(len(seconds) * 0.99)] / (len(changes) / 300) < 8
    groups = Counter((frame.token_ids, frame.ts_ns // NS_PER_MS) for frame in changes)
    assert 0.08 < sum(size > 1 for size in groups.values()) / len(groups) < 0.18
    assert 560 < sum(len(frame.text) for frame in changes) / len(changes) < 660


def test_a_trade_is_told_34_to_88_ms_after_the_books_it_changed() -> None:
    frames = frames_of(60)[1]
    books: dict[str, list[int]] = {}
    for frame in frames:
        body = json.loads(frame.text)
        if frame.kind == wire.BOOK:
            books.setdefault(body["market"], []).append(int(body["timestamp"]))
        elif frame.kind == wire.LAST_TRADE:
            assert any(34 <= int(body["timestamp"]) - told <= 88 for told in books[body["market"]])


def test_yes_prices_of_the_event_sum_near_one_with_passing_errors() -> None:
    exchange = FakeExchange(ExchangePlan(seed=1), START_NS)
    event = [market for market in exchange.markets if market.spec.neg_risk]
    sums = []
    for second in range(1, 200):
        exchange.advance(START_NS + second * NS_PER_S)
        sums.append((sum(m.best_e6[0] or 0 for m in event), sum(m.best_e6[1] or ONE_E6 for m in event)))
    usual = sum(bids <= ONE_E6 <= asks for bids, asks in sums)
    assert usual > len(sums) // 2
    assert any(asks < ONE_E6 - 25_000 or bids > ONE_E6 + 25_000 for bids, asks in sums)


def test_a_market_resolves_when_the_plan_says_so() -> None:
    exchange, frames = frames_of(4, resolve_after_s=2)
    at = next(i for i, frame in enumerate(frames) if frame.kind == wire.RESOLVED)
    body = json.loads(frames[at].text)
    assert body["winning_asset_id"] in body["assets_ids"]
    assert not any(set(frame.token_ids) & set(body["assets_ids"]) for frame in frames[at + 1 :] if frame.kind != wire.LAST_TRADE)
    assert exchange.is_settled(body["winning_asset_id"])
    assert exchange.rest_book(body["winning_asset_id"]) is None


@pytest.mark.parametrize("tokens", [1, 2, 16])
def test_the_list_frame_has_no_spaces_and_ends_in_a_newline(tokens: int) -> None:
    exchange = FakeExchange(ExchangePlan(), START_NS)
    ids = [token for market in exchange.markets for token in market.spec.token_ids][:tokens]
    text = exchange.list_frame(ids)
    assert text.endswith("}]\n") and ", " not in text
    assert [body["asset_id"] for body in json.loads(text)] == ids


def test_other_frames_are_spaced_as_the_venue_spaces_them(shared: Path) -> None:
    lines = (shared / "data/real/ws/adriancova_market_frames_h1_run8.jsonl").read_text().splitlines()
    real = [json.loads(json.loads(line)["payloadUtf8"]) for line in lines if "event_type" in line]
    ours = [json.loads(frame.text) for frame in frames_of(20)[1]]
    for kind in (wire.PRICE_CHANGE, wire.BOOK, wire.LAST_TRADE):
        taken = next(body for body in real if isinstance(body, dict) and body["event_type"] == kind)
        made = next(body for body in ours if body["event_type"] == kind)
        assert list(taken) == list(made)
        assert ", " in next(frame.text for frame in frames_of(20)[1] if frame.kind == kind)
