"""Commands on their way to the relayer and answers on their way back: risk, the record, the relayer, what became of it, the audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from pipeline.messages import Message
from pipeline.messages.edges import RefusalCode, RelayerEvent
from pipeline.messages.orders import CancelAll, CancelOrder, MergePair, Mode, PlaceOrder
from pipeline.messages.records import HaltRecord
from pipeline.trading.followed import Followed
from pipeline.trading.gate import Gate
from pipeline.trading.halt import Halt
from pipeline.trading.ledger import Ledger
from pipeline.trading.limits import Limits
from pipeline.trading.merging import merge_refusal
from pipeline.trading.orders import Order
from pipeline.trading.outgoing import MAX_BATCH, WaitingCancels, WaitingOrders
from pipeline.trading.plans import PlanLog
from pipeline.trading.rate_limits import RateLimits
from pipeline.trading.venue_state import VenueWatch

ERRORS: frozenset[RefusalCode] = frozenset({"rate_limited", "invalid", "balance", "restricted", "unauthorized", "internal"})
"""Refusals that are somebody's fault. A post-only order that crosses, or one that finds nothing to match, is not."""


class Carrier(Protocol):
    """Who takes orders and cancels to the venue."""

    def submit_many(self, orders: Sequence[PlaceOrder], now_ns: int) -> Iterable[RelayerEvent]:
        """Send at most ``MAX_BATCH`` orders."""

    def cancel(self, client_order_id: str, now_ns: int) -> Iterable[RelayerEvent]:
        """Cancel one order."""

    def cancel_all(self, now_ns: int) -> Iterable[RelayerEvent]:
        """Cancel every open order."""


class Dispatcher:
    """Everything about orders, for the account. Its methods yield what is to be recorded and said, the durable records first.

    An order that rests leaves with the rest of its decision, in batches; one that takes leaves at once. While ``halt`` has a reason
    none leaves.
    """

    def __init__(
        self, carrier: Carrier, limits: Limits, mode: Mode, followed: Followed, rates: RateLimits, batch_wait_ns: int = 0
    ) -> None:
        self.carrier, self.rates, self.batch_wait_ns = carrier, rates, batch_wait_ns
        self.ledger, self.plans, self.venue = Ledger(mode), PlanLog(mode), VenueWatch()
        self.gate = Gate(limits, self.ledger, followed, self.venue, rates.orders)
        self.orders, self.cancels = WaitingOrders(rates.orders), WaitingCancels(rates.cancels)
        self.halt = Halt()
        names = ("commands", "expired", "refused", "submitted", "batches", "cancels", "fills", "duplicates", "errors")
        self.counts = dict.fromkeys(names, 0)

    def recover(self, records: Iterable[Message]) -> None:
        """Fold durable records of earlier lives, in their order."""
        for record in records:
            if isinstance(record, HaltRecord):
                self.halt.recover(record)
            else:
                self.ledger.recover((record,))

    def end_all(self, reason: str, now_ns: int) -> Iterator[Message]:
        """End every open order: nobody carries them any more."""
        for order in list(self.ledger.open.values()):
            self.ledger.close(order, reason)
            yield self.ledger.record(order, now_ns)
            yield self.ledger.update(order, now_ns)

    def knows(self, client_order_id: str) -> bool:
        """The order is on record, or waits to leave."""
        return client_order_id in self.orders or self.ledger.order(client_order_id) is not None

    # --- commands --------------------------------------------------------------------------------------------------

    def place(self, command: PlaceOrder, now_ns: int) -> Iterator[Message]:
        """An order is asked for. Its id is taken once, whatever becomes of it."""
        name, plan_id = command.client_order_id, command.decision.plan_id
        known = self.ledger.order(name)
        if known is not None or name in self.orders:
            self.counts["duplicates"] += 1
            if known is not None:
                yield self.ledger.update(known, now_ns)
            return
        self.plans.intend(command, command.market, now_ns)
        if not command.post_only or not self.batch_wait_ns:
            yield from self._leave([command], now_ns)
            return
        self.orders.hold(command, now_ns + self.batch_wait_ns)
        yield from self._released(plan_id, now_ns)

    def cancel(self, command: CancelOrder, now_ns: int) -> Iterator[Message]:
        """A cancel is asked for; one that is answered already is answered again."""
        name = command.client_order_id
        order = self.ledger.order(name)
        waiting = self.orders.drop(name)
        market = waiting.market if waiting is not None else order.market if order is not None else ""
        key = self.plans.intend(command, market, now_ns)
        reason = self._expiry(command.expires_ns, now_ns)
        if waiting is not None:
            yield from self._withdraw(waiting, now_ns)
            self.plans.acknowledge(key, "cancelled", now_ns)
        elif order is None or reason:
            self.plans.acknowledge(key, "refused", now_ns, reason or "no such order")
        elif not order.is_open:
            self.plans.acknowledge(key, order.status, now_ns)
            yield self.ledger.update(order, now_ns)
        else:
            self.cancels.hold(name)
        yield from self._released(command.decision.plan_id, now_ns)

    def cancel_all(self, command: CancelAll, now_ns: int) -> Iterator[Message]:
        """All orders of a strategy are to be cancelled, or those of one market."""
        key = self.plans.intend(command, command.market, now_ns)
        reason = self._expiry(command.expires_ns, now_ns)
        if not reason:
            for name in self.orders.of(command.strategy, command.market):
                waiting = self.orders.drop(name)
                if waiting is not None:
                    yield from self._withdraw(waiting, now_ns)
            for order in self.ledger.open.values():
                if order.strategy == command.strategy and command.market in ("", order.market):
                    self.cancels.hold(order.client_order_id)
        self.plans.acknowledge(key, "refused" if reason else "taken", now_ns, reason)
        yield from self._released(command.decision.plan_id, now_ns)

    def merge(self, command: MergePair, now_ns: int) -> Iterator[Message]:
        """Pairs of both outcomes are to be turned back into dollars."""
        key = self.plans.intend(command, command.market, now_ns)
        first, second = (self.ledger.free_e6(command.strategy, token_id, command.market) for token_id in command.token_ids)
        reason = self._expiry(command.expires_ns, now_ns) or merge_refusal(command, (first, second), self.ledger.mode)
        if not reason:
            yield from self.ledger.merge(command, now_ns)
        self.plans.acknowledge(key, "refused" if reason else "merged", now_ns, reason)
        yield from self.plans.closed(now_ns)

    def cancel_everything(self, now_ns: int) -> Iterator[Message]:
        """Cancel every open order of every strategy at once, whatever the rate limit says: an operator asks, or the end has come."""
        yield from self.refuse_waiting(now_ns)
        self.rates.cancels.charge(1 + len(self.ledger.open), now_ns)
        self.counts["cancels"] += len(self.ledger.open)
        yield from self.apply(self.carrier.cancel_all(now_ns), now_ns)

    def refuse_waiting(self, now_ns: int) -> Iterator[Message]:
        """Put the orders that wait before the gate as they are: trading was halted, or nobody will send them."""
        for command in self.orders.drop_all():
            yield from self._withdraw(command, now_ns)

    # --- time ------------------------------------------------------------------------------------------------------

    def flush(self, now_ns: int) -> Iterator[Message]:
        """Send what may leave by now: whole batches of orders, then cancels."""
        while batch := self.orders.take_due(MAX_BATCH, now_ns):
            yield from self._leave(batch, now_ns)
        if not self.venue.allows("cancel"):
            return
        for name in self.cancels.take_due(now_ns):
            order = self.ledger.order(name)
            if order is not None and order.is_open:
                self.counts["cancels"] += 1
                self.plans.sent(("cancel", name), now_ns)
                yield from self.apply(self.carrier.cancel(name, now_ns), now_ns)

    def tick(self, now_ns: int) -> Iterator[Message]:
        """The venue's state returns by itself, and what waited for time leaves."""
        self.venue.wake(now_ns)
        yield from self.flush(now_ns)
        yield from self.plans.closed(now_ns)

    def next_ns(self) -> int | None:
        """When ``tick`` wants to be called; None: nothing waits for time."""
        cancels_ns = self.cancels.next_ns() if self.venue.allows("cancel") else None
        due = (self.orders.next_ns(), cancels_ns, self.venue.next_ns(), self.plans.next_deadline_ns())
        return min((ns for ns in due if ns is not None), default=None)

    # --- what the relayer says -------------------------------------------------------------------------------------

    def apply(self, events: Iterable[RelayerEvent], now_ns: int) -> Iterator[Message]:
        """Enter events in the ledger, say what follows, and answer the commands that waited for them."""
        told = []
        for event in events:
            order = self.ledger.order(event.client_order_id)
            if order is not None:
                self._learn(event, order, now_ns)
            yield from self.ledger.on_event(event, now_ns)
            told.append(event)
        for event in told:
            self._answer(event, now_ns)
        if told:
            yield from self.plans.closed(now_ns)

    def _learn(self, event: RelayerEvent, order: Order, now_ns: int) -> None:
        """What an event tells about the venue."""
        if event.kind == "accepted":
            self.venue.on_accepted(order.post_only, now_ns)
        elif event.kind == "filled":
            self.counts["fills"] += 1
        elif event.kind in ("rejected", "cancel_refused"):
            self.venue.on_refusal(event.code, event.retry_after_ms, now_ns)
        if event.code in ERRORS or event.kind == "lost":
            self.counts["errors"] += 1
            self.gate.errors.add(now_ns)

    def _answer(self, event: RelayerEvent, now_ns: int) -> None:
        name = event.client_order_id
        order = self.ledger.order(name)
        if order is None:
            return
        if not order.is_open:
            self.cancels.settle(name)
            self.plans.acknowledge(("cancel", name), order.status, now_ns)
        elif event.kind == "cancel_refused":
            if not self.cancels.put_off(name, event.code, event.retry_after_ms, now_ns):
                self.plans.acknowledge(("cancel", name), "refused", now_ns, event.reason)
            return
        self.plans.acknowledge(("place", name), order.status, now_ns, order.reason, order.filled_e6)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _released(self, plan_id: str, now_ns: int) -> Iterator[Message]:
        if self.plans.has_all(plan_id):
            self.orders.release(plan_id)
        yield from self.flush(now_ns)
        yield from self.plans.closed(now_ns)

    def _leave(self, batch: Sequence[PlaceOrder], now_ns: int) -> Iterator[Message]:
        """Put orders before the gate one by one, each knowing those before it; record them all, then send those that passed."""
        passed = []
        for command in batch:
            self._expiry(command.expires_ns, now_ns)
            key = ("place", command.client_order_id)
            reason = self.gate.objection(command, now_ns, self.halt.reason)
            order = self.ledger.add(command, now_ns, refused=reason)
            yield self.ledger.record(order, now_ns)
            if reason:
                self.counts["refused"] += 1
                self.plans.acknowledge(key, "refused", now_ns, reason)
                yield self.ledger.update(order, now_ns)
            else:
                self.rates.orders.charge(1, now_ns)
                self.plans.sent(key, now_ns)
                passed.append(command)
        if passed:
            self.counts["submitted"] += len(passed)
            self.counts["batches"] += 1
            yield from self.apply(self.carrier.submit_many(passed, now_ns), now_ns)
        yield from self.plans.closed(now_ns)

    def _withdraw(self, command: PlaceOrder, now_ns: int) -> Iterator[Message]:
        """End an order that has not been sent."""
        reason = "not sent" if self.halt.reason is None else f"trading is halted: {self.halt.reason}"
        order = self.ledger.add(command, now_ns, refused=reason, ends="cancel")
        yield self.ledger.record(order, now_ns)
        self.plans.acknowledge(("place", command.client_order_id), order.status, now_ns, reason)
        yield self.ledger.update(order, now_ns)

    def _expiry(self, expires_ns: int, now_ns: int) -> str:
        if now_ns <= expires_ns:
            return ""
        self.counts["expired"] += 1
        return "command expired"
