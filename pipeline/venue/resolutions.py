"""Resolutions as the catalogue tells them: what each share of a closed market pays, for whoever did not hear the feed say so. Pure.

A market that has resolved is ``closed`` and shows what its outcomes pay as ``outcomePrices``: 1 and 0, 0 and 1, or 0.5 each (Polymarket
documentation, seen 2026-10). Other prices are the last ones traded: its resolution is proposed, disputed or to come.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.base.errors import BadFrame
from pipeline.base.units import ONE_E6, parse_e6
from pipeline.messages.market import MarketResolved
from pipeline.venue.gamma_decode import MarketRefused, decode_market, decode_texts

FINAL = frozenset({(ONE_E6, 0), (0, ONE_E6), (ONE_E6 // 2, ONE_E6 // 2)})
"""What the outcomes of a binary market can pay, in millionths of a dollar."""
DECIDED = frozenset({None, "", "resolved", "settled"})
"""States of the oracle with which the prices of a closed market are final; None and "": there was no oracle to ask."""


class _Prices(msgspec.Struct, rename="camel"):
    closed: bool | None = None
    outcome_prices: str | list[str] | None = None
    uma_resolution_status: str | None = None
    closed_time: str | None = None


_PRICES = msgspec.json.Decoder(_Prices)


def decode_resolutions(objects: Sequence[msgspec.Raw | bytes], now_ns: int) -> list[MarketResolved]:
    """The resolutions among market objects; a market that is open, undecided or unreadable tells none."""
    found = (resolution_of(raw, now_ns) for raw in objects)
    return [resolved for resolved in found if resolved is not None]


def resolution_of(raw: msgspec.Raw | bytes, now_ns: int) -> MarketResolved | None:
    """How a market resolved; None if that is not certain."""
    try:
        market = decode_market(raw)
        told = _PRICES.decode(raw)
        payouts = tuple(parse_e6(text) for text in decode_texts(told.outcome_prices, "outcomePrices"))
    except (MarketRefused, BadFrame, ValueError, msgspec.DecodeError):
        return None
    if not told.closed or payouts not in FINAL or told.uma_resolution_status not in DECIDED:
        return None
    winner = market.outcomes[payouts.index(ONE_E6)] if ONE_E6 in payouts else None
    return MarketResolved(
        ts_ns=now_ns,
        market=market.market_id,
        venue_ts=told.closed_time or "",
        token_ids=market.token_ids,
        winning_token_id="" if winner is None else winner.token_id,
        winning_outcome="" if winner is None else winner.name,
        payouts_e6=payouts,
    )
