"""Merging pairs: a dollar each, exact to the millionth, and only what is free."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.units import ONE_E6
from pipeline.messages.orders import Decision, MergePair
from pipeline.trading.merging import merge_refusal, merges
from pipeline.trading.portfolio import Holding


def command(size_e6: int) -> MergePair:
    decision = Decision(plan_id="p", strategy="s", reason="merge")
    return MergePair(ts_ns=1, strategy="s", market="m", token_ids=("yes", "no"), size_e6=size_e6, expires_ns=9, decision=decision)


def test_only_pairs_that_are_free_are_merged_and_only_where_it_is_simulated() -> None:
    assert merge_refusal(command(5), (5, 9), "paper") == ""
    assert merge_refusal(command(6), (5, 9), "paper") == "only 5 millionths of a share are free on both sides"
    assert merge_refusal(command(0), (5, 9), "fake")
    assert merge_refusal(command(5), (5, 9), "live") == "merging on chain is not available"


@given(st.integers(1, 10**9), st.integers(1, ONE_E6 - 1), st.integers(1, ONE_E6 - 1), st.integers(1, 10**9))
def test_a_pair_brings_exactly_a_dollar(size: int, yes_price: int, no_price: int, merged: int) -> None:
    merged = min(size, merged)
    yes, no = Holding("s", "yes", "m"), Holding("s", "no", "m")
    yes.trade("BUY", size, yes_price * size // ONE_E6)
    no.trade("BUY", size, no_price * size // ONE_E6)
    before = yes.cash_e6 + no.cash_e6
    records = list(merges(command(merged), yes, "paper", 2))
    for holding, record in zip((yes, no), records, strict=True):
        assert record.side == "SELL" and record.liquidity == "merge" and record.fee_e6 == 0
        holding.trade(record.side, record.size_e6, record.notional_e6, record.fee_e6)
    assert yes.cash_e6 + no.cash_e6 - before == merged
    assert yes.inventory_e6 == no.inventory_e6 == size - merged
    assert len({record.trade_id for record in records}) == 2
    assert sum(record.price_e6 for record in records) == ONE_E6
