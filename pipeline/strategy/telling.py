"""What strategies tell of their decisions: what was seen, and the opportunity that it was taken for."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from pipeline.base.units import format_e6
from pipeline.messages.market import BookSnapshot, Level, Market
from pipeline.messages.orders import Decision
from pipeline.messages.records import Opportunity
from pipeline.strategy.base import Targets, View

_encoder = msgspec.json.Encoder()


def seen_by(view: View, targets: Targets) -> str:
    """What a decision was made on, as a JSON text: each book's top, state, number and hash, the inventory, and what moved lately."""
    seen: dict[str, object] = {
        "books": [book_seen(book) for book in (view.book, view.complement) if book is not None],
        "inventory": format_e6(view.inventory_e6),
        "other_inventory": format_e6(view.complement_inventory_e6),
    }
    lately = {"jump": view.jump_e6, "volatility": view.volatility_e6, "markout": view.markout_e6}
    seen |= {name: format_e6(value) for name, value in lately.items() if value}
    if targets.scores_e6:
        seen["reward_shares"] = [format_e6(share) for share in targets.scores_e6]
    return as_json(seen)


def book_seen(book: BookSnapshot) -> dict[str, object]:
    """One book as a decision saw it."""
    return {
        "token_id": book.token_id,
        "bid": _top(book.bids),
        "ask": _top(book.asks),
        "state": book.state,
        "seq": book.seq,
        "hash": book.hash or "",
    }


def as_json(value: object) -> str:
    """Compact JSON."""
    return _encoder.encode(value).decode()


def _top(levels: Sequence[Level]) -> list[str]:
    return [format_e6(levels[0].price_e6), format_e6(levels[0].size_e6)] if levels else []


def opportunity(market: Market, targets: Targets, plan: Decision, now_ns: int) -> Opportunity:
    """What a decision made of a market; said when it goes from quoted to refused, from one refusal to another, or back."""
    return Opportunity(
        ts_ns=now_ns,
        plan_id=plan.plan_id,
        strategy=plan.strategy,
        market=market.market_id,
        kind="quotes",
        taken=bool(targets.quotes),
        reason=targets.reason,
        expected_profit_e6=targets.expected_profit_e6,
        size_e6=min((quote.size_e6 for quote in targets.quotes), default=0),
        legs=json.dumps(
            [[quote.token_id, quote.side, format_e6(quote.price_e6), format_e6(quote.size_e6)] for quote in targets.quotes]
        ),
    )
