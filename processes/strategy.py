"""The strategy engine: every enabled strategy at its desk, over the books, for the executor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar

import click

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Gap, PeerStarted, Stage
from pipeline.messages import Message
from pipeline.messages.control import JobDue
from pipeline.messages.market import BookSnapshot, MarketUniverse
from pipeline.messages.orders import ExecSnapshot, Fill, OrderUpdate, StrategyAlive, TradingHalted, TradingResumed
from pipeline.strategy.base import Strategy
from pipeline.strategy.desk import QuoteDesk
from pipeline.strategy.dutch_desk import DutchDesk
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.policy import USUAL, FeedPolicy
from pipeline.trading.silence import alive_every_ns, silence_ns_of
from processes.options import process_options, run_process


class StrategyEngine(Stage):
    """Decide on every change of book, orders or positions, and send what the decision takes.

    In: ``universe``, ``book``, ``exec``, ``control``. Out: ``command`` (with signs of life), ``persist.lossy`` (Opportunity,
    PortfolioRow). State: books, and what the executor told; nothing is sent before an ExecSnapshot of the present executor that
    accepts. After a restart the order counter goes on where that snapshot says.
    """

    role: ClassVar[str] = "strategy"

    def __init__(
        self,
        strategies: Sequence[Strategy],
        session_id: str,
        ttl_ns: int,
        policy: FeedPolicy = USUAL,
        dutch_book: DutchRules | None = None,
        alive_ns: int = 0,
        depth: int | None = None,
    ) -> None:
        """``policy`` says what each state of a book's confidence allows; without ``dutch_book`` nobody looks for complete sets.

        ``alive_ns``: how often the executor is told that the strategies live; 0 is never. ``depth``: how many levels a side are looked at
        of a book that comes whole; None is all.
        """
        self.quoters = {strategy.name: QuoteDesk(strategy, session_id, ttl_ns, policy) for strategy in strategies}
        self.desks: dict[str, QuoteDesk | DutchDesk] = dict(self.quoters)
        self.dutch: DutchDesk | None = None
        if dutch_book is not None:
            self.dutch = DutchDesk(dutch_book, session_id, ttl_ns, policy, self._has_quotes)
            self.desks[dutch_book.name] = self.dutch
        for quoter in self.quoters.values():
            quoter.beside = tuple(other for other in self.quoters.values() if other is not quoter)
        self._desks = tuple(self.desks.values())
        self._claims: frozenset[str] = frozenset()
        self._alive_every_ns, self._depth = alive_ns, depth
        self._alive_ns: int | None = None

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """One message."""
        if type(msg) is not BookSnapshot:
            return self._told(msg, now_ns)
        if msg.full_depth:
            msg = msg.cut_to(self._depth)
        answers: list[Iterable[Message]] | None = None
        for desk in self._desks:
            answer = desk.on_book(msg, now_ns)
            if answer:  # most books ask for nothing: then nothing is built
                answers = [*(answers or ()), answer]
        return () if answers is None else self._settled(answers, now_ns)

    def _told(self, msg: Message, now_ns: int) -> Iterable[Message]:
        if self.dutch is not None and isinstance(msg, OrderUpdate):
            # The cash is the account's: it changes with the orders of any strategy.
            self.dutch.account.free_cash_e6 = msg.free_cash_e6
        answers: list[Iterable[Message]]
        match msg:
            case OrderUpdate() if msg.strategy in self.desks:
                answers = [self.desks[msg.strategy].on_update(msg, now_ns)]
            case Fill() if msg.strategy in self.desks:
                answers = [self.desks[msg.strategy].on_fill(msg, now_ns)]
            case ExecSnapshot():
                answers = [desk.on_snapshot(msg, now_ns) for desk in self._desks]
                if self._alive_every_ns and self._alive_ns is None:
                    self._alive_ns = now_ns
            case MarketUniverse():
                answers = [desk.on_universe(msg, now_ns) for desk in self._desks]
            case TradingHalted() | TradingResumed():
                halted = isinstance(msg, TradingHalted)
                answers = [desk.on_halt(halted, now_ns) for desk in self._desks]
            case JobDue(job="snapshot"):
                answers = [desk.portfolio_rows(now_ns) for desk in self._desks]
            case _:
                return ()
        if self.dutch is None:
            return self._settled(answers, now_ns)
        return chain(self._settled(answers, now_ns), self._poked(now_ns))

    def _poked(self, now_ns: int) -> Iterator[Message]:
        """The Dutch Book desk looks again at what it waits for, as our quotes may have gone."""
        if self.dutch is not None and self._claims:
            yield from self._settled([self.dutch.poke(now_ns)], now_ns)

    def _settled(self, answers: Sequence[Iterable[Message]], now_ns: int) -> Iterable[Message]:
        """All answers; then, if the Dutch Book desk claims other markets than before, the quoters leave them or come back."""
        if self.dutch is None:
            return answers[0] if len(answers) == 1 else chain.from_iterable(answers)
        return self._with_claims(answers, now_ns)

    def _with_claims(self, answers: Sequence[Iterable[Message]], now_ns: int) -> Iterator[Message]:
        for answer in answers:
            yield from answer
        if self.dutch is not None and self.dutch.claims is not self._claims:
            self._claims = self.dutch.claims
            for quoter in self.quoters.values():
                yield from quoter.stand_aside(self._claims, now_ns)

    def _has_quotes(self, market: str) -> bool:
        return any(quoter.account.has_orders(market) for quoter in self.quoters.values())

    def missed(self, gap: Gap, now_ns: int) -> Iterable[Message]:
        """Words of the executor were lost: wait for its next snapshot."""
        if gap.stream == "exec":
            self._forget(now_ns)
        return ()

    def peer_started(self, peer: PeerStarted, now_ns: int) -> Iterable[Message]:
        """A new executor holds other things than the old one said: wait for its snapshot."""
        if peer.stream == "exec":
            self._forget(now_ns)
        return ()

    def next_timer_ns(self) -> int | None:
        """The first wake-up of any desk."""
        first_ns = self._alive_ns
        for desk in self._desks:
            due_ns = desk.next_wake_ns()
            if due_ns is not None and (first_ns is None or due_ns < first_ns):
                first_ns = due_ns
        return first_ns

    def on_timer(self, now_ns: int) -> Iterator[Message]:
        """Say that the strategies live; decide where it was put off."""
        if self._alive_ns is not None and now_ns >= self._alive_ns:
            self._alive_ns = now_ns + self._alive_every_ns
            if any(desk.account.ready for desk in self._desks):
                yield StrategyAlive(ts_ns=now_ns, strategies=tuple(self.desks))
        yield from self._settled([desk.wake(now_ns) for desk in self._desks], now_ns)

    def state(self, turn: int) -> dict[str, Any]:
        """What each desk believes of its orders and positions."""
        return {name: desk.account.state() for name, desk in self.desks.items()}

    def stop(self, now_ns: int) -> Iterator[Message]:
        """Quotes do not outlive who watches over them."""
        for desk in self._desks:
            yield from desk.close(now_ns)

    def counts(self) -> dict[str, int]:
        """Totals since the start."""
        return {name: count for desk in self._desks for name, count in desk.counts().items()}

    def _forget(self, now_ns: int) -> None:
        for desk in self._desks:
            desk.forget(now_ns)


def build(config: Config, session_id: str) -> StrategyEngine:
    """The engine with the strategies that ``[strategy]`` enables."""
    settings = config.settings
    ttl_ns = settings.execution.command_ttl_ms * NS_PER_MS
    return StrategyEngine(
        strategies_of(settings),
        session_id,
        ttl_ns,
        FeedPolicy(settings.confidence),
        dutch_book_of(settings),
        alive_every_ns(silence_ns_of(settings)),
        settings.book.depth,
    )


def strategies_of(settings: Settings) -> list[Strategy]:
    """The enabled quoting strategies, with their parameters. Raises ConfigError for one of ``[strategy.custom]`` that cannot be made."""
    strategies: list[Strategy] = []
    if settings.strategy.spread_capture:
        strategies.append(SpreadCapture.from_settings(settings.spread_capture))
    if settings.strategy.custom:
        from pipeline.strategy.custom import custom_strategies

        strategies += custom_strategies(settings.strategy.custom)
    return strategies


def dutch_book_of(settings: Settings) -> DutchRules | None:
    """The rules of the Dutch Book desk; None if it is not enabled."""
    if not settings.strategy.dutch_book:
        return None
    return DutchRules.from_settings(settings.dutch_book, settings.thresholds, settings.risk)


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Decide what to quote, from the books and from what is held, and tell the executor.

    \b
    Example:
      python -m processes.strategy --config ./config
    """
    run_process(build(config, session_id), config, session_id)


if __name__ == "__main__":
    main()
