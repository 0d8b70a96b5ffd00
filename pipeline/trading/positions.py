"""What positions amount to together: complete sets, which pay a dollar each for certain, and the worst resolution of each event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.messages.market import Market
from pipeline.trading.exposure import Held, event_loss_e6, market_values_e6
from pipeline.trading.followed import event_of
from pipeline.trading.portfolio import complete_sets_e6


@dataclass(frozen=True, slots=True)
class EventRisk:
    """The positions in the markets of one event. ``sets_e6`` are complete sets held, by market, in millionths.

    ``worst_e6`` is what the positions could lose at the worst resolution, in millionths of a dollar. ``exclusive``: at most one of the
    markets resolves Yes, and that is counted on; a 50/50 resolution is not covered. ``worst_if_one_e6`` is the same if exactly one of
    the event's known markets does; None where that is not certain to be one of them.
    """

    event: str
    title: str
    markets: int
    exclusive: bool
    sets_e6: Mapping[str, int]
    worst_e6: int
    worst_if_one_e6: int | None


def event_risks(markets: Iterable[Market], held: Iterable[Held]) -> list[EventRisk]:
    """The risk of every event that something is held of, in the order of its markets. Tokens of no known market are left out."""
    of_token: dict[str, Market] = {}
    events: dict[str, list[Market]] = defaultdict(list)
    for market in markets:
        of_token |= dict.fromkeys(market.token_ids, market)
        events[event_of(market) or market.market_id].append(market)
    positions: dict[str, list[Held]] = defaultdict(list)
    for token_id, shares_e6, cost_e6 in held:
        if token_id in of_token and shares_e6:
            positions[of_token[token_id].market_id].append((token_id, shares_e6, cost_e6))
    return [
        _risk(event, of_event, positions)
        for event, of_event in events.items()
        if any(market.market_id in positions for market in of_event)
    ]


def _risk(event: str, markets: Sequence[Market], positions: Mapping[str, Sequence[Held]]) -> EventRisk:
    exclusive = all(market.neg_risk and market.neg_risk_market_id for market in markets)
    all_known = exclusive and not any(market.neg_risk_augmented for market in markets) and len(markets) > 1
    all_known &= markets[0].event_market_count in (0, len(markets))
    sets: dict[str, int] = {}
    for market in markets:
        shares = dict.fromkeys(market.token_ids, 0)
        for token_id, shares_e6, _ in positions.get(market.market_id, ()):
            shares[token_id] += shares_e6
        if complete := complete_sets_e6(shares.values()):
            sets[market.market_id] = complete
    values = [market_values_e6(market, positions.get(market.market_id, ()), ()) for market in markets]
    first = markets[0]
    title = first.event_title or first.question
    none_e6 = sum(no for _, no in values) if all_known else 0
    if_one_e6 = max(0, -min(none_e6 - no + yes for yes, no in values)) if all_known else None
    held = sum(market.market_id in positions for market in markets)
    return EventRisk(event, title, held, exclusive, sets, event_loss_e6(values, exclusive), if_one_e6)
