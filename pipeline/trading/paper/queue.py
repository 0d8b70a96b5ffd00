"""Where our resting orders stand among the displayed ones, and how trades and cancels of others move them forward.

A level of the venue is a queue. What a trade takes, it takes from the front: exact. What else leaves a level was cancelled somewhere in
it, and nobody outside sees where. The model says what is assumed:

- ``pessimistic``: behind us, as long as there is anything behind us. Only trades move us.
- ``proportional``: everywhere alike, so that the shares ahead of us shrink as the level does.
- ``optimistic``: ahead of us, as long as there is anything ahead.

On this venue a trade lowers the book first and is told later (34-88 ms usual, 2.9 s at most: feed facts, 2026-06), under a time of the
venue that is close to its drop's (34 and 39 ms later in the captures of 2026-09). So each drop of a level is kept for ``TRADE_LAG_NS``,
and a trade that explains it corrects what the model assumed. A trade that is told before its drop is kept as long, so that the drop does
not count as a cancel as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter
from typing import Literal

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.trading.paper.order import Execution, PaperOrder, executed

Fall = tuple[int, int, int, int, int]
"""(when we were told, the venue's time, side, price, by how much): a displayed size that went down, as the first token shows it."""
FillModel = Literal["pessimistic", "proportional", "optimistic"]
FILL_MODELS: tuple[FillModel, ...] = ("pessimistic", "proportional", "optimistic")
TRADE_LAG_NS = 3 * NS_PER_S
LEAST_NOTED = 128
NEAR_NS = 250 * NS_PER_MS
"""A trade and its drop are no further apart by the venue's clock."""


@dataclass(slots=True)
class Drop:
    """A displayed size that went down, and how much of it no trade has explained yet.

    ``venue_ns`` is the venue's time of it. ``given`` says for each of our orders how far this drop has moved it forward already.
    """

    ns: int
    venue_ns: int
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


_number_of = attrgetter("number")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a trade of others: what it took, when by the venue's clock, and the drop that it explains, if that was told before."""

    size_e6: int
    venue_ns: int
    drop: Drop | None = None

    def reaches(self, order: PaperOrder) -> bool:
        """Whether the order was there when the trade happened."""
        if self.drop is not None:
            return order.number < self.drop.number
        return order.since_ns <= self.venue_ns + NEAR_NS


class Flow:
    """The drops and trades of the last moments that do not explain each other yet, over all levels of one market.

    Most drops concern neither us nor a trade: they are noted as they are, and looked at when a trade of their level is told.
    """

    __slots__ = ("_drops", "_early", "_limit", "_noted", "number")

    def __init__(self) -> None:
        self.number = 0
        """How many drops there were: an order that joins notes it, and was not there for those."""
        self._drops: list[Drop] = []
        self._noted: list[tuple[Fall, int]] = []
        self._limit = LEAST_NOTED
        self._early: list[_Early] = []

    def note(self, falls: Sequence[Fall], now_ns: int) -> None:
        """Displayed sizes went down, at prices where we have no level, and while no trade awaits its drop."""
        noted = self._noted
        if len(noted) > self._limit:
            self._noted = noted = [each for each in noted if now_ns - each[0][0] <= TRADE_LAG_NS]
            self._limit = 2 * len(noted) + LEAST_NOTED
        noted += zip(falls, count(self.number + 1))
        self.number += len(falls)

    def fell(self, side: int, price_e6: int, size_e6: int, now_ns: int, venue_ns: int) -> Drop:
        """A displayed size went down. What of it earlier trades explain is not left in the drop."""
        left = size_e6
        if self._early:
            self._early = [early for early in self._early if early.left_e6 and now_ns - early.ns <= TRADE_LAG_NS]
            for early in self._early:
                if early.side == side and early.price_e6 == price_e6 and abs(early.venue_ns - venue_ns) <= NEAR_NS:
                    used = min(early.left_e6, left)
                    early.left_e6 -= used
                    left -= used
        self.number += 1
        drop = Drop(now_ns, venue_ns, side, price_e6, left, self.number)
        if self._drops and now_ns - self._drops[0].ns > TRADE_LAG_NS:
            self._drop_old(now_ns)
        self._drops.append(drop)
        return drop

    def _drop_old(self, now_ns: int) -> None:
        """Forget the drops that no trade is told of any more."""
        self._drops = [drop for drop in self._drops if now_ns - drop.ns <= TRADE_LAG_NS]

    def awaits_drops(self, now_ns: int) -> bool:
        """A drop from now on may be that of a trade that was told before it."""
        if not self._early:
            return False
        self._early = [early for early in self._early if early.left_e6 and now_ns - early.ns <= TRADE_LAG_NS]
        return bool(self._early)

    def traded(self, side: int, price_e6: int, size_e6: int, now_ns: int, venue_ns: int) -> Iterator[Part]:
        """A trade in parts, each with the drop that it explains; the last part without one, if its drop is still to come.

        A drop of just its size is taken for its own, then the newest first.
        """
        self._look_at(side, price_e6)
        self._drop_old(now_ns)
        near = [
            drop
            for drop in self._drops
            if drop.left_e6 and drop.price_e6 == price_e6 and drop.side == side and abs(drop.venue_ns - venue_ns) <= NEAR_NS
        ]
        own = [drop for drop in near if drop.left_e6 == size_e6][:1]
        for drop in own or reversed(near):
            explained = min(size_e6, drop.left_e6)
            if explained:
                drop.left_e6 -= explained
                size_e6 -= explained
                yield Part(explained, venue_ns, drop)
        if size_e6:
            self._early.append(_Early(now_ns, venue_ns, side, price_e6, size_e6))
            yield Part(size_e6, venue_ns)

    def _look_at(self, side: int, price_e6: int) -> None:
        """Make drops of what was noted of a level."""
        found = [each for each in self._noted if each[0][3] == price_e6 and each[0][2] == side]
        if found:
            self._noted = [each for each in self._noted if each[0][3] != price_e6 or each[0][2] != side]
            self._drops += [Drop(*fall, number) for fall, number in found]
            self._drops.sort(key=_number_of)


@dataclass(slots=True)
class _Early:
    """A trade whose drop is still to come, and how much of it."""

    ns: int
    venue_ns: int
    side: int
    price_e6: int
    left_e6: int


@dataclass(slots=True)
class OwnLevel:
    """One price at which we rest or have taken: our orders in the order of joining, the displayed size, and what we took of it."""

    side: int
    price_e6: int
    shown_e6: int
    taken_e6: int = 0
    orders: list[PaperOrder] = field(default_factory=list)

    @property
    def available_e6(self) -> int:
        """The displayed size that we have not taken. What the feed adds is new; what it repeats is not."""
        return self.shown_e6 - self.taken_e6

    @property
    def is_idle(self) -> bool:
        """Nothing of ours is left to remember."""
        return not self.orders and not self.taken_e6

    def join(self, order: PaperOrder, number: int, since_ns: int = 0) -> None:
        """Stand behind all that is displayed, and behind our own earlier orders, after ``number`` drops and at a time of the venue."""
        order.ahead_e6 = self.shown_e6
        order.number, order.since_ns = number, since_ns
        self.orders.append(order)

    def resize(self, new_e6: int, drop: Drop | None, model: FillModel) -> None:
        """The displayed size is another one; ``drop`` describes it where it went down, and what is left in it counts as cancelled."""
        old_e6, self.shown_e6 = self.shown_e6, new_e6
        self.taken_e6 = min(self.taken_e6, new_e6)
        if drop is None:
            return
        for order in self.orders:
            before = order.ahead_e6
            gone = cancelled_ahead_e6(model, before, drop.left_e6, old_e6)
            order.ahead_e6 = min(before - gone, new_e6)
            if order.ahead_e6 < before:
                drop.give(order.name, before - order.ahead_e6)

    def correct(self, new_e6: int) -> None:
        """The displayed size was not known rightly, as a message was lost."""
        self.shown_e6 = new_e6
        self.taken_e6 = min(self.taken_e6, new_e6)
        for order in self.orders:
            order.ahead_e6 = min(order.ahead_e6, new_e6)

    def trade(self, part: Part, size_e6: int) -> list[Execution]:
        """A trade of others brought ``size_e6`` here: move our orders that were there, and fill those that it reaches.

        Where the drop that it explains has moved an order already, it moves it only as far as the drop has not.
        """
        ours_e6 = 0
        done: list[Execution] = []
        for order in self.orders:
            reach_e6 = size_e6 - ours_e6
            if not part.reaches(order):
                continue
            if part.drop is not None:
                reach_e6 -= part.drop.take_back(order.name, size_e6)
            if reach_e6 <= order.ahead_e6:
                order.ahead_e6 -= max(0, reach_e6)
                continue
            filled = min(order.remaining_e6, reach_e6 - order.ahead_e6)
            order.ahead_e6 = 0
            ours_e6 += filled
            done.append(executed(order, self.price_e6, filled, "maker"))
        self.orders = [order for order in self.orders if order.remaining_e6]
        return done

    def sweep(self, size_e6: int, part: Part | None = None) -> list[Execution]:
        """What others brought goes through to a worse price: nobody is ahead any more, and up to ``size_e6`` of ours fill.

        ``part`` is the trade that went through: orders that were not there yet are not reached.
        """
        done: list[Execution] = []
        for order in self.orders:
            if part is not None and not part.reaches(order):
                continue
            order.ahead_e6 = 0
            filled = min(order.remaining_e6, size_e6)
            if filled:
                size_e6 -= filled
                done.append(executed(order, self.price_e6, filled, "maker"))
        self.orders = [order for order in self.orders if order.remaining_e6]
        return done


def cancelled_ahead_e6(model: FillModel, ahead_e6: int, cancelled_e6: int, shown_e6: int) -> int:
    """How many of the shares cancelled at a level of ``shown_e6`` the model puts ahead of us, rounded down."""
    if model == "pessimistic" or not cancelled_e6:
        return 0
    if model == "optimistic":
        return min(ahead_e6, cancelled_e6)
    return ahead_e6 * cancelled_e6 // shown_e6
