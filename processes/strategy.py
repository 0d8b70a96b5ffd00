"""The strategy engine: every enabled strategy at its desk, over the books, for the executor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import click

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS
from pipeline.bus.stage import Gap, PeerStarted, Stage
from pipeline.messages import Message
from pipeline.messages.control import JobDue
from pipeline.messages.market import BookSnapshot, MarketUniverse
from pipeline.messages.orders import ExecSnapshot, Fill, OrderUpdate, TradingHalted, TradingResumed
from pipeline.strategy.base import Strategy
from pipeline.strategy.desk import QuoteDesk
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.policy import USUAL, FeedPolicy
from processes.options import process_options, run_process


class StrategyEngine(Stage):
    """Decide on every change of book, orders or positions, and send what the decision takes.

    In: ``universe``, ``book``, ``exec``, ``control``. Out: ``command``, ``persist.lossy`` (Opportunity, PortfolioRow). State: books,
    and what the executor told; nothing is sent before an ExecSnapshot of the present executor that accepts. After a restart the
    order counter goes on where that snapshot says.
    """

    role: ClassVar[str] = "strategy"

    def __init__(self, strategies: Sequence[Strategy], session_id: str, ttl_ns: int, policy: FeedPolicy = USUAL) -> None:
        """``policy`` says what each state of a book's confidence allows."""
        self.desks = {strategy.name: QuoteDesk(strategy, session_id, ttl_ns, policy) for strategy in strategies}

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """One message."""
        match msg:
            case BookSnapshot():
                return self._each(desk.on_book(msg, now_ns) for desk in self.desks.values())
            case OrderUpdate() if msg.strategy in self.desks:
                return self.desks[msg.strategy].on_update(msg, now_ns)
            case Fill() if msg.strategy in self.desks:
                return self.desks[msg.strategy].on_fill(msg, now_ns)
            case ExecSnapshot():
                return self._each(desk.on_snapshot(msg, now_ns) for desk in self.desks.values())
            case MarketUniverse():
                return self._each(desk.on_universe(msg, now_ns) for desk in self.desks.values())
            case TradingHalted() | TradingResumed():
                halted = isinstance(msg, TradingHalted)
                return self._each(desk.on_halt(halted, now_ns) for desk in self.desks.values())
            case JobDue(job="snapshot"):
                return self._each(desk.portfolio_rows(now_ns) for desk in self.desks.values())
        return ()

    def missed(self, gap: Gap, now_ns: int) -> Iterable[Message]:
        """Words of the executor were lost: wait for its next snapshot."""
        if gap.stream == "exec":
            self._forget()
        return ()

    def peer_started(self, peer: PeerStarted, now_ns: int) -> Iterable[Message]:
        """A new executor holds other things than the old one said: wait for its snapshot."""
        if peer.stream == "exec":
            self._forget()
        return ()

    def next_timer_ns(self) -> int | None:
        """The first wake-up of any desk."""
        return min((due for desk in self.desks.values() if (due := desk.next_wake_ns()) is not None), default=None)

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        """Decide where it was put off."""
        return self._each(desk.wake(now_ns) for desk in self.desks.values())

    def stop(self, now_ns: int) -> Iterable[Message]:
        """Quotes do not outlive who watches over them."""
        return self._each(desk.close(now_ns) for desk in self.desks.values())

    def counts(self) -> dict[str, int]:
        """Totals since the start."""
        return {f"{name}_decisions": desk.decisions for name, desk in self.desks.items()}

    def _forget(self) -> None:
        for desk in self.desks.values():
            desk.account.forget()

    @staticmethod
    def _each(answers: Iterable[Iterator[Message]]) -> Iterator[Message]:
        for answer in answers:
            yield from answer


def build(config: Config, session_id: str) -> StrategyEngine:
    """The engine with the strategies that ``[strategy]`` enables."""
    settings = config.settings
    ttl_ns = settings.execution.command_ttl_ms * NS_PER_MS
    return StrategyEngine(strategies_of(settings), session_id, ttl_ns, FeedPolicy(settings.confidence))


def strategies_of(settings: Settings) -> list[Strategy]:
    """The enabled strategies, with their parameters."""
    strategies: list[Strategy] = []
    if settings.strategy.spread_capture:
        strategies.append(SpreadCapture.from_settings(settings.spread_capture))
    return strategies


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Decide what to quote, from the books and from what is held, and tell the executor."""
    run_process(build(config, session_id), config, session_id)


if __name__ == "__main__":
    main()
