"""Which books may be traded on: a policy per state of confidence and mode, and the other outcome's view of the same book."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from pipeline.base.settings import ConfidenceSection, Policy
from pipeline.base.units import ONE_E6, complement_e6
from pipeline.messages.market import BookSnapshot, Level, Market, State
from pipeline.messages.orders import VENUE_MODES, Mode


@dataclass(frozen=True)
class FeedPolicy:
    """What each state of confidence allows, as ``[confidence]`` sets it. With real money no book that cannot be checked is traded on."""

    settings: ConfidenceSection
    _allowed: dict[Mode, frozenset[State]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, state: State, mode: Mode) -> Policy:
        """What a state allows in a mode."""
        if state == "UNVERIFIED" and mode in VENUE_MODES:
            return "never"
        policy: Policy = getattr(self.settings, state.lower())
        return policy

    def allowed(self, mode: Mode) -> frozenset[State]:
        """The states in which a book may be traded on."""
        found = self._allowed.get(mode)
        if found is None:
            found = self._allowed[mode] = frozenset(state for state in STATES if self.of(state, mode) == "trade")
        return found


STATES: tuple[State, ...] = get_args(State)
USUAL = FeedPolicy(ConfidenceSection())
"""The policy of the default settings."""


def allowed_states(mode: Mode, policy: FeedPolicy = USUAL) -> frozenset[State]:
    """The states of confidence in which a book may be traded on: live only what is proved."""
    return policy.allowed(mode)


def heard_ns(book: BookSnapshot) -> int:
    """When a book was last vouched for: by what the venue said of it, or by being proved equal to the venue's.

    That it has grown quiet is said with a book as well, and so is a book for whoever begins to listen: that vouches for nothing.
    """
    return max(book.frame_ns or book.ts_ns, book.verified_ns)


def tops_of(book: BookSnapshot) -> tuple[int, int]:
    """The best bid and the best ask in millionths of a dollar; 0 and 1 for an empty side."""
    bids, asks = book.bids, book.asks
    return (bids[0].price_e6 if bids else 0), (asks[0].price_e6 if asks else ONE_E6)


def market_refusal(market: Market) -> str:
    """Why a market takes no orders; "" if it does."""
    if market.closed or not market.active or not market.accepting_orders or not market.enable_order_book:
        return f"market {market.market_id} takes no orders"
    return ""


def other_token(market: Market, token_id: str) -> str:
    """The market's other token, whose price is one minus this one's; "" unless it has exactly two outcomes."""
    if len(market.outcomes) != 2:
        return ""
    first, second = market.outcomes
    return second.token_id if token_id == first.token_id else first.token_id


def is_generic(market: Market) -> bool:
    """A market of the generic stream: its tokens are named after it, and each has a book of its own."""
    return all(token_id.startswith(f"{market.market_id}/") for token_id in market.token_ids)


def quoted_tokens(market: Market) -> tuple[str, ...]:
    """The tokens to quote: the first of two (the second is the same book seen from the other side), else each."""
    return market.token_ids[:1] if len(market.outcomes) == 2 else market.token_ids


def mirrored(book: BookSnapshot, token_id: str) -> BookSnapshot:
    """The same liquidity as the other outcome shows it: a bid at p is an ask at 1 - p. Its changes and its hash are left out."""
    return BookSnapshot(
        ts_ns=book.ts_ns,
        token_id=token_id,
        market=book.market,
        tick_size_e6=book.tick_size_e6,
        bids=tuple(Level(complement_e6(level.price_e6), level.size_e6) for level in book.asks),
        asks=tuple(Level(complement_e6(level.price_e6), level.size_e6) for level in book.bids),
        seq=book.seq,
        venue_ns=book.venue_ns,
        state=book.state,
        basis=book.basis,
        reason=book.reason,
        verified_ns=book.verified_ns,
        since_ns=book.since_ns,
        full_depth=book.full_depth,
        frame_ns=book.frame_ns,
    )
