"""A relayer beside the offline venue: it refuses what the venue, in the state that it was told to be in, would refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.messages import Message
from pipeline.messages.edges import RelayerEvent, RelayerEventKind
from pipeline.messages.market import BookSnapshot, MarketResolved, MarketUniverse, TradePrint
from pipeline.messages.orders import PlaceOrder, VenueState
from pipeline.trading.orders import Order
from pipeline.trading.venue_state import POSSIBLE
from pipeline.venue.refusals import refusal_of
from pipeline.venue.relayer import Relayer

ANSWERS: dict[VenueState, tuple[int, str]] = {
    "restarting": (425, ""),
    "post_only": (503, '{"error":"only post-only orders are accepted","code":"post_only_mode","retry_after_seconds":5}'),
    "cancel_only": (503, '{"error":"exchange is in cancel-only mode"}'),
    "disabled": (503, '{"error":"trading is disabled"}'),
}
"""What the venue says to an order that it does not take in a state: HTTP status and body."""
REMEMBERED = 10_000
"""Orders that may be open, as far as is known here: a trade does not say whether it was the last."""
_ENDS = frozenset({"rejected", "cancelled", "expired"})


class ScriptedRelayer(Relayer):
    """Pass everything to ``inner``, except what the venue does not do in ``state``. Orders and books that rest are not touched."""

    def __init__(self, inner: Relayer, state: VenueState = "normal") -> None:
        self.inner, self.state = inner, state
        self.forgets = inner.forgets
        self._names: dict[str, None] = {}

    def on_venue_state(self, state: VenueState, now_ns: int) -> Iterable[Message]:
        """From here on the venue is in this state; nobody is told but by the next refusal."""
        self.state = state
        return ()

    def submit(self, order: PlaceOrder, now_ns: int) -> Iterable[Message]:
        """Refused with the venue's own words where it takes no such order. What is not post-only might trade at once."""
        if ("rest" if order.post_only else "take") in POSSIBLE[self.state] or self.state not in ANSWERS:
            self._names[order.client_order_id] = None
            if len(self._names) > REMEMBERED:
                del self._names[next(iter(self._names))]
            return self._passed(self.inner.submit(order, now_ns))
        return (self._refused("rejected", order.client_order_id, now_ns),)

    def cancel(self, client_order_id: str, now_ns: int) -> Iterable[Message]:
        """Refused while the engine restarts or trading is disabled."""
        if "cancel" in POSSIBLE[self.state]:
            return self._passed(self.inner.cancel(client_order_id, now_ns))
        return (self._refused("cancel_refused", client_order_id, now_ns),)

    def cancel_all(self, now_ns: int) -> Iterable[Message]:
        """Refused for each order while the engine restarts or trading is disabled."""
        if "cancel" in POSSIBLE[self.state]:
            return self._passed(self.inner.cancel_all(now_ns))
        return [self._refused("cancel_refused", name, now_ns) for name in self._names]

    def _passed(self, events: Iterable[Message]) -> Iterator[Message]:
        """What ``inner`` says, and by it which orders may still be open."""
        for event in events:
            if isinstance(event, RelayerEvent) and event.kind in _ENDS:
                self._names.pop(event.client_order_id, None)
            yield event

    def _refused(self, kind: RelayerEventKind, name: str, now_ns: int) -> RelayerEvent:
        refused = refusal_of(*ANSWERS[self.state])
        return RelayerEvent(
            ts_ns=now_ns,
            kind=kind,
            client_order_id=name,
            reason=refused.text,
            code=refused.code,
            retry_after_ms=refused.retry_after_ms,
        )

    # --- what a state does not change ------------------------------------------------------------------------------

    def close(self, now_ns: int) -> Iterable[Message]:
        """As ``inner`` does."""
        return self._passed(self.inner.close(now_ns))

    def restore(self, orders: Iterable[Order], now_ns: int) -> Iterable[Message]:
        """As ``inner`` does."""
        orders = list(orders)
        self._names.update(dict.fromkeys(order.client_order_id for order in orders))
        return self._passed(self.inner.restore(orders, now_ns))

    def on_resolved(self, resolved: MarketResolved, now_ns: int) -> Iterable[Message]:
        """As ``inner`` does."""
        return self._passed(self.inner.on_resolved(resolved, now_ns))

    def on_universe(self, universe: MarketUniverse, now_ns: int) -> Iterable[Message]:
        """As ``inner`` does."""
        return self._passed(self.inner.on_universe(universe, now_ns))

    def on_book(self, book: BookSnapshot, now_ns: int) -> Iterable[Message]:
        """As ``inner`` does."""
        return self._passed(self.inner.on_book(book, now_ns))

    def on_trade(self, trade: TradePrint, now_ns: int) -> Iterable[Message]:
        """As ``inner`` does."""
        return self._passed(self.inner.on_trade(trade, now_ns))

    def forget_books(self, token_id: str) -> None:
        """As ``inner`` does."""
        self.inner.forget_books(token_id)

    def next_timer_ns(self) -> int | None:
        """As ``inner`` does."""
        return self.inner.next_timer_ns()

    def tick(self, now_ns: int) -> Iterable[Message]:
        """As ``inner`` does."""
        return self._passed(self.inner.tick(now_ns))
