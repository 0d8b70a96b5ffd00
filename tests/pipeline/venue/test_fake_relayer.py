"""The fake relayer does the same every time: fills its part, keeps or drops the rest by order type."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.orders import Decision, PlaceOrder
from pipeline.venue.fake_relayer import FakeRelayer


def order(**changes: object) -> PlaceOrder:
    values: dict[str, object] = {
        "ts_ns": 1,
        "client_order_id": "a",
        "token_id": "yes",
        "market": "m",
        "side": "BUY",
        "price_e6": 400_000,
        "size_e6": 10_000_000,
        "order_type": "GTC",
        "post_only": False,
        "expires_ns": 2,
        "decision": Decision(plan_id="p", strategy="s", reason=""),
    }
    return PlaceOrder(**{**values, **changes})  # type: ignore[arg-type]


def said(events: object) -> list[tuple[str, int]]:
    return [(event.kind, event.size_e6) for event in events if isinstance(event, RelayerEvent)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("price_e6", [-1, 0, 1_000_000, 1_000_001])
def test_a_price_outside_zero_to_one_is_rejected(price_e6: int) -> None:
    assert said(FakeRelayer("1").submit(order(price_e6=price_e6), 5)) == [("rejected", 0)]


@pytest.mark.parametrize("size_e6", [-1, 0])
def test_a_size_that_is_not_positive_is_rejected(size_e6: int) -> None:
    assert said(FakeRelayer("1").submit(order(size_e6=size_e6), 5)) == [("rejected", 0)]


def test_what_is_not_filled_of_a_gtc_order_rests_until_it_is_cancelled() -> None:
    relayer = FakeRelayer("0.25")
    assert said(relayer.submit(order(), 5)) == [("accepted", 0), ("filled", 2_500_000)]
    assert said(relayer.cancel("a", 6)) == [("cancelled", 0)]
    assert said(relayer.cancel("a", 7)) == [("cancel_refused", 0)]


def test_the_fill_is_floored_to_a_millionth_of_a_share() -> None:
    assert said(FakeRelayer("0.5").submit(order(size_e6=3), 5)) == [("accepted", 0), ("filled", 1)]
    assert said(FakeRelayer("0.1").submit(order(size_e6=9), 5)) == [("accepted", 0)]


def test_a_filled_order_cannot_be_cancelled() -> None:
    relayer = FakeRelayer(1)
    assert said(relayer.submit(order(), 5)) == [("accepted", 0), ("filled", 10_000_000)]
    assert said(relayer.cancel("a", 6)) == [("cancel_refused", 0)]


def test_fok_fills_whole_or_is_rejected_and_fak_drops_the_rest() -> None:
    assert said(FakeRelayer("0.5").submit(order(order_type="FOK"), 5)) == [("rejected", 0)]
    assert said(FakeRelayer("1").submit(order(order_type="FOK"), 5)) == [("accepted", 0), ("filled", 10_000_000)]
    dropped = said(FakeRelayer("0.5").submit(order(order_type="FAK"), 5))
    assert dropped == [("accepted", 0), ("filled", 5_000_000), ("cancelled", 0)]


def test_cancel_all_cancels_what_rests_oldest_first() -> None:
    relayer = FakeRelayer("0")
    for name in ("b", "a"):
        relayer.submit(order(client_order_id=name), 5)
    assert [event.client_order_id for event in relayer.cancel_all(6)] == ["b", "a"]
    assert not list(relayer.cancel_all(7))


@pytest.mark.parametrize("ratio", ["-0.1", "1.1", "NaN", "much", "Infinity"])
def test_a_ratio_outside_zero_to_one_is_refused_in_one_line(ratio: str) -> None:
    with pytest.raises(BadInput, match=r"fill_ratio .*; give"):
        FakeRelayer(ratio)


@given(st.decimals(0, 1, places=4), st.integers(1, 10**12), st.sampled_from(["GTC", "FAK", "FOK"]))
def test_two_relayers_say_the_same_and_never_fill_more_than_the_ratio(ratio: Decimal, size: int, kind: str) -> None:
    first = list(FakeRelayer(ratio).submit(order(size_e6=size, order_type=kind), 5))
    assert first == list(FakeRelayer(str(ratio)).submit(order(size_e6=size, order_type=kind), 5))
    filled = sum(event.size_e6 for event in first)
    assert filled <= size * ratio
    assert kind != "FOK" or filled in (0, size)
