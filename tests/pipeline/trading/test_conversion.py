"""NO shares of k markets are k - 1 dollars and YES shares of the others: worth the same whichever resolves Yes, booked to the millionth."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages.market import Market, MarketResolved, Outcome
from pipeline.messages.orders import ConvertSet, Decision, Fill, MergePair
from pipeline.messages.records import FillRecord
from pipeline.trading.conversion import conversion_refusal
from pipeline.trading.ledger import Ledger

ONE = 1_000_000
MARKETS = tuple(
    Market(
        market_id=name,
        outcomes=(Outcome(f"{name}-y", "Yes"), Outcome(f"{name}-n", "No")),
        neg_risk=True,
        neg_risk_market_id="e",
    )
    for name in "abcd"
)


def command(*legs: str, size_e6: int = 10 * ONE, cost_e6: int = 0, plan: str = "p") -> ConvertSet:
    return ConvertSet(
        ts_ns=1,
        strategy="s",
        event="e",
        market=legs[0][0],
        token_ids=legs,
        size_e6=size_e6,
        cost_e6=cost_e6,
        expires_ns=9,
        decision=Decision(plan_id=plan, strategy="s", reason=""),
    )


def bought(ledger: Ledger, token: str, size_e6: int, notional_e6: int) -> None:
    ledger.portfolio.holding("s", token, token[0]).trade("BUY", size_e6, notional_e6)


def test_a_set_becomes_dollars_and_the_yes_shares_of_the_other_markets() -> None:
    ledger = Ledger("paper")
    bought(ledger, "a-n", 10 * ONE, 6 * ONE)
    bought(ledger, "b-n", 10 * ONE, 3 * ONE)
    records = [msg for msg in ledger.convert(command("a-n", "b-n", cost_e6=50_000), MARKETS, 1) if isinstance(msg, FillRecord)]
    assert [(r.token_id, r.market, r.side, r.price_e6, r.notional_e6, r.fee_e6, r.liquidity) for r in records] == [
        ("a-n", "a", "SELL", 700_000, 7 * ONE, 50_000, "convert"),
        ("b-n", "b", "SELL", 300_000, 3 * ONE, 0, "convert"),
        ("c-y", "c", "BUY", 0, 0, 0, "convert"),
        ("d-y", "d", "BUY", 0, 0, 0, "convert"),
    ]
    held = {each.token_id: (each.inventory_e6, each.cost_e6) for each in ledger.portfolio if each.inventory_e6}
    assert held == {"c-y": (10 * ONE, 0), "d-y": (10 * ONE, 0)}
    assert ledger.at_stake_e6 == 0


@pytest.mark.parametrize(
    ("asked", "mode", "reason"),
    [
        (command("a-n", "b-n"), "live", "converting on chain is not available"),
        (command("a-n"), "paper", "these are not NO shares of two and more markets of neg-risk event e"),
        (command("a-n", "a-n"), "paper", "these are not NO shares of two and more markets of neg-risk event e"),
        (command("a-n", "b-y"), "paper", "these are not NO shares of two and more markets of neg-risk event e"),
        (command("a-n", "z-n"), "paper", "these are not NO shares of two and more markets of neg-risk event e"),
        (command("a-n", "b-n", size_e6=11 * ONE), "paper", "only 10000000 millionths of a share are free of every leg"),
        (
            command("a-n", "b-n", cost_e6=10 * ONE),
            "paper",
            "the conversion pays 10000000 and costs 10000000 millionths of a dollar",
        ),
        (command("a-n", "b-n"), "paper", ""),
    ],
)
def test_only_what_is_held_of_one_exclusive_event_is_converted(asked: ConvertSet, mode: Any, reason: str) -> None:
    assert conversion_refusal(asked, MARKETS, (10 * ONE, 10 * ONE), mode) == reason


def test_markets_that_are_not_exclusive_are_not_converted() -> None:
    others = tuple(msgspec.structs.replace(market, neg_risk=False) for market in MARKETS)
    assert "not NO shares" in conversion_refusal(command("a-n", "b-n"), others, (10 * ONE, 10 * ONE), "paper")


def worth(ledger: Ledger, winner: str) -> int:
    """Cash and what the shares pay if this market resolves Yes ("": none does)."""
    total = 0
    for each in ledger.portfolio:
        pays = (each.token_id[2] == "y") == (each.token_id[0] == winner)
        total += each.cash_e6 + (each.inventory_e6 if pays else 0)
    return total


shares = st.integers(1, 100 * ONE)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.sampled_from([f"{m}-{o}" for m in "abcd" for o in "yn"]), shares, st.integers(0, ONE)),
        st.tuples(st.just("convert"), st.lists(st.sampled_from("abcd"), min_size=2, unique=True), shares, st.integers(0, ONE)),
        st.tuples(st.just("merge"), st.sampled_from("abcd"), shares, st.just(0)),
        st.tuples(
            st.just("resolve"), st.sampled_from("abcd"), st.sampled_from([(ONE, 0), (0, ONE), (ONE // 2, ONE // 2)]), st.just(0)
        ),
    ),
    max_size=25,
)


@given(steps)
def test_inventory_and_cash_reconcile_with_fills_merges_conversions_and_settlements(
    script: list[tuple[str, Any, Any, int]],
) -> None:
    """And a conversion changes by nothing but its cost what is had whichever market resolves Yes; if none does, a dollar a set less."""
    ledger = Ledger("paper")
    said: list[FillRecord | Fill] = []
    inventory: dict[str, int] = {}
    cash = 0
    for at, (what, which, size, extra) in enumerate(script):
        decision = Decision(plan_id=f"p{at}", strategy="s", reason="")
        match what:
            case "buy":
                notional = size * extra // ONE
                bought(ledger, which, size, notional)
                inventory[which] = inventory.get(which, 0) + size
                cash -= notional
                continue
            case "convert":
                legs = tuple(f"{name}-n" for name in which)
                size = min([size, *(ledger.free_e6("s", leg, leg[0]) for leg in legs)])
                asked = command(*legs, size_e6=size, cost_e6=min(extra, max(0, size - 1)), plan=f"p{at}")
                if conversion_refusal(asked, MARKETS, [size] * len(legs), "paper"):
                    continue
                before = {winner: worth(ledger, winner) for winner in ("", *"abcd")}
                told = list(ledger.convert(asked, MARKETS, at))
                after = {winner: worth(ledger, winner) + asked.cost_e6 for winner in before}
                assert after == before | {"": before[""] - size}
            case "merge":
                size = min(size, *(ledger.free_e6("s", f"{which}-{outcome}", which) for outcome in "yn"))
                if size <= 0:
                    continue
                pair = MergePair(
                    ts_ns=at,
                    strategy="s",
                    market=which,
                    token_ids=(f"{which}-y", f"{which}-n"),
                    size_e6=size,
                    expires_ns=9,
                    decision=decision,
                )
                told = list(ledger.merge(pair, at))
            case _:
                tokens = (f"{which}-y", f"{which}-n")
                end = MarketResolved(ts_ns=at, market=which, venue_ts="", token_ids=tokens, winning_token_id="", payouts_e6=size)
                told = list(ledger.settle(end, at))
        said += [msg for msg in told if isinstance(msg, (FillRecord, Fill))]
    records = [msg for msg in said if isinstance(msg, FillRecord)]
    assert [msg.trade_id for msg in said if isinstance(msg, Fill)] == [record.trade_id for record in records]
    for record in records:
        sign = 1 if record.side == "BUY" else -1
        inventory[record.token_id] = inventory.get(record.token_id, 0) + sign * record.size_e6
        cash -= sign * record.notional_e6 + record.fee_e6
        assert 0 <= record.notional_e6 <= record.size_e6
    assert {each.token_id: each.inventory_e6 for each in ledger.portfolio if each.inventory_e6} == {
        k: v for k, v in inventory.items() if v
    }
    assert sum(each.cash_e6 for each in ledger.portfolio) == cash
    for each in ledger.portfolio:
        assert each.cash_e6 + each.cost_e6 == each.realised_e6 - each.fees_e6
