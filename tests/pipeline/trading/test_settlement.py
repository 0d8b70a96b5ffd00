"""A resolution turns positions into cash: the winner's shares pay a dollar, all others nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.units import ONE_E6
from pipeline.messages.market import MarketResolved, Side
from pipeline.messages.orders import Fill
from pipeline.messages.records import FillRecord
from pipeline.trading.ledger import Ledger
from pipeline.trading.pnl import Trade, attribute
from pipeline.trading.portfolio import Portfolio
from pipeline.trading.settlement import settlements


def resolved(winner: str = "yes") -> MarketResolved:
    return MarketResolved(ts_ns=9, market="m", venue_ts="9", token_ids=("yes", "no"), winning_token_id=winner)


def test_the_winner_pays_a_dollar_and_the_loser_nothing() -> None:
    portfolio = Portfolio()
    portfolio.holding("s", "yes", "m").trade("BUY", 10 * ONE_E6, 4 * ONE_E6)
    portfolio.holding("s", "no", "m").trade("BUY", 5 * ONE_E6, 3 * ONE_E6)
    portfolio.holding("t", "yes", "m").trade("SELL", 2 * ONE_E6, ONE_E6)
    found = list(settlements(portfolio.in_market("m"), resolved(), "paper", 9))
    assert [(r.strategy, r.token_id, r.side, r.notional_e6, r.liquidity) for r in found] == [
        ("s", "yes", "SELL", 10 * ONE_E6, "settlement"),
        ("s", "no", "SELL", 0, "settlement"),
        ("t", "yes", "BUY", 2 * ONE_E6, "settlement"),
    ]


def test_after_a_5050_resolution_every_share_pays_half_a_dollar() -> None:
    ledger = Ledger("paper")
    ledger.portfolio.holding("s", "yes", "m").trade("BUY", 10 * ONE_E6, 4 * ONE_E6)
    ledger.portfolio.holding("s", "no", "m").trade("BUY", 3, 1)
    half = ONE_E6 // 2
    told = MarketResolved(ts_ns=9, market="m", venue_ts="", token_ids=("yes", "no"), winning_token_id="", payouts_e6=(half, half))
    records = [msg for msg in ledger.settle(told, 9) if isinstance(msg, FillRecord)]
    assert [(r.token_id, r.price_e6, r.notional_e6) for r in records] == [("yes", half, 5 * ONE_E6), ("no", half, 1)]
    trades = [Trade(r.token_id, r.market, r.side, r.price_e6, r.size_e6, r.notional_e6, 0, r.liquidity) for r in records]
    bought = Trade("yes", "m", "BUY", 400_000, 10 * ONE_E6, 4 * ONE_E6, 0, "taker")
    parts = attribute([bought, trades[0]], {})
    assert (parts.settlement_e6, parts.realised_e6, parts.trades) == (ONE_E6, ONE_E6, 1)


def test_what_fails_after_the_settlement_is_settled_by_one_more_trade() -> None:
    ledger = Ledger("live")
    ledger.portfolio.holding("s", "yes", "m").trade("BUY", 10 * ONE_E6, 4 * ONE_E6)
    (first, _) = ledger.settle(resolved(), 9)
    ledger.portfolio.holding("s", "yes", "m").trade("SELL", 2 * ONE_E6, ONE_E6)
    (second, _) = ledger.settle(resolved(), 10)
    assert isinstance(first, FillRecord) and isinstance(second, FillRecord)
    assert (first.trade_id, second.trade_id) == ("settled-s-yes", "settled-s-yes-2")
    (holding,) = ledger.portfolio
    assert (second.side, holding.inventory_e6) == ("BUY", 0)


@pytest.mark.parametrize("winner", ["", "other"])
def test_a_resolution_without_a_winner_among_the_tokens_books_nothing(winner: str) -> None:
    portfolio = Portfolio()
    portfolio.holding("s", "yes", "m").trade("BUY", 10, 4)
    assert not list(settlements(portfolio.in_market("m"), resolved(winner), "paper", 9))


def test_the_ledger_settles_once_however_often_it_is_told() -> None:
    ledger = Ledger("paper")
    ledger.portfolio.holding("s", "yes", "m").trade("BUY", 10 * ONE_E6, 4 * ONE_E6)
    said = [type(msg) for msg in ledger.settle(resolved(), 9)]
    assert said == [FillRecord, Fill]
    assert list(ledger.settle(resolved(), 10)) == []
    (holding,) = ledger.portfolio
    assert (holding.inventory_e6, holding.realised_e6, holding.cash_e6) == (0, 6 * ONE_E6, 6 * ONE_E6)


TRADES = st.lists(
    st.tuples(st.sampled_from(["yes", "no"]), st.sampled_from(["BUY", "SELL"]), st.integers(1, 10**9), st.integers(1, 999_999))
)


@given(TRADES, st.sampled_from(["yes", "no"]))
def test_after_any_trades_cash_is_what_was_realised_and_nothing_is_held(
    trades: list[tuple[str, Side, int, int]], winner: str
) -> None:
    ledger = Ledger("paper")
    cash = 0
    shares = {"yes": 0, "no": 0}
    for token, side, size, price in trades:
        notional = size * price // ONE_E6
        ledger.portfolio.holding("s", token, "m").trade(side, size, notional, fee_e6=7)
        sign = 1 if side == "BUY" else -1
        shares[token] += sign * size
        cash -= sign * notional + 7
    list(ledger.settle(resolved(winner), 9))
    assert all(holding.inventory_e6 == 0 and holding.cost_e6 == 0 for holding in ledger.portfolio)
    assert sum(holding.cash_e6 for holding in ledger.portfolio) == cash + shares[winner]
    assert sum(holding.realised_e6 - holding.fees_e6 for holding in ledger.portfolio) == cash + shares[winner]
