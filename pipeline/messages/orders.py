"""Orders and what becomes of them."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.messages import Message
from pipeline.messages.market import Side

OrderType = Literal["GTC", "GTD", "FOK", "FAK"]
OrderStatus = Literal[
    "new", "submitted", "live", "delayed", "partially_filled", "matched", "cancelled", "rejected", "expired", "unknown"
]
TradeStatus = Literal["matched", "mined", "confirmed", "retrying", "failed"]
Mode = Literal["fake", "paper", "replay", "offline", "live"]
"""What an order is: filled by rule, matched on paper, part of a replay, at the offline venue for its play money, or for real money."""
VENUE_MODES: frozenset[str] = frozenset({"offline", "live"})
"""Modes in which a venue holds the account: it alone says what is owned and what became of an order."""
Liquidity = Literal["maker", "taker", "settlement", "merge", "convert"]
"""The last three are no trade with anybody. ``settlement``: the market resolved, and the shares paid what they are worth; ``merge``: a
share of each outcome became a dollar; ``convert``: NO shares of a neg-risk event became dollars and YES shares of its other markets."""
VenueState = Literal["normal", "restarting", "post_only", "cancel_only", "disabled", "link_lost"]
"""What the venue does at present: everything; an engine restart; only orders that rest; only cancels; nothing; or nobody hears it."""

OPEN_STATUSES: frozenset[str] = frozenset({"new", "submitted", "live", "delayed", "partially_filled", "unknown"})
"""An order in one of these may still trade."""


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """Why a command was given: the plan it belongs to, what was seen, and what was expected.

    ``intents`` counts the plan's commands; 0 is a plan whose commands come one after the other, until its PlanEnded. ``frame_ns`` is when
    the frame reached us whose book prompted it; 0 if time, an answer or anything else did.
    """

    plan_id: str
    strategy: str
    reason: str
    seen: str = ""
    decided_ns: int = 0
    expected_profit_e6: int = 0
    intents: int = 1
    frame_ns: int = 0


class PlaceOrder(Message, frozen=True, kw_only=True):
    """A strategy asks for an order. ``expires_ns``: a command that reaches the executor later is refused.

    ``good_till_ns`` is the expiration of a GTD order, which dies a minute before it.
    """

    client_order_id: str
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    order_type: OrderType
    post_only: bool
    expires_ns: int
    decision: Decision
    good_till_ns: int = 0

    @property
    def key(self) -> str:
        return self.client_order_id


class CancelOrder(Message, frozen=True, kw_only=True):
    """A strategy asks that one of its orders be cancelled."""

    client_order_id: str
    expires_ns: int
    decision: Decision

    @property
    def key(self) -> str:
        return self.client_order_id


class CancelAll(Message, frozen=True, kw_only=True):
    """A strategy asks that all its orders be cancelled, or those of one market."""

    strategy: str
    expires_ns: int
    decision: Decision
    market: str = ""

    @property
    def key(self) -> str:
        return self.strategy


class MergePair(Message, frozen=True, kw_only=True):
    """A strategy asks that ``size_e6`` shares of each of a market's two outcomes be turned back into dollars, one for each pair."""

    strategy: str
    market: str
    token_ids: tuple[str, str]
    size_e6: int
    expires_ns: int
    decision: Decision

    @property
    def key(self) -> str:
        return self.strategy


class ConvertSet(Message, frozen=True, kw_only=True):
    """A strategy asks that ``size_e6`` NO shares of each of k markets of a neg-risk event become k - 1 dollars a share, and YES shares.

    ``event`` is the neg-risk market id, ``market`` the first leg's; ``cost_e6`` what the conversion costs, in millionths of a dollar.
    """

    strategy: str
    event: str
    market: str
    token_ids: tuple[str, ...]
    size_e6: int
    cost_e6: int
    expires_ns: int
    decision: Decision

    @property
    def key(self) -> str:
        return self.strategy


class PlanEnded(Message, frozen=True, kw_only=True):
    """A strategy says how a plan of several steps ended: complete, unwound, partial-held, rejected or expired, and why.

    ``result_e6`` is what the plan earns or loses at the worst resolution it covers; ``legs`` tells each leg as JSON.
    """

    decision: Decision
    outcome: str
    reason: str
    result_e6: int
    market: str = ""
    legs: str = ""

    @property
    def key(self) -> str:
        return self.decision.plan_id


class StrategyAlive(Message, frozen=True, kw_only=True, gc=False):
    """Strategies say that they live: who is silent for ``[execution] strategy_silence_ms`` has its orders cancelled. It is on no record."""

    strategies: tuple[str, ...]


class Halt(Message, frozen=True, kw_only=True):
    """The operator stops trading: no new orders until Resume."""

    reason: str
    cancel: bool = False


class Resume(Message, frozen=True, kw_only=True):
    """The operator lets trading go on."""

    reason: str = ""


class CancelEverything(Message, frozen=True, kw_only=True):
    """The operator cancels every open order of every strategy."""

    reason: str


class OpenOrder(msgspec.Struct, frozen=True, array_like=True):
    """One order as the executor holds it."""

    client_order_id: str
    strategy: str
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    filled_e6: int
    status: OrderStatus
    placed_ns: int


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Shares held of one token by one strategy, in millionths, and what they cost."""

    strategy: str
    token_id: str
    market: str
    inventory_e6: int
    cost_e6: int
    realised_e6: int = 0
    fees_e6: int = 0


class PlanOrder(msgspec.Struct, frozen=True, array_like=True):
    """One order of a plan of several steps, and what its trades came to: exact dollars in millionths, fees apart."""

    client_order_id: str
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    status: OrderStatus
    filled_e6: int = 0
    notional_e6: int = 0
    fee_e6: int = 0
    reason: str = ""


class PlanState(msgspec.Struct, frozen=True, array_like=True):
    """A plan of several steps whose end nobody has told yet: its orders so far, the oldest first.

    ``decision`` is None where it went with an earlier life of the executor.
    """

    plan_id: str
    strategy: str
    orders: tuple[PlanOrder, ...]
    decision: Decision | None = None


class ExecSnapshot(Message, frozen=True, kw_only=True):
    """All the executor holds, complete in itself; sent to each new subscriber. ``accepts`` says that commands are taken.

    ``next_counters``: for each strategy the counter of its next order id, so that an id never repeats after a restart.
    ``venue_state``: what the venue does as far as its answers tell; a change of it is said by another snapshot. ``plan_ids``: the plans
    behind the taker orders that are remembered, so that none is carried out twice. ``plans``: those still under way.
    ``free_cash_e6`` is as in ``OrderUpdate``.
    """

    accepts: bool
    halted: bool
    mode: Mode
    orders: tuple[OpenOrder, ...]
    positions: tuple[Position, ...]
    reason: str = ""
    next_counters: dict[str, int] = {}
    venue_state: VenueState = "normal"
    plan_ids: tuple[str, ...] = ()
    free_cash_e6: int | None = None
    plans: tuple[PlanState, ...] = ()


class OrderUpdate(Message, frozen=True, kw_only=True):
    """What became of an order: its status after the event, and the total filled so far.

    ``free_cash_e6`` is the account's cash that no open order may still cost, in millionths of a dollar; None where it is not counted.
    """

    client_order_id: str
    strategy: str
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    filled_e6: int
    status: OrderStatus
    venue_order_id: str = ""
    reason: str = ""
    free_cash_e6: int | None = None

    @property
    def key(self) -> str:
        return self.strategy


class Fill(Message, frozen=True, kw_only=True):
    """A trade of one of our orders. ``notional_e6`` is what was paid or received, exact; ``fee_e6`` comes on top."""

    trade_id: str
    client_order_id: str
    strategy: str
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    notional_e6: int
    fee_e6: int
    liquidity: Liquidity
    status: TradeStatus
    mode: Mode

    @property
    def key(self) -> str:
        return self.strategy


class TradingHalted(Message, frozen=True, kw_only=True):
    """Trading is stopped, and why; on disk before it is said."""

    reason: str


class TradingResumed(Message, frozen=True, kw_only=True):
    """Trading goes on."""

    reason: str = ""
