"""Order flow of one market: what its participants do next, drawn from a seeded random generator.

Pure: the generator and the book are handed in, time is not asked for. The shares of the kinds of action are set so that the
frames they cause look like six live sports pairs of June 2026: 0.7 trades in 149 frames, 12 % of the (token, millisecond)
groups with more than one entry, now and then a mass cancel of many frames under one hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from pipeline.base.units import ONE_E6
from pipeline.fake_venue.matching import ASK, BID, MatchingBook, RestingOrder

SHARE_E6 = ONE_E6
CENT_SHARE_E6 = 10_000
FAR_STEP_E6 = 10_000
TARGET_ORDERS = 180
MAKERS = tuple(f"maker-{n}" for n in range(12))
TAKER = "taker"
USER = "user"
"""Owner of the orders that come in over HTTP. The flow trades against them and never cancels them."""
ROUND_SHARES = (5, 10, 15, 20, 25, 40, 50, 60, 100, 150, 200, 250, 500, 1_000)


@dataclass(frozen=True, slots=True)
class Place:
    """Rest an order; a price that would cross is moved back until it does not (a post-only maker)."""

    owner: str
    side: int
    price_e6: int
    size_e6: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take orders out of the book, all at once: one batch, whatever it needs of frames."""

    order_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """Cross the spread for ``size_e6`` shares up to a limit; what is not filled rests if ``rests`` (else it is dropped)."""

    side: int
    limit_e6: int
    size_e6: int
    rests: bool


Action = Place | Cancel | Take


@dataclass(slots=True)
class MarketFlow:
    """The mood of one market.

    ``fair_e6`` is the YES price its participants believe in; it wanders and is drawn back to ``anchor_e6``. ``offset_e6`` is a
    passing error of theirs.
    """

    tick_e6: int
    fair_e6: int
    anchor_e6: int
    offset_e6: int = 0
    order_ids: list[int] = field(default_factory=list)

    @property
    def centre_e6(self) -> int:
        """Where quotes gather: never closer than two ticks to 0 or 1."""
        low = 2 * self.tick_e6
        return min(max(self.fair_e6 + self.offset_e6, low), ONE_E6 - low)

    def open_book(self, rng: Random) -> list[Action]:
        """The orders that rest before the first frame."""
        actions: list[Action] = [self._place(rng, n % 2) for n in range(TARGET_ORDERS - 20)]
        return actions + [self._at(rng, side, steps) for steps in range(10) for side in (BID, ASK)]

    def next_actions(self, rng: Random, book: MatchingBook) -> list[Action]:
        """One decision: usually a single action, sometimes several in the same millisecond."""
        stale = self.stale_orders(book)
        if stale:
            return [Cancel(stale), *self._fresh_quotes(rng, 2)]
        draw = rng.random()
        if draw < 0.0040:
            return [self._take(rng, book)]
        if draw < 0.0090:
            return self._move(rng, book)
        if draw < 0.0130:
            return self._mass_cancel(rng, book)
        if draw < 0.0190:
            return self._fresh_quotes(rng, rng.randint(2, 5))
        crowd = len(book.orders) / TARGET_ORDERS - 1
        if draw < 0.090:
            order = self._some_order(rng, book)
            if order is not None:
                return [Cancel((order.order_id,)), self._replacement(rng, order)]
        if rng.random() < 0.5 - 0.4 * crowd:
            return [self._place(rng, rng.getrandbits(1))]
        order = self._some_order(rng, book)
        return [Cancel((order.order_id,))] if order is not None else [self._place(rng, BID)]

    def stale_orders(self, book: MatchingBook) -> tuple[int, ...]:
        """Orders on the wrong side of what everybody believes now."""
        centre = self.centre_e6
        bid, ask = book.best(BID), book.best(ASK)
        if (bid is None or bid < centre + self.tick_e6) and (ask is None or ask > centre - self.tick_e6):
            return ()
        found: list[int] = []
        for side in (BID, ASK):
            for price in book.prices(side):
                if price < centre + self.tick_e6 if side == BID else price > centre - self.tick_e6:
                    break
                found.extend(order.order_id for order in book.at(side, price) if order.owner != USER)
        return tuple(found)

    def pick_off(self, book: MatchingBook) -> list[Action]:
        """Take those orders of users that are on the wrong side of what everybody believes."""
        actions: list[Action] = []
        for side in (BID, ASK):
            worst, size = None, 0
            for price in book.prices(side):
                if price < self.centre_e6 + self.tick_e6 if side == BID else price > self.centre_e6 - self.tick_e6:
                    break
                if any(order.owner == USER for order in book.at(side, price)):
                    worst = price
            if worst is not None:
                size = sum(total for _, total in book.reach(1 - side, worst))
                actions.append(Take(1 - side, worst, size, False))
        return actions

    def shift(self, rng: Random, offset_e6: int, book: MatchingBook) -> list[Action]:
        """Everybody errs by ``offset_e6`` from here on: stale quotes go, fresh ones come."""
        self.offset_e6 = offset_e6
        return [*([Cancel(stale)] if (stale := self.stale_orders(book)) else []), *self._fresh_quotes(rng, 4)]

    def rested(self, order_id: int) -> None:
        """An order of this flow is in the book."""
        self.order_ids.append(order_id)

    def _move(self, rng: Random, book: MatchingBook) -> list[Action]:
        """Belief moves by a tick or two; some of the quotes it leaves behind are taken before they are cancelled."""
        step = self.tick_e6 * rng.choice((-2, -1, 1, 2)) * (1 if self.tick_e6 >= FAR_STEP_E6 else 3)
        low = 3 * self.tick_e6
        pull = (self.anchor_e6 - self.fair_e6) // 50
        self.fair_e6 = min(max(self.fair_e6 + step + pull, low), ONE_E6 - low)
        side = BID if step > 0 else ASK
        best = book.best(ASK if side == BID else BID)
        if best is not None and rng.random() < 0.10 and (best < self.fair_e6 if side == BID else best > self.fair_e6):
            return [Take(side, self._grid(self.fair_e6, side), self._size(rng) + book.total(1 - side, best), True)]
        return [*self._stale_cancel(book), *self._fresh_quotes(rng, rng.randint(1, 3))]

    def _stale_cancel(self, book: MatchingBook) -> list[Action]:
        stale = self.stale_orders(book)
        return [Cancel(stale)] if stale else []

    def _take(self, rng: Random, book: MatchingBook) -> Action:
        side = rng.getrandbits(1)
        other = 1 - side
        best = book.best(other)
        if best is None:
            return self._place(rng, side)
        there, draw = book.total(other, best), rng.random()
        if draw < 0.70:
            return Take(side, best, max(CENT_SHARE_E6, min(self._size(rng), there)), False)
        limit = best
        for _, price in zip(range(rng.randint(1, 3)), book.prices(other), strict=False):
            limit = price
        if draw < 0.85:
            return Take(side, limit, there + self._size(rng), False)
        reach = sum(
            book.total(other, price) for price in book.prices(other) if (price <= limit if side == BID else price >= limit)
        )
        return Take(side, limit, reach + self._size(rng), True)

    def _mass_cancel(self, rng: Random, book: MatchingBook) -> list[Action]:
        owner = rng.choice(MAKERS)
        mine = [order.order_id for order in book.orders.values() if order.owner == owner]
        rng.shuffle(mine)
        return [Cancel(tuple(mine[: rng.randint(2, 12)]))] if mine else [self._place(rng, ASK)]

    def _fresh_quotes(self, rng: Random, count: int) -> list[Action]:
        return [self._at(rng, rng.getrandbits(1), n // 2) for n in range(count)]

    def _replacement(self, rng: Random, order: RestingOrder) -> Place:
        price = order.price_e6 + self.tick_e6 * rng.choice((-1, 0, 0, 1))
        return Place(order.owner, order.side, min(max(price, self.tick_e6), ONE_E6 - self.tick_e6), self._size(rng))

    def _place(self, rng: Random, side: int) -> Place:
        if rng.random() < 0.55:
            return self._at(rng, side, int(rng.expovariate(0.25)))
        span = self.centre_e6 if side == BID else ONE_E6 - self.centre_e6
        distance = max(FAR_STEP_E6, rng.randrange(span) // FAR_STEP_E6 * FAR_STEP_E6)
        price = self.centre_e6 - distance if side == BID else self.centre_e6 + distance
        price = price // FAR_STEP_E6 * FAR_STEP_E6
        return self._clamped(rng, side, price, 1 + distance * 12 // ONE_E6)

    def _at(self, rng: Random, side: int, steps: int) -> Place:
        """A quote some steps behind the best price that is still right."""
        behind = steps * self.tick_e6
        top = self._grid(self.centre_e6, side)
        return self._clamped(rng, side, top - behind if side == BID else top + behind, 1)

    def _clamped(self, rng: Random, side: int, price_e6: int, times: int) -> Place:
        price = min(max(price_e6, self.tick_e6), ONE_E6 - self.tick_e6)
        return Place(rng.choice(MAKERS), side, price, self._size(rng) * times)

    def _grid(self, price_e6: int, side: int) -> int:
        """A bid half a tick or more below, an ask half a tick or more above."""
        tick = self.tick_e6
        return (price_e6 - tick // 2) // tick * tick if side == BID else -(-(price_e6 + tick // 2) // tick) * tick

    def _size(self, rng: Random) -> int:
        if rng.random() < 0.55:
            return rng.choice(ROUND_SHARES) * SHARE_E6
        return rng.randint(500, 30_000) * CENT_SHARE_E6

    def _some_order(self, rng: Random, book: MatchingBook) -> RestingOrder | None:
        """A random resting order; those that are gone are forgotten on the way."""
        ids = self.order_ids
        while ids:
            at = int(rng.random() * len(ids))
            order = book.orders.get(ids[at])
            if order is not None:
                return order
            ids[at] = ids[-1]
            ids.pop()
        return None
