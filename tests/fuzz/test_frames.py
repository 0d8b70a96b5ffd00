"""Whatever a frame holds: no crash, no hang, no change of a book by what is refused, no proof of what is not the venue's."""

from __future__ import annotations

import json
from random import Random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = st.sampled_from(
    ["price_change", "book", "last_trade_price", "tick_size_change", "best_bid_ask", "market_resolved", "new_market"]
)
ODD = ("", "0", "1", "0.5", "1.7", "-0.1", "NaN", "Infinity", "1e400", "1e-9", "0x1", "\u0660.\u0665", " 0.5", "long")
NUMBERS = st.one_of(
    st.integers(0, 999).map(lambda thousandths: f"0.{thousandths:03d}"),
    st.sampled_from(ODD).map(lambda text: "0." + "1" * 3_000 if text == "long" else text),
)
JSON = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([[], {}, [[]], [{}], {"price": None}]),
)
LEVEL = st.fixed_dictionaries({"price": NUMBERS | JSON, "size": NUMBERS | JSON})


def events(tokens: list[str]) -> st.SearchStrategy[Any]:
    """Events with the venue's names and fields, and any values in them."""
    token = st.sampled_from([*tokens, "", "12"])
    entry = st.fixed_dictionaries(
        {"asset_id": token, "price": NUMBERS, "size": NUMBERS, "side": st.sampled_from(["BUY", "SELL", "buy", ""])},
        optional={"hash": st.text(max_size=4), "best_bid": NUMBERS | JSON, "best_ask": NUMBERS | JSON},
    )
    fields = {
        "asset_id": token | JSON,
        "assets_ids": st.lists(token, max_size=3) | JSON,
        "winning_asset_id": token | JSON,
        "price_changes": st.lists(entry, max_size=4) | JSON,
        "bids": st.lists(LEVEL, max_size=3) | JSON,
        "asks": st.lists(LEVEL, max_size=3) | JSON,
        "timestamp": st.integers(0, 2**70).map(str) | JSON,
        "hash": st.text(max_size=4) | JSON,
        "price": NUMBERS,
        "size": NUMBERS,
        "side": st.sampled_from(["BUY", "SELL"]) | JSON,
        "new_tick_size": NUMBERS | JSON,
        "tick_size": NUMBERS | JSON,
        "last_trade_price": NUMBERS | JSON,
        "version": JSON,
    }
    return st.fixed_dictionaries({"event_type": NAMES | JSON, "market": st.text(max_size=4) | JSON}, optional=fields)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_events_with_any_values_harm_no_book(frame_fuzz: ModuleType, data: st.DataObject) -> None:
    target = frame_fuzz.Target()
    target.follow(3)
    for event in data.draw(st.lists(events(list(target.true)) | JSON, max_size=4)):
        target.feed(json.dumps(event).encode())
        target.follow()
    _is_right_again(target)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_mutated_frames_of_the_venue_harm_no_book(frame_fuzz: ModuleType, data: st.DataObject, seed: int) -> None:
    target = frame_fuzz.Target(seed % 7)
    mutator = frame_fuzz.Mutator(Random(seed), list(target.true))
    recent = [target.exchange.list_frame(list(target.true)).encode(), *target.follow(6)]
    for _ in range(data.draw(st.integers(1, 6))):
        target.feed(mutator.mutate(data.draw(st.sampled_from(recent))))
        recent += target.follow()
    _is_right_again(target)


def _is_right_again(target: Any) -> None:
    """A fresh connection makes every open book the venue's, whatever came before."""
    target.follow(2)
    target.open()
    for token_id, true in target.true.items():
        book = target.builder.shelf.hashed[token_id].book
        assert book.bids.fragments() == true.bids
        assert book.asks.fragments()[::-1] == true.asks


@pytest.mark.parametrize("seed", [1, 2])
def test_thousands_of_mutated_frames_at_random(frame_fuzz: ModuleType, seed: int) -> None:
    outcome = frame_fuzz.fuzz(3_000, seed)
    assert outcome.counts["refused"] > 1_000 and outcome.counts["taken"] > 500 and outcome.counts["proved"] > 100


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_a_million_mutated_frames_do_not_make_memory_grow(frame_fuzz: ModuleType) -> None:
    outcome = frame_fuzz.fuzz(1_000_000, 1, lambda told: print(told))
    assert outcome.resident_mb[-1] - outcome.resident_mb[6] < 5  # until then the caches of number texts fill up
    assert outcome.counts["books"] == 4 and outcome.counts["markets"] == 2
