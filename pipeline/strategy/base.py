"""What every strategy is: a pure function from a view of the world to the resting orders it wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipeline.base.units import NS_PER_MS
from pipeline.messages.market import BookSnapshot, Market
from pipeline.messages.orders import Mode, OpenOrder
from pipeline.trading.diff import Quote
from pipeline.trading.policy import USUAL, FeedPolicy, heard_ns, market_refusal


@dataclass(frozen=True, slots=True)
class Targets:
    """All resting orders wanted in one market; ``Targets()`` wants none. ``reason`` says why, in words for the audit."""

    quotes: tuple[Quote, ...] = ()
    reason: str = ""
    expected_profit_e6: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What a strategy may know when it decides on one market. Everything is as of ``now_ns``.

    ``book`` is the quoted token's; ``complement_id`` names the market's other token ("" if it has none, or more than one) and
    ``complement`` its book once one was seen. Inventories are this strategy's, in millionths of a share; ``exposure_e6`` is what its
    positions and its open orders in other markets have at stake, in millionths of a dollar. ``orders`` are its open orders here.
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

    @property
    def net_e6(self) -> int:
        """Shares of the quoted token beyond those that the other outcome's shares cancel out."""
        return self.inventory_e6 - self.complement_inventory_e6


class Strategy(Protocol):
    """A quoting strategy. It holds parameters only: all that changes is in the view."""

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


def book_refusal(view: View, max_book_age_ns: int) -> str:
    """Why a market's books may not be traded on; "" if they may."""
    allowed = view.policy.allowed(view.mode)
    for book in (view.book, view.complement):
        if book is not None and book.state not in allowed:
            return f"book of {book.token_id} is {book.state}"
    if view.now_ns - heard_ns(view.book) > max_book_age_ns:
        return f"book of {view.book.token_id} is older than {max_book_age_ns // NS_PER_MS} ms"
    return market_refusal(view.market)


def stands_still(view: View) -> bool:
    """Whether what rests is to be left as it is: a book is in a state that allows no new quotes, and none in a worse one."""
    policies = {view.policy.of(book.state, view.mode) for book in (view.book, view.complement) if book is not None}
    return "no_new_quotes" in policies and policies <= {"trade", "no_new_quotes"}
