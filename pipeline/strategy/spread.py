"""Spread Capture: rest a bid and an ask inside the spread of one market, and lean against what is held."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.settings import SpreadCaptureSection
from pipeline.base.units import NS_PER_MS, ONE_E6, ceil_to, complement_e6, e6_of_decimal, floor_to, format_e6
from pipeline.messages.orders import VENUE_MODES
from pipeline.strategy.base import Targets, View, book_refusal
from pipeline.strategy.quoter import shape_refusal, sized
from pipeline.trading.diff import Quote
from pipeline.trading.pacing import in_terms_of
from pipeline.trading.rewards import adjusted_mid_e6, daily_e6, share_e6


@dataclass(frozen=True, slots=True)
class SpreadCapture:
    """Quote both sides of one book, ``edge`` inside its best prices, but never giving up more than half of the spread.

    Both prices move down by ``lean`` at full inventory (up when short). The side that adds to the inventory shrinks towards the cap.
    Shares are sold where enough are at hand; otherwise the ask is a BUY of the other outcome at one minus the price, which is the
    same liquidity. A market with no single other outcome is sold short where trading is simulated, never live.

    Both prices back off by ``volatility_part_e6`` of the mean move of the mid and ``markout_part_e6`` of what our last trades lost, in
    millionths, at most ``max_widening_e6``. Sizes shrink over the last ``taper_ns`` before the market ends or its game starts. Where a
    day of rewards is expected to pay ``min_reward_e6`` (0: never), prices keep within the reward band and sizes reach its minimum.
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
    min_quote_lifetime_ns: int = 0
    max_mid_jump_e6: int = 0
    jump_pause_ns: int = 3_000 * NS_PER_MS
    volatility_part_e6: int = 0
    markout_part_e6: int = 0
    max_widening_e6: int = 0
    taper_ns: int = 0
    merge_from_e6: int = 0
    min_reward_e6: int = 0

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
            min_quote_lifetime_ns=section.min_quote_lifetime_ms * NS_PER_MS,
            max_mid_jump_e6=e6_of_decimal(section.max_mid_jump),
            jump_pause_ns=section.jump_pause_ms * NS_PER_MS,
            volatility_part_e6=e6_of_decimal(section.volatility_widening),
            markout_part_e6=e6_of_decimal(section.markout_widening),
            max_widening_e6=e6_of_decimal(section.max_widening),
            taper_ns=section.taper_minutes * 60_000 * NS_PER_MS,
            merge_from_e6=e6_of_decimal(section.merge_from),
            min_reward_e6=e6_of_decimal(section.min_reward_usdc) if section.rewards else 0,
        )

    def refusal(self, view: View) -> str:
        """Why nothing may rest in this market at the moment; "" if quoting is allowed."""
        reason = book_refusal(view, self.max_book_age_ns)
        if reason:
            return reason
        reason = shape_refusal(view.book)
        if reason:
            return reason
        if self.taper_ns and 0 < view.market.end_ns <= view.now_ns:
            return f"market {view.market.market_id} is past its end"
        return ""

    def decide(self, view: View) -> Targets:
        """A bid, an ask, both or neither."""
        reason = self.refusal(view)
        if reason:
            return Targets(reason=reason)
        rewarded = self._rewarded(view)
        bid_e6, ask_e6 = self.prices(view, rewarded)
        left_e6 = self._left_e6(view)
        full_e6 = self._full_e6(view, rewarded) * left_e6 // ONE_E6
        bid = self._bid(view, bid_e6, full_e6) if bid_e6 else None
        ask = self._ask(view, ask_e6, full_e6) if ask_e6 else None
        quotes = tuple([quote for quote in (bid, ask) if quote])
        tapered = "" if left_e6 == ONE_E6 else f", sizes at {left_e6 // 10_000} % before the end"
        if not quotes:
            return Targets(reason=f"at the inventory or exposure cap{tapered}")
        profit = (ask_e6 - bid_e6) * min(bid.size_e6, ask.size_e6) // ONE_E6 if bid and ask else 0
        scores = self._scores(view, quotes)
        paid = f", rewards {' and '.join(f'{share // 10_000} %' for share in scores)} of the score" if any(scores) else ""
        return Targets(
            quotes,
            reason=f"quote inside the spread at inventory {format_e6(view.net_e6)}{tapered}{paid}",
            expected_profit_e6=max(0, profit),
            scores_e6=scores,
        )

    def prices(self, view: View, rewarded: bool = False) -> tuple[int, int]:
        """Bid and ask in millionths, on the market's grid and not crossing the book; 0 where there is no such price."""
        book = view.book
        tick = book.tick_size_e6
        best_bid, best_ask = book.bids[0].price_e6, book.asks[0].price_e6
        inside = min(self.edge_e6, (best_ask - best_bid) // 4) - self.widening_e6(view)
        net = max(-self.max_inventory_e6, min(self.max_inventory_e6, view.net_e6))
        lean = self.lean_e6 * net // self.max_inventory_e6 if self.max_inventory_e6 else 0
        bid = floor_to(best_bid + inside - lean, tick)
        ask = ceil_to(best_ask - inside - lean, tick)
        if rewarded:
            bid, ask = _in_band(view, bid, ask)
        bid = min(bid, floor_to(best_ask - 1, tick))
        ask = max(ask, ceil_to(best_bid + 1, tick))
        if bid >= ask:
            # A lean can only bring both to one price: the side that would add to the inventory steps back.
            bid, ask = (ask - tick, ask) if net > 0 else (bid, bid + tick)
        return (bid if bid >= tick else 0), (ask if ask <= ONE_E6 - tick else 0)

    def widening_e6(self, view: View) -> int:
        """How far both prices back off from where they would be in a quiet market."""
        moves = self.volatility_part_e6 * view.volatility_e6 + self.markout_part_e6 * max(0, -view.markout_e6)
        return min(self.max_widening_e6, moves // ONE_E6)

    def _left_e6(self, view: View) -> int:
        """The part of a full size that is still quoted so near to the market's end or the start of its game, in millionths."""
        if not self.taper_ns:
            return ONE_E6
        left = self.taper_ns
        for at_ns in (view.market.end_ns, view.market.game_start_ns):
            if view.now_ns < at_ns < view.now_ns + left:
                left = at_ns - view.now_ns
        return ONE_E6 * left // self.taper_ns

    def _rewarded(self, view: View) -> bool:
        """Resting with the minimum size within the band is expected to pay enough a day."""
        rewards = view.market.rewards
        if not self.min_reward_e6 or rewards is None or not rewards.max_spread_e6 or rewards.daily_rate_e6 < self.min_reward_e6:
            return False
        mid = adjusted_mid_e6(view.book, rewards.min_size_e6)
        if mid is None or rewards.min_size_e6 > self.max_inventory_e6:
            return False
        size = max(self.size_e6, rewards.min_size_e6)
        bid, ask = _in_band(view, *self.prices(view))
        shares = (share_e6(rewards, mid, bid, size, view.book.bids), share_e6(rewards, mid, ask, size, view.book.asks))
        return daily_e6(rewards, mid, *shares) >= self.min_reward_e6

    def _scores(self, view: View, quotes: tuple[Quote, ...]) -> tuple[int, ...]:
        """The part of the reward score that each quote may expect; () where the market pays none."""
        rewards = view.market.rewards
        mid = adjusted_mid_e6(view.book, rewards.min_size_e6) if rewards is not None else None
        if rewards is None or mid is None or not rewards.max_spread_e6 or not rewards.daily_rate_e6:
            return ()
        found = []
        for quote in quotes:
            side, price = in_terms_of(view.book.token_id, quote)
            others = view.book.bids if side == "BUY" else view.book.asks
            found.append(share_e6(rewards, mid, price, quote.size_e6, others))
        return tuple(found)

    def _bid(self, view: View, price_e6: int, full_e6: int) -> Quote | None:
        """The bid: sell the other outcome's shares where enough are at hand, else buy."""
        size = self._size(full_e6, view.net_e6)
        buy = sized(view, view.book.token_id, "BUY", price_e6, self._affordable(view, price_e6, size))
        if not view.complement_id:
            return buy
        price: int = complement_e6(price_e6)
        if view.complement is not None and view.complement.bids:
            price = max(price, view.complement.bids[0].price_e6 + view.complement.tick_size_e6)
        return _sell_or(buy, view, view.complement_id, price, size, view.complement_inventory_e6)

    def _ask(self, view: View, price_e6: int, full_e6: int) -> Quote | None:
        """The ask: sell shares where enough are at hand, else buy the other outcome, else sell short where it is simulated."""
        size = self._size(full_e6, -view.net_e6)
        token_id = view.book.token_id
        if view.complement_id:
            price: int = complement_e6(price_e6)
            if view.complement is not None and view.complement.asks:
                price = min(price, view.complement.asks[0].price_e6 - view.complement.tick_size_e6)
            buy = sized(view, view.complement_id, "BUY", price, self._affordable(view, price, size)) if price > 0 else None
            return _sell_or(buy, view, token_id, price_e6, size, view.inventory_e6)
        if view.mode in VENUE_MODES:
            return _sell_or(None, view, token_id, price_e6, size, view.inventory_e6)
        short = self._affordable(view, complement_e6(price_e6), size)
        return sized(view, token_id, "SELL", price_e6, max(short, min(size, view.inventory_e6)))

    def _full_e6(self, view: View, rewarded: bool) -> int:
        """The size of a side that nothing limits."""
        if rewarded and view.market.rewards is not None:
            return max(self.size_e6, view.market.rewards.min_size_e6)
        return self.size_e6

    def _size(self, full_e6: int, towards_e6: int) -> int:
        """The size of the side that adds to ``towards_e6``: whole while it is at or below zero, shrinking to nothing at the cap."""
        room = self.max_inventory_e6 - towards_e6
        if towards_e6 <= 0:
            return min(full_e6, room)
        return min(full_e6 * room // self.max_inventory_e6, room) if room > 0 else 0

    def _affordable(self, view: View, price_e6: int, size_e6: int) -> int:
        """The size, cut so that both sides together stay under the exposure cap."""
        room = max(0, self.max_exposure_e6 - view.exposure_e6) // 2
        return min(size_e6, room * ONE_E6 // price_e6)


def _sell_or(buy: Quote | None, view: View, token_id: str, price_e6: int, size_e6: int, held_e6: int) -> Quote | None:
    """A sale if all of ``size_e6`` is at hand, or if no purchase is possible and anything is; else the purchase."""
    if held_e6 >= size_e6 or buy is None:
        sale = sized(view, token_id, "SELL", price_e6, min(held_e6, size_e6)) if price_e6 < ONE_E6 else None
        return sale or buy
    return buy


def _in_band(view: View, bid_e6: int, ask_e6: int) -> tuple[int, int]:
    """The prices, moved towards the middle until they score: the farthest that do lie a tick inside the reward band."""
    rewards = view.market.rewards
    mid = adjusted_mid_e6(view.book, rewards.min_size_e6) if rewards is not None else None
    if rewards is None or mid is None:
        return bid_e6, ask_e6
    tick = view.book.tick_size_e6
    lowest = floor_to(mid - rewards.max_spread_e6, tick) + tick
    highest = ceil_to(mid + rewards.max_spread_e6, tick) - tick
    return max(bid_e6, min(lowest, floor_to(mid, tick))), min(ask_e6, max(highest, ceil_to(mid, tick)))
