"""The offline venue is in the state it was told, for as long as it was told."""

from __future__ import annotations

import httpx
import pytest

from pipeline.base.clock import SystemClock
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.server import FakeVenueServer
from pipeline.fake_venue.venue_mode import VenueMode

S = 1_000_000_000


def test_a_state_lasts_as_long_as_told_and_one_without_a_time_until_the_next() -> None:
    mode = VenueMode()
    assert mode.state(0) == "normal"
    mode.tell("cancel_only", 10, None, 0)
    assert [mode.state(at * S) for at in (0, 9, 10)] == ["cancel_only", "cancel_only", "normal"]
    mode.tell("disabled", None, None, 0)
    assert mode.state(10**6 * S) == "disabled"
    mode.tell("normal", None, None, 0)
    assert mode.state(0) == "normal"


def test_a_restart_is_followed_by_post_only() -> None:
    mode = VenueMode()
    told = mode.tell("restarting", 3, None, 0)
    assert told == {"venue_state": "restarting", "seconds": 3, "post_only_seconds": 120}
    assert [mode.state(at * S) for at in (2, 3, 122, 123)] == ["restarting", "post_only", "post_only", "normal"]


def test_an_unknown_state_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no venue state is called sleepy; known are normal, restarting"):
        VenueMode().tell("sleepy", None, None, 0)


def test_the_server_is_told_over_http_and_says_its_state() -> None:
    clock = SystemClock()
    with FakeVenueServer(FakeExchange(ExchangePlan(), clock.now_ns()), clock).running() as server:
        assert httpx.get(f"{server.url}/admin/status").json()["venue_state"] == "normal"
        assert httpx.post(f"{server.url}/admin/venue-state/post_only?seconds=60").json()["seconds"] == 60
        assert httpx.get(f"{server.url}/admin/status").json()["venue_state"] == "post_only"
        assert httpx.post(f"{server.url}/admin/venue-state/sleepy").status_code == 400
        assert httpx.post(f"{server.url}/admin/venue-state/disabled?seconds=soon").status_code == 400
        httpx.post(f"{server.url}/admin/venue-state/link_lost?seconds=2")
        assert httpx.get(f"{server.url}/admin/status").json()["faults"] == ["reconnect-storm"]
