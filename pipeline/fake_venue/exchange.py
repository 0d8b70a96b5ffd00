"""The whole fake market: a seed and a start time give one sequence of timed frames, the same to the byte on every machine.

No socket, no thread and no clock is in here. The server asks for the frames that are due; a recording asks for ten minutes at once.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from math import exp
from random import Random

from msgspec.structs import replace

from pipeline.base.units import NS_PER_MS, NS_PER_S, ONE_E6, format_e6
from pipeline.fake_venue import wire
from pipeline.fake_venue.catalogue import FREE, EventSpec, MarketSpec, all_markets, build_events, catalogue_market
from pipeline.fake_venue.flow import Action
from pipeline.fake_venue.gamma import Listing
from pipeline.fake_venue.market import FakeMarket
from pipeline.fake_venue.stuck import BEAT_NS, StuckFeed
from pipeline.fake_venue.wire import Frame

FRAMES_PER_ACTION = 1.135
"""Mean number of ``price_change`` frames that one decision of the flow causes."""
BURST_SIGMA = 0.7
"""Spread of the per-second rate: p99 about four times the mean, as measured on the live venue."""
MOOD_SIGMA = 0.9
MOOD_NS = 1 * NS_PER_S
PRINT_DELAY_MS = (34, 88)
DISLOCATION_EVERY_S = 40
DISLOCATION_S = (2.0, 6.0)
NEW_MARKET_EVERY_S = 30


@dataclass(frozen=True)
class ExchangePlan:
    """What the exchange is to be: its generator's seed, ``price_change`` frames a second over all markets, and its markets.

    ``bursty`` False keeps the rate even, for measurements. ``resolve_after_s`` above 0 ends the last binary market that much later.
    ``decoys`` adds events that look like Dutch Books and are none.
    """

    seed: int = 1
    rate_per_s: int = 150
    binary_markets: int = 4
    event_markets: int = 4
    bursty: bool = True
    resolve_after_s: int = 0
    decoys: bool = False
    sports_delay_s: int = 3
    """For how long the markets of sports hold back an order that would trade."""


class FakeExchange:
    """All markets, and the queue of what happens next in them."""

    def __init__(self, plan: ExchangePlan, start_ns: int) -> None:
        self.plan = plan
        self.now_ns = start_ns
        self.events: tuple[EventSpec, ...] = build_events(plan.binary_markets, plan.event_markets, plan.decoys)
        self._rng = Random(plan.seed)
        scripted = Random(f"{plan.seed} scripted")  # so that what follows a script changes nothing about all others
        self.markets = [FakeMarket(spec, self._rng if spec.weight else scripted, start_ns) for spec in all_markets(self.events)]
        self._by_token = {token.token_id: (market, i) for market in self.markets for i, token in enumerate(market.tokens)}
        decoys = {market.slug for event in self.events if event.decoy for market in event.markets}
        self._group = [market for market in self.markets if market.spec.neg_risk and market.spec.slug not in decoys]
        self._is_grouped = {market.spec.slug for market in self._group}
        self._queue: list[tuple[int, int, Callable[[int], Iterator[Frame]]]] = []
        self._order = count()
        self._printed_ns: dict[str, int] = {}
        self._announced = 0
        self._level = 0.0
        self._rate = 1.0
        self._choices: list[FakeMarket] = []
        self._weights: list[float] = []
        self._set_moods()
        self._at(start_ns + MOOD_NS, self._change_moods)
        self._at(start_ns + self._gap_ns(), self._decide)
        self._at(start_ns + self._spell_ns(NEW_MARKET_EVERY_S), self._announce)
        if self._group:
            self._at(start_ns + self._spell_ns(DISLOCATION_EVERY_S), self._dislocate)
        singles = [market for market in self.markets if not market.spec.neg_risk and market.spec.slug not in decoys]
        self._stuck = [self._new_stuck(event, scripted, start_ns) for event in self.events if event.stuck]
        if plan.resolve_after_s and singles:
            self._at(start_ns + plan.resolve_after_s * NS_PER_S, lambda now_ns: self.resolve(singles[-1], 0, now_ns))

    # --- time

    def begin(self, start_ns: int) -> None:
        """The market does not wait for anybody."""

    def advance(self, until_ns: int, at_most: int | None = None) -> list[Frame]:
        """The frames up to ``until_ns``, in order. ``at_most`` stops soon after that many, so that a caller far behind is not stuck."""
        frames: list[Frame] = []
        queue = self._queue
        while queue and queue[0][0] <= until_ns:
            now_ns, _, do = heapq.heappop(queue)
            self.now_ns = now_ns
            frames.extend(do(now_ns))
            if at_most is not None and len(frames) >= at_most:
                return frames
        self.now_ns = max(self.now_ns, until_ns)
        return frames

    def next_ns(self) -> int | None:
        """When something happens next."""
        return self._queue[0][0] if self._queue else None

    # --- what can be read

    def market_of(self, token_id: str) -> tuple[FakeMarket, int] | None:
        """The market of a token and which of its outcomes it is; None for a token never heard of."""
        return self._by_token.get(token_id)

    def list_frame(self, token_ids: Sequence[str]) -> str:
        """The answer to a subscription: the books of those of the tokens that are open."""
        hidden = {token_id for stuck in self._stuck for token_id in stuck.hidden(token_ids, self.now_ns)}
        known = (self._by_token[token_id] for token_id in token_ids if token_id in self._by_token and token_id not in hidden)
        return wire.list_frame(market.opening(outcome) for market, outcome in known if not market.closed)

    def is_settled(self, token_id: str) -> bool:
        """The token's market has resolved."""
        found = self._by_token.get(token_id)
        return found is not None and found[0].closed

    def rest_book(self, token_id: str) -> dict[str, object] | None:
        """CLOB ``/book`` of a token; None where the venue says that no orderbook exists."""
        found = self._by_token.get(token_id)
        if found is None or found[0].closed or any(token_id in stuck.token_ids for stuck in self._stuck):
            return None
        return found[0].rest_book(found[1])

    def listings(self) -> list[Listing]:
        """All markets as the catalogue shows them."""
        titles = {event.slug: event for event in self.events}
        delay_s = self.plan.sports_delay_s
        return [market_listing(market, titles[market.spec.event_slug], delay_s) for market in self.markets]

    # --- what can be done from outside

    def perform(self, market: FakeMarket, actions: Sequence[Action], now_ns: int) -> Iterator[Frame]:
        """Do some actions in one market, each as a batch of its own at ``now_ns``; prints follow later by themselves."""
        for action in actions:
            yield from market.act(action, now_ns)
        yield from self.settle(market, now_ns)

    def settle(self, market: FakeMarket, now_ns: int) -> Iterator[Frame]:
        """What follows from a change of a market: a finer grid where its price has come near 0 or 1, and the prints of its trades."""
        yield from market.refine_tick(now_ns)
        for told in market.prints:
            self._queue_print(market, told.token_id, now_ns, lambda at_ns, told=told: iter((market.tell_print(told, at_ns),)))  # type: ignore[misc]
        market.prints.clear()

    def resolve(self, market: FakeMarket, winner: int | None, now_ns: int) -> Iterator[Frame]:
        """End a market; nothing more happens in it."""
        if not market.closed:
            yield market.resolve(winner, now_ns)
            self._set_moods()

    def announce(self, now_ns: int) -> Frame:
        """A ``new_market`` frame for a market that this venue does not list yet."""
        self._announced += 1
        slug = f"will-lot-{self.plan.seed}-{self._announced}-sell-above-reserve"
        spec = MarketSpec(
            id=str(950_000 + self._announced),
            slug=slug,
            question=f"Will lot {self._announced} sell above its reserve?",
            fair_e6=ONE_E6 // 2,
            tick_e6=10_000,
            weight=1,
            fees=FREE,
            event_slug=slug,
        )
        return Frame(now_ns, wire.NEW_MARKET, (), wire.announcement(_new_market(spec, now_ns)))

    # --- inside

    def _at(self, ts_ns: int, do: Callable[[int], Iterator[Frame]]) -> None:
        heapq.heappush(self._queue, (ts_ns, next(self._order), do))

    def _new_stuck(self, event: EventSpec, rng: Random, start_ns: int) -> StuckFeed:
        """The script of an event of which the feed leaves out the first market."""
        first, second = (market for market in self.markets if market.spec.event_slug == event.slug)
        stuck = StuckFeed(first, second, rng, start_ns)
        self._at(start_ns + BEAT_NS, lambda now_ns: self._beat(stuck, now_ns))
        return stuck

    def _beat(self, stuck: StuckFeed, now_ns: int) -> Iterator[Frame]:
        self._at(now_ns + BEAT_NS, lambda at_ns: self._beat(stuck, at_ns))
        yield from self.perform(stuck.moving, stuck.beat(now_ns), now_ns)

    def _decide(self, now_ns: int) -> Iterator[Frame]:
        """One participant of one market does something, and the next decision is set."""
        self._at(now_ns + self._gap_ns(), self._decide)
        if not self._choices:
            return
        (market,) = self._rng.choices(self._choices, cum_weights=self._weights)
        believed = market.flow.fair_e6
        yield from self.perform(market, market.flow.next_actions(self._rng, market.book), now_ns)
        if market.users:
            yield from self.perform(market, market.flow.pick_off(market.book), now_ns)
        if market.flow.fair_e6 != believed and market.spec.slug in self._is_grouped:
            self._rebalance(market)

    def _rebalance(self, moved: FakeMarket) -> None:
        """Keep the beliefs of a neg-risk event summing to one: what one outcome gains another loses."""
        excess = sum(market.flow.fair_e6 for market in self._group) - ONE_E6
        for market in self._rng.sample(self._group, len(self._group)):
            if market is moved or not excess:
                continue
            low = 3 * market.tick_e6
            before = market.flow.fair_e6
            market.flow.fair_e6 = min(max(before - excess, low), ONE_E6 - low)
            excess -= before - market.flow.fair_e6

    def _dislocate(self, now_ns: int) -> Iterator[Frame]:
        """All outcomes of the event too cheap, or too dear, at once: a complete set can be had below one, or sold above it."""
        total = self._rng.choice((-1, 1)) * self._rng.randint(50_000, 90_000)
        open_markets = [market for market in self._group if not market.closed]
        weight = sum(market.flow.fair_e6 for market in open_markets) or 1
        for market in open_markets:
            offset = total * market.flow.fair_e6 // weight
            yield from self.perform(market, market.flow.shift(self._rng, offset, market.book), now_ns)
        self._at(now_ns + int(self._rng.uniform(*DISLOCATION_S) * NS_PER_S), self._settle)

    def _settle(self, now_ns: int) -> Iterator[Frame]:
        """The error of a dislocation is noticed."""
        for market in self._group:
            if not market.closed:
                yield from self.perform(market, market.flow.shift(self._rng, 0, market.book), now_ns)
        self._at(now_ns + self._spell_ns(DISLOCATION_EVERY_S), self._dislocate)

    def _announce(self, now_ns: int) -> Iterator[Frame]:
        self._at(now_ns + self._spell_ns(NEW_MARKET_EVERY_S), self._announce)
        yield self.announce(now_ns)

    def _queue_print(self, market: FakeMarket, token_id: str, now_ns: int, tell: Callable[[int], Iterator[Frame]]) -> None:
        """Trades are told after the book they changed, never out of order within a market."""
        due = now_ns + self._rng.randint(*PRINT_DELAY_MS) * NS_PER_MS
        due = max(due, self._printed_ns.get(market.spec.id, 0))
        self._printed_ns[market.spec.id] = due
        self._at(due, tell)

    def _change_moods(self, now_ns: int) -> Iterator[Frame]:
        self._set_moods()
        self._at(now_ns + MOOD_NS, self._change_moods)
        return iter(())

    def _set_moods(self) -> None:
        """For the next second: how busy the venue is, and how its flow is shared out."""
        self._choices = [market for market in self.markets if not market.closed and market.spec.active and market.spec.weight]
        shares = [float(market.spec.weight) for market in self._choices]
        if self.plan.bursty:
            self._level = 0.5 * self._level + 0.866 * self._rng.gauss(0, 1)
            self._rate = exp(BURST_SIGMA * self._level - BURST_SIGMA**2 / 2)
            shares = [share * exp(MOOD_SIGMA * self._rng.gauss(0, 1)) for share in shares]
        self._weights = list(accumulate(shares))

    def _gap_ns(self) -> int:
        return int(self._rng.expovariate(self.plan.rate_per_s * self._rate / FRAMES_PER_ACTION) * NS_PER_S)

    def _spell_ns(self, mean_s: int) -> int:
        return int(self._rng.expovariate(1 / mean_s) * NS_PER_S)


def market_listing(market: FakeMarket, event: EventSpec, sports_delay_s: int = 0) -> Listing:
    """A market with its live numbers, in the words of the catalogue."""
    bid, ask = market.best_e6
    listed = catalogue_market(market.spec, event, format_e6(market.tick_e6), closed=market.closed)
    if sports_delay_s and "sports" in market.spec.tags:
        listed = replace(listed, seconds_delay=sports_delay_s)
    return Listing(
        market=listed,
        id=market.spec.id,
        best_bid_e6=bid,
        best_ask_e6=ask,
        last_trade=market.last_trade,
        volume_e6=market.traded_e6,
        winner=market.winner,
        is_split=market.closed and market.winner is None,
        tags=market.spec.tags,
        fee_type=market.spec.fees.kind,
    )


def _new_market(spec: MarketSpec, now_ns: int) -> dict[str, object]:
    return {
        "id": spec.id,
        "question": spec.question,
        "market": spec.condition_id,
        "slug": spec.slug,
        "description": "",
        "assets_ids": list(spec.token_ids),
        "outcomes": list(spec.outcomes),
        "event_message": {"id": "9" + spec.id, "ticker": spec.slug, "slug": spec.slug, "title": spec.question, "description": ""},
        "timestamp": str(now_ns // NS_PER_MS),
        "event_type": "new_market",
        "tags": list(spec.tags),
        "condition_id": spec.condition_id,
        "active": True,
        "clob_token_ids": list(spec.token_ids),
        "sports_market_type": "",
        "line": "",
        "game_start_time": "",
        "order_price_min_tick_size": spec.tick_size,
        "group_item_title": "",
        "taker_base_fee": "1000",
        "fees_enabled": False,
    }
