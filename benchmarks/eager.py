"""A strategy to measure with: it moves its one quote by a tick again and again, far enough behind the best bid not to trade."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.units import NS_PER_MS
from pipeline.strategy.base import Targets, View
from pipeline.strategy.quoter import Quoter, rest_bid
from pipeline.trading.diff import Quote

SIZE_E6 = 20_000_000
BEHIND_TICKS = 2


@dataclass(frozen=True, kw_only=True)
class Eager(Quoter):
    """Asked with every frame, as ``min_requote_interval_ms`` is 0; the quote stays for ``rest_ms``, and the next frame moves it."""

    min_requote_interval_ms: int = 0
    rest_ms: int = 50

    def decide(self, view: View) -> Targets:
        reason = self.refusal(view)
        if reason:
            return Targets(reason=reason)
        for order in view.orders:
            if view.now_ns < order.placed_ns + self.rest_ms * NS_PER_MS:
                return Targets((Quote(order.token_id, order.side, order.price_e6, order.size_e6),), reason="rests")
        tick = view.book.tick_size_e6
        price = view.book.bids[0].price_e6 - BEHIND_TICKS * tick
        if any(order.price_e6 == price for order in view.orders):
            price -= tick
        quote = rest_bid(view, price, SIZE_E6)
        return Targets((quote,) if quote else (), reason="moved by a tick")
