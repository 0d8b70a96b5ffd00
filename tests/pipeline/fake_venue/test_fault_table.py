"""One list of all faults: no name twice, and each with its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.fake_venue import order_faults, scenarios
from pipeline.fake_venue.desk import Desk
from pipeline.fake_venue.fault_table import FAULTS, OPTIONS, UnknownFault, check_fault


def test_every_fault_has_one_meaning_and_its_options() -> None:
    assert not scenarios.FAULTS.keys() & order_faults.FAULTS.keys()
    assert FAULTS.keys() == OPTIONS.keys()


def test_a_name_or_an_option_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownFault, match="ack-lost-then-filled"):
        check_fault("rain", ())
    with pytest.raises(ValueError, match="trade-failed takes no seconds; it takes count"):
        check_fault("trade-failed", ("seconds",))
    with pytest.raises(ValueError, match="it takes no option"):
        check_fault("heartbeat-expired", ("count",))


def test_every_fault_of_trading_can_be_started_by_its_name(desk: Desk) -> None:
    for name in order_faults.FAULTS:
        assert desk.start_fault(name, {})["fault"] == name
        with pytest.raises(ValueError, match=r"takes no|expected a whole number"):
            desk.start_fault(name, {"link": "1"} if not OPTIONS[name] else {OPTIONS[name][0]: "many"})
    assert len(desk.faults.running(desk.orders.exchange.now_ns)) >= 6


def test_trade_messages_can_come_twice(desk: Desk, trader: Any) -> None:
    order = trader.place(desk.orders.exchange.markets[1].spec.token_ids[0], "BUY", "0.03", "10")
    desk.start_fault("duplicate-trade-messages", {})
    desk.orders.fill(order.order_id, None, trader.now_ns)
    told = desk.faults.outgoing(desk.orders.events)
    assert [word.body["type"] for word in told] == ["TRADE", "TRADE", "UPDATE"] and told[0] == told[1]
    assert desk.faults.outgoing(desk.orders.events) == desk.orders.events


def test_the_document_lists_the_faults_of_trading_in_their_own_words() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "fake-venue.md").read_text(encoding="utf-8")
    for name, what in order_faults.FAULTS.items():
        assert f"| `{name}` | {what} |\n" in text
