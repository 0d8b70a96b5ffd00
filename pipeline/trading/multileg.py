"""One plan of several legs under way: buy them one after the other, then complete or unwind, and end in one state. Pure.

Legs are bought in the order given. Until the deadline a leg that fell short is bought at worse prices as long as that beats both
keeping and selling what there is; at the deadline the best of the three is done. What cannot be sold is reported, never hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from pipeline.base.units import floor_to, format_e6
from pipeline.messages.market import BookSnapshot
from pipeline.messages.orders import OPEN_STATUSES, Fill, OrderType, OrderUpdate, PlanOrder
from pipeline.trading.amounts import SIZE_STEP_E6
from pipeline.trading.diff import Quote
from pipeline.trading.multileg_legs import LegRun, Pending
from pipeline.trading.multileg_value import Form, Walk, buy_walk, covered_e6, excess_e6, sale_walk

PlanOutcome = Literal["complete", "unwound", "partial-held", "rejected", "expired"]
MAX_TRIES = 5
"""Orders of one leg and side, beyond the first purchase, after which it is left as it is."""

BookOf = Callable[[str], BookSnapshot | None]
"""The book of a token if it may be traded on; None if it may not."""


class MultiLeg:
    """The state machine. ``step`` gives the next order, if one is due; ``on_fill`` and ``on_update`` say what became of it.

    ``outcome`` is "" until the plan has ended; then ``reason`` says how, in words. Nothing happens after the end.
    """

    def __init__(
        self,
        form: Form,
        legs: Sequence[LegRun],
        *,
        started_ns: int,
        deadline_ns: int,
        give_up_ns: int,
        answer_ns: int,
        order_type: OrderType = "FAK",
    ) -> None:
        self.form: Form = form
        self.legs = list(legs)
        self.planned_e6 = legs[0].size_e6
        self.target_e6 = self.planned_e6
        self.started_ns, self.deadline_ns, self.give_up_ns = started_ns, deadline_ns, give_up_ns
        self.outcome: PlanOutcome | Literal[""] = ""
        self.reason = ""
        self._answer_ns = answer_ns
        self._order_type: OrderType = order_type
        self._at = 0
        self._pending: Pending | None = None
        self._why = ""
        self._lost = False
        self._orders: set[str] = set()

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> Pending | None:
        """The order that is under way."""
        return self._pending

    @property
    def held(self) -> list[int]:
        """Shares held of each leg."""
        return [leg.held_e6 for leg in self.legs]

    @property
    def locked_e6(self) -> int:
        """Profit or loss at the worst resolution covered, from what was spent, earned and is held."""
        return covered_e6(self.form, self.held) + sum(leg.earned_e6 - leg.spent_e6 for leg in self.legs)

    @property
    def residual_e6(self) -> list[int]:
        """Shares of each leg that belong to no complete set of all legs."""
        least = min(self.held)
        return [size - least for size in self.held]

    def next_wake_ns(self, now_ns: int) -> int | None:
        """When ``step`` must be called again though nothing else happens."""
        if self.outcome:
            return None
        due = [self.deadline_ns + 1, self.give_up_ns + 1]
        if self._pending is not None:
            due.append(self._pending.answer_by_ns + 1)
        return min((at for at in due if at > now_ns), default=now_ns + 1)

    # --- what happens ----------------------------------------------------------------------------------------------

    def sent(self, client_order_id: str) -> None:
        """The order that ``step`` gave goes out under this id."""
        self._orders.add(client_order_id)
        if self._pending is not None:
            self._pending.client_order_id = client_order_id

    def on_fill(self, fill: Fill) -> bool:
        """A trade of one of the legs; False if it is of none of this plan's orders."""
        leg = next((leg for leg in self.legs if leg.token_id == fill.token_id), None)
        if leg is None or fill.client_order_id not in self._orders:
            return False
        leg.book(fill.side, fill.size_e6, fill.notional_e6, fill.fee_e6)
        pending = self._pending
        if pending is not None and pending.client_order_id == fill.client_order_id:
            pending.filled_e6 += fill.size_e6
        return True

    def on_update(self, update: OrderUpdate) -> bool:
        """The order's status changed; False if it is not the order under way."""
        pending = self._pending
        if pending is None or update.client_order_id != pending.client_order_id:
            return False
        pending.answered = True
        pending.told_e6 = max(pending.told_e6, update.filled_e6)
        if update.status not in OPEN_STATUSES:
            pending.ended, pending.reason = True, update.reason or update.status
        return True

    def reconcile(self, orders: Sequence[PlanOrder]) -> None:
        """Learn what all orders of the plan came to, whatever was heard of them before."""
        for leg in self.legs:
            leg.held_e6 = leg.spent_e6 = leg.earned_e6 = 0
        for order in orders:
            leg_of = next((leg for leg in self.legs if leg.token_id == order.token_id), None)
            if leg_of is None:
                continue
            self._orders.add(order.client_order_id)
            leg_of.book(order.side, order.filled_e6, order.notional_e6, order.fee_e6)
            pending = self._pending
            if pending is not None and pending.client_order_id == order.client_order_id:
                pending.filled_e6 = pending.told_e6 = order.filled_e6
                pending.answered = True
                if order.status not in OPEN_STATUSES:
                    pending.ended, pending.reason = True, order.reason or order.status

    def take_up(self, orders: Sequence[PlanOrder], now_ns: int) -> None:
        """Go on with a plan that somebody else began: no leg is entered any more; what there is is completed, kept or sold.

        An order of it that may still trade is waited for.
        """
        self._at = len(self.legs)
        self._why = "it was taken up after a restart"
        for order in orders:
            leg = next((leg for leg in self.legs if leg.token_id == order.token_id), None)
            if leg is None:
                continue
            leg.tries["ENTER"] = 1
            if order.status in OPEN_STATUSES:
                quote = Quote(order.token_id, order.side, order.price_e6, order.size_e6, self._order_type, False)
                self._pending = Pending(leg, quote, now_ns + self._answer_ns, order.client_order_id, answered=True)
        self.reconcile(orders)
        if max(self.held):
            self.target_e6 = floor_to(max(self.held), SIZE_STEP_E6)

    def give_more_time(self, until_ns: int) -> None:
        """For a while nobody could tell or order anything: what is left may take until then."""
        self.give_up_ns = max(self.give_up_ns, until_ns)

    def stop(self, reason: str) -> None:
        """End the plan as it stands, because nothing more can be ordered."""
        if not self.outcome:
            self._why = reason
            self._finish()

    def step(self, book_of: BookOf, now_ns: int) -> Quote | None:
        """The next order, or None: one is under way, none makes sense on the present books, or the plan has ended."""
        if self.outcome or not self._answered(now_ns):
            return None
        if self._at < len(self.legs):
            quote = self._enter(book_of, now_ns)
            if quote is not None or self.outcome:
                return quote
        return self._settle(book_of, now_ns)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _answered(self, now_ns: int) -> bool:
        """No order is under way any more: it ended and its trades came, or its answer is overdue."""
        pending = self._pending
        if pending is None:
            return True
        if pending.ended and pending.filled_e6 >= pending.told_e6:
            self._pending = None
            if pending.filled_e6 < pending.quote.size_e6:
                self._why = f"{pending.quote.side} of {pending.leg.token_id}: {pending.reason}"
            return True
        if now_ns <= (self.give_up_ns if pending.answered else pending.answer_by_ns):
            return False
        self._pending = None
        self._lost = True
        self._why = f"no answer to order {pending.client_order_id}"
        if pending.answered:
            # It may still trade, so nothing can be decided on what is held.
            self._finish()
        return True

    def _enter(self, book_of: BookOf, now_ns: int) -> Quote | None:
        """Buy the legs in their order; None once one fell short."""
        leg = self.legs[self._at]
        if not leg.tries.get("ENTER"):
            if self._at == 0 or now_ns <= self.deadline_ns:
                leg.tries["ENTER"] = 1
                book = book_of(leg.token_id)
                if book is not None:
                    # What it does not fill is not there, whatever this book shows: only a later one is tried again.
                    leg.tried_on["BUY"] = book.seq
                return self._send(leg, Quote(leg.token_id, "BUY", leg.price_e6, self.target_e6, self._order_type, False), now_ns)
            self._why = self._why or "the deadline came before all legs were ordered"
            self._at = len(self.legs)
            return None
        if self._at == 0:
            self.target_e6 = min(self.target_e6, floor_to(leg.held_e6, SIZE_STEP_E6))
            if not leg.held_e6:
                self._finish()
                return None
            if self.target_e6 < max(other.min_size_e6 for other in self.legs):
                self._why = f"only {format_e6(leg.held_e6)} of the first leg were filled, too few for the other legs"
                self._at = len(self.legs)
                return None
        if leg.held_e6 < self.target_e6:
            self._at = len(self.legs)
            return None
        self._at += 1
        return self._enter(book_of, now_ns) if self._at < len(self.legs) else None

    def _settle(self, book_of: BookOf, now_ns: int) -> Quote | None:
        """Complete, keep or sell, whichever pays most at worst; before the deadline only completing is done."""
        if not self._is_uneven():
            self._finish()
            return None
        late = now_ns > self.deadline_ns
        if now_ns > self.give_up_ns:
            self._why = self._why or "time ran out"
            self._finish()
            return None
        held = self.held
        keep_e6, keep_sales = self._after_sales(excess_e6(self.form, held), book_of)
        sell_e6, all_sales = self._after_sales(held, book_of)
        complete = self._completion(book_of, late)
        if complete is not None and complete[0] >= max(keep_e6, sell_e6):
            return self._order(complete[1], "BUY", book_of, now_ns)
        if not late:
            return None
        sales = keep_sales if keep_e6 >= sell_e6 else all_sales
        if not sales:
            if not self._waits_for_books(book_of):
                self._finish()
            return None
        return self._order(sales, "SELL", book_of, now_ns)

    def _is_uneven(self) -> bool:
        """Something is held, and not the same of every leg, a fraction of a hundredth of a share apart."""
        return any(size >= SIZE_STEP_E6 for size in self.residual_e6)

    def _waits_for_books(self, book_of: BookOf) -> bool:
        """A residual could be sold, if its book were there to trade on."""
        spare = zip(self.legs, self.residual_e6, strict=True)
        return any(size >= max(SIZE_STEP_E6, leg.min_size_e6) and book_of(leg.token_id) is None for leg, size in spare)

    def _completion(self, book_of: BookOf, late: bool) -> tuple[int, list[tuple[LegRun, Walk]]] | None:
        """(what is left at worst, purchases) of buying all that is missing; None if it cannot be had, or late was tried in vain."""
        purchases, cost = [], 0
        for leg in self.legs:
            missing = self.target_e6 - leg.held_e6
            if missing < SIZE_STEP_E6:
                continue
            book = book_of(leg.token_id)
            if book is None or missing < leg.min_size_e6 or leg.tries.get("BUY", 0) >= MAX_TRIES:
                return None
            if late and leg.tried_on.get("BUY") == book.seq:
                return None
            walk = buy_walk(book.asks, leg.fees, missing)
            if walk.size_e6 < missing:
                return None
            cost += walk.money_e6
            purchases.append((leg, walk))
        after = [max(leg.held_e6, self.target_e6) for leg in self.legs]
        return covered_e6(self.form, after) - cost, purchases

    def _after_sales(self, sizes: Sequence[int], book_of: BookOf) -> tuple[int, list[tuple[LegRun, Walk]]]:
        """(what is left at worst, sales) of selling so much of each leg, as far as books and minimum sizes allow."""
        left, sales, proceeds = self.held, [], 0
        for i, (leg, size) in enumerate(zip(self.legs, sizes, strict=True)):
            size = floor_to(size, SIZE_STEP_E6)
            book = book_of(leg.token_id) if size >= max(SIZE_STEP_E6, leg.min_size_e6) else None
            if book is None or leg.tries.get("SELL", 0) >= MAX_TRIES:
                continue
            walk = sale_walk(book.bids, leg.fees, size)
            if walk.size_e6 < max(SIZE_STEP_E6, leg.min_size_e6):
                continue
            left[i] -= walk.size_e6
            proceeds += walk.money_e6
            sales.append((leg, walk))
        return covered_e6(self.form, left) + proceeds, sales

    def _order(
        self, wanted: Sequence[tuple[LegRun, Walk]], side: Literal["BUY", "SELL"], book_of: BookOf, now_ns: int
    ) -> Quote | None:
        """The first sale that was not tried in vain on the same book; of purchases only the first: what fell short comes before."""
        for leg, walk in wanted if side == "SELL" else wanted[:1]:
            book = book_of(leg.token_id)
            if book is not None and leg.tried_on.get(side) != book.seq:
                leg.tries[side] = leg.tries.get(side, 0) + 1
                leg.tried_on[side] = book.seq
                size = floor_to(walk.size_e6, SIZE_STEP_E6)
                return self._send(leg, Quote(leg.token_id, side, walk.price_e6, size, "FAK", False), now_ns)
        return None

    def _send(self, leg: LegRun, quote: Quote, now_ns: int) -> Quote:
        self._pending = Pending(leg, quote, now_ns + self._answer_ns)
        return quote

    def _finish(self) -> None:
        """Name the end that the holdings show."""
        held = self.held
        bought = any(leg.spent_e6 for leg in self.legs)
        why = f": {self._why}" if self._why else ""
        if not bought:
            self.outcome = "expired" if self._lost else "rejected"
            self.reason = f"nothing was bought{why}"
        elif self._is_uneven():
            self.outcome = "partial-held"
            parts = [f"{format_e6(size)} of {leg.token_id}" for leg, size in zip(self.legs, held, strict=True) if size]
            self.reason = f"held: {', '.join(parts)}{why}"
        elif max(held) < SIZE_STEP_E6:
            self.outcome = "unwound"
            self.reason = f"everything was sold again{why}"
        else:
            self.outcome = "complete"
            sets, planned = format_e6(floor_to(min(held), SIZE_STEP_E6)), format_e6(self.planned_e6)
            self.reason = f"{sets} of {planned} sets{why if sets != planned else ''}"
