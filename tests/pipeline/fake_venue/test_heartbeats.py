"""The dead man's switch: opt-in, chained by ids, and merciless."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.fake_venue.accounts import Refused
from pipeline.fake_venue.desk import Desk


def test_orders_of_those_who_send_none_live_on(desk: Desk, trader: Any) -> None:
    order = trader.place(desk.orders.exchange.markets[1].spec.token_ids[0], "BUY", "0.03", "10")
    trader.wait(60)
    assert order.status == "LIVE"


def test_ten_seconds_without_one_cancel_all_orders_and_the_chain_goes_on(desk: Desk, trader: Any) -> None:
    order = trader.place(desk.orders.exchange.markets[1].spec.token_ids[0], "BUY", "0.03", "10")
    following = desk.heartbeats.beat(trader.owner.api_key, "", trader.now_ns)
    trader.wait(9)
    following = desk.heartbeats.beat(trader.owner.api_key, following, trader.now_ns)
    trader.wait(9)
    assert order.status == "LIVE"
    trader.wait(2)
    assert order.status == "CANCELED"
    assert desk.heartbeats.beat(trader.owner.api_key, following, trader.now_ns)


def test_a_wrong_id_is_answered_with_the_right_one(desk: Desk, trader: Any) -> None:
    following = desk.heartbeats.beat(trader.owner.api_key, "", trader.now_ns)
    with pytest.raises(Refused) as refused:
        desk.heartbeats.beat(trader.owner.api_key, "", trader.now_ns)
    assert refused.value.status == 400
    assert refused.value.body == {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": following}


def test_an_expired_chain_by_fault_expects_another_id(desk: Desk, trader: Any) -> None:
    order = trader.place(desk.orders.exchange.markets[1].spec.token_ids[0], "BUY", "0.03", "10")
    following = desk.heartbeats.beat(trader.owner.api_key, "", trader.now_ns)
    assert desk.start_fault("heartbeat-expired", {})["struck"] == 1
    assert order.status == "CANCELED"
    with pytest.raises(Refused):
        desk.heartbeats.beat(trader.owner.api_key, following, trader.now_ns)
