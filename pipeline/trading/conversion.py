"""Converting NO shares: one of each of k markets of a neg-risk event is k - 1 dollars and a YES share of each of its other markets.

At most one market of the event resolves Yes. If one of the k does, both sides pay k - 1 dollars, and if another market does, k. If none
does, the NO shares would have paid a dollar more: no set counts on that.

On chain it is ``convertPositions`` (polymarket.md, section 9); in simulation these records are all of it. The NO shares go at their
average costs, as far as those add up to what is paid, so that what the set earned is realised; the YES shares come for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.base.units import ONE_E6, notional_floor_e6
from pipeline.messages.market import Market, Side
from pipeline.messages.orders import VENUE_MODES, ConvertSet, Mode
from pipeline.messages.records import FillRecord
from pipeline.trading.portfolio import Holding


def conversion_refusal(command: ConvertSet, markets: Sequence[Market], free_e6: Sequence[int], mode: Mode) -> str:
    """Why NO shares are not converted; "" if they are. ``markets`` are those of the event, ``free_e6`` the free shares of each token."""
    if mode in VENUE_MODES:
        return "converting on chain is not available"
    no_tokens = {market.token_ids[1] for market in markets if len(market.token_ids) == 2 and is_exclusive(market)}
    wanted = set(command.token_ids)
    if len(wanted) < 2 or len(wanted) != len(command.token_ids) or not wanted <= no_tokens:
        return f"these are not NO shares of two and more markets of neg-risk event {command.event}"
    if command.size_e6 <= 0 or command.size_e6 > min(free_e6):
        return f"only {min(free_e6)} millionths of a share are free of every leg"
    if not 0 <= command.cost_e6 < paid_e6(command):
        return f"the conversion pays {paid_e6(command)} and costs {command.cost_e6} millionths of a dollar"
    return ""


def is_exclusive(market: Market) -> bool:
    """At most one market of its event resolves Yes, and the venue knows it."""
    return bool(market.neg_risk) and bool(market.neg_risk_market_id)


def paid_e6(command: ConvertSet) -> int:
    """What comes back in millionths of a dollar, before its cost."""
    return (len(command.token_ids) - 1) * command.size_e6


def conversions(
    command: ConvertSet, legs: Sequence[Holding], markets: Sequence[Market], mode: Mode, now_ns: int
) -> Iterator[FillRecord]:
    """The sale of each NO leg, and the YES share of each other market that came for it. ``legs`` are in the order of the command."""
    for number, (leg, notional_e6) in enumerate(zip(legs, shared_out(command, legs), strict=True)):
        fee_e6 = command.cost_e6 if number == 0 else 0
        yield _record(command, leg.token_id, leg.market, "SELL", notional_e6, fee_e6, mode, now_ns)
    for market in markets:
        if (
            len(market.token_ids) == 2
            and is_exclusive(market)
            and not market.closed
            and market.token_ids[1] not in command.token_ids
        ):
            yield _record(command, market.token_ids[0], market.market_id, "BUY", 0, 0, mode, now_ns)


def shared_out(command: ConvertSet, legs: Sequence[Holding]) -> list[int]:
    """What each leg goes for: its average cost, then what is left over (or missing) leg by leg; each from nothing to a dollar a share."""
    size, total = command.size_e6, paid_e6(command)
    parts = [max(0, min(size, notional_floor_e6(max(0, leg.average_price_e6 or 0), size))) for leg in legs]
    for number, part in enumerate(parts):
        left = total - sum(parts)
        parts[number] = max(0, min(size, part + left))
    return parts


def _record(
    command: ConvertSet, token_id: str, market: str, side: Side, notional_e6: int, fee_e6: int, mode: Mode, now_ns: int
) -> FillRecord:
    return FillRecord(
        ts_ns=now_ns,
        trade_id=f"converted-{command.decision.plan_id}-{token_id}",
        client_order_id=f"convert-{command.event}",
        strategy=command.strategy,
        mode=mode,
        token_id=token_id,
        market=market,
        side=side,
        price_e6=notional_e6 * ONE_E6 // command.size_e6,
        size_e6=command.size_e6,
        notional_e6=notional_e6,
        fee_e6=fee_e6,
        liquidity="convert",
        status="confirmed",
    )
