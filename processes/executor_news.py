"""What the executor says of itself unasked: whether it takes commands, how the venue stands, and whether its records are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pipeline.base import events
from pipeline.base.log import get_logger
from pipeline.messages import Message
from pipeline.messages.orders import ExecSnapshot, TradingHalted, TradingResumed, VenueState
from pipeline.trading.dispatch import Dispatcher
from pipeline.trading.followed import Followed
from pipeline.trading.persistence import Persistence
from pipeline.trading.readiness import Readiness
from pipeline.venue.relayer import Relayer


class News:
    """Remembers what was told last, and tells what is different by now. ``snapshot`` gives all that the executor holds."""

    def __init__(
        self,
        desk: Dispatcher,
        readiness: Readiness,
        persistence: Persistence,
        followed: Followed,
        relayer: Relayer,
        snapshot: Callable[[int], ExecSnapshot],
    ) -> None:
        self._desk, self._readiness, self._persistence = desk, readiness, persistence
        self._followed, self._relayer, self._snapshot = followed, relayer, snapshot
        self._told_state: VenueState = "normal"
        self._told_objection = ""

    def tell_again(self) -> None:
        """What speaks against storing records is said once more, if it still does: an operator's word does not end it."""
        self._told_objection = ""

    def look(self, now_ns: int) -> Iterable[Message]:
        """A snapshot, if commands are taken from here on, or the venue's state is another one."""
        venue = self._desk.venue
        venue.on_link(self._followed.link_up)
        if not self._readiness.accepts or self._persistence.objection != self._told_objection:
            return self._changed(now_ns)
        if venue.state == self._told_state:
            return ()
        self._told_state = venue.state
        return (self._snapshot(now_ns),)

    def _changed(self, now_ns: int) -> Iterator[Message]:
        """What is to be said while commands are not taken, or where records are stored no more, or again."""
        if self._persistence.objection != self._told_objection:
            yield from self._objected(now_ns)
        if self._relayer.is_reconciled:
            self._readiness.on_reconciled(now_ns)
        desk = self._desk
        if self._readiness.check(self._followed.is_complete, now_ns):
            desk.silence.begin({order.strategy for order in desk.ledger.open.values()}, now_ns)
        elif desk.venue.state == self._told_state:
            return
        self._told_state = desk.venue.state
        yield self._snapshot(now_ns)

    def _objected(self, now_ns: int) -> Iterator[Message]:
        """Say that trading stands still, or goes on, for what became of the database. There is no record: it could not be stored."""
        was, objection = self._told_objection, self._persistence.objection
        self._told_objection = objection
        if objection:
            get_logger().error(events.TRADING_HALTED, reason=objection)
        if self._desk.halt.reason is None:
            if objection:
                yield TradingHalted(ts_ns=now_ns, reason=objection)
                yield from self._desk.refuse_waiting(now_ns)
            else:
                get_logger().info(events.TRADING_RESUMED, reason=f"over: {was}")
                yield TradingResumed(ts_ns=now_ns, reason=f"over: {was}")
        yield self._snapshot(now_ns)
