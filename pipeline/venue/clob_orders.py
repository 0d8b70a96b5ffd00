"""What becomes of each intent at the venue: taken, refused, lost and found again, traded, over. Pure; it asks through ``Ask``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.messages import Message
from pipeline.messages.edges import RefusalCode, RelayerEvent, RelayerEventKind, VenueReply, VenueRequest, VenueRequestKind
from pipeline.messages.market import Market
from pipeline.messages.orders import Halt
from pipeline.trading.fees import fee_floor_e6
from pipeline.trading.intents import Ending, EndKind, Intent, IntentLedger
from pipeline.trading.paper.rules import GTD_EARLY_NS
from pipeline.venue.clob.account import OrderReport, TradeReport
from pipeline.venue.clob.order_body import cancel_body, cancels_body
from pipeline.venue.clob.own_fills import OwnFill, own_fills
from pipeline.venue.clob.replies import OrderOutcome, decode_cancel_reply, decode_order_reply

ENDED = frozenset({"matched", "cancelled", "invalid"})
CHECK_NS = NS_PER_S
"""How long trades that must have happened are waited for before they are asked for."""
CANCEL_AGAIN_NS = 500 * NS_PER_MS
TRADE_LOOKS = 8
"""How often an order that ended is looked at before its end is told although trades of it are missing."""


class Ask(Protocol):
    """Makes a request to the venue, about the orders of these names."""

    def __call__(self, kind: VenueRequestKind, path: str, names: tuple[str, ...] = (), body: bytes = b"") -> VenueRequest:
        """The request, numbered and remembered."""


class VenueOrders:
    """The intents, and what answers and events mean for them. ``trades_wanted``: trades are missing that must be asked for."""

    def __init__(self, ask: Ask) -> None:
        self.intents = IntentLedger()
        self.markets: dict[str, Market] = {}
        self.trades_wanted = False
        self._ask = ask

    # --- answers to orders -----------------------------------------------------------------------------------------

    def placed(self, names: Sequence[str], reply: VenueReply, now_ns: int) -> Iterator[Message]:
        """The answer to one or several orders."""
        outcomes = decode_order_reply(reply.status, reply.body, len(names), reply.retry_after_s)
        for name, outcome in zip(names, outcomes, strict=True):
            intent = self.intents.named(name)
            if intent is None:
                continue
            if not reply.sent and intent.sends == 1:
                yield from self._refused(intent, "internal", f"not sent: {reply.error}", 0, now_ns)
            elif outcome.refusal is not None and outcome.refusal.code != "duplicate" and intent.state == "sent":
                refusal = outcome.refusal
                yield from self._refused(intent, refusal.code, refusal.text, refusal.retry_after_ms, now_ns)
            elif outcome.status is not None:
                yield from self._taken(intent, outcome, now_ns)
            elif intent.is_open:
                # No answer, a duplicate, or a refusal of what is known to be there: the venue itself says what is true.
                if intent.on("lose"):
                    reason = outcome.unknown or (outcome.refusal.text if outcome.refusal is not None else "") or reply.error
                    yield self._event("lost", intent, now_ns, reason)
                intent.look_at(now_ns)

    def _taken(self, intent: Intent, outcome: OrderOutcome, now_ns: int) -> Iterator[Message]:
        if outcome.venue_order_id != intent.venue_order_id:
            reason = f"the venue calls {intent.name} {outcome.venue_order_id}, not by its hash {intent.venue_order_id}"
            yield Halt(ts_ns=now_ns, reason=reason, cancel=True)
        was = intent.state
        if not intent.is_open:
            if intent.state == "refused":
                self._cancel_later(intent, now_ns)
            return
        intent.on("acknowledge")
        intent.found()
        intent.acknowledged_ns = now_ns
        if was != "acknowledged":
            yield self._event("delayed" if outcome.status == "delayed" else "accepted", intent, now_ns)
        if outcome.status == "matched":
            if intent.record.order_type in ("FOK", "FAK") and outcome.trade_ids:
                reason = f"{intent.record.order_type}: the rest is not kept"
                intent.ending = Ending("cancelled", reason, trade_ids=frozenset(outcome.trade_ids))
                yield from self._try_end(intent, now_ns)
            if intent.is_open:
                intent.look_at(now_ns + CHECK_NS)
        elif outcome.status == "delayed":
            intent.look_at(now_ns + 2 * CHECK_NS)
        if not intent.wanted:
            self._cancel_later(intent, now_ns)

    def _refused(self, intent: Intent, code: RefusalCode, reason: str, retry_after_ms: int, now_ns: int) -> Iterator[Message]:
        if intent.on("refuse"):
            intent.look_ns = None
            yield self._event("rejected", intent, now_ns, reason, code, retry_after_ms)

    # --- what is known of an order ---------------------------------------------------------------------------------

    def seen(self, intent: Intent, told: OrderReport, now_ns: int, *, heard: bool = False) -> Iterator[Message]:
        """The venue tells how one of our orders stands. ``heard`` on the user channel: its trades are told there as well."""
        over = told.state in ENDED
        if not intent.is_open:
            yield from self._seen_late(intent, told, now_ns)
            return
        intent.found()
        if intent.state != "acknowledged":
            intent.on("acknowledge")
            intent.acknowledged_ns = now_ns
            if not over or told.matched_e6:
                yield self._event("delayed" if told.state == "delayed" else "accepted", intent, now_ns)
        matched_e6 = max(told.matched_e6, intent.matched_e6)
        if over:
            looks = intent.looks + 1
            intent.ending = Ending(self._end_kind(intent, now_ns), told.reason, matched_e6, counted=True)
            yield from self._try_end(intent, now_ns)
            if intent.is_open:
                self.trades_wanted = self.trades_wanted or not heard
                intent.looks = looks - 1
                intent.look_later(now_ns)
        elif matched_e6 > intent.matched_e6:
            self.trades_wanted = self.trades_wanted or not heard
            intent.told_e6 = matched_e6
            intent.look_at(now_ns + CHECK_NS)
        elif told.state == "delayed":
            intent.look_at(now_ns + 2 * CHECK_NS)
        if not over and not intent.wanted and intent.cancel_ns is None and not intent.cancelling:
            self._cancel_later(intent, now_ns)

    def _seen_late(self, intent: Intent, told: OrderReport, now_ns: int) -> Iterator[Message]:
        """An order that is over for us: what still stands of it is cancelled, what traded of it is booked."""
        intent.look_ns = None
        if told.state not in ENDED:
            self._cancel_later(intent, now_ns)
        if told.matched_e6 > intent.matched_e6:
            self.trades_wanted = True
            if intent.looks < TRADE_LOOKS:
                self.intents.watch(intent)
                intent.look_later(now_ns)
        elif told.state in ENDED:
            yield self._event("concluded", intent, now_ns)

    def missing(self, intent: Intent, now_ns: int) -> Iterator[Message]:
        """The venue says that it does not know one of our orders."""
        intent.look_ns = None
        if not intent.is_open:
            return
        verdict = intent.not_found(now_ns)
        if verdict == "look":
            intent.look_later(now_ns)
        elif verdict == "resend" and intent.on("send"):
            intent.sends += 1
            intent.missing = 0
            yield self._ask("place", "/order", (intent.name,), intent.record.body.encode())
        elif intent.state == "acknowledged" or intent.matched_e6:
            intent.on("acknowledge")
            intent.ending = Ending("cancelled", "the venue does not know it any more", intent.matched_e6)
            yield from self._try_end(intent, now_ns)
        else:
            yield from self._refused(intent, "", "it never reached the venue", 0, now_ns)

    def trade(self, told: TradeReport, now_ns: int) -> Iterator[Message]:
        """A trade, or another status of it: each of our orders in it is filled once, and a trade that failed is taken back."""
        for fill in own_fills(told, "", self.intents.hashes):
            intent = self.intents.hashed(fill.venue_order_id)
            if intent is None:
                continue
            news = self.intents.trade(intent, fill.trade_id, fill.size_e6, fill.status, now_ns)
            if news == "new":
                yield self._fill(intent, fill, now_ns)
            elif news == "moved":
                yield RelayerEvent(
                    ts_ns=now_ns,
                    kind="trade_updated",
                    client_order_id=intent.name,
                    trade_id=told.trade_id,
                    trade_status=told.status,
                )
            if intent.told_e6 and intent.matched_e6 >= intent.told_e6:
                intent.told_e6, intent.look_ns = 0, None
            if intent.matched_e6 >= intent.record.size_e6 and intent.ending is None:
                intent.ending = Ending("cancelled", "a trade of it failed", intent.matched_e6)
            yield from self._try_end(intent, now_ns)

    def _fill(self, intent: Intent, fill: OwnFill, now_ns: int) -> RelayerEvent:
        market = self.markets.get(fill.token_id)
        fees = market.fees if market is not None else None
        return RelayerEvent(
            ts_ns=now_ns,
            kind="filled",
            client_order_id=intent.name,
            venue_order_id=intent.venue_order_id,
            trade_id=fill.trade_id,
            price_e6=fill.price_e6,
            size_e6=fill.size_e6,
            fee_e6=fee_floor_e6(fees, fill.price_e6, fill.size_e6, fill.liquidity),
            liquidity=fill.liquidity,
            trade_status=fill.status,
        )

    def _try_end(self, intent: Intent, now_ns: int) -> Iterator[Message]:
        """Tell the end of an order once its trades are told, or have been asked for in vain for long."""
        ending = intent.ending
        if ending is None or not intent.is_open:
            return
        whole = intent.has_all_trades(self.intents.trade_ids(intent))
        if not whole and intent.looks < TRADE_LOOKS:
            return
        intent.on("acknowledge")
        intent.told_end, intent.look_ns, intent.cancel_ns = True, None, None
        if intent.booked_e6 < intent.record.size_e6:
            yield self._event(ending.kind, intent, now_ns, ending.reason)
            if whole and ending.counted:
                yield self._event("concluded", intent, now_ns)

    def _end_kind(self, intent: Intent, now_ns: int) -> EndKind:
        good_till_ns = intent.record.good_till_ns
        return "expired" if good_till_ns and now_ns >= good_till_ns - GTD_EARLY_NS else "cancelled"

    # --- cancels ---------------------------------------------------------------------------------------------------

    def cancel(self, intent: Intent, now_ns: int) -> None:
        """Somebody wants an order gone: its cancel leaves as soon as the venue is known to have it."""
        intent.wanted = False
        if intent.state == "acknowledged":
            self._cancel_later(intent, now_ns)
        elif intent.state == "unknown":
            intent.look_at(now_ns)

    def _cancel_later(self, intent: Intent, due_ns: int) -> None:
        intent.cancel_ns = due_ns
        self.intents.watch(intent)

    def cancels_due(self, now_ns: int) -> Iterator[Message]:
        """One request for all cancels that are due."""
        due = [intent for intent in self.intents.live() if intent.cancel_ns is not None and intent.cancel_ns <= now_ns]
        due = [intent for intent in due if not intent.cancelling][:1_000]
        if not due:
            return
        for intent in due:
            intent.cancelling, intent.cancel_ns = True, None
        names, hashes = tuple(intent.name for intent in due), [intent.venue_order_id for intent in due]
        if len(due) == 1:
            yield self._ask("cancel", "/order", names, cancel_body(hashes[0]))
        else:
            yield self._ask("cancel", "/orders", names, cancels_body(hashes))

    def cancelled(self, names: Sequence[str], reply: VenueReply, now_ns: int) -> Iterator[Message]:
        """The answer to cancels of the orders of these names, or of all."""
        outcome = decode_cancel_reply(reply.status, reply.body, reply.retry_after_s)
        asked = [intent for name in names if (intent := self.intents.named(name)) is not None]
        for intent in asked:
            intent.cancelling = False
        if outcome.refusal is not None or outcome.unknown or not reply.status:
            refusal = outcome.refusal
            code: RefusalCode = refusal.code if refusal is not None else "internal"
            reason = refusal.text if refusal is not None else reply.error or outcome.unknown
            retry_after_ms = refusal.retry_after_ms if refusal is not None else 0
            for intent in asked:
                if intent.is_open:
                    yield self._event("cancel_refused", intent, now_ns, reason, code, retry_after_ms)
                else:
                    self._cancel_later(intent, now_ns + NS_PER_S)
            return
        known = {intent.venue_order_id: intent for intent in asked}
        for order_id in outcome.cancelled:
            cancelled = known.pop(order_id, None) or self.intents.hashed(order_id)
            if cancelled is not None and cancelled.is_open:
                cancelled.found()
                cancelled.ending = Ending("cancelled", "", cancelled.matched_e6)
                yield from self._try_end(cancelled, now_ns)
                # What traded before the cancel may not have been told yet.
                cancelled.look_at(now_ns + 2 * CHECK_NS)
        for intent in known.values():
            if intent.is_open:
                reason = outcome.not_cancelled.get(intent.venue_order_id, "the venue does not mention it")
                intent.look_at(now_ns)
                intent.cancel_ns = now_ns + CANCEL_AGAIN_NS
                yield self._event("cancel_refused", intent, now_ns, reason)

    # --- looks -----------------------------------------------------------------------------------------------------

    def looks_due(self, now_ns: int) -> Iterator[Message]:
        """One request for each order that is to be looked up."""
        for intent in self.intents.live():
            if intent.look_ns is not None and intent.look_ns <= now_ns and not intent.looking:
                intent.looking, intent.look_ns = True, None
                yield self._ask("order", f"/data/order/{intent.venue_order_id}", (intent.name,))

    def next_ns(self) -> int | None:
        """When a look or a cancel is due next."""
        times = [intent.look_ns for intent in self.intents.live() if not intent.looking]
        times += [intent.cancel_ns for intent in self.intents.live() if not intent.cancelling]
        return min((ns for ns in times if ns is not None), default=None)

    def _event(
        self,
        kind: RelayerEventKind,
        intent: Intent,
        now_ns: int,
        reason: str = "",
        code: RefusalCode = "",
        retry_after_ms: int = 0,
    ) -> RelayerEvent:
        return RelayerEvent(
            ts_ns=now_ns,
            kind=kind,
            client_order_id=intent.name,
            venue_order_id=intent.venue_order_id,
            reason=reason,
            code=code,
            retry_after_ms=retry_after_ms,
        )
