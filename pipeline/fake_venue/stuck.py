"""A false Dutch Book of stale prices: of one market nothing more is told, and once its book has grown old the other outcome falls.

The set then looks cheap at a price that nobody has vouched for in a long time. While the old book is fresh the prices add up, also for
whoever subscribes later.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from pipeline.base.units import NS_PER_S, ONE_E6
from pipeline.fake_venue.flow import MAKERS, USER, Action, Cancel, Place
from pipeline.fake_venue.market import FakeMarket
from pipeline.fake_venue.matching import ASK, BID

BEAT_NS = NS_PER_S
OLD_NS = 45 * NS_PER_S
"""How long ago the stuck book was told when the other outcome falls."""
CHEAP_NS = 12 * NS_PER_S
FALL_E6 = 120_000
SIZE_E6 = 100 * ONE_E6


class StuckFeed:
    """The script of two markets: ``stuck`` is told in answers to subscriptions alone, never over HTTP; ``moving`` moves every second."""

    def __init__(self, stuck: FakeMarket, moving: FakeMarket, rng: Random, start_ns: int) -> None:
        self.token_ids = frozenset(stuck.spec.token_ids)
        self.moving = moving
        self._rng = rng
        self._told_ns = start_ns
        self._cheap_until_ns: int | None = None

    def hidden(self, token_ids: Sequence[str], now_ns: int) -> frozenset[str]:
        """Those of the tokens that an answer to a subscription leaves out: the stuck ones, while the set looks cheap."""
        wanted = self.token_ids.intersection(token_ids)
        if wanted and self._cheap_until_ns is None:
            self._told_ns = now_ns
            return frozenset()
        return wanted

    def beat(self, now_ns: int) -> list[Action]:
        """What happens in the moving market this second."""
        if self._cheap_until_ns is not None and now_ns >= self._cheap_until_ns:
            self._cheap_until_ns, self._told_ns = None, now_ns
            return self._moved(0)
        if self._cheap_until_ns is None and now_ns >= self._told_ns + OLD_NS:
            self._cheap_until_ns = now_ns + CHEAP_NS
            return self._moved(-FALL_E6)
        return self._renewed()

    def _moved(self, offset_e6: int) -> list[Action]:
        """Everybody's price is another one: what is wrong now goes, and both sides are offered anew."""
        flow, tick = self.moving.flow, self.moving.tick_e6
        flow.offset_e6 = offset_e6
        stale = flow.stale_orders(self.moving.book)
        centre = flow.centre_e6
        return [
            *([Cancel(stale)] if stale else []),
            Place(MAKERS[0], BID, centre - tick, SIZE_E6),
            Place(MAKERS[1], ASK, centre + tick, SIZE_E6),
        ]

    def _renewed(self) -> list[Action]:
        """Some order comes again, at its price and with another size."""
        orders = [order for order in self.moving.book.orders.values() if order.owner != USER]
        if not orders:
            return self._moved(self.moving.flow.offset_e6)
        order = self._rng.choice(orders)
        size = self._rng.randint(5, 200) * ONE_E6
        return [Place(order.owner, order.side, order.price_e6, size), Cancel((order.order_id,))]
