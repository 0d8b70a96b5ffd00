"""The executor: takes orders from strategies, refuses the risky ones, journals, and only then lets them leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import click

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.bus.stage import Stage
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import BookSnapshot, Market, MarketResolved, MarketUniverse, TradePrint
from pipeline.messages.orders import (
    CancelAll,
    CancelEverything,
    CancelOrder,
    ExecSnapshot,
    Halt,
    Mode,
    PlaceOrder,
    PlanEnded,
    Resume,
    TradingHalted,
    TradingResumed,
)
from pipeline.messages.records import HaltRecord
from pipeline.trading.ledger import Ledger
from pipeline.trading.plans import PlanLog
from pipeline.trading.policy import FeedPolicy, allowed_states, mirrored, other_token
from pipeline.trading.risk import Limits, Situation, refusal
from pipeline.venue.fake_relayer import FakeRelayer
from pipeline.venue.paper_relayer import PaperRelayer
from pipeline.venue.relayer import Relayer
from processes.options import process_options, run_process

RELAYER_RESTARTED = "relayer restarted"


class Executor(Stage):
    """Carry out commands: risk first, then the durable record, then the relayer, then what became of it.

    In: ``command``, ``operator``, ``book``, ``universe``, ``committed``. Out: ``exec``, ``persist.durable``. State: orders,
    positions, counters and the halt, folded from its own journal by ``recover``; books and markets come again by themselves.
    No order is taken before the writer has said what it holds of this producer's records.
    """

    role: ClassVar[str] = "executor"

    def __init__(self, relayer: Relayer, limits: Limits, mode: Mode) -> None:
        self.relayer = relayer
        self.limits = limits
        self.mode: Mode = mode
        self.ledger = Ledger(mode)
        self.plans = PlanLog(mode)
        self.halt_reason = ""
        self.halted = False
        self.ready = False
        self._now_ns = 0
        self._reason = "waiting for the writer"
        self._books: dict[str, BookSnapshot] = {}
        self._markets: dict[str, Market] = {}
        self._counts = dict.fromkeys(("commands", "expired", "refused", "submitted", "cancels", "fills", "duplicates"), 0)

    # --- life ------------------------------------------------------------------------------------------------------

    def recover(self, records: Iterable[Message]) -> None:
        """Fold this producer's durable records of earlier lives: orders, fills, positions, counters, the halt."""

        def trading() -> Iterator[Message]:
            for record in records:
                if isinstance(record, HaltRecord):
                    self.halted, self.halt_reason = record.halted, record.reason
                else:
                    yield record

        self.ledger.recover(trading())

    def start(self, now_ns: int) -> Iterator[Message]:
        """End the orders that an in-process relayer forgot, and say what is held."""
        self._now_ns = now_ns
        if self.relayer.forgets:
            for order in list(self.ledger.open.values()):
                self.ledger.close(order, RELAYER_RESTARTED)
                yield self.ledger.record(order, now_ns)
                yield self.ledger.update(order, now_ns)
        else:
            yield from self._apply(self.relayer.restore(list(self.ledger.open.values()), now_ns), now_ns)
        yield self.snapshot(now_ns)

    def stop(self, now_ns: int) -> Iterator[Message]:
        """Take no more commands, cancel every open order, close the open plans."""
        self.ready, self._reason = False, "executor stopped"
        yield self.snapshot(now_ns)
        yield from self._apply(self.relayer.close(now_ns), now_ns)
        yield from self.plans.closed(now_ns, everything=True)

    def current(self, topic: str) -> Iterator[Message]:
        """All that is held, for a new subscriber of any topic."""
        yield self.snapshot(self._now_ns)

    def next_timer_ns(self) -> int | None:
        """The relayer's next turn, or the next deadline of a plan."""
        ours, theirs = self.plans.next_deadline_ns(), self.relayer.next_timer_ns()
        return theirs if ours is None else ours if theirs is None else min(ours, theirs)

    def on_timer(self, now_ns: int) -> Iterator[Message]:
        """What is due."""
        yield from self._apply(self.relayer.tick(now_ns), now_ns)
        yield from self.plans.closed(now_ns)

    def counts(self) -> dict[str, int]:
        """Totals since the start."""
        return {**self._counts, "open_orders": len(self.ledger.open), "events_ignored": self.ledger.ignored}

    def snapshot(self, now_ns: int) -> ExecSnapshot:
        """All that is held: open orders, positions, counters, and whether commands are taken."""
        return ExecSnapshot(
            ts_ns=now_ns,
            accepts=self.ready,
            halted=self.halted,
            mode=self.mode,
            orders=self.ledger.shown(),
            positions=self.ledger.portfolio.shown(),
            reason=self._reason or self.halt_reason,
            next_counters=self.ledger.next_counters(),
            plan_ids=self.ledger.taker_plans(),
        )

    # --- what comes in ---------------------------------------------------------------------------------------------

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """One message."""
        self._now_ns = now_ns
        match msg:
            case BookSnapshot():
                self._books[msg.token_id] = msg
                return self._apply(self.relayer.on_book(msg, now_ns), now_ns)
            case TradePrint():
                return self._apply(self.relayer.on_trade(msg, now_ns), now_ns)
            case PlaceOrder() | CancelOrder() | CancelAll():
                return self._command(msg, now_ns)
            case RelayerEvent():
                return self._apply((msg,), now_ns)
            case MarketUniverse():
                self._markets = {token_id: market for market in msg.markets for token_id in market.token_ids}
                return self._apply(self.relayer.on_universe(msg, now_ns), now_ns)
            case MarketResolved():
                return self._resolved(msg, now_ns)
            case Committed():
                return self._committed(msg, now_ns)
            case Halt():
                return self._halt(msg, now_ns)
            case Resume():
                return self._resume(msg, now_ns)
            case PlanEnded():
                self.plans.end(msg)
                return self.plans.closed(now_ns)
            case CancelEverything():
                return self._apply(self.relayer.cancel_all(now_ns), now_ns)
        return ()

    def _resolved(self, msg: MarketResolved, now_ns: int) -> Iterator[Message]:
        """Nothing trades in a market that has ended; what is held of it pays out."""
        yield from self._apply(self.relayer.on_resolved(msg, now_ns), now_ns)
        yield from self.ledger.settle(msg, now_ns)

    def _committed(self, msg: Committed, now_ns: int) -> Iterator[Message]:
        if msg.producer.partition("@")[0] == self.role and not self.ready:
            self.ready, self._reason = True, ""
            yield self.snapshot(now_ns)

    def _halt(self, msg: Halt, now_ns: int) -> Iterator[Message]:
        """On disk before anybody hears of it."""
        self.halted, self.halt_reason = True, msg.reason
        yield HaltRecord(ts_ns=now_ns, halted=True, reason=msg.reason)
        yield TradingHalted(ts_ns=now_ns, reason=msg.reason)
        if msg.cancel:
            yield from self._apply(self.relayer.cancel_all(now_ns), now_ns)

    def _resume(self, msg: Resume, now_ns: int) -> Iterator[Message]:
        self.halted, self.halt_reason = False, ""
        yield HaltRecord(ts_ns=now_ns, halted=False, reason=msg.reason)
        yield TradingResumed(ts_ns=now_ns, reason=msg.reason)

    # --- commands --------------------------------------------------------------------------------------------------

    def _command(self, command: PlaceOrder | CancelOrder | CancelAll, now_ns: int) -> Iterator[Message]:
        self._counts["commands"] += 1
        if not self.ready:
            # Whoever sent it has not heard, or not yet, what stands here; the snapshot tells, and nothing is recorded.
            self._counts["refused"] += 1
            yield self.snapshot(now_ns)
            return
        match command:
            case PlaceOrder():
                yield from self._place(command, now_ns)
            case CancelOrder():
                yield from self._cancel(command, now_ns)
            case _:
                yield from self._cancel_all(command, now_ns)
        yield from self.plans.closed(now_ns)

    def _place(self, command: PlaceOrder, now_ns: int) -> Iterator[Message]:
        name = command.client_order_id
        known = self.ledger.order(name)
        if known is not None:
            self._counts["duplicates"] += 1
            yield self.ledger.update(known, now_ns)
            return
        key = self.plans.intend(command, command.market)
        reason = self._objection(command, now_ns)
        order = self.ledger.add(command, now_ns, refused=reason)
        yield self.ledger.record(order, now_ns)
        if reason:
            self._counts["refused"] += 1
            self.plans.acknowledge(key, "refused", now_ns, reason)
            yield self.ledger.update(order, now_ns)
            return
        self._counts["submitted"] += 1
        yield from self._apply(self.relayer.submit(command, now_ns), now_ns)

    def _cancel(self, command: CancelOrder, now_ns: int) -> Iterator[Message]:
        order = self.ledger.order(command.client_order_id)
        key = self.plans.intend(command, order.market if order else "")
        reason = self._expiry(command.expires_ns, now_ns)
        if not reason and order is None:
            reason = "no such order"
        if reason or order is None:
            self.plans.acknowledge(key, "refused", now_ns, reason)
            yield self.snapshot(now_ns)
        elif not order.is_open:
            self.plans.acknowledge(key, order.status, now_ns)
            yield self.ledger.update(order, now_ns)
        else:
            self._counts["cancels"] += 1
            yield from self._apply(self.relayer.cancel(order.client_order_id, now_ns), now_ns)

    def _cancel_all(self, command: CancelAll, now_ns: int) -> Iterator[Message]:
        key = self.plans.intend(command, command.market)
        reason = self._expiry(command.expires_ns, now_ns)
        if not reason:
            for order in list(self.ledger.open.values()):
                if order.strategy == command.strategy and command.market in ("", order.market):
                    self._counts["cancels"] += 1
                    yield from self._apply(self.relayer.cancel(order.client_order_id, now_ns), now_ns)
        self.plans.acknowledge(key, "refused" if reason else "taken", now_ns, reason)

    def _expiry(self, expires_ns: int, now_ns: int) -> str:
        if now_ns <= expires_ns:
            return ""
        self._counts["expired"] += 1
        return "command expired"

    def _objection(self, command: PlaceOrder, now_ns: int) -> str:
        """Why an order is not taken; "" if it is."""
        expired = self._expiry(command.expires_ns, now_ns)
        if expired:
            return expired
        if self.halted:
            return f"trading is halted: {self.halt_reason}"
        return refusal(command, self._situation(command), self.limits)

    def _situation(self, command: PlaceOrder) -> Situation:
        market = self._markets.get(command.token_id)
        return Situation(
            mode=self.mode,
            market=market,
            book=self._book(command.token_id, market),
            open_orders=len(self.ledger.open),
            at_stake_e6=self.ledger.at_stake_e6,
            free_e6=self.ledger.free_e6(command.decision.strategy, command.token_id, command.market),
            rivals=self.ledger.in_market(command.market),
        )

    def _book(self, token_id: str, market: Market | None) -> BookSnapshot | None:
        """The token's book; without one, the other outcome's seen from this side."""
        book = self._books.get(token_id)
        if book is not None or market is None:
            return book
        other = self._books.get(other_token(market, token_id))
        return mirrored(other, token_id) if other is not None else None

    # --- what the relayer says -------------------------------------------------------------------------------------

    def _apply(self, events: Iterable[RelayerEvent], now_ns: int) -> Iterator[Message]:
        """Enter events in the ledger, pass on what follows, and answer the commands that waited for them."""
        told = []
        for event in events:
            yield from self.ledger.on_event(event, now_ns)
            self._counts["fills"] += event.kind == "filled"
            told.append(event)
        for event in told:
            self._answer(event, now_ns)

    def _answer(self, event: RelayerEvent, now_ns: int) -> None:
        name = event.client_order_id
        order = self.ledger.order(name)
        if order is None:
            return
        if event.kind == "cancel_refused":
            self.plans.acknowledge(("cancel", name), "refused", now_ns, event.reason)
        elif not order.is_open:
            self.plans.acknowledge(("cancel", name), order.status, now_ns)
        self.plans.acknowledge(("place", name), order.status, now_ns, order.reason, order.filled_e6)


def build(config: Config) -> Executor:
    """The executor that ``[execution]`` and ``[risk]`` describe."""
    settings = config.settings
    limits = Limits.from_settings(settings.risk, FeedPolicy(settings.confidence))
    relayer, mode = relayer_of(settings)
    return Executor(relayer, limits, mode)


def relayer_of(settings: Settings) -> tuple[Relayer, Mode]:
    """Who takes the orders, and the mode that its fills are booked under. Raises BadInput."""
    if settings.execution.relayer == "fake":
        return FakeRelayer(settings.execution.fill_ratio), "fake"
    return PaperRelayer.from_settings(settings.paper, allowed_states("paper", FeedPolicy(settings.confidence))), "paper"


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Carry out what strategies ask for: risk checks, the journal, then the relayer."""
    run_process(build(config), config, session_id)


if __name__ == "__main__":
    main()
