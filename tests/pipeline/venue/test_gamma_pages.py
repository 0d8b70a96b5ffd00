"""Listings page by page, and which answers are asked for again."""

from __future__ import annotations

import json
from random import Random

import pytest

from pipeline.base.errors import BadFrame
from pipeline.venue.gamma_pages import CatalogueUnavailable, Get, Listing, Reply, RetryRules, describe, in_chunks


def page(count: int, cursor: str = "", kind: str = "markets") -> Reply:
    return Reply(200, json.dumps({kind: [{"n": i} for i in range(count)], "next_cursor": cursor or None}).encode())


def bare(*names: str) -> Reply:
    return Reply(200, json.dumps([{"name": name} for name in names]).encode())


def test_a_keyset_listing_ends_without_a_next_cursor():
    listing = Listing("markets", (("closed", "false"),))
    assert listing.next_get() == Get("/markets/keyset", (("limit", "100"), ("closed", "false")))
    assert len(listing.take(page(2, "abc"))) == 2
    assert listing.next_get() == Get("/markets/keyset", (("limit", "100"), ("closed", "false"), ("after_cursor", "abc")))
    assert len(listing.take(page(1))) == 1
    assert listing.next_get() is None


def test_a_host_without_keyset_listings_is_read_by_offset_until_a_page_is_empty():
    listing = Listing("events", page_size=50)
    assert listing.take(Reply(404)) == ()
    assert listing.next_get() == Get("/events", (("limit", "50"), ("offset", "0")))
    assert len(listing.take(bare("a", "b"))) == 2
    assert listing.next_get() == Get("/events", (("limit", "50"), ("offset", "2")))
    assert listing.take(bare()) == ()
    assert listing.next_get() is None


def test_a_host_that_ignores_the_offset_is_read_once():
    listing = Listing("markets")
    listing.take(Reply(404))
    assert len(listing.take(bare("a"))) == 1
    assert listing.take(bare("a")) == ()
    assert listing.next_get() is None


def test_a_repeated_cursor_is_refused():
    listing = Listing("markets")
    listing.take(page(1, "abc"))
    with pytest.raises(CatalogueUnavailable, match="repeats the cursor 'abc'"):
        listing.take(page(1, "abc"))


def test_an_answer_that_is_no_page_is_refused():
    with pytest.raises(BadFrame, match="not a catalogue page"):
        Listing("markets").take(Reply(200, b"<html>hello</html>"))
    with pytest.raises(CatalogueUnavailable, match="HTTP 422"):
        Listing("markets").take(Reply(422, b"{}"))


def test_waits_grow_and_end():
    rules, rng = RetryRules(attempts=4, first_wait_s=1.0, longest_wait_s=3.0), Random(1)
    waits = [rules.wait_s(Reply(503), attempt, rng) for attempt in range(1, 5)]
    assert waits[3] is None
    assert [0.5 <= waits[0] <= 1.0, 1.0 <= waits[1] <= 2.0, 1.5 <= waits[2] <= 3.0] == [True, True, True]


@pytest.mark.parametrize("status", [200, 304, 400, 404, 422])
def test_only_passing_trouble_is_asked_again(status):
    assert RetryRules().wait_s(Reply(status), 1, Random(1)) is None
    for passing in (0, 429, 500, 502, 503, 504):
        assert RetryRules().wait_s(Reply(passing), 1, Random(1)) is not None


def test_a_retry_after_is_honoured_or_ends_the_attempts():
    rules = RetryRules()
    assert rules.wait_s(Reply(429, retry_after="7"), 1, Random(1)) == 7.0
    assert rules.wait_s(Reply(429, retry_after="3600"), 1, Random(1)) is None
    assert rules.wait_s(Reply(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), 1, Random(1)) < 1.0


def test_an_answer_is_described_in_words():
    assert describe(Reply(0, error="connection refused")) == "connection refused"
    assert describe(Reply(429, retry_after="3600")) == "HTTP 429, asking to wait 3600 s"


def test_values_go_in_groups():
    assert in_chunks(["a", "b", "c"], 2) == [("a", "b"), ("c",)]
    assert in_chunks([], 2) == []
