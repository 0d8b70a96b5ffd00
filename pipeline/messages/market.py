"""Market data: what the venue said (``Venue…``, text as the venue wrote it) and what the book builder made of it (integers)."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.base.units import PriceE6, SizeE6, same_price_e6
from pipeline.messages import Message

TextLevel = tuple[str, str]
"""(price, size) exactly as the venue wrote them: the book hash is over text."""

Side = Literal["BUY", "SELL"]
BookSource = Literal["ws", "rest", "file", "fake", "mirror", "spot"]
"""``spot`` is an answer nobody waits for: it is held against the kept book, which it does not replace while that is trusted."""
State = Literal["VERIFIED", "QUIET", "UNVERIFIED", "PENDING", "SUSPECT", "RESYNCING", "STALE", "DEAD"]
Basis = Literal["hash", "seq", "best", "none"]
LinkState = Literal["connecting", "up", "down", "closed"]


class Level(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One price of a book: millionths of a dollar a share, and the shares resting there in millionths."""

    price_e6: int
    size_e6: int


# --- what the venue said -------------------------------------------------------------------------------------------


class VenueBook(Message, frozen=True, kw_only=True, gc=False):
    """A whole book of one token as the venue (or a provider of snapshots) gave it. Published by the gateway on ``feed``.

    ``bids`` and ``asks`` are in the order received; never rely on it for the best price. Fields that the source did not
    give are None. ``seq`` is only on the generic stream. ``venue_ts`` is the venue's own timestamp text (milliseconds).
    ``vouched_ns`` is when the venue last vouched for these levels; 0: with this very message, at ``ts_ns``.
    """

    token_id: str
    market: str
    bids: tuple[TextLevel, ...]
    asks: tuple[TextLevel, ...]
    source: BookSource
    venue_ts: str | None = None
    hash: str | None = None
    tick_size: str | None = None
    last_trade_price: str | None = None
    min_order_size: str | None = None
    neg_risk: bool | None = None
    version: str | None = None
    seq: int | None = None
    vouched_ns: int = 0

    @property
    def key(self) -> str:
        return self.token_id

    @property
    def is_provided(self) -> bool:
        """Whether it is an answer from a snapshot provider, not a frame of the feed."""
        return self.source in ("rest", "fake", "file", "spot")

    @property
    def told_ns(self) -> int:
        """When the venue last vouched for these levels."""
        return self.vouched_ns or self.ts_ns


class VenuePriceChange(Message, frozen=True, gc=False):
    """Entries of one ``price_change`` frame that share token, timestamp and hash: (part of) one batch of one token.

    Each change is (price, size, side): ``size`` is the level's new total, "0" removes it. ``best_bid`` and ``best_ask`` are
    those of the last entry and describe the book after the whole batch, which may take more frames.
    """

    token_id: str
    market: str
    venue_ts: str
    hash: str
    changes: tuple[tuple[str, str, str], ...]
    best_bid: str | None = None
    best_ask: str | None = None

    @property
    def key(self) -> str:
        return self.token_id


class BookDelta(Message, frozen=True, gc=False):
    """Signed size changes of one outcome on the generic stream; ``seq`` rises by one with each message of a market."""

    token_id: str
    market: str
    seq: int
    bids: tuple[TextLevel, ...] = ()
    asks: tuple[TextLevel, ...] = ()

    @property
    def key(self) -> str:
        return self.token_id


class VenueTrade(Message, frozen=True, kw_only=True, gc=False):
    """A ``last_trade_price`` event: the taker's side, price and size."""

    token_id: str
    market: str
    venue_ts: str
    price: str
    size: str
    side: str
    fee_rate_bps: str | None = None
    transaction_hash: str | None = None

    @property
    def key(self) -> str:
        return self.token_id


class TickSizeChange(Message, frozen=True, kw_only=True, gc=False):
    """The venue refined (or coarsened) a token's price grid."""

    token_id: str
    market: str
    venue_ts: str
    old_tick_size: str
    new_tick_size: str

    @property
    def key(self) -> str:
        return self.token_id


class BestBidAsk(Message, frozen=True, kw_only=True, gc=False):
    """The venue's own statement of a token's top."""

    token_id: str
    market: str
    venue_ts: str
    best_bid: str
    best_ask: str

    @property
    def key(self) -> str:
        return self.token_id


class NewMarket(Message, frozen=True, kw_only=True, gc=False):
    """The venue announced a market; it may be one that nobody here follows."""

    market: str
    venue_ts: str
    token_ids: tuple[str, ...]
    slug: str = ""
    question: str = ""

    @property
    def key(self) -> str:
        return self.market


class MarketResolved(Message, frozen=True, kw_only=True, gc=False):
    """A market ended; the winning token pays one dollar a share, unless ``payouts_e6`` tells what each of ``token_ids`` pays.

    Payouts are millionths of a dollar a share; half a dollar each is a 50/50 resolution, which names no winner.
    """

    market: str
    venue_ts: str
    token_ids: tuple[str, ...]
    winning_token_id: str
    winning_outcome: str = ""
    payouts_e6: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        return self.market


class FeedStatus(Message, frozen=True, kw_only=True, gc=False):
    """The state of one link to the venue and the tokens it carries; of one that is lost, those that no other link carries.

    A link that is up says so every few seconds. ``counts`` are totals since the process started.
    """

    link_id: str
    state: LinkState
    reason: str = ""
    token_ids: tuple[str, ...] = ()
    counts: dict[str, int] = {}

    @property
    def key(self) -> str:
        return self.link_id


class BadFeedFrame(Message, frozen=True, kw_only=True, gc=False):
    """A frame about one token was refused: counted against it, and its book is doubted. ``token_id`` may be unknown ("")."""

    token_id: str
    market: str
    reason: str

    @property
    def key(self) -> str:
        return self.token_id


# --- what we made of it --------------------------------------------------------------------------------------------


class BookSnapshot(Message, frozen=True, gc=False):
    """Top of one token's book, complete in itself: a later one replaces it. Published by book_builder on ``book``.

    ``bids`` fall and ``asks`` rise in price, at most ``[book] depth`` levels a side. ``changed_bids`` and ``changed_asks`` are the
    levels its batch changed at any depth (size 0: gone). ``seq`` counts the books of the token (on the generic stream it is
    the stream's). ``verified_ns`` is when the book was last proved equal to the venue's; 0 is never. ``frame_ns`` is when the last
    frame that it is made of, or answer that agreed with it, reached us.
    """

    token_id: str
    market: str
    tick_size_e6: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    seq: int
    venue_ns: int
    state: State
    basis: Basis
    reason: str = ""
    verified_ns: int = 0
    since_ns: int = 0
    hash: str | None = None
    changed_bids: tuple[Level, ...] = ()
    changed_asks: tuple[Level, ...] = ()
    full_depth: bool = False
    frame_ns: int = 0

    @property
    def key(self) -> str:
        return self.token_id

    @property
    def mid_e6(self) -> PriceE6 | None:
        """Mid price in millionths of a dollar a share, rounded down; None while a side is empty."""
        if not self.bids or not self.asks:
            return None
        return PriceE6((self.bids[0].price_e6 + self.asks[0].price_e6) // 2)

    def cut_to(self, depth: int | None) -> BookSnapshot:
        """The same with the best ``depth`` levels a side (None: all), for who keeps it: as later ones of the token state them."""
        if depth is None or (len(self.bids) <= depth and len(self.asks) <= depth):
            return self
        return msgspec.structs.replace(self, bids=_kept(self.bids[:depth]), asks=_kept(self.asks[:depth]))

    @property
    def spread_e6(self) -> int | None:
        """Best ask minus best bid; None while a side is empty."""
        if not self.bids or not self.asks:
            return None
        return self.asks[0].price_e6 - self.bids[0].price_e6


def _kept(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple([Level(same_price_e6(price), size) for price, size in map(msgspec.structs.astuple, levels)])


class TradePrint(Message, frozen=True, gc=False):
    """A trade that happened at the venue, in integers. ``side`` is the taker's."""

    token_id: str
    market: str
    price_e6: PriceE6
    size_e6: SizeE6
    side: Side
    venue_ns: int
    transaction_hash: str | None = None

    @property
    def key(self) -> str:
        return self.token_id


# --- the catalogue -------------------------------------------------------------------------------------------------


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """One of the tokens of a market: index 0 is the first outcome ("Yes")."""

    token_id: str
    name: str


class FeeSchedule(msgspec.Struct, frozen=True, gc=False):
    """fee = shares x rate x (p x (1 - p)) ^ exponent; takers only where ``taker_only``. Rates are millionths."""

    rate_e6: int = 0
    exponent: int = 1
    taker_only: bool = True
    rebate_rate_e6: int = 0


class Rewards(msgspec.Struct, frozen=True, gc=False):
    """The liquidity-reward band of a market: minimum size, and the maximum distance from the mid in millionths of a dollar."""

    min_size_e6: int = 0
    max_spread_e6: int = 0
    daily_rate_e6: int = 0


class Market(msgspec.Struct, frozen=True, gc=False):
    """One binary condition with its two tokens, as the catalogue knows it.

    ``min_order_size`` keeps the venue's text (it is hashed); None is unknown, and so are ``neg_risk`` and ``tick_size`` when None.
    Times are UTC nanoseconds, 0 when the venue gives none. ``version`` is the venue's protocol generation ("v1", "v2").
    ``event_market_count`` is how many markets of its event may still resolve Yes, followed or not (0: not told); ``is_other`` marks
    the outcome that stands for all that are not named; ``cumulative`` that several markets of its event may resolve Yes together.
    """

    market_id: str
    outcomes: tuple[Outcome, ...]
    question: str = ""
    slug: str = ""
    event_id: str = ""
    event_slug: str = ""
    event_title: str = ""
    group_item_title: str = ""
    tick_size: str | None = None
    min_order_size: str | None = None
    neg_risk: bool | None = None
    neg_risk_augmented: bool = False
    neg_risk_market_id: str = ""
    version: str | None = None
    active: bool = True
    closed: bool = False
    accepting_orders: bool = True
    enable_order_book: bool = True
    end_ns: int = 0
    game_start_ns: int = 0
    seconds_delay: int = 0
    fees: FeeSchedule | None = None
    rewards: Rewards | None = None
    volume_24h_e6: int = 0
    rules_hash: str = ""
    taker_delay: bool = False
    """The venue holds an order that would trade at once for a moment, as it does on crypto markets."""
    event_market_count: int = 0
    is_other: bool = False
    cumulative: bool = False
    first_rules_hash: str = ""
    """``rules_hash`` as it was when the market was first seen, over all runs; "" where nobody remembers."""

    @property
    def token_ids(self) -> tuple[str, ...]:
        return tuple(outcome.token_id for outcome in self.outcomes)


class MarketUniverse(Message, frozen=True, kw_only=True):
    """The markets that are followed, whole: a later one replaces it. Published by the scheduler on ``universe``.

    ``source`` says where the catalogue came from (a Gamma address, a recording, the command line). ``ended`` are the markets, followed or
    held before, of which the catalogue has told since its first word how they resolved: the feed may have said so while nobody listened.
    """

    markets: tuple[Market, ...]
    source: str = ""
    version: int = 0
    ended: tuple[MarketResolved, ...] = ()
