"""What goes to the writer: durable records of trading (journal first), and lossy samples of the market.

A durable record's own ``seq`` travels in the envelope: it is the journal's, per producer, without a gap.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.messages import Message
from pipeline.messages.market import Basis, Level, Market, Side, State
from pipeline.messages.orders import Liquidity, Mode, OrderStatus, OrderType, TradeStatus

# --- persist.durable -----------------------------------------------------------------------------------------------


class OrderRecord(Message, frozen=True, kw_only=True):
    """One step in an order's life: appended to ``order_events``; ``orders`` shows the latest."""

    client_order_id: str
    venue_order_id: str
    strategy: str
    mode: Mode
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    filled_e6: int
    order_type: OrderType
    post_only: bool
    status: OrderStatus
    plan_id: str
    reason: str = ""
    good_till_ns: int = 0

    @property
    def key(self) -> str:
        return self.client_order_id


class OrderIntent(Message, frozen=True, kw_only=True):
    """What is about to be sent to the venue for one order: recorded before it leaves, and sent again only as it is.

    ``venue_order_id`` is the order's hash, the id that it will have there; ``body`` the signed body without the name of the account,
    which is put in as it is sent. ``size_e6`` is what was signed. After ``expires_ns`` an order that takes is not worth sending again.
    """

    client_order_id: str
    venue_order_id: str
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    order_type: OrderType
    post_only: bool
    body: str
    expires_ns: int
    good_till_ns: int = 0

    @property
    def key(self) -> str:
        return self.client_order_id


class FillRecord(Message, frozen=True, kw_only=True):
    """One fill; (trade_id, client_order_id) is its identity, a later status of the same fill updates it."""

    trade_id: str
    client_order_id: str
    strategy: str
    mode: Mode
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    notional_e6: int
    fee_e6: int
    liquidity: Liquidity
    status: TradeStatus
    reverses: str = ""

    @property
    def key(self) -> str:
        return self.client_order_id


class AuditRecord(Message, frozen=True, kw_only=True):
    """One executed decision: what was intended, what was acknowledged, and how long it took.

    ``intents`` and ``acks`` are JSON texts (a list each); ``duration_ms`` is from the decision to the last acknowledgement.
    """

    plan_id: str
    strategy: str
    mode: Mode
    market: str
    intents: str
    acks: str
    duration_ms: int
    outcome: str
    reason: str = ""
    seen: str = ""
    expected_profit_e6: int = 0

    @property
    def key(self) -> str:
        return self.plan_id


class HaltRecord(Message, frozen=True, kw_only=True):
    """Trading was halted or resumed."""

    halted: bool
    reason: str


# --- persist.lossy -------------------------------------------------------------------------------------------------


class LevelEvent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One changed level: the resulting size, and the change that led to it, in millionths of a share."""

    side: Literal["bid", "ask"]
    price_e6: int
    size_e6: int
    change_e6: int


class BookEvents(Message, frozen=True, gc=False):
    """The changed levels of one batch of one token: one ``orderbook_events`` row a level."""

    token_id: str
    market: str
    seq: int
    venue_ns: int
    events: tuple[LevelEvent, ...]

    @property
    def key(self) -> str:
        return self.token_id


class BookLevels(Message, frozen=True, kw_only=True, gc=False):
    """A whole book for ``orderbook_snapshots``: bids fall, asks rise. ``checksum`` is the venue's hash where there is one."""

    token_id: str
    market: str
    seq: int
    venue_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    state: State
    cause: str
    checksum: str | None = None

    @property
    def key(self) -> str:
        return self.token_id


class MarketVersion(Message, frozen=True, kw_only=True):
    """What the catalogue says of one market from ``valid_from_ns`` on; said only when it changed."""

    market: Market
    valid_from_ns: int
    venue: str = ""

    @property
    def key(self) -> str:
        return self.market.market_id


class MarketStatus(Message, frozen=True, kw_only=True, gc=False):
    """How the feed of one market stands: one ``market_status`` row, replaced. Counts are totals of this run of the builder."""

    market: str
    last_seq: int
    last_update_ts_ms: int
    snapshots: int
    deltas: int
    trades: int
    counts: dict[str, int] = {}

    @property
    def key(self) -> str:
        return self.market


class BookStateChanged(Message, frozen=True, kw_only=True, gc=False):
    """A token's book went from one state of confidence to another."""

    token_id: str
    market: str
    old: State | None
    new: State
    basis: Basis
    reason: str
    verified_ns: int = 0

    @property
    def key(self) -> str:
        return self.token_id


class FeedGap(Message, frozen=True, kw_only=True, gc=False):
    """A stretch of a token's feed that cannot be trusted: from ``start_ns`` to ``end_ns`` (0 while it is open), and what healed it."""

    token_id: str
    market: str
    start_ns: int
    end_ns: int
    cause: str
    healed_by: str = ""

    @property
    def key(self) -> str:
        return self.token_id


class HashChecks(Message, frozen=True, kw_only=True, gc=False):
    """What the book hashes of one token said in the minute from ``start_ns`` on; a minute without any is not told.

    ``done`` counts batches and whole books that were judged: ``matched``, ``undecided`` (a hashed field is unknown), and the rest missed.
    A miss that a late trade explained is done twice: once missed, once matched.
    """

    token_id: str
    market: str
    start_ns: int
    done: int
    matched: int
    undecided: int

    @property
    def key(self) -> str:
        return self.token_id


class Opportunity(Message, frozen=True, kw_only=True):
    """Something a strategy saw: taken, or refused and why."""

    plan_id: str
    strategy: str
    market: str
    kind: str
    taken: bool
    reason: str
    expected_profit_e6: int
    size_e6: int
    legs: str = ""

    @property
    def key(self) -> str:
        return self.plan_id


class Markout(Message, frozen=True, kw_only=True, gc=False):
    """The mid of a token ``horizon_ms`` after one of our trades; None where no trusted book had one. Horizon 0 is the trade itself."""

    trade_id: str
    client_order_id: str
    strategy: str
    mode: Mode
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    horizon_ms: int
    mid_e6: int | None = None

    @property
    def key(self) -> str:
        return self.token_id


class RewardEstimate(Message, frozen=True, kw_only=True, gc=False):
    """What a minute of one strategy's resting orders may earn from a market's liquidity rewards, and its part of the score."""

    strategy: str
    mode: Mode
    market: str
    share_e6: int
    reward_e6: int

    @property
    def key(self) -> str:
        return self.market


class PortfolioRow(Message, frozen=True, kw_only=True):
    """Inventory and profit of one strategy in one token at one moment. PnL of mode fake is *simulated*."""

    strategy: str
    mode: Mode
    token_id: str
    market: str
    inventory_e6: int
    cost_e6: int
    realised_e6: int
    unrealised_e6: int | None
    fees_e6: int

    @property
    def key(self) -> str:
        return self.token_id


class RunStarted(Message, frozen=True, kw_only=True):
    """A role's process began: one row of ``runs``. ``source`` says what it is fed by; ``body`` is JSON with the rest."""

    session_id: str
    role: str
    pid: int
    source: str
    body: str = "{}"

    @property
    def key(self) -> str:
        return self.role


class RunEnded(Message, frozen=True, kw_only=True):
    """A role's process ended in order, with its final counts."""

    role: str
    reason: str
    counts: dict[str, int] = {}

    @property
    def key(self) -> str:
        return self.role
