"""The executor: takes orders from strategies, refuses the risky ones, journals, and only then lets them leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import click
import msgspec

from pipeline.base.config import Config
from pipeline.base.fault_points import reach
from pipeline.base.halt_file import HaltWord, read_halt
from pipeline.base.settings import RateLimitsSection
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Gap, PeerStarted, Stage
from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.control import Committed, WriterState
from pipeline.messages.edges import JournalSeen, LinkEvent, RawFrame, RelayerEvent, VenueReply, VenueStateSeen
from pipeline.messages.market import BookSnapshot, MarketResolved, MarketUniverse, TradePrint
from pipeline.messages.orders import (
    CancelAll,
    CancelEverything,
    CancelOrder,
    ConvertSet,
    ExecSnapshot,
    Fill,
    Halt,
    MergePair,
    Mode,
    PlaceOrder,
    PlanEnded,
    Resume,
    StrategyAlive,
)
from pipeline.messages.records import AuditRecord, FillRecord, OrderRecord
from pipeline.trading.checkpoint import checkpoint_of
from pipeline.trading.dispatch import Command, Dispatcher, earliest
from pipeline.trading.exec_snapshot import exec_snapshot
from pipeline.trading.followed import Followed
from pipeline.trading.glance import Glance
from pipeline.trading.ledger import Ledger
from pipeline.trading.limits import Limits
from pipeline.trading.markouts import Markouts
from pipeline.trading.open_plans import OpenPlans
from pipeline.trading.persistence import Persistence
from pipeline.trading.rate_limits import RateLimits
from pipeline.trading.readiness import Readiness
from pipeline.trading.reward_meter import RewardMeter
from pipeline.trading.silence import silence_ns_of
from pipeline.venue.relayer import NOTHING, Relayer
from pipeline.venue.relayer_edges import relayer_edges
from pipeline.venue.relayers import Sign, relayer_of
from processes.executor_news import News
from processes.options import process_options, run_process

RELAYER_RESTARTED = "relayer restarted"
OF_PLANS = frozenset({OrderRecord, FillRecord, AuditRecord})


class Executor(Stage):
    """Carry out commands: risk first, then the durable record, then the relayer, then what became of it.

    In: ``command``, ``operator``, ``book``, ``universe``, ``committed``. Out: ``exec``, ``persist.durable``, ``persist.lossy`` (the mids
    after our trades, estimated rewards). State: orders, positions, counters and the halt, folded from its own journal by ``recover``;
    books and markets come again by themselves. No order is taken before the writer has said what it holds of this producer's records,
    what the venue holds has been compared with what we hold, and every followed token has a book, or ``books_wait_ns`` have passed;
    and none, but cancels, while what is recorded would not reach the database. Orders of a strategy that is silent for ``silence_ns`` are
    cancelled (0: never). ``standing`` gives what an operator left on disk while nobody was there to hear it.
    """

    role: ClassVar[str] = "executor"

    def __init__(
        self,
        relayer: Relayer,
        limits: Limits,
        mode: Mode,
        *,
        rates: RateLimits | None = None,
        batch_wait_ns: int = 0,
        books_wait_ns: int = 2_000 * NS_PER_MS,
        standing: Callable[[], HaltWord | None] = lambda: None,
        silence_ns: int = 0,
        depth: int | None = None,
    ) -> None:
        self.relayer, self.mode = relayer, mode
        self.followed = Followed(depth)
        rates = rates or RateLimits.from_settings(RateLimitsSection())
        self.desk = Dispatcher(relayer, limits, mode, self.followed, rates, batch_wait_ns, silence_ns)
        self.readiness = Readiness(books_wait_ns, relayer.is_reconciled)
        self.open_plans = OpenPlans()
        self.persistence = Persistence()
        self._news = News(self.desk, self.readiness, self.persistence, self.followed, relayer, self.snapshot)
        self.markouts = Markouts(partial(self.followed.trusted_mid_e6, allowed=limits.policy.allowed(mode)))
        self.rewards = RewardMeter(mode, self.followed)
        self._glance = Glance(self.followed, self.markouts).at
        self._standing = standing
        self._now_ns = 0
        self._due_ns: int | None = None
        self._is_due_known = self._is_at_rest = self._winds_up = False

    @property
    def ledger(self) -> Ledger:
        """Orders and positions."""
        return self.desk.ledger

    # --- life ------------------------------------------------------------------------------------------------------

    def recover(self, records: Iterable[Message]) -> None:
        """Fold this producer's durable records of earlier lives: orders, fills, positions, counters, the day's result, the halt."""
        known = list(records)
        self.relayer.recover(known)
        self.desk.recover(self._folded(known))

    def checkpoint(self, now_ns: int) -> Checkpoint:
        """All that ``recover`` needs instead of the records so far."""
        return checkpoint_of(self.ledger, self.desk.halt, now_ns, self.open_plans, self.relayer.kept_intents())

    def _folded(self, records: Iterable[Message]) -> Iterator[Message]:
        for record in records:
            self.open_plans.recover(record)
            self.markouts.recover(record)
            yield record

    def premises(self) -> HaltWord | None:
        """What an operator left."""
        word = self._standing()
        self._standing = lambda: word
        return word

    def state(self, turn: int) -> dict[str, Any]:
        """All that is held, by field."""
        return msgspec.structs.asdict(self.snapshot(self._now_ns))

    def start(self, now_ns: int) -> Iterator[Message]:
        """Obey what an operator left, end the orders that an in-process relayer forgot or restore them, and say what is held."""
        self._now_ns = now_ns
        self._stir()
        self.markouts.begin(now_ns)
        word = self._standing()
        yield from self.desk.halt.obey(word, now_ns)
        if self.relayer.forgets:
            yield from self._marked(self.desk.end_all(RELAYER_RESTARTED, now_ns), now_ns)
        else:
            restored = self.relayer.restore(list(self.ledger.open.values()), now_ns)
            yield from self._marked(self.desk.apply(restored, now_ns), now_ns)
        if word is not None and word.cancel and self.desk.halt.reason is not None and self.ledger.open:
            yield from self._marked(self.desk.cancel_everything(now_ns), now_ns)
        yield self.snapshot(now_ns)

    def wind_up(self, now_ns: int) -> Iterator[Message]:
        """Take no more commands and cancel every open order."""
        self._winds_up = True
        self._stir()
        self.readiness.on_stop()
        yield self.snapshot(now_ns)
        yield from self.desk.refuse_waiting(now_ns)
        yield from self._marked(self.desk.apply(self.relayer.close(now_ns), now_ns), now_ns)

    @property
    def is_wound_up(self) -> bool:
        """The relayer has the answers to its cancels."""
        return self.relayer.is_closed

    def stop(self, now_ns: int) -> Iterator[Message]:
        """Close the open plans, after winding up."""
        if not self._winds_up:
            yield from self.wind_up(now_ns)
        yield from self.desk.plans.closed(now_ns, everything=True)
        yield from self.markouts.due(now_ns)

    def current(self, topic: str) -> Iterator[Message]:
        """All that is held, for a new subscriber of any topic."""
        yield self.snapshot(self._now_ns)

    def peer_started(self, peer: PeerStarted, now_ns: int) -> Iterable[Message]:
        """A new book builder: its books are waited for as at the start."""
        self._stir()
        if peer.stream == "book":
            self.followed.forget_books()
            self.relayer.forget_books("")
            if self.readiness.on_books_lost(now_ns):
                self.desk.silence.pause()
                yield self.snapshot(now_ns)

    def missed(self, gap: Gap, now_ns: int) -> Iterable[Message]:
        """Something of a token's book was lost: it is not known until it comes whole."""
        self._stir()
        if gap.stream == "book":
            token_id = gap.topic.partition(".")[2]
            self.followed.forget_book(token_id)
            self.relayer.forget_books(token_id)
        return ()

    def next_timer_ns(self) -> int | None:
        """The relayer's next turn, what waits for time, or the end of the wait for books. Worked out anew where it may have changed."""
        if not self._is_due_known:
            reward_ns = self.rewards.next_ns(self._now_ns) if self.ledger.open else None
            due = (self.relayer.next_timer_ns(), self.desk.next_ns(), self.readiness.due_ns, self.markouts.next_ns())
            self._due_ns, self._is_due_known = earliest(*due, reward_ns), True
        return self._due_ns

    def on_timer(self, now_ns: int) -> Iterator[Message]:
        """What is due."""
        self._now_ns = now_ns
        self._stir()
        yield from self.markouts.due(now_ns)
        yield from self.rewards.look(self.ledger.open.values(), now_ns)
        yield from self._marked(self.desk.apply(self.relayer.tick(now_ns), now_ns), now_ns)
        yield from self._marked(self.desk.tick(now_ns), now_ns)
        yield from self._news.look(now_ns)
        self._is_due_known, self._is_at_rest = False, self.readiness.due_ns is None

    def counts(self) -> dict[str, int]:
        """Totals since the start."""
        held = {"open_orders": len(self.ledger.open), "events_ignored": self.ledger.ignored}
        return self.desk.counts | self.relayer.figures() | held

    def snapshot(self, now_ns: int) -> ExecSnapshot:
        """All that is held: open orders, positions, counters, and whether commands are taken."""
        return exec_snapshot(self.desk, self.readiness, self.persistence, self.open_plans, self.mode, now_ns)

    # --- what comes in ---------------------------------------------------------------------------------------------

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """One message, and what it changed in whether and how the venue can be traded on.

        Most of them are books and trades that concern nothing of ours: then nothing else is looked at.
        """
        self._now_ns = now_ns
        if type(msg) is BookSnapshot:
            if self._glance(msg, now_ns):
                self._stir()
            said = self.relayer.on_book(msg, now_ns)
            if said is NOTHING and self._is_at_rest:
                return NOTHING
        elif type(msg) is TradePrint:
            said = self.relayer.on_trade(msg, now_ns)
            if said is NOTHING and self._is_at_rest:
                return NOTHING
        else:
            return self._told(self._take(msg, now_ns), now_ns)
        return self._told(self.desk.apply(said, now_ns), now_ns)

    def _told(self, messages: Iterable[Message], now_ns: int) -> Iterator[Message]:
        """What is said, and what follows from it for all."""
        self._stir()
        yield from self._marked(messages, now_ns)
        yield from self._news.look(now_ns)
        self._is_due_known, self._is_at_rest = False, self.readiness.due_ns is None

    def _stir(self) -> None:
        """Anything may change now: what is due next, and whether there is news."""
        self._is_due_known = self._is_at_rest = False

    def _marked(self, messages: Iterable[Message], now_ns: int) -> Iterator[Message]:
        """What is said; of each trade in it the mids are noted, from now on."""
        for msg in messages:
            yield msg
            if type(msg) is Fill:
                self.markouts.on_fill(msg, now_ns)
            elif type(msg) in OF_PLANS:
                self.open_plans.take(msg)

    def _take(self, msg: Message, now_ns: int) -> Iterable[Message]:
        match msg:
            case PlaceOrder() | CancelOrder() | CancelAll() | MergePair() | ConvertSet() | PlanEnded():
                return self._command(msg, now_ns)
            case StrategyAlive():
                self.desk.silence.hear(msg.strategies, now_ns)
            case RelayerEvent():
                return self.desk.apply((msg,), now_ns)
            case VenueReply(kind="place"):
                return self._answered(msg, now_ns)
            case VenueReply() | RawFrame() | LinkEvent():
                return self.desk.apply(self.relayer.hear(msg, now_ns), now_ns)
            case MarketUniverse():
                self.followed.on_universe(msg.markets)
                self.ledger.reprice()
                self.rewards.on_universe(msg.markets)
                return self._universe(msg, now_ns)
            case MarketResolved():
                return self.desk.settle(self.relayer.on_resolved(msg, now_ns), msg, now_ns)
            case Committed() if msg.producer.partition("@")[0] == self.role:
                self.readiness.on_writer(now_ns)
            case WriterState():
                self.persistence.on_writer(msg)
            case JournalSeen():
                self.persistence.on_journal(msg)
            case Halt():
                return self.desk.stand_still(msg.reason, msg.cancel, now_ns)
            case Resume():
                self._news.tell_again()
                return self.desk.halt.set(None, now_ns, msg.reason)
            case CancelEverything():
                return self.desk.cancel_everything(now_ns)
            case VenueStateSeen():
                return self.desk.apply(self.relayer.on_venue_state(msg.state, now_ns), now_ns)
        return ()

    def _universe(self, msg: MarketUniverse, now_ns: int) -> Iterator[Message]:
        """The followed markets, and those whose end the feed may have told unheard: each is settled once, whoever tells it."""
        yield from self.desk.apply(self.relayer.on_universe(msg, now_ns), now_ns)
        for resolved in msg.ended:
            if self.ledger.in_market(resolved.market) or self.ledger.portfolio.holds(resolved.market):
                yield from self.desk.settle(self.relayer.on_resolved(resolved, now_ns), resolved, now_ns)

    def _answered(self, reply: VenueReply, now_ns: int) -> Iterator[Message]:
        """The venue's answer to orders, and all that follows from it."""
        reach("before-ack")
        yield from self.desk.apply(self.relayer.hear(reply, now_ns), now_ns)
        reach("after-ack")

    def _command(self, command: Command, now_ns: int) -> Iterator[Message]:
        self.desk.silence.hear((command.decision.strategy,), now_ns)
        begins = isinstance(command, (PlaceOrder, MergePair, ConvertSet))
        if (not self.readiness.accepts or (begins and self.persistence.objection)) and not isinstance(command, PlanEnded):
            # Whoever sent it has not heard, or not yet, what stands here; the snapshot tells, and nothing is recorded.
            self.desk.counts["refused"] += 1
            yield self.snapshot(now_ns)
            return
        if isinstance(command, PlaceOrder):
            self.open_plans.begin(command)
        unknown = isinstance(command, CancelOrder) and not self.desk.knows(command.client_order_id)
        yield from self.desk.command(command, now_ns)
        if unknown:
            yield self.snapshot(now_ns)


def build(config: Config, sign: Sign | None = None, standing: Callable[[], HaltWord | None] | None = None) -> Executor:
    """The executor that ``[execution]``, ``[risk]`` and ``[rate_limits]`` describe; with other signatures, or an operator's other word."""
    settings = config.settings
    relayer, mode = relayer_of(settings, sign)
    return Executor(
        relayer,
        Limits.of(settings),
        mode,
        rates=RateLimits.from_settings(settings.rate_limits),
        batch_wait_ns=settings.execution.batch_wait_ms * NS_PER_MS,
        books_wait_ns=settings.execution.books_wait_ms * NS_PER_MS,
        silence_ns=silence_ns_of(settings),
        standing=standing or partial(read_halt, Path(settings.bus.state_dir)),
        depth=settings.book.depth,
    )


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Carry out what strategies ask for: risk checks, the journal, then the relayer.

    \b
    Example:
      python -m processes.executor --config ./config
    """
    stage = build(config)
    run_process(stage, config, session_id, edges=relayer_edges(config.settings))


if __name__ == "__main__":
    main()
