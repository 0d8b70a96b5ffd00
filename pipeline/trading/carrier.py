"""What the domain asks of a relayer: to take orders and cancels to the venue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from pipeline.messages import Message
from pipeline.messages.orders import PlaceOrder


class Carrier(Protocol):
    """Who takes orders and cancels to the venue. Its answers are ``RelayerEvent``s, records to be kept, and requests to its edge."""

    def submit_many(self, orders: Sequence[PlaceOrder], now_ns: int) -> Iterable[Message]:
        """Send at most ``MAX_BATCH`` orders."""

    def cancel(self, client_order_id: str, now_ns: int) -> Iterable[Message]:
        """Cancel one order."""

    def cancel_all(self, now_ns: int) -> Iterable[Message]:
        """Cancel every open order."""
