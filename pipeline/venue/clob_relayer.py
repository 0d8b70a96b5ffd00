"""The venue's own order protocol as a relayer: signed intents first, then requests to the edge, then what the answers mean. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from pipeline.base.errors import BadFrame
from pipeline.base.units import NS_PER_S, format_e6
from pipeline.messages import Message
from pipeline.messages.edges import LinkEvent, RawFrame, RefusalCode, RelayerEvent, VenueReply, VenueRequest, VenueRequestKind
from pipeline.messages.market import BookSnapshot, Market, MarketUniverse, TradePrint
from pipeline.messages.orders import Mode, PlaceOrder
from pipeline.messages.records import AuditRecord, OrderIntent
from pipeline.trading.intents import Intent
from pipeline.trading.orders import Order
from pipeline.venue.clob.account import (
    FIRST_PAGE,
    OrderReport,
    decode_open_orders,
    decode_order,
    decode_trades,
    decode_user_frame,
)
from pipeline.venue.clob.order_body import Unsignable, cancels_body, heartbeat_body, orders_body
from pipeline.venue.clob_orders import VenueOrders
from pipeline.venue.clob_recovery import recover
from pipeline.venue.dead_man import DeadMan
from pipeline.venue.reconciliation import OVERLAP_NS, Reconciliation
from pipeline.venue.relayer import Relayer

Sign = Callable[[PlaceOrder, Market, str, int], tuple[str, str]]
"""(order, its market, tick size as text, now) to the order's hash and the signed body that names no account. Raises Unsignable."""

USER_LINK = "user"
STRAY = "an order at the venue that the journal does not know"
_METHODS: dict[VenueRequestKind, Literal["GET", "POST", "DELETE"]] = {
    "place": "POST",
    "heartbeat": "POST",
    "cancel": "DELETE",
    "cancel_all": "DELETE",
}


class ClobRelayer(Relayer):
    """Trade at a venue that speaks the CLOB's protocol.

    Before an order leaves, its OrderIntent is yielded. What got no answer is looked up and, while it is wanted, sent again as the
    identical body. At the start, after every reconnect of the user channel, after a broken chain of heartbeats and twice a minute the
    open orders and trades of the venue are compared with ours; orders there that no intent knows are cancelled and reported.
    """

    forgets = False

    def __init__(self, sign: Sign, mode: Mode = "offline") -> None:
        self._sign, self._mode = sign, mode
        self._number = 0
        self._asked: dict[int, tuple[VenueRequestKind, tuple[str, ...]]] = {}
        self.orders = VenueOrders(self._ask)
        self.beat = DeadMan()
        self.reconciliation = Reconciliation()
        self._ticks: dict[str, int] = {}
        self._trades_cursor = ""
        self._trades_begun_ns = 0
        self._trades_again_ns: int | None = None
        self._heard_ns = 0
        self._since_ns = 0
        self._timer_ns: int | None = None
        self.counts = dict.fromkeys(("strays", "bad_answers", "reconciled", "lapses"), 0)

    # --- the executor's start and end ------------------------------------------------------------------------------

    def recover(self, records: Iterable[Message]) -> None:
        """Fold the intents of earlier lives, and what the records tell of their orders and trades."""
        self._heard_ns = recover(self.orders.intents, records)

    def kept_intents(self) -> tuple[OrderIntent, ...]:
        """What a checkpoint must hold of the intents: those of open orders whole, the others without their bodies."""
        return self.orders.intents.kept()

    def restore(self, orders: Iterable[Order], now_ns: int) -> Iterator[Message]:
        """End what never left, look for what may have left, and begin to compare with the venue."""
        held = [order.client_order_id for order in orders]
        for intent in self.orders.intents.live():
            intent.told_end = intent.told_end or intent.name not in held
        for name in held:
            known = self.orders.intents.named(name)
            if known is None:
                yield _event("cancelled", name, now_ns, "it never left")
            elif known.state in ("prepared", "unknown"):
                known.on("lose")
                known.sends = max(known.sends, 1)
                known.look_at(now_ns)
        doubt_ns = self.orders.intents.oldest_doubt_ns()
        self._since_ns = min(self._heard_ns or now_ns, doubt_ns or now_ns) - OVERLAP_NS
        self.beat.start(now_ns)
        self.reconciliation.want(now_ns)
        yield from self._due(now_ns)

    @property
    def is_reconciled(self) -> bool:
        """The venue's orders and trades have been compared with ours since the start."""
        return self.reconciliation.is_done

    def close(self, now_ns: int) -> Iterator[Message]:
        """Ask for the end of every open order; ``is_closed`` when each has its answer."""
        if any(intent.is_open for intent in self.orders.intents.live()):
            yield from self.cancel_all(now_ns)

    @property
    def is_closed(self) -> bool:
        """Nothing of ours is at the venue, nor on its way there."""
        if any(kind in ("place", "cancel", "cancel_all") for kind, _ in self._asked.values()):
            return False
        return not any(intent.is_open for intent in self.orders.intents.live())

    def figures(self) -> dict[str, int]:
        """Orders that nobody placed, answers that were none, comparisons with the venue, and broken chains of heartbeats."""
        return self.counts

    # --- orders ----------------------------------------------------------------------------------------------------

    def submit(self, order: PlaceOrder, now_ns: int) -> Iterable[Message]:
        """Sign and send one order."""
        return self.submit_many((order,), now_ns)

    def submit_many(self, orders: Sequence[PlaceOrder], now_ns: int) -> Iterator[Message]:
        """Sign each, record each, then send all in one request."""
        ready: list[Intent] = []
        for order in orders:
            record = self._signed(order, now_ns)
            if isinstance(record, OrderIntent):
                ready.append(self.orders.intents.prepare(record))
            yield record
        if ready:
            for intent in ready:
                intent.on("send")
                intent.sends += 1
            bodies = [intent.record.body.encode() for intent in ready]
            path, body = ("/order", bodies[0]) if len(ready) == 1 else ("/orders", orders_body(bodies))
            yield self._ask("place", path, tuple(intent.name for intent in ready), body)
        self._set_timer()

    def _signed(self, order: PlaceOrder, now_ns: int) -> OrderIntent | RelayerEvent:
        name, market = order.client_order_id, self.orders.markets.get(order.token_id)
        if market is None:
            return _event("rejected", name, now_ns, f"token {order.token_id} is of no market that is followed", "unknown_market")
        tick_e6 = self._ticks.get(order.token_id)
        tick = format_e6(tick_e6) if tick_e6 else market.tick_size or "0.01"
        try:
            venue_order_id, body = self._sign(order, market, tick, now_ns)
        except Unsignable as error:
            return _event("rejected", name, now_ns, str(error), "invalid")
        return OrderIntent(
            ts_ns=now_ns,
            client_order_id=name,
            venue_order_id=venue_order_id,
            token_id=order.token_id,
            market=order.market,
            side=order.side,
            price_e6=order.price_e6,
            size_e6=order.size_e6 // 10_000 * 10_000,
            order_type=order.order_type,
            post_only=order.post_only,
            body=body,
            expires_ns=order.expires_ns,
            good_till_ns=order.good_till_ns,
        )

    def cancel(self, client_order_id: str, now_ns: int) -> Iterator[Message]:
        """Cancel one order, once the venue is known to have it."""
        intent = self.orders.intents.named(client_order_id)
        if intent is None or not intent.is_open:
            yield _event("cancel_refused", client_order_id, now_ns, "no such open order")
            return
        self.orders.cancel(intent, now_ns)
        yield from self._due(now_ns)

    def cancel_all(self, now_ns: int) -> Iterator[Message]:
        """Cancel whatever the account has at the venue; what is still on its way is cancelled when it has arrived."""
        names = []
        for intent in self.orders.intents.live():
            if intent.is_open:
                self.orders.cancel(intent, now_ns)
                if intent.state == "acknowledged":
                    intent.cancel_ns, intent.cancelling = None, True
                    names.append(intent.name)
        yield self._ask("cancel_all", "/cancel-all", tuple(names))
        yield from self._due(now_ns)

    # --- what the edge says ----------------------------------------------------------------------------------------

    def hear(self, msg: Message, now_ns: int) -> Iterator[Message]:
        """An answer, a frame of the user channel, or the state of its link."""
        match msg:
            case VenueReply():
                yield from self._replied(msg, now_ns)
            case RawFrame() if msg.link_id == USER_LINK:
                yield from self._user_frame(msg.data, now_ns)
            case LinkEvent() if msg.link_id == USER_LINK:
                self.reconciliation.is_blind = msg.state != "up"
                if msg.state in ("up", "down"):
                    self.reconciliation.want(now_ns)
        yield from self._due(now_ns)

    def _replied(self, reply: VenueReply, now_ns: int) -> Iterator[Message]:
        kind, names = self._asked.pop(reply.request_id, ("balance", ()))
        match kind:
            case "place":
                yield from self.orders.placed(names, reply, now_ns)
            case "cancel" | "cancel_all":
                yield from self.orders.cancelled(names, reply, now_ns)
            case "order":
                yield from self._looked_up(names[0], reply, now_ns)
            case "open_orders":
                yield from self._open_orders(reply, now_ns)
            case "trades":
                yield from self._trades(reply, now_ns)
            case "heartbeat":
                if self.beat.on_reply(reply.status, reply.body, now_ns):
                    self.counts["lapses"] += 1
                    self.reconciliation.want(now_ns)

    def _user_frame(self, data: bytes, now_ns: int) -> Iterator[Message]:
        try:
            told = decode_user_frame(data)
        except BadFrame:
            self.counts["bad_answers"] += 1
            return
        for event in told:
            if not isinstance(event, OrderReport):
                yield from self.orders.trade(event, now_ns)
            elif (intent := self.orders.intents.hashed(event.venue_order_id)) is not None:
                yield from self.orders.seen(intent, event, now_ns, heard=True)

    def _looked_up(self, name: str, reply: VenueReply, now_ns: int) -> Iterator[Message]:
        intent = self.orders.intents.named(name)
        if intent is None:
            return
        intent.looking = False
        page = decode_order(reply.status, reply.body, reply.retry_after_s)
        if page.items and page.items[0].venue_order_id == intent.venue_order_id:
            yield from self.orders.seen(intent, page.items[0], now_ns)
        elif page.items or page.unknown or page.refusal is not None:
            self.counts["bad_answers"] += bool(reply.status)
            intent.look_later(now_ns)
        else:
            yield from self.orders.missing(intent, now_ns)

    # --- comparing with the venue ----------------------------------------------------------------------------------

    def _open_orders(self, reply: VenueReply, now_ns: int) -> Iterator[Message]:
        page = decode_open_orders(reply.status, reply.body, reply.retry_after_s)
        if page.unknown or page.refusal is not None:
            self.counts["bad_answers"] += bool(reply.status)
            self.reconciliation.fail(now_ns)
        elif self.reconciliation.on_page(page):
            yield self._ask("open_orders", "/data/orders", query=f"next_cursor={page.next_cursor}")
        else:
            yield from self._compare(now_ns)

    def _compare(self, now_ns: int) -> Iterator[Message]:
        """Adopt what is there, look for what is not, cancel what nobody knows."""
        state = self.reconciliation
        state.phase = "looks"
        strays = []
        for order_id, told in state.listed.items():
            intent = self.orders.intents.hashed(order_id)
            if intent is not None:
                yield from self.orders.seen(intent, told, now_ns)
            else:
                strays.append(told)
        for intent in self.orders.intents.live():
            if not intent.is_open:
                continue
            if intent.state == "acknowledged" and intent.venue_order_id not in state.listed:
                if intent.acknowledged_ns < state.begun_ns:
                    intent.look_at(now_ns)
                    state.awaited.add(intent.name)
            elif intent.state == "unknown":
                state.awaited.add(intent.name)
        for start in range(0, len(strays), 1_000):
            hashes = [told.venue_order_id for told in strays[start : start + 1_000]]
            yield self._ask("cancel", "/orders", (), cancels_body(hashes))
        for told in strays:
            self.counts["strays"] += 1
            yield self._report(told, now_ns)
        self._go_on()

    def _report(self, told: OrderReport, now_ns: int) -> AuditRecord:
        """A record that tells of an order which nobody here placed."""
        return AuditRecord(
            ts_ns=now_ns,
            plan_id=f"stray-{told.venue_order_id}",
            strategy="",
            mode=self._mode,
            market=told.market,
            intents="[]",
            acks="[]",
            duration_ms=0,
            outcome="cancelled",
            reason=STRAY,
        )

    def _go_on(self) -> None:
        """From the looks to the trades, once every order that was missing is settled."""
        state = self.reconciliation
        if state.phase != "looks":
            return
        named = self.orders.intents.named
        state.awaited = {
            name for name in state.awaited if (intent := named(name)) is not None and (not intent.is_settled or intent.look_ns)
        }
        if not state.awaited:
            state.phase = "trades"
            self.orders.trades_wanted = True
            self._trades_again_ns = None

    def _trades(self, reply: VenueReply, now_ns: int) -> Iterator[Message]:
        page = decode_trades(reply.status, reply.body, reply.retry_after_s)
        for told in page.items:
            yield from self.orders.trade(told, now_ns)
        if page.unknown or page.refusal is not None:
            self.counts["bad_answers"] += bool(reply.status)
            self._trades_cursor, self._trades_again_ns = "", now_ns + NS_PER_S
            self.orders.trades_wanted = True
        elif page.next_cursor:
            yield self._ask_trades(page.next_cursor)
        else:
            self._trades_cursor = ""
            doubt_ns = self.orders.intents.oldest_doubt_ns()
            self._since_ns = min(self._trades_begun_ns, doubt_ns or self._trades_begun_ns) - OVERLAP_NS
            state = self.reconciliation
            if state.phase == "trades" and self._trades_begun_ns >= state.begun_ns and not self.orders.trades_wanted:
                self.counts["reconciled"] += 1
                state.finish(now_ns)

    def _ask_trades(self, cursor: str) -> VenueRequest:
        self._trades_cursor = cursor
        return self._ask("trades", "/data/trades", query=f"after={max(0, self._since_ns) // NS_PER_S}&next_cursor={cursor}")

    # --- time ------------------------------------------------------------------------------------------------------

    def next_timer_ns(self) -> int | None:
        """When something is due."""
        return self._timer_ns

    def tick(self, now_ns: int) -> Iterable[Message]:
        """What is due."""
        return self._due(now_ns) if self._timer_ns is not None and self._timer_ns <= now_ns else ()

    def _due(self, now_ns: int) -> Iterator[Message]:
        beat, state = self.beat, self.reconciliation
        if beat.due_ns is not None and beat.due_ns <= now_ns:
            beat.sent(now_ns)
            yield self._ask("heartbeat", "/v1/heartbeats", body=heartbeat_body(beat.heartbeat_id))
        yield from self.orders.cancels_due(now_ns)
        yield from self.orders.looks_due(now_ns)
        self._go_on()
        if state.phase == "idle" and state.due_ns is not None and state.due_ns <= now_ns:
            state.begin(now_ns)
            yield self._ask("open_orders", "/data/orders", query=f"next_cursor={FIRST_PAGE}")
        waited = self._trades_again_ns is None or self._trades_again_ns <= now_ns
        if self.orders.trades_wanted and not self._trades_cursor and waited:
            self.orders.trades_wanted, self._trades_again_ns, self._trades_begun_ns = False, None, now_ns
            yield self._ask_trades(FIRST_PAGE)
        self._set_timer()

    def _set_timer(self) -> None:
        """Kept, as it is asked for before every message."""
        times = (self.beat.due_ns, self.orders.next_ns(), self.reconciliation.due_ns, self._trades_again_ns)
        self._timer_ns = min((ns for ns in times if ns is not None), default=None)

    def _ask(
        self, kind: VenueRequestKind, path: str, names: tuple[str, ...] = (), body: bytes = b"", query: str = ""
    ) -> VenueRequest:
        self._number += 1
        self._asked[self._number] = (kind, names)
        method = _METHODS.get(kind, "GET")
        return VenueRequest(ts_ns=0, request_id=self._number, kind=kind, method=method, path=path, query=query, body=body)

    # --- markets ---------------------------------------------------------------------------------------------------

    def on_universe(self, universe: MarketUniverse, now_ns: int) -> Iterable[Message]:
        """The markets whose orders can be signed."""
        self.orders.markets = {token_id: market for market in universe.markets for token_id in market.token_ids}
        return ()

    def on_book(self, book: BookSnapshot, now_ns: int) -> Iterable[Message]:
        """Its tick size may change."""
        self._ticks[book.token_id] = book.tick_size_e6
        return ()

    def on_trade(self, trade: TradePrint, now_ns: int) -> Iterable[Message]:
        """Trades of others are not looked at."""
        return ()


def _event(kind: str, name: str, now_ns: int, reason: str = "", code: RefusalCode = "") -> RelayerEvent:
    return RelayerEvent(ts_ns=now_ns, kind=kind, client_order_id=name, reason=reason, code=code)  # type: ignore[arg-type]
