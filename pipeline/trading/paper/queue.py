"""Where our resting orders stand among the displayed ones, and how trades and cancels of others move them forward.

A level of the venue is a queue. What a trade takes, it takes from the front: exact. What else leaves a level was cancelled somewhere in
it, and nobody outside sees where. The model says what is assumed:

- ``pessimistic``: behind us, as long as there is anything behind us. Only trades move us.
- ``proportional``: everywhere alike, so that the shares ahead of us shrink as the level does.
- ``optimistic``: ahead of us, as long as there is anything ahead.

On this venue a trade lowers the book first and is told later (34-88 ms usual, 2.9 s at most: feed facts, 2026-06). So each drop of a
level is kept for ``TRADE_LAG_NS``: a trade that explains it corrects what the model assumed. A trade that is told before its drop
leaves a credit, so that the drop does not count as a cancel as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipeline.base.units import NS_PER_S
from pipeline.trading.paper.order import Execution, PaperOrder, executed

FillModel = Literal["pessimistic", "proportional", "optimistic"]
FILL_MODELS: tuple[FillModel, ...] = ("pessimistic", "proportional", "optimistic")
TRADE_LAG_NS = 3 * NS_PER_S


@dataclass(slots=True)
class Drop:
    """A displayed size that went down, and how much of it no trade has explained yet.

    ``given`` says for each of our orders how far this drop has moved it forward already.
    """

    ns: int
    side: int
    price_e6: int
    left_e6: int
    number: int
    given: dict[str, int] | None = None

    def give(self, name: str, size_e6: int) -> None:
        """Note that the drop has moved an order forward."""
        if self.given is None:
            self.given = {}
        self.given[name] = size_e6

    def take_back(self, name: str, size_e6: int) -> int:
        """Use up to ``size_e6`` of what the drop gave an order already."""
        if self.given is None:
            return 0
        used = min(self.given.get(name, 0), size_e6)
        if used:
            self.given[name] -= used
        return used


@dataclass(slots=True)
class OwnLevel:
    """One price at which we rest or have taken: our orders in the order of joining, the displayed size, and what we took of it."""

    side: int
    price_e6: int
    shown_e6: int
    taken_e6: int = 0
    orders: list[PaperOrder] = field(default_factory=list)
    credits: list[list[int]] = field(default_factory=list)

    @property
    def available_e6(self) -> int:
        """The displayed size that we have not taken. What the feed adds is new; what it repeats is not."""
        return self.shown_e6 - self.taken_e6

    @property
    def is_idle(self) -> bool:
        """Nothing of ours is left to remember."""
        return not self.orders and not self.taken_e6

    def join(self, order: PaperOrder, number: int) -> None:
        """Stand behind all that is displayed, and behind our own earlier orders."""
        order.ahead_e6 = self.shown_e6
        order.number = number
        self.orders.append(order)

    def resize(self, new_e6: int, drop: Drop | None, model: FillModel) -> None:
        """The displayed size is another one; ``drop`` describes it where it went down."""
        old_e6, self.shown_e6 = self.shown_e6, new_e6
        self.taken_e6 = min(self.taken_e6, new_e6)
        if drop is None:
            return
        cancelled = drop.left_e6 = drop.left_e6 - self._credited(drop)
        for order in self.orders:
            before = order.ahead_e6
            gone = cancelled_ahead_e6(model, before, cancelled, old_e6)
            order.ahead_e6 = min(before - gone, new_e6)
            if order.ahead_e6 < before:
                drop.give(order.name, before - order.ahead_e6)

    def trade(self, size_e6: int, drop: Drop | None) -> list[Execution]:
        """A trade of others took ``size_e6`` here: move our orders, and fill those that it reaches.

        ``drop`` is the fall of the level that it explains: it moves only orders that had joined before, and only as far as the drop
        has not. Without one the book has yet to follow.
        """
        ours_e6 = 0
        done: list[Execution] = []
        for order in self.orders:
            reach_e6 = size_e6 - ours_e6
            if drop is not None:
                if order.number >= drop.number:
                    continue
                reach_e6 -= drop.take_back(order.name, size_e6)
            if reach_e6 <= order.ahead_e6:
                order.ahead_e6 -= max(0, reach_e6)
                continue
            filled = min(order.remaining_e6, reach_e6 - order.ahead_e6)
            order.ahead_e6 = 0
            ours_e6 += filled
            done.append(executed(order, self.price_e6, filled, "maker"))
        self.orders = [order for order in self.orders if order.remaining_e6]
        return done

    def sweep(self, size_e6: int, drop: Drop | None = None) -> list[Execution]:
        """What others brought goes through to a worse price: nobody is ahead any more, and up to ``size_e6`` of ours fill.

        ``drop`` is the fall of that worse level that it explains: orders that joined later were not there.
        """
        done: list[Execution] = []
        for order in self.orders:
            if drop is not None and order.number >= drop.number:
                continue
            order.ahead_e6 = 0
            filled = min(order.remaining_e6, size_e6)
            if filled:
                size_e6 -= filled
                done.append(executed(order, self.price_e6, filled, "maker"))
        self.orders = [order for order in self.orders if order.remaining_e6]
        return done

    def credit(self, size_e6: int, now_ns: int) -> None:
        """A trade was told whose drop is still to come."""
        self.credits = [entry for entry in self.credits if now_ns - entry[0] <= TRADE_LAG_NS]
        self.credits.append([now_ns, size_e6])

    def _credited(self, drop: Drop) -> int:
        """How much of a drop earlier trades explain; they are used up by it."""
        found = 0
        for entry in self.credits:
            if drop.ns - entry[0] <= TRADE_LAG_NS:
                used = min(entry[1], drop.left_e6 - found)
                entry[1] -= used
                found += used
        self.credits = [entry for entry in self.credits if entry[1]]
        return found


def cancelled_ahead_e6(model: FillModel, ahead_e6: int, cancelled_e6: int, shown_e6: int) -> int:
    """How many of the shares cancelled at a level of ``shown_e6`` the model puts ahead of us, rounded down."""
    if model == "pessimistic" or not cancelled_e6:
        return 0
    if model == "optimistic":
        return min(ahead_e6, cancelled_e6)
    return ahead_e6 * cancelled_e6 // shown_e6
