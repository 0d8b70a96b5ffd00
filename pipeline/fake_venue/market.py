"""One market of the fake venue: its matching engine, its participants, and the frames that tell the world of each change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

from pipeline.base.units import NS_PER_MS, ONE_E6
from pipeline.fake_venue import wire
from pipeline.fake_venue.catalogue import MarketSpec
from pipeline.fake_venue.flow import TAKER, USER, Action, Cancel, MarketFlow, Place, Take
from pipeline.fake_venue.matching import BID, LevelChange, Match, MatchingBook, RestingOrder
from pipeline.fake_venue.wire import Frame, text_of
from pipeline.market.verify import trade_price_text

FINE_TICK_E6 = 1_000
REFINE_ABOVE_E6 = 960_000
REFINE_BELOW_E6 = 40_000
REPEATED = 0.0005
"""Share of changes that the live feed sends twice."""


class Print(NamedTuple):
    """A trade to be told later: on which token, at what price, how many shares, what the taker did."""

    token_id: str
    price_e6: int
    size_e6: int
    side: str


class Taken(NamedTuple):
    """What a taker met: the orders it filled, its side in YES terms, and the outcome (0 or 1) whose token it traded."""

    matches: list[Match]
    side: int
    outcome: int


class FakeMarket:
    """The state of one market, and the only place that changes it. All methods return the frames that follow from them."""

    def __init__(self, spec: MarketSpec, rng: Random, start_ns: int) -> None:
        self.spec = spec
        self.book = MatchingBook()
        self.flow = MarketFlow(tick_e6=spec.tick_e6, fair_e6=spec.fair_e6, anchor_e6=spec.fair_e6)
        self.closed = False
        self.winner: int | None = None
        self.tick_e6 = spec.tick_e6
        self.last_trade = ""
        self.last_side = ""
        self.traded_e6 = 0
        self.prints: list[Print] = []
        self.watcher: Callable[[FakeMarket, Taken, int], None] | None = None
        """Told of every trade, with its time, once orders of users can be among them."""
        self.users: dict[int, RestingOrder] = {}
        """The orders of users that rest here."""
        self._rng = rng
        self._next_id = 1
        self._condition_id = spec.condition_id
        self._token_ids = spec.token_ids
        self._bids, self._asks = wire.Ladder(1), wire.Ladder(-1)
        yes, no = self._token_ids
        self.tokens = (
            wire.TokenText(self._condition_id, yes, self._bids.yes, self._asks.yes),
            wire.TokenText(self._condition_id, no, self._asks.no, self._bids.no),
        )
        for action in self.flow.open_book(rng):
            self._perform(action)
        self._lay(self.book.drain_changes())
        self._top = (self._bids.best_e6, self._asks.best_e6)
        self._tail = self._new_tail()
        self._stamp(start_ns // NS_PER_MS - rng.randint(0, 90_000))

    # --- what happens here

    def act(self, action: Action, now_ns: int) -> Iterator[Frame]:
        """One action of a participant, as one batch: all its frames have one timestamp and, a token, one hash."""
        matches, rested = self._perform(action)
        changes = self.book.drain_changes()
        if not changes:
            return
        taker = action.side if isinstance(action, Take) else BID
        yield from self._tell(changes, matches, taker, rested, now_ns)

    def enter(
        self, side: int, limit_e6: int, size_e6: int, rests: bool, outcome: int, now_ns: int
    ) -> tuple[int, int | None, list[Frame]]:
        """A user's order (side and limit in YES terms): how much of it was filled, the number under which the rest rests, the frames."""
        matches = self.book.match(side, limit_e6, size_e6)
        filled = sum(match.size_e6 for match in matches)
        rested = self._rest(USER, side, limit_e6, size_e6 - filled) if rests and filled < size_e6 else None
        changes = self.book.drain_changes()
        frames = list(self._tell(changes, matches, side, rested, now_ns, outcome)) if changes else []
        return filled, None if rested is None else rested.order_id, frames

    def withdraw(self, order_ids: Sequence[int], now_ns: int) -> list[Frame]:
        """Users' orders leave the book, all at once."""
        self.book.cancel_all(order_ids)
        changes = self.book.drain_changes()
        return list(self._tell(changes, [], BID, None, now_ns)) if changes else []

    def fill_one(self, order_id: int, size_e6: int, now_ns: int) -> list[Frame]:
        """Somebody takes one resting order out of turn; nothing if it is gone."""
        resting = self.book.orders.get(order_id)
        match = self.book.take_one(order_id, size_e6)
        if resting is None or match is None:
            return []
        return list(self._tell(self.book.drain_changes(), [match], 1 - resting.side, None, now_ns))

    def refine_tick(self, now_ns: int) -> Iterator[Frame]:
        """Near 0 and 1 the price grid becomes ten times finer; it never goes back."""
        bid, ask = self._top
        if self.tick_e6 > FINE_TICK_E6 and ((bid or 0) > REFINE_ABOVE_E6 or (ask or ONE_E6) < REFINE_BELOW_E6):
            yield from self.change_tick(FINE_TICK_E6, now_ns)

    def change_tick(self, tick_e6: int, now_ns: int) -> Iterator[Frame]:
        """Set the price grid and tell both tokens' subscribers."""
        old, self.tick_e6, self.flow.tick_e6 = self.tick_e6, tick_e6, tick_e6
        self._tail = self._new_tail()
        timestamp = self._stamp(now_ns // NS_PER_MS)
        for token_id in self._token_ids:
            text = wire.tick_size_change(self._condition_id, token_id, text_of(old), text_of(tick_e6), timestamp)
            yield Frame(now_ns, wire.TICK_CHANGE, (token_id,), text)

    def tell_print(self, told: Print, now_ns: int) -> Frame:
        """The ``last_trade_price`` frame of a trade."""
        text = wire.last_trade(
            self._condition_id,
            told.token_id,
            text_of(told.price_e6),
            text_of(told.size_e6),
            told.side,
            str(now_ns // NS_PER_MS),
            f"0x{self._rng.getrandbits(256):064x}",
        )
        return Frame(now_ns, wire.LAST_TRADE, (told.token_id,), text)

    def resolve(self, winner: int | None, now_ns: int) -> Frame:
        """End the market: outcome ``winner`` (0 or 1) pays, or (None) each pays half a dollar; trading stops."""
        self.closed, self.winner = True, winner
        text = wire.announcement(
            {
                "id": self.spec.id,
                "question": self.spec.question,
                "market": self._condition_id,
                "slug": self.spec.slug,
                "assets_ids": list(self._token_ids),
                "winning_asset_id": "" if winner is None else self._token_ids[winner],
                "winning_outcome": "" if winner is None else self.spec.outcomes[winner],
                "timestamp": str(now_ns // NS_PER_MS),
                "event_type": "market_resolved",
                "tags": list(self.spec.tags),
            }
        )
        return Frame(now_ns, wire.RESOLVED, self._token_ids, text)

    # --- what can be read

    @property
    def best_e6(self) -> tuple[int | None, int | None]:
        """Best bid and best ask of YES."""
        return self._top

    def opening(self, outcome: int) -> str:
        """One token's book as it stands in the list frame that answers a subscription."""
        return self.tokens[outcome].opening(self.timestamp, text_of(self.tick_e6), self.last_trade)

    def rest_book(self, outcome: int) -> dict[str, object]:
        """One token's book as CLOB ``/book`` gives it."""
        token = self.tokens[outcome]
        return {
            "market": self._condition_id,
            "asset_id": token.token_id,
            "timestamp": self.timestamp,
            "hash": token.hash,
            "bids": wire.split_levels(token.bids),
            "asks": wire.split_levels(token.asks),
            "min_order_size": str(self.spec.min_size),
            "tick_size": text_of(self.tick_e6),
            "neg_risk": self.spec.neg_risk,
            "last_trade_price": self.last_trade,
        }

    # --- inside

    def _perform(self, action: Action) -> tuple[list[Match], RestingOrder | None]:
        """Change the matching engine; the matches of a taker, and the order that came to rest."""
        match action:
            case Place(owner, side, price, size):
                return [], self._rest(owner, side, self._behind(side, price), size)
            case Cancel(order_ids):
                self.book.cancel_all(order_ids)
                return [], None
            case Take(side, limit, size, rests):
                matches = self.book.match(side, limit, size)
                left = size - sum(match.size_e6 for match in matches)
                return matches, self._rest(TAKER, side, limit, left) if rests and left and matches else None

    def _behind(self, side: int, price_e6: int) -> int:
        """The price of a post-only order: moved behind the other side's best."""
        other = self.book.best(1 - side)
        if other is None or (price_e6 < other if side == BID else price_e6 > other):
            return price_e6
        return other - self.tick_e6 if side == BID else other + self.tick_e6

    def _rest(self, owner: str, side: int, price_e6: int, size_e6: int) -> RestingOrder | None:
        if not 0 < price_e6 < ONE_E6:
            return None
        order = RestingOrder(self._next_id, owner, side, price_e6, size_e6)
        self._next_id += 1
        self.book.rest(order)
        if owner == USER:
            self.users[order.order_id] = order
        else:
            self.flow.rested(order.order_id)
        return order

    def _lay(self, changes: Sequence[LevelChange]) -> None:
        for side, price, total in changes:
            (self._bids if side == BID else self._asks).put(price, total)

    def _stamp(self, now_ms: int) -> str:
        """Hash both tokens' books as of a millisecond."""
        self.timestamp = timestamp = str(now_ms)
        for token in self.tokens:
            token.rehash(timestamp, self._tail)
        return timestamp

    def _new_tail(self) -> str:
        return wire.hash_tail(str(self.spec.min_size), text_of(self.tick_e6), self.spec.neg_risk, self.last_trade)

    def _tell(
        self,
        changes: list[LevelChange],
        matches: list[Match],
        taker: int,
        rested: RestingOrder | None,
        now_ns: int,
        outcome: int | None = None,
    ) -> Iterator[Frame]:
        self._lay(changes)
        if matches:
            outcome = self._note_trades(matches, taker, outcome)
            if self.watcher is not None:
                self.watcher(self, Taken(matches, taker, outcome), now_ns)
        if self.users:
            self.users = {number: order for number, order in self.users.items() if number in self.book.orders}
        timestamp = self._stamp(now_ns // NS_PER_MS)
        top = (self._bids.best_e6, self._asks.best_e6)
        bests = self._bests(top)
        if top != self._top:
            self._top = top
            yield from self._tell_top(bests, timestamp, now_ns)
        if not matches or rested:
            yield from self._tell_changes(changes, rested, bests, timestamp, now_ns)
        if matches:
            for token in self.tokens:
                yield Frame(now_ns, wire.BOOK, (token.token_id,), token.later(timestamp))

    def _tell_changes(
        self,
        changes: list[LevelChange],
        rested: RestingOrder | None,
        bests: tuple[tuple[str, str], tuple[str, str]],
        timestamp: str,
        now_ns: int,
    ) -> Iterator[Frame]:
        """A frame a level. What a taker left resting comes first, while the levels it took still stand: locally crossed."""
        if rested and len(changes) > 1:
            changes.sort(key=lambda change: change.side != rested.side)
        yes, no = self.tokens
        random = self._rng.random
        for side, price, total in changes:
            size = text_of(total)
            words = ("BUY", "SELL") if side == BID else ("SELL", "BUY")
            first = wire.change_entry(yes.token_id, text_of(price), size, words[0], yes.hash, *bests[0])
            second = wire.change_entry(no.token_id, text_of(ONE_E6 - price), size, words[1], no.hash, *bests[1])
            draw = random()
            if draw < 0.5:
                first, second = second, first
            text = wire.price_change(self._condition_id, first, second, timestamp)
            yield Frame(now_ns, wire.PRICE_CHANGE, self._token_ids, text)
            if draw < REPEATED:
                text = wire.price_change(self._condition_id, second, first, timestamp)
                yield Frame(now_ns, wire.PRICE_CHANGE, self._token_ids, text)

    def _tell_top(self, bests: tuple[tuple[str, str], tuple[str, str]], timestamp: str, now_ns: int) -> Iterator[Frame]:
        bid, ask = self._top
        spread = text_of((ONE_E6 if ask is None else ask) - (bid or 0))
        for token_id, (best_bid, best_ask) in zip(self._token_ids, bests, strict=True):
            text = wire.best_bid_ask(self._condition_id, token_id, best_bid, best_ask, spread, timestamp)
            yield Frame(now_ns, wire.BEST, (token_id,), text)

    @staticmethod
    def _bests(top: tuple[int | None, int | None]) -> tuple[tuple[str, str], tuple[str, str]]:
        """Best bid and best ask of YES, then of NO; 0 and 1 stand for an empty side."""
        bid, ask = top[0] or 0, ONE_E6 if top[1] is None else top[1]
        return (text_of(bid), text_of(ask)), (text_of(ONE_E6 - ask), text_of(ONE_E6 - bid))

    def _note_trades(self, matches: list[Match], taker: int, outcome: int | None) -> int:
        """Queue one print a price, told on a token chosen at random where none is given; which of the two.

        Its last price enters the hash at once, for both tokens.
        """
        if outcome is None:
            outcome = self._rng.getrandbits(1)
        sizes: dict[int, int] = {}
        for match in matches:
            sizes[match.price_e6] = sizes.get(match.price_e6, 0) + match.size_e6
        side = "BUY" if (taker == BID) == (outcome == 0) else "SELL"
        for price, size in sizes.items():
            told = ONE_E6 - price if outcome else price
            self.prints.append(Print(self._token_ids[outcome], told, size, side))
            self.traded_e6 += size
            self.last_trade = trade_price_text(told)
        self.last_side = side
        self._tail = self._new_tail()
        return outcome
