"""A relayer that needs no market: it fills a fixed part of every order at once, the same way every time."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from pipeline.base.errors import BadInput
from pipeline.base.units import ONE_E6
from pipeline.messages.edges import RelayerEvent, RelayerEventKind
from pipeline.messages.market import BookSnapshot, MarketUniverse, TradePrint
from pipeline.messages.orders import PlaceOrder
from pipeline.venue.relayer import Relayer


class FakeRelayer(Relayer):
    """Accept orders with a price in (0, 1) and a size above 0, fill ``fill_ratio`` of each (down to a millionth of a share), at its price.

    What is left rests if the order is GTC or GTD, until it is cancelled; FAK cancels it; FOK is rejected whole unless it fills whole.
    ``fill_ratio`` is a Decimal, a whole number or a decimal text from 0 to 1. Trade ids are the order's id with ``-t1``. No fees.
    """

    forgets = True

    def __init__(self, fill_ratio: Decimal | str | int = Decimal(1)) -> None:
        try:
            ratio = Decimal(fill_ratio)
        except (InvalidOperation, TypeError, ValueError):
            raise BadInput(f"fill_ratio {fill_ratio!r}: not a decimal number; give one from 0 to 1") from None
        if not (ratio.is_finite() and 0 <= ratio <= 1):
            raise BadInput(f"fill_ratio {fill_ratio}: outside 0 to 1; give a part of the size, such as 0.5")
        self._part, self._whole = ratio.as_integer_ratio()
        self._resting: dict[str, str] = {}

    def submit(self, order: PlaceOrder, now_ns: int) -> Iterable[RelayerEvent]:
        """``accepted`` and, if anything fills, ``filled``; or ``rejected``."""
        name = order.client_order_id
        if not 0 < order.price_e6 < ONE_E6:
            return [_event("rejected", name, now_ns, reason="price is not between 0 and 1")]
        if order.size_e6 <= 0:
            return [_event("rejected", name, now_ns, reason="size is not positive")]
        filled = order.size_e6 * self._part // self._whole
        if order.order_type == "FOK" and filled < order.size_e6:
            return [_event("rejected", name, now_ns, reason="FOK order could not be filled whole")]
        venue_id = f"fake-{name}"
        events = [_event("accepted", name, now_ns, venue_id)]
        if filled:
            events.append(
                RelayerEvent(
                    ts_ns=now_ns,
                    kind="filled",
                    client_order_id=name,
                    venue_order_id=venue_id,
                    trade_id=f"{name}-t1",
                    price_e6=order.price_e6,
                    size_e6=filled,
                    liquidity="maker" if order.post_only else "taker",
                )
            )
        if filled < order.size_e6:
            if order.order_type == "FAK":
                events.append(_event("cancelled", name, now_ns, venue_id, "FAK: the rest is not kept"))
            else:
                self._resting[name] = venue_id
        return events

    def cancel(self, client_order_id: str, now_ns: int) -> Iterable[RelayerEvent]:
        """``cancelled`` if the order rests, else ``cancel_refused``."""
        venue_id = self._resting.pop(client_order_id, None)
        if venue_id is None:
            return [_event("cancel_refused", client_order_id, now_ns, reason="no such open order")]
        return [_event("cancelled", client_order_id, now_ns, venue_id)]

    def cancel_all(self, now_ns: int) -> Iterable[RelayerEvent]:
        """``cancelled`` for every resting order, oldest first."""
        events = [_event("cancelled", name, now_ns, venue_id) for name, venue_id in self._resting.items()]
        self._resting.clear()
        return events

    def on_universe(self, universe: MarketUniverse, now_ns: int) -> Iterable[RelayerEvent]:
        """The fake knows no markets."""
        return ()

    def on_book(self, book: BookSnapshot, now_ns: int) -> Iterable[RelayerEvent]:
        """The fake looks at no book."""
        return ()

    def on_trade(self, trade: TradePrint, now_ns: int) -> Iterable[RelayerEvent]:
        """The fake looks at no trade."""
        return ()

    def next_timer_ns(self) -> int | None:
        """Nothing happens by time."""
        return None

    def tick(self, now_ns: int) -> Iterable[RelayerEvent]:
        """Nothing happens by time."""
        return ()


def _event(kind: RelayerEventKind, name: str, now_ns: int, venue_id: str = "", reason: str = "") -> RelayerEvent:
    return RelayerEvent(ts_ns=now_ns, kind=kind, client_order_id=name, venue_order_id=venue_id, reason=reason)
