"""What the relayer says, and what follows from it: the ledger, the venue's state, errors, cancels to repeat, answered commands."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.messages import Message
from pipeline.messages.edges import RefusalCode, RelayerEvent
from pipeline.trading.ledger import Ledger
from pipeline.trading.orders import Order
from pipeline.trading.outgoing import WaitingCancels
from pipeline.trading.plans import PlanLog
from pipeline.trading.rate_limits import Window
from pipeline.trading.venue_state import VenueWatch

ERRORS: frozenset[RefusalCode] = frozenset({"rate_limited", "invalid", "balance", "restricted", "unauthorized", "internal"})
"""Refusals that are somebody's fault. A post-only order that crosses, or one that finds nothing to match, is not."""


class Replies:
    """Enters events. ``answer`` comes after all that came together, so that a command is answered with the last of it."""

    def __init__(
        self,
        ledger: Ledger,
        plans: PlanLog,
        cancels: WaitingCancels,
        venue: VenueWatch,
        errors: Window,
        counts: dict[str, int],
    ) -> None:
        self._ledger, self._plans, self._cancels = ledger, plans, cancels
        self._venue, self._errors, self._counts = venue, errors, counts
        self._unanswered: list[RelayerEvent] = []

    def enter(self, event: RelayerEvent, now_ns: int) -> Iterable[Message]:
        """One event: what it tells about the venue, and what is to be recorded and said of its order."""
        order = self._ledger.order(event.client_order_id)
        if order is not None:
            self._learn(event, order, now_ns)
        self._unanswered.append(event)
        return self._ledger.on_event(event, now_ns)

    def answer(self, now_ns: int) -> None:
        """Answer the commands that waited for what was entered."""
        events, self._unanswered = self._unanswered, []
        for event in events:
            order = self._ledger.order(event.client_order_id)
            if order is not None:
                self._answer(event, order, now_ns)

    def _learn(self, event: RelayerEvent, order: Order, now_ns: int) -> None:
        if event.kind == "accepted":
            self._venue.on_accepted(order.post_only, now_ns)
        elif event.kind == "filled":
            self._counts["fills"] += 1
        elif event.kind in ("rejected", "cancel_refused"):
            self._venue.on_refusal(event.code, event.retry_after_ms, now_ns)
        if event.code in ERRORS or event.kind == "lost":
            self._counts["errors"] += 1
            self._errors.add(now_ns)

    def _answer(self, event: RelayerEvent, order: Order, now_ns: int) -> None:
        name = event.client_order_id
        if not order.is_open:
            self._cancels.settle(name)
            self._plans.acknowledge(("cancel", name), order.status, now_ns)
        elif event.kind == "cancel_refused":
            if not self._cancels.put_off(name, event.code, event.retry_after_ms, now_ns):
                self._plans.acknowledge(("cancel", name), "refused", now_ns, event.reason)
            return
        self._plans.acknowledge(("place", name), order.status, now_ns, order.reason, order.filled_e6)
