"""Spread Capture: rest a bid and an ask inside the spread of one market, and lean against what is held."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.settings import SpreadCaptureSection
from pipeline.base.units import NS_PER_MS, ONE_E6, ceil_to, complement_e6, e6_of_decimal, floor_to, format_e6, parse_e6
from pipeline.messages.market import Side
from pipeline.strategy.base import Targets, View, book_refusal
from pipeline.trading.diff import Quote

SIZE_STEP_E6 = 10_000
"""Sizes are whole hundredths of a share, as the venue floors them."""


@dataclass(frozen=True, slots=True)
class SpreadCapture:
    """Quote both sides of one book, ``edge`` inside its best prices, but never giving up more than half of the spread.

    Both prices move down by ``lean`` at full inventory (up when short). The side that adds to the inventory shrinks towards the cap.
    Shares are sold where enough are at hand; otherwise the ask is a BUY of the other outcome at one minus the price, which is the
    same liquidity. A market with no single other outcome is sold short where trading is simulated, never live.
    """

    edge_e6: int
    size_e6: int
    max_inventory_e6: int
    max_exposure_e6: int
    lean_e6: int
    min_requote_interval_ns: int = 500 * NS_PER_MS
    min_change_ticks: int = 1
    max_book_age_ns: int = 60_000 * NS_PER_MS
    name: str = "spread_capture"

    @classmethod
    def from_settings(cls, section: SpreadCaptureSection) -> SpreadCapture:
        """The quoter that ``[spread_capture]`` describes."""
        return cls(
            edge_e6=e6_of_decimal(section.edge),
            size_e6=e6_of_decimal(section.size),
            max_inventory_e6=e6_of_decimal(section.max_inventory),
            max_exposure_e6=e6_of_decimal(section.max_exposure_usdc),
            lean_e6=e6_of_decimal(section.lean),
            min_requote_interval_ns=section.min_requote_interval_ms * NS_PER_MS,
            min_change_ticks=section.min_change_ticks,
            max_book_age_ns=section.max_book_age_ms * NS_PER_MS,
        )

    def refusal(self, view: View) -> str:
        """Why nothing may rest in this market at the moment; "" if quoting is allowed."""
        reason = book_refusal(view, self.max_book_age_ns)
        if reason:
            return reason
        book = view.book
        if not book.bids or not book.asks:
            return f"book of {book.token_id} has an empty side"
        if book.bids[0].price_e6 >= book.asks[0].price_e6:
            return f"book of {book.token_id} is crossed"
        return ""

    def decide(self, view: View) -> Targets:
        """A bid, an ask, both or neither."""
        reason = self.refusal(view)
        if reason:
            return Targets(reason=reason)
        bid_e6, ask_e6 = self.prices(view)
        bid = self._bid(view, bid_e6) if bid_e6 else None
        ask = self._ask(view, ask_e6) if ask_e6 else None
        quotes = tuple(quote for quote in (bid, ask) if quote)
        if not quotes:
            return Targets(reason="at the inventory or exposure cap")
        profit = (ask_e6 - bid_e6) * min(bid.size_e6, ask.size_e6) // ONE_E6 if bid and ask else 0
        return Targets(
            quotes, reason=f"quote inside the spread at inventory {format_e6(view.net_e6)}", expected_profit_e6=max(0, profit)
        )

    def prices(self, view: View) -> tuple[int, int]:
        """Bid and ask in millionths, on the market's grid and not crossing the book; 0 where there is no such price."""
        book = view.book
        tick = book.tick_size_e6
        best_bid, best_ask = book.bids[0].price_e6, book.asks[0].price_e6
        inside = min(self.edge_e6, (best_ask - best_bid) // 4)
        net = max(-self.max_inventory_e6, min(self.max_inventory_e6, view.net_e6))
        lean = self.lean_e6 * net // self.max_inventory_e6 if self.max_inventory_e6 else 0
        bid = floor_to(best_bid + inside - lean, tick)
        ask = ceil_to(best_ask - inside - lean, tick)
        bid = min(bid, floor_to(best_ask - 1, tick))
        ask = max(ask, ceil_to(best_bid + 1, tick))
        if bid >= ask:
            # A lean can only bring both to one price: the side that would add to the inventory steps back.
            bid, ask = (ask - tick, ask) if net > 0 else (bid, bid + tick)
        return (bid if bid >= tick else 0), (ask if ask <= ONE_E6 - tick else 0)

    def _bid(self, view: View, price_e6: int) -> Quote | None:
        """The bid: sell the other outcome's shares where enough are at hand, else buy."""
        size = self._size(view.net_e6)
        buy = _quote(view, view.book.token_id, "BUY", price_e6, self._affordable(view, price_e6, size))
        if not view.complement_id:
            return buy
        price: int = complement_e6(price_e6)
        if view.complement is not None and view.complement.bids:
            price = max(price, view.complement.bids[0].price_e6 + view.complement.tick_size_e6)
        return _sell_or(buy, view, view.complement_id, price, size, view.complement_inventory_e6)

    def _ask(self, view: View, price_e6: int) -> Quote | None:
        """The ask: sell shares where enough are at hand, else buy the other outcome, else sell short where it is simulated."""
        size = self._size(-view.net_e6)
        token_id = view.book.token_id
        if view.complement_id:
            price: int = complement_e6(price_e6)
            if view.complement is not None and view.complement.asks:
                price = min(price, view.complement.asks[0].price_e6 - view.complement.tick_size_e6)
            buy = _quote(view, view.complement_id, "BUY", price, self._affordable(view, price, size)) if price > 0 else None
            return _sell_or(buy, view, token_id, price_e6, size, view.inventory_e6)
        if view.mode == "live":
            return _sell_or(None, view, token_id, price_e6, size, view.inventory_e6)
        short = self._affordable(view, complement_e6(price_e6), size)
        return _quote(view, token_id, "SELL", price_e6, max(short, min(size, view.inventory_e6)))

    def _size(self, towards_e6: int) -> int:
        """The size of the side that adds to ``towards_e6``: whole while it is at or below zero, shrinking to nothing at the cap."""
        if towards_e6 <= 0:
            return min(self.size_e6, self.max_inventory_e6 - towards_e6)
        room = self.max_inventory_e6 - towards_e6
        return min(self.size_e6 * room // self.max_inventory_e6, room) if room > 0 else 0

    def _affordable(self, view: View, price_e6: int, size_e6: int) -> int:
        """The size, cut so that both sides together stay under the exposure cap."""
        room = max(0, self.max_exposure_e6 - view.exposure_e6) // 2
        return min(size_e6, room * ONE_E6 // price_e6)


def _sell_or(buy: Quote | None, view: View, token_id: str, price_e6: int, size_e6: int, held_e6: int) -> Quote | None:
    """A sale if all of ``size_e6`` is at hand, or if no purchase is possible and anything is; else the purchase."""
    if held_e6 >= size_e6 or buy is None:
        sale = _quote(view, token_id, "SELL", price_e6, min(held_e6, size_e6)) if price_e6 < ONE_E6 else None
        return sale or buy
    return buy


def least_size_e6(view: View) -> int:
    """The market's smallest order, in millionths of a share; one hundredth of a share where it is unknown."""
    text = view.market.min_order_size
    return max(SIZE_STEP_E6, parse_e6(text)) if text else SIZE_STEP_E6


def _quote(view: View, token_id: str, side: Side, price_e6: int, size_e6: int) -> Quote | None:
    size = floor_to(size_e6, SIZE_STEP_E6)
    if size < least_size_e6(view):
        return None
    return Quote(token_id, side, price_e6, size)
