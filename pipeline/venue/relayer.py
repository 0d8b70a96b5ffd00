"""What the executor asks of whoever carries orders to a market: a fake, a paper matcher, or the venue itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, MarketResolved, MarketUniverse, TradePrint
from pipeline.messages.orders import PlaceOrder, VenueState
from pipeline.messages.records import OrderIntent
from pipeline.trading.orders import Order

NOTHING: Final[tuple[()]] = ()
"""What a call returns that said nothing and changed nothing, not even when ``tick`` wants to be called."""


class Relayer(Protocol):
    """Takes orders and says what became of them, as ``RelayerEvent``s in the order in which they happened.

    Events may come in the answer to any call, also about other orders. Between them may come durable records, each on disk before the
    relayer goes on, requests to its edge, and a Halt. Time is ``now_ns`` alone. ``forgets``: open orders do not outlive the executor's
    process, so that after a restart none of them is open any more. Subclass it for the defaults below.
    """

    forgets: bool

    @property
    def is_reconciled(self) -> bool:
        """What the venue holds has been compared with what we hold: no command is taken before."""
        return True

    @property
    def is_closed(self) -> bool:
        """After ``close``: nothing is waited for any more."""
        return True

    def recover(self, records: Sequence[Message]) -> None:
        """The durable records of earlier lives, a checkpoint first if there is one."""
        return

    def kept_intents(self) -> tuple[OrderIntent, ...]:
        """What a checkpoint must hold for ``recover``."""
        return ()

    def figures(self) -> dict[str, int]:
        """Totals since the start, for heartbeats and summaries."""
        return {}

    def hear(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """What the relayer's edge says."""
        return ()

    def submit(self, order: PlaceOrder, now_ns: int) -> Iterable[Message]:
        """Send one order; the executor has journalled it and passed it through risk."""

    def submit_many(self, orders: Sequence[PlaceOrder], now_ns: int) -> Iterable[Message]:
        """Send at most ``MAX_BATCH`` orders, each taken or refused for itself; one by one unless a relayer can do better."""
        for order in orders:
            yield from self.submit(order, now_ns)

    def on_venue_state(self, state: VenueState, now_ns: int) -> Iterable[Message]:
        """The offline venue was told to behave like this; a relayer that is one with its venue answers so from here on."""
        return ()

    def cancel(self, client_order_id: str, now_ns: int) -> Iterable[Message]:
        """Cancel one order: ``cancelled``, or ``cancel_refused`` with a reason."""

    def cancel_all(self, now_ns: int) -> Iterable[Message]:
        """Cancel every open order."""

    def close(self, now_ns: int) -> Iterable[Message]:
        """Cancel every open order, as the executor stops; it goes on for a while until ``is_closed``."""
        return self.cancel_all(now_ns)

    def restore(self, orders: Iterable[Order], now_ns: int) -> Iterable[Message]:
        """The orders that the journal holds open, after a restart. Not asked of a relayer that forgets."""
        return ()

    def on_resolved(self, resolved: MarketResolved, now_ns: int) -> Iterable[Message]:
        """A market ended."""
        return ()

    def forget_books(self, token_id: str) -> None:
        """Something of a token's book was lost (of every book: ""): it is not known until it comes whole."""
        return

    def on_universe(self, universe: MarketUniverse, now_ns: int) -> Iterable[Message]:
        """The markets that are followed, with their ticks, fees and delays."""

    def on_book(self, book: BookSnapshot, now_ns: int) -> Iterable[Message]:
        """A book changed. ``NOTHING`` if that concerns nothing here."""

    def on_trade(self, trade: TradePrint, now_ns: int) -> Iterable[Message]:
        """Somebody traded. ``NOTHING`` if that concerns nothing here."""

    def next_timer_ns(self) -> int | None:
        """When ``tick`` wants to be called; None: never."""

    def tick(self, now_ns: int) -> Iterable[Message]:
        """What is due by ``now_ns``."""
