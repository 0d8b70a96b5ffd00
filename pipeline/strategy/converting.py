"""When NO shares of an event are worth turning back into dollars: the set that frees most, and the command for it."""

from __future__ import annotations

import hashlib

from pipeline.base.units import format_e6, notional_ceil_e6
from pipeline.messages.orders import VENUE_MODES, ConvertSet, Decision
from pipeline.strategy.account import Account
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.strategy.event_sets import EventSet
from pipeline.trading.amounts import SIZE_STEP_E6
from pipeline.trading.conversion import is_exclusive


def best_set(free_e6: dict[str, int]) -> tuple[tuple[str, ...], int]:
    """(tokens, shares of each) of the NO set that frees most dollars: of k tokens, k - 1 for every share that all have."""
    held = sorted(((size, token_id) for token_id, size in free_e6.items() if size >= SIZE_STEP_E6), reverse=True)
    best, legs = 0, 0
    for k in range(2, len(held) + 1):
        if (k - 1) * held[k - 1][0] > best:
            best, legs = (k - 1) * held[k - 1][0], k
    return tuple(sorted(token_id for _, token_id in held[:legs])), held[legs - 1][0] if legs else 0


def conversion(event: EventSet, account: Account, rules: DutchRules, now_ns: int) -> tuple[ConvertSet, ...]:
    """The command that frees what the account holds of an event; none if it is not worth its cost, or the shares have to stay."""
    if account.mode in VENUE_MODES or not account.may_command or not event.no or not all(map(is_exclusive, event.markets)):
        return ()
    pairs = zip(event.markets, event.no, strict=True)
    tokens, size_e6 = best_set({token: account.free_e6(market.market_id, token, now_ns) for market, token in pairs})
    paid_e6 = (len(tokens) - 1) * size_e6
    cost_e6 = notional_ceil_e6(max(0, paid_e6), rules.costs.conversion_e6) + rules.costs.fixed_e6
    if not tokens or cost_e6 >= paid_e6:
        return ()
    text = f"{account.session_id}|{rules.name}|{now_ns}|convert|{'|'.join(tokens)}|{size_e6}"
    decision = Decision(
        plan_id=hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
        strategy=rules.name,
        reason=f"convert {format_e6(size_e6)} NO sets of {len(tokens)} legs into {format_e6(paid_e6)} less {format_e6(cost_e6)}",
        decided_ns=now_ns,
    )
    group = event.markets[0].neg_risk_market_id
    return (account.convert(group, event.market_of(tokens[0]).market_id, tokens, size_e6, cost_e6, decision, now_ns),)
