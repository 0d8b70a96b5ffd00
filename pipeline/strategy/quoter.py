"""A base class for quoting strategies of one's own, and the two orders that they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from pipeline.base.units import NS_PER_MS, ONE_E6, ceil_to, complement_e6, e6_of_decimal, floor_to, parse_size_e6
from pipeline.messages.market import BookSnapshot, Side
from pipeline.messages.orders import VENUE_MODES
from pipeline.strategy.base import Targets, View, book_refusal
from pipeline.trading.amounts import SIZE_STEP_E6
from pipeline.trading.diff import Quote


@dataclass(frozen=True, kw_only=True)
class Quoter:
    """Everything that a desk asks of a strategy but ``decide``. The fields are settings: each may be set in its table of the config.

    ``min_requote_interval_ms``: between two decisions on one market. ``min_quote_lifetime_ms``: before an order is replaced.
    ``min_change_ticks``: an order nearer than that to its target stays. ``max_book_age_ms``: a book not heard of for longer is not
    quoted on. ``max_mid_jump``: a mid that moves by more dollars within a second pulls all quotes for ``jump_pause_ms`` (0: any may).
    ``merge_from``: so many pairs of both outcomes are merged back into dollars (0: never).
    """

    name: str = "custom"
    min_requote_interval_ms: int = 500
    min_quote_lifetime_ms: int = 0
    min_change_ticks: int = 1
    max_book_age_ms: int = 60_000
    max_mid_jump: Decimal = Decimal(0)
    jump_pause_ms: int = 3_000
    merge_from: Decimal = Decimal(0)

    @property
    def min_requote_interval_ns(self) -> int:
        return self.min_requote_interval_ms * NS_PER_MS

    @property
    def min_quote_lifetime_ns(self) -> int:
        return self.min_quote_lifetime_ms * NS_PER_MS

    @property
    def max_book_age_ns(self) -> int:
        return self.max_book_age_ms * NS_PER_MS

    @property
    def max_mid_jump_e6(self) -> int:
        return e6_of_decimal(self.max_mid_jump)

    @property
    def jump_pause_ns(self) -> int:
        return self.jump_pause_ms * NS_PER_MS

    @property
    def merge_from_e6(self) -> int:
        return e6_of_decimal(self.merge_from)

    def refusal(self, view: View) -> str:
        """Why nothing may rest in this market at the moment; "" if quoting is allowed: a doubtful, old, one-sided or crossed book."""
        return book_refusal(view, self.max_book_age_ns) or shape_refusal(view.book)

    def decide(self, view: View) -> Targets:
        """No orders. Say here which orders are to rest."""
        return Targets(reason="nothing is wanted")


def shape_refusal(book: BookSnapshot) -> str:
    """Why a book has no spread to quote in; "" if it has."""
    if not book.bids or not book.asks:
        return f"book of {book.token_id} has an empty side"
    if book.bids[0].price_e6 >= book.asks[0].price_e6:
        return f"book of {book.token_id} is crossed"
    return ""


def rest_bid(view: View, price_e6: int, size_e6: int) -> Quote | None:
    """A resting BUY of the quoted token at this price or the next tick below that does not cross; None where the market takes none."""
    tick = view.book.tick_size_e6
    price = floor_to(price_e6, tick)
    if view.book.asks:
        price = min(price, view.book.asks[0].price_e6 - tick)
    return sized(view, view.book.token_id, "BUY", price, size_e6)


def rest_ask(view: View, price_e6: int, size_e6: int) -> Quote | None:
    """A resting offer of the quoted token at this price or the next tick above that does not cross; None where the market takes none.

    Shares that are held are sold; without enough of them the other outcome is bought at one minus the price, which is the same
    liquidity. A market without a single other outcome is sold short where trading is simulated, never live.
    """
    tick = view.book.tick_size_e6
    price = ceil_to(price_e6, tick)
    if view.book.bids:
        price = max(price, view.book.bids[0].price_e6 + tick)
    if view.inventory_e6 >= size_e6 or (not view.complement_id and view.mode not in VENUE_MODES):
        return sized(view, view.book.token_id, "SELL", price, size_e6)
    if view.complement_id:
        return sized(view, view.complement_id, "BUY", complement_e6(price), size_e6)
    return sized(view, view.book.token_id, "SELL", price, view.inventory_e6)


def sized(view: View, token_id: str, side: Side, price_e6: int, size_e6: int) -> Quote | None:
    """A quote with its size floored to hundredths of a share; None below the market's minimum or for a price outside its grid."""
    size = floor_to(size_e6, SIZE_STEP_E6)
    tick = view.book.tick_size_e6
    if size < least_size_e6(view) or not tick <= price_e6 <= ONE_E6 - tick:
        return None
    return Quote(token_id, side, price_e6, size)


def least_size_e6(view: View) -> int:
    """The market's smallest order, in millionths of a share; one hundredth of a share where it is unknown."""
    text = view.market.min_order_size
    return max(SIZE_STEP_E6, parse_size_e6(text)) if text else SIZE_STEP_E6
