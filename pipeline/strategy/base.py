"""What every strategy is: a pure function from a view of the world to the resting orders it wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from pipeline.base.units import NS_PER_MS
from pipeline.messages.market import BookSnapshot, Market
from pipeline.messages.orders import Mode, OpenOrder
from pipeline.trading.diff import Quote
from pipeline.trading.policy import USUAL, FeedPolicy, heard_ns, market_refusal


class Targets(msgspec.Struct, frozen=True):
    """All resting orders wanted in one market; ``Targets()`` wants none. ``reason`` says why, in words for the audit.

    ``scores_e6``: for each quote the part of the market's reward score that it may expect, in millionths; () where none are paid.
    """

    quotes: tuple[Quote, ...] = ()
    reason: str = ""
    expected_profit_e6: int = 0
    scores_e6: tuple[int, ...] = ()


class View(msgspec.Struct, frozen=True):
    """What a strategy may know when it decides on one market. Everything is as of ``now_ns``.

    ``book`` is the quoted token's; ``complement_id`` names the market's other token ("" if it has none, or more than one) and
    ``complement`` its book once one was seen. Inventories are this strategy's, in millionths of a share; ``exposure_e6`` is what its
    positions and its open orders in other markets have at stake, in millionths of a dollar. ``orders`` are its open orders here.

    The books show nobody's orders but others': where our own are displayed they are taken out, on both outcomes. ``jump_e6`` is how far
    the mid is from where it was a second ago, ``volatility_e6`` its mean move from second to second, ``markout_e6`` what our last trades
    here were worth ten seconds later (negative: the price went against us), all in millionths of a dollar a share.
    """

    market: Market
    book: BookSnapshot
    now_ns: int
    mode: Mode
    complement_id: str = ""
    complement: BookSnapshot | None = None
    inventory_e6: int = 0
    complement_inventory_e6: int = 0
    exposure_e6: int = 0
    orders: tuple[OpenOrder, ...] = ()
    policy: FeedPolicy = USUAL
    jump_e6: int = 0
    volatility_e6: int = 0
    markout_e6: int = 0

    @property
    def net_e6(self) -> int:
        """Shares of the quoted token beyond those that the other outcome's shares cancel out."""
        return self.inventory_e6 - self.complement_inventory_e6


class Strategy(Protocol):
    """A quoting strategy. It holds parameters only: all that changes is in the view.

    It may also have the attributes of ``Habits``; ``pipeline.strategy.quoter.Quoter`` is a base class that has everything but ``decide``.
    """

    @property
    def name(self) -> str:
        """What its orders and positions are booked under."""

    @property
    def min_requote_interval_ns(self) -> int:
        """The time that passes between two decisions on one market; pulling quotes does not wait for it."""

    @property
    def min_change_ticks(self) -> int:
        """An order that is nearer than this to its target keeps its place in the queue."""

    @property
    def max_book_age_ns(self) -> int:
        """A book that nothing was heard of for longer is not quoted on."""

    def refusal(self, view: View) -> str:
        """Why nothing may rest in this market at the moment; "" if quoting is allowed."""

    def decide(self, view: View) -> Targets:
        """The resting orders wanted. ``Targets()`` with a reason where ``refusal`` gives one."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How a desk is to treat a strategy's orders, as far as the strategy says: attributes of the same names, these where it has none.

    An order is not replaced before it is ``min_quote_lifetime_ns`` old. A mid that moved by more than ``max_mid_jump_e6`` within a second
    (0: any) pulls all quotes for ``jump_pause_ns``. Matched pairs of both outcomes are merged from ``merge_from_e6`` shares on (0: never).
    """

    min_quote_lifetime_ns: int = 0
    max_mid_jump_e6: int = 0
    jump_pause_ns: int = 3_000 * NS_PER_MS
    merge_from_e6: int = 0

    @classmethod
    def of(cls, strategy: Strategy) -> Habits:
        """The habits that a strategy asks for."""
        usual = cls()
        return cls(
            min_quote_lifetime_ns=getattr(strategy, "min_quote_lifetime_ns", usual.min_quote_lifetime_ns),
            max_mid_jump_e6=getattr(strategy, "max_mid_jump_e6", usual.max_mid_jump_e6),
            jump_pause_ns=getattr(strategy, "jump_pause_ns", usual.jump_pause_ns),
            merge_from_e6=getattr(strategy, "merge_from_e6", usual.merge_from_e6),
        )


def book_refusal(view: View, max_book_age_ns: int) -> str:
    """Why a market's books may not be traded on; "" if they may."""
    allowed, book, complement = view.policy.allowed(view.mode), view.book, view.complement
    if book.state not in allowed:
        return f"book of {book.token_id} is {book.state}"
    if complement is not None and complement.state not in allowed:
        return f"book of {complement.token_id} is {complement.state}"
    if view.now_ns - heard_ns(book) > max_book_age_ns:
        return f"book of {book.token_id} is older than {max_book_age_ns // NS_PER_MS} ms"
    return market_refusal(view.market)


def stands_still(view: View) -> bool:
    """Whether what rests is to be left as it is: a book is in a state that allows no new quotes, and none in a worse one."""
    policies = {view.policy.of(book.state, view.mode) for book in (view.book, view.complement) if book is not None}
    return "no_new_quotes" in policies and policies <= {"trade", "no_new_quotes"}
