"""Trades are told three times on their way to the chain; one that fails gives everything back."""

from __future__ import annotations

from typing import Any

from pipeline.base.units import ONE_E6, format_e6
from pipeline.fake_venue.desk import Desk


def bought(desk: Desk, trader: Any) -> str:
    """Ten shares at the best ask; the token."""
    market = desk.orders.exchange.markets[1]
    ask = market.best_e6[1]
    assert ask is not None
    trader.place(market.spec.token_ids[0], "BUY", format_e6(ask), "10")
    return market.spec.token_ids[0]


def statuses(trader: Any) -> list[str]:
    return [word["status"] for word in trader.told() if word["event_type"] == "trade"]


def test_a_trade_is_matched_mined_and_confirmed(desk: Desk, trader: Any) -> None:
    bought(desk, trader)
    (trade,) = desk.orders.trades.trades.values()
    assert (statuses(trader), trade.transaction_hash) == (["MATCHED"], None)
    trader.wait(1.6)
    assert statuses(trader) == ["MINED"] and str(trade.transaction_hash).startswith("0x")
    trader.wait(1.5)
    assert statuses(trader) == ["CONFIRMED"]
    assert trade.rest_body(trader.owner.api_key)["status"] == "TRADE_STATUS_CONFIRMED"


def test_money_and_shares_go_back_where_a_trade_fails(desk: Desk, trader: Any) -> None:
    desk.start_fault("trade-failed", {})
    token = bought(desk, trader)
    assert trader.account.positions[token] == 10_000_000
    trader.wait(4)
    assert statuses(trader) == ["MATCHED", "RETRYING", "FAILED"]
    assert (trader.account.cash_e6, trader.account.positions[token]) == (10_000 * ONE_E6, 0)
    bought(desk, trader)
    trader.wait(4)
    assert statuses(trader)[-1] == "CONFIRMED"
