"""Which relayer takes the orders, and as what they are booked."""

from __future__ import annotations

import pytest

from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.settings import Settings
from pipeline.messages.orders import VENUE_MODES
from pipeline.venue.relayers import relayer_of

FAKE = {"gamma_url": "http://127.0.0.1:1", "clob_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1/ws/market"}


def settings(relayer: str, **addresses: str) -> Settings:
    values = {"execution": {"relayer": relayer}, "polymarket": FAKE | addresses}
    return Config(Settings()).with_values(values, "test").settings


@pytest.mark.parametrize(("relayer", "mode"), [("paper", "paper"), ("fake", "fake"), ("clob", "offline")])
def test_no_order_is_booked_as_real_money(relayer: str, mode: str) -> None:
    assert relayer_of(settings(relayer))[1] == mode


def test_orders_at_the_offline_venue_are_ruled_as_those_of_real_money() -> None:
    assert relayer_of(settings("clob"))[1] in VENUE_MODES
    assert relayer_of(settings("paper"))[1] not in VENUE_MODES


@pytest.mark.parametrize("host", ["https://clob.polymarket.com", "http://10.0.0.7:8765", "http://127.0.0.1.example.com"])
def test_signed_orders_go_to_no_other_machine(host: str) -> None:
    with pytest.raises(BadInput, match=r"loopback|this machine"):
        relayer_of(settings("clob", clob_url=host))
