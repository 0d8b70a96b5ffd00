"""Beside an offline venue that was told to misbehave, the executor learns it from refusals, says so, and comes back by itself."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pipeline.messages import Message
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.orders import Decision, PlaceOrder, VenueState
from pipeline.venue.fake_relayer import FakeRelayer
from pipeline.venue.scripted import ScriptedRelayer


def order(post_only: bool, name: str = "x-s-1") -> PlaceOrder:
    return PlaceOrder(
        ts_ns=1,
        client_order_id=name,
        token_id="yes",
        market="m",
        side="BUY",
        price_e6=410_000,
        size_e6=10_000_000,
        order_type="GTC",
        post_only=post_only,
        expires_ns=2,
        decision=Decision(plan_id="p", strategy="s", reason=""),
    )


def told(events: Iterable[Message]) -> list[tuple[str, str]]:
    return [(event.kind, event.code) for event in events if isinstance(event, RelayerEvent)]


@pytest.mark.parametrize(
    ("state", "rests", "takes", "cancels"),
    [
        ("normal", ("accepted", ""), ("accepted", ""), ("cancelled", "")),
        ("restarting", ("rejected", "restarting"), ("rejected", "restarting"), ("cancel_refused", "restarting")),
        ("post_only", ("accepted", ""), ("rejected", "post_only"), ("cancelled", "")),
        ("cancel_only", ("rejected", "cancel_only"), ("rejected", "cancel_only"), ("cancelled", "")),
        ("disabled", ("rejected", "disabled"), ("rejected", "disabled"), ("cancel_refused", "disabled")),
        ("link_lost", ("accepted", ""), ("accepted", ""), ("cancelled", "")),
    ],
)
def test_each_state_refuses_what_the_venue_refuses_in_it(
    state: VenueState, rests: tuple[str, str], takes: tuple[str, str], cancels: tuple[str, str]
) -> None:
    relayer = ScriptedRelayer(FakeRelayer("0"))
    list(relayer.submit(order(True, "resting"), 1))
    assert not list(relayer.on_venue_state(state, 1))
    assert told(relayer.submit_many([order(True)], 1)) == [rests]
    assert told(relayer.submit_many([order(False)], 1)) == [takes]
    assert told(relayer.cancel("resting", 1)) == [cancels]


def test_the_refusal_has_the_venues_words_and_its_wait() -> None:
    (refused,) = ScriptedRelayer(FakeRelayer("0"), "post_only").submit(order(False), 1)
    assert (refused.reason, refused.retry_after_ms) == ("only post-only orders are accepted", 5_000)


def test_everything_else_goes_through() -> None:
    relayer = ScriptedRelayer(FakeRelayer("0"), "disabled")
    assert relayer.forgets
    assert relayer.next_timer_ns() is None
    assert not list(relayer.cancel_all(1)) and not list(relayer.close(1)) and not list(relayer.tick(1))


def test_while_nothing_can_be_cancelled_each_open_order_is_refused_its_cancel() -> None:
    relayer = ScriptedRelayer(FakeRelayer("0"))
    for name in ("a", "b"):
        list(relayer.submit(order(True, name), 1))
    list(relayer.cancel("a", 1))
    list(relayer.on_venue_state("restarting", 1))
    assert [(event.client_order_id, event.kind) for event in relayer.cancel_all(1)] == [("b", "cancel_refused")]
    list(relayer.on_venue_state("normal", 1))
    assert [event.client_order_id for event in relayer.cancel_all(1)] == ["b"]
