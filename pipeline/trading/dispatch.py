"""Commands on their way to the relayer: what waits, what risk refuses, the record, and then the relayer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import MarketResolved
from pipeline.messages.orders import CancelAll, CancelOrder, ConvertSet, MergePair, Mode, PlaceOrder, PlanEnded
from pipeline.messages.orders import Halt as HaltWanted
from pipeline.messages.records import HaltRecord
from pipeline.trading.carrier import Carrier
from pipeline.trading.checkpoint import restore
from pipeline.trading.conversion import conversion_refusal
from pipeline.trading.followed import Followed
from pipeline.trading.gate import Gate
from pipeline.trading.halt import Halt
from pipeline.trading.ledger import Ledger
from pipeline.trading.limits import Limits
from pipeline.trading.merging import merge_refusal
from pipeline.trading.outgoing import MAX_BATCH, WaitingCancels, WaitingOrders
from pipeline.trading.plans import PlanLog
from pipeline.trading.rate_limits import RateLimits
from pipeline.trading.replies import Replies
from pipeline.trading.silence import Silence, pull_of
from pipeline.trading.venue_state import VenueWatch

Command = PlaceOrder | CancelOrder | CancelAll | MergePair | ConvertSet | PlanEnded


class Dispatcher:
    """Everything about orders, for the account. Its methods yield what is to be recorded and said, the durable records first.

    An order that rests leaves with the rest of its decision, in batches; one that takes leaves at once. While ``halt`` has a reason
    none leaves. What a strategy has open that is silent for ``silence_ns`` is cancelled.
    """

    def __init__(
        self,
        carrier: Carrier,
        limits: Limits,
        mode: Mode,
        followed: Followed,
        rates: RateLimits,
        batch_wait_ns: int = 0,
        silence_ns: int = 0,
    ) -> None:
        self.carrier, self.rates, self.batch_wait_ns = carrier, rates, batch_wait_ns
        self.followed = followed
        self.ledger = Ledger(mode, followed.fees_of, limits.starting_cash_e6, limits.late_fill_ns)
        self.plans, self.venue = PlanLog(mode), VenueWatch()
        self.gate = Gate(limits, self.ledger, followed, self.venue, rates.orders)
        self.orders, self.cancels = WaitingOrders(rates.orders), WaitingCancels(rates.cancels)
        self.halt, self.silence = Halt(), Silence(silence_ns)
        names = ("commands", "expired", "refused", "submitted", "batches", "cancels", "fills", "duplicates", "errors", "silences")
        self.counts = dict.fromkeys(names, 0)
        self.replies = Replies(self.ledger, self.plans, self.cancels, self.venue, self.gate.errors, self.counts)

    def recover(self, records: Iterable[Message]) -> None:
        """Fold durable records of earlier lives, in their order; a checkpoint first, if there is one."""
        for record in records:
            if isinstance(record, Checkpoint):
                restore(record, self.ledger, self.halt)
            elif isinstance(record, HaltRecord):
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

    def has_open(self, strategy: str) -> bool:
        """A strategy has an order that may trade, or that waits to leave."""
        return bool(self.orders.of(strategy, "")) or any(order.strategy == strategy for order in self.ledger.open.values())

    def stand_still(self, reason: str, cancel: bool, now_ns: int) -> Iterator[Message]:
        """Halt trading; ``cancel`` ends the open orders too."""
        yield from self.halt.set(reason, now_ns)
        yield from self.cancel_everything(now_ns) if cancel else self.refuse_waiting(now_ns)

    def settle(self, events: Iterable[Message], resolved: MarketResolved, now_ns: int) -> Iterator[Message]:
        """Nothing trades in a market that has ended; what is held of it pays out."""
        yield from self.apply(events, now_ns)
        yield from self.ledger.settle(resolved, now_ns)

    # --- commands --------------------------------------------------------------------------------------------------

    def command(self, command: Command, now_ns: int) -> Iterable[Message]:
        """What a strategy asks for, or says of a plan."""
        if isinstance(command, PlanEnded):
            self.plans.end(command)
            return self.plans.closed(now_ns)
        self.counts["commands"] += 1
        match command:
            case PlaceOrder():
                return self.place(command, now_ns)
            case CancelOrder():
                return self.cancel(command, now_ns)
            case MergePair():
                return self.merge(command, now_ns)
            case ConvertSet():
                return self.convert(command, now_ns)
            case _:
                return self.cancel_all(command, now_ns)

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

    def convert(self, command: ConvertSet, now_ns: int) -> Iterator[Message]:
        """NO shares of an event are to be turned back into dollars, and YES shares of its other markets."""
        key = self.plans.intend(command, command.market, now_ns)
        markets = self.followed.exclusive(command.event)
        market_of = {token_id: market.market_id for market in markets for token_id in market.token_ids}
        free = [self.ledger.free_e6(command.strategy, token, market_of.get(token, "")) for token in command.token_ids]
        reason = self._expiry(command.expires_ns, now_ns) or conversion_refusal(command, markets, free, self.ledger.mode)
        if not reason:
            yield from self.ledger.convert(command, markets, now_ns)
        self.plans.acknowledge(key, "refused" if reason else "converted", now_ns, reason)
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

    def flush(self, now_ns: int) -> Iterable[Message]:
        """Send what may leave by now: whole batches of orders, then cancels."""
        return self._flushed(now_ns) if len(self.orders) or len(self.cancels) else ()

    def _flushed(self, now_ns: int) -> Iterator[Message]:
        while batch := self.orders.take_due(MAX_BATCH, now_ns):
            yield from self._leave(batch, now_ns)
        if not len(self.cancels) or not self.venue.allows("cancel"):
            return
        for name in self.cancels.take_due(now_ns):
            order = self.ledger.order(name)
            if order is not None and order.is_open:
                self.counts["cancels"] += 1
                self.plans.sent(("cancel", name), now_ns)
                yield from self.apply(self.carrier.cancel(name, now_ns), now_ns)

    def tick(self, now_ns: int) -> Iterator[Message]:
        """The venue's state returns by itself, what waited for time leaves, and what nobody watches over is cancelled."""
        self.venue.wake(now_ns)
        for strategy in self.silence.overdue(now_ns):
            if self.has_open(strategy):
                self.counts["silences"] += 1
                yield from self.cancel_all(pull_of(strategy, self.silence.limit_ns, now_ns), now_ns)
        yield from self.flush(now_ns)
        yield from self.plans.closed(now_ns)

    def next_ns(self) -> int | None:
        """When ``tick`` wants to be called; None: nothing waits for time."""
        cancels_ns = self.cancels.next_ns() if len(self.cancels) and self.venue.allows("cancel") else None
        return earliest(
            self.orders.next_ns(), cancels_ns, self.venue.next_ns(), self.plans.next_deadline_ns(), self.silence.next_ns()
        )

    # --- what the relayer says -------------------------------------------------------------------------------------

    def apply(self, said: Iterable[Message], now_ns: int) -> Iterable[Message]:
        """What the relayer says, entered everywhere; then the plans that it answered. Its records and requests are passed on."""
        return () if said == () else self._applied(said, now_ns)

    def _applied(self, said: Iterable[Message], now_ns: int) -> Iterator[Message]:
        told = False
        for msg in said:
            if isinstance(msg, RelayerEvent):
                yield from self.replies.enter(msg, now_ns)
                told = True
            elif isinstance(msg, HaltWanted):
                yield from self.stand_still(msg.reason, msg.cancel, now_ns)
            else:
                yield msg
        if told:
            self.replies.answer(now_ns)
            yield from self.plans.closed(now_ns)

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


def earliest(*times: int | None) -> int | None:
    """The first of some times; None if there is none. Asked before every message, so without a generator."""
    first = None
    for ns in times:
        if ns is not None and (first is None or ns < first):
            first = ns
    return first
