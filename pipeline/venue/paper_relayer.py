"""A venue on paper: orders travel, queue and trade against the live or replayed books of others, and nobody else ever sees them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from pipeline.base.settings import PaperSection
from pipeline.base.units import NS_PER_MS
from pipeline.messages.edges import RefusalCode, RelayerEvent, RelayerEventKind
from pipeline.messages.market import BookSnapshot, Market, MarketResolved, MarketUniverse, State, TradePrint
from pipeline.messages.orders import PlaceOrder, VenueState
from pipeline.trading.orders import Order
from pipeline.trading.paper.books import PaperBooks
from pipeline.trading.paper.matching import PaperMarket
from pipeline.trading.paper.order import Execution, PaperOrder
from pipeline.trading.paper.queue import FillModel
from pipeline.trading.paper.rules import (
    CROSSES,
    GTD_EARLY_NS,
    NOT_WHOLE,
    NOTHING_TO_MATCH,
    POST_ONLY,
    RESOLVED,
    Refusal,
    arrival_refusal,
    cancel_refusal,
    order_refusal,
    taker_delay_ns,
)
from pipeline.trading.policy import market_refusal
from pipeline.venue.paper_events import Ours, filled, told
from pipeline.venue.paper_latency import ConstantLatency, Latency, RecordedLatency, read_latencies
from pipeline.venue.relayer import NOTHING, Relayer

Action = Literal["arrive", "match", "cancel", "expire"]


class PaperRelayer(Relayer):
    """Match orders on paper. Deterministic: the same messages, times and seed give the same fills.

    An order arrives ``latency`` after it was sent, and a cancel too, never before its order. Only books in one of the ``allowed`` states
    are traded on: while there is none, an order that may rest waits for one, and one that must trade at once is rejected. Takers walk
    the displayed depth; makers wait in the queue as ``model`` says. Fees are the market's own. Open orders are restored from the journal
    after a restart, at the back of their levels.
    """

    forgets = False

    def __init__(self, model: FillModel, latency: Latency, allowed: frozenset[State], taker_delay_ns: int = 0) -> None:
        self.latency = latency
        self.taker_delay_ns = taker_delay_ns
        self._orders: dict[str, Ours] = {}
        self._markets: dict[str, Market] = {}
        self._books = PaperBooks(model, allowed)
        self._known = self._books.known
        self._waiting: dict[PaperMarket, list[Ours]] = {}
        self._resolved: set[str] = set()
        self._state: VenueState = "normal"
        self._heap: list[tuple[int, int, Action, str]] = []
        self._number = 0
        self.on_rest: Callable[[PaperOrder], None] = lambda order: None
        """Told of each order that joins a level, with the shares that stand before it."""

    @classmethod
    def from_settings(cls, section: PaperSection, allowed: frozenset[State]) -> PaperRelayer:
        """The paper venue that ``[paper]`` describes. Raises BadInput for a file of times that cannot be read."""
        latency: Latency = ConstantLatency(section.latency_ms * NS_PER_MS)
        if section.latency_file:
            latency = RecordedLatency(read_latencies(Path(section.latency_file)), section.seed)
        return cls(section.fill_model, latency, allowed, section.crypto_taker_delay_ms * NS_PER_MS)

    # --- the executor asks -----------------------------------------------------------------------------------------

    def submit(self, order: PlaceOrder, now_ns: int) -> Iterable[RelayerEvent]:
        """Send an order; what becomes of it is told when it has arrived."""
        ours = self._ours(
            PaperOrder(
                order.client_order_id,
                self._books.of(order.token_id)[1],
                order.side,
                order.price_e6,
                order.size_e6,
                order.order_type,
                order.post_only,
            ),
            order.token_id,
            order.market,
            order.good_till_ns,
        )
        self._send(ours, now_ns)
        return self.tick(now_ns)

    def cancel(self, client_order_id: str, now_ns: int) -> Iterable[RelayerEvent]:
        """Send a cancel: ``cancelled`` or ``cancel_refused`` when it has arrived."""
        ours = self._orders.get(client_order_id)
        if ours is None:
            return [told("cancel_refused", client_order_id, now_ns, "no such open order")]
        self._send_cancel(ours, now_ns + self.latency.draw_ns(f"cancel {client_order_id}"))
        return self.tick(now_ns)

    def cancel_all(self, now_ns: int) -> Iterable[RelayerEvent]:
        """Send one cancel for every open order."""
        due_ns = now_ns + self.latency.draw_ns(f"cancel all {now_ns}")
        for ours in self._orders.values():
            self._send_cancel(ours, due_ns)
        return self.tick(now_ns)

    def close(self, now_ns: int) -> Iterable[RelayerEvent]:
        """Cancel every open order at once, as nobody will be there to hear more."""
        events = list(self.tick(now_ns))
        for ours in list(self._orders.values()):
            events += self._end(ours, "cancelled", now_ns, "the executor stopped")
        return events

    def restore(self, orders: Iterable[Order], now_ns: int) -> Iterable[RelayerEvent]:
        """Take up the open orders of an earlier life: those that rested join the back of their levels, the others are sent again."""
        events: list[RelayerEvent] = []
        for known in orders:
            order = PaperOrder(
                known.client_order_id,
                self._books.of(known.token_id)[1],
                known.side,
                known.price_e6,
                known.size_e6,
                known.order_type,
                known.post_only,
                known.filled_e6,
            )
            ours = self._ours(order, known.token_id, known.market, known.good_till_ns)
            if known.status in ("live", "partially_filled"):
                ours.restored = ours.accepted = True
                self._plan_expiry(ours)
                self._wait(ours)
            else:
                self._send(ours, now_ns)
        return [*events, *self.tick(now_ns)]

    def on_venue_state(self, state: VenueState, now_ns: int) -> Iterable[RelayerEvent]:
        """The offline venue behaves like this from here on."""
        events = self.tick(now_ns)
        self._state = state
        return events

    # --- the market moves ------------------------------------------------------------------------------------------

    def forget_books(self, token_id: str) -> None:
        """Nothing is traded on a book of which something was lost, until it comes again."""
        self._books.forget(token_id)

    def on_universe(self, universe: MarketUniverse, now_ns: int) -> Iterable[RelayerEvent]:
        """Learn the markets; the two tokens of one market are one book from here on."""
        events = self.tick(now_ns)
        self._markets |= {market.market_id: market for market in universe.markets}
        for market in universe.markets:
            alone = self._books.join(market)
            if alone is not None:
                self._move(alone, market.token_ids[1])
        return [*events, *self._cancel_closed(now_ns)]

    def on_book(self, book: BookSnapshot, now_ns: int) -> Iterable[RelayerEvent]:
        """A book changed."""
        heap = self._heap
        events = NOTHING if not heap or heap[0][0] > now_ns else self.tick(now_ns)
        known = self._known.get(book.token_id)
        paper, outcome = self._books.of(book.token_id) if known is None else known
        done = paper.on_book(book, outcome, now_ns)
        if not done and (not self._waiting or paper not in self._waiting):
            return events
        return [*events, *self._fills(done, now_ns), *self._joined(paper, now_ns)]

    def on_trade(self, trade: TradePrint, now_ns: int) -> Iterable[RelayerEvent]:
        """Somebody traded."""
        events = self.tick(now_ns)
        paper, outcome = self._books.of(trade.token_id)
        done = paper.on_trade(trade, outcome, now_ns)
        return [*events, *self._fills(done, now_ns)] if done else events

    def on_resolved(self, resolved: MarketResolved, now_ns: int) -> Iterable[RelayerEvent]:
        """A market ended: its orders are cancelled."""
        events = list(self.tick(now_ns))
        self._resolved.add(resolved.market)
        for ours in [ours for ours in self._orders.values() if ours.market_id == resolved.market]:
            events += self._end(ours, "cancelled", now_ns, RESOLVED[1])
        return events

    # --- time ------------------------------------------------------------------------------------------------------

    def next_timer_ns(self) -> int | None:
        """When the next order or cancel arrives, is matched or expires."""
        return self._heap[0][0] if self._heap else None

    def tick(self, now_ns: int) -> Iterable[RelayerEvent]:
        """What has arrived by ``now_ns``."""
        if not self._heap or self._heap[0][0] > now_ns:
            return NOTHING
        events: list[RelayerEvent] = []
        while self._heap and self._heap[0][0] <= now_ns:
            due_ns, _, action, name = heapq.heappop(self._heap)
            ours = self._orders.get(name)
            if ours is None:
                if action == "cancel":
                    events.append(told("cancel_refused", name, due_ns, "no such open order"))
                continue
            match action:
                case "arrive":
                    events += self._arrive(ours, due_ns)
                case "match":
                    events += self._place(ours, due_ns)
                case "cancel":
                    events += self._cancelled(ours, due_ns)
                case "expire":
                    events += self._end(ours, "expired", due_ns, "GTD: one minute before its expiration")
        return events

    # --- the life of an order --------------------------------------------------------------------------------------

    def _arrive(self, ours: Ours, now_ns: int) -> Iterator[RelayerEvent]:
        order, market = ours.order, self._markets.get(ours.market_id)
        refusal = RESOLVED if ours.market_id in self._resolved else order_refusal(self._state)
        refusal = refusal or arrival_refusal(order, market, ours.book.tick_e6, ours.good_till_ns, now_ns)
        if refusal:
            yield from self._refuse(ours, refusal, now_ns)
            return
        self._plan_expiry(ours)
        if ours.book.is_ready:
            yield from self._place(ours, now_ns)
        elif order.order_type in ("FOK", "FAK"):
            yield from self._refuse(ours, ("no_match", f"there is no book to trade on: it is {ours.book.state}"), now_ns)
        else:
            self._wait(ours)
            yield from self._accept(ours, now_ns)

    def _place(self, ours: Ours, now_ns: int) -> Iterator[RelayerEvent]:
        """Match what can be matched, and let the rest rest if it may."""
        order, paper = ours.order, ours.book
        available_e6 = 0 if ours.restored or not paper.is_ready else paper.available_e6(order)
        if available_e6:
            refusal = CROSSES if order.post_only else POST_ONLY if self._state == "post_only" else None
            if refusal:
                yield from self._refuse(ours, refusal, now_ns)
                return
            delay_ns = taker_delay_ns(self._markets.get(ours.market_id), self.taker_delay_ns)
            if delay_ns and not ours.held:
                ours.phase, ours.held = "delayed", True
                self._plan(now_ns + delay_ns, "match", order.name)
                if not ours.accepted:
                    yield told("delayed", ours.order.name, now_ns)
                return
        if order.order_type == "FOK" and available_e6 < order.remaining_e6:
            yield from self._refuse(ours, NOT_WHOLE, now_ns)
            return
        if order.order_type == "FAK" and not available_e6:
            yield from self._refuse(ours, NOTHING_TO_MATCH, now_ns)
            return
        yield from self._accept(ours, now_ns)
        if available_e6:
            yield from self._fills(paper.take(order), now_ns)
        if not order.remaining_e6:
            return
        if order.order_type == "FAK":
            yield from self._end(ours, "cancelled", now_ns, "FAK: the rest is not kept")
        elif paper.is_ready:
            ours.phase = "resting"
            paper.rest(order)
            self.on_rest(order)
        else:
            self._wait(ours)

    def _joined(self, paper: PaperMarket, now_ns: int) -> Iterator[RelayerEvent]:
        """The orders that waited for this book."""
        if paper in self._waiting and paper.is_ready:
            for ours in self._waiting.pop(paper):
                if ours.phase == "waiting" and ours.order.name in self._orders:
                    yield from self._place(ours, now_ns)

    def _cancelled(self, ours: Ours, now_ns: int) -> Iterator[RelayerEvent]:
        refusal = cancel_refusal(self._state)
        if refusal is None and ours.phase == "delayed":
            refusal = ("", "a delayed order cannot be cancelled")
        if refusal is None:
            yield from self._end(ours, "cancelled", now_ns)
        else:
            yield told("cancel_refused", ours.order.name, now_ns, refusal[1], refusal[0])

    def _accept(self, ours: Ours, now_ns: int) -> Iterator[RelayerEvent]:
        if not ours.accepted:
            ours.accepted = True
            yield told("accepted", ours.order.name, now_ns)

    def _refuse(self, ours: Ours, refusal: Refusal, now_ns: int) -> Iterator[RelayerEvent]:
        """Not taken; one that was taken already while its book was unknown is cancelled."""
        code, reason = refusal
        yield from self._end(ours, "cancelled" if ours.accepted else "rejected", now_ns, reason, code)

    def _end(
        self, ours: Ours, kind: RelayerEventKind, now_ns: int, reason: str = "", code: RefusalCode = ""
    ) -> Iterator[RelayerEvent]:
        del self._orders[ours.order.name]
        ours.book.remove(ours.order.name)
        yield told(kind, ours.order.name, now_ns, reason, code)

    def _fills(self, done: Iterable[Execution], now_ns: int) -> Iterator[RelayerEvent]:
        for execution in done:
            order = execution.order
            ours = self._orders[order.name]
            if execution.filled_e6 == order.size_e6:
                del self._orders[order.name]
            yield filled(execution, self._markets.get(ours.market_id), now_ns)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _ours(self, order: PaperOrder, token_id: str, market_id: str, good_till_ns: int) -> Ours:
        ours = Ours(order, market_id, self._books.of(token_id)[0], good_till_ns=good_till_ns)
        self._orders[order.name] = ours
        return ours

    def _send(self, ours: Ours, now_ns: int) -> None:
        ours.due_ns = now_ns + self.latency.draw_ns(f"order {ours.order.name}")
        self._plan(ours.due_ns, "arrive", ours.order.name)

    def _send_cancel(self, ours: Ours, due_ns: int) -> None:
        self._plan(max(due_ns, ours.due_ns), "cancel", ours.order.name)

    def _wait(self, ours: Ours) -> None:
        ours.phase = "waiting"
        self._waiting.setdefault(ours.book, []).append(ours)

    def _plan_expiry(self, ours: Ours) -> None:
        if ours.order.order_type == "GTD":
            self._plan(ours.good_till_ns - GTD_EARLY_NS, "expire", ours.order.name)

    def _plan(self, due_ns: int, action: Action, name: str) -> None:
        self._number += 1
        heapq.heappush(self._heap, (due_ns, self._number, action, name))

    def _cancel_closed(self, now_ns: int) -> Iterator[RelayerEvent]:
        """A market that takes no orders any more holds none either."""
        for ours in list(self._orders.values()):
            market = self._markets.get(ours.market_id)
            reason = market_refusal(market) if market is not None and ours.phase != "travelling" else ""
            if reason:
                yield from self._end(ours, "cancelled", now_ns, reason)

    def _move(self, alone: PaperMarket, token_id: str) -> None:
        """A token's book has become that of its market: its orders move there, to the back of their levels."""
        paper, outcome = self._books.of(token_id)
        self._waiting.pop(alone, None)
        for ours in self._orders.values():
            if ours.book is alone:
                alone.remove(ours.order.name)
                ours.book, ours.order.outcome = paper, outcome
                if ours.phase in ("resting", "waiting"):
                    ours.restored = ours.restored or ours.phase == "resting"
                    self._wait(ours)
