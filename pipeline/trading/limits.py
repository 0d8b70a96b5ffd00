"""What risk checks against: the configured limits, and the situation in which an order is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from pipeline.base.settings import RiskSection, Settings
from pipeline.base.units import NS_PER_MS, ONE_E6, e6_of_decimal
from pipeline.messages.market import BookSnapshot, Market
from pipeline.messages.orders import Mode, VenueState
from pipeline.trading.orders import Order
from pipeline.trading.policy import USUAL, FeedPolicy

UNLIMITED_E6 = 2**62


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of ``[risk]``, money and shares in millionths. They hold for the account, not for each strategy.

    ``starting_cash_e6`` is what the account began with; None: its cash is the venue's to count. ``late_fill_ns`` is for how long after the
    end of a cancelled or expired order a trade of it may still be told.
    """

    max_order_e6: int
    max_open_orders: int
    max_total_e6: int
    max_market_e6: int = UNLIMITED_E6
    max_event_e6: int = UNLIMITED_E6
    max_inventory_e6: int = UNLIMITED_E6
    max_daily_loss_e6: int = UNLIMITED_E6
    max_errors: int = UNLIMITED_E6
    price_band_e6: int = ONE_E6
    policy: FeedPolicy = USUAL
    starting_cash_e6: int | None = None
    late_fill_ns: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """All that the settings limit: a paper account by its cash too, one at the venue for as long as late trades may come."""
        limits = cls.from_settings(settings.risk, FeedPolicy(settings.confidence))
        match settings.execution.relayer:
            case "fake":
                return limits
            case "paper":
                return replace(limits, starting_cash_e6=e6_of_decimal(settings.paper.starting_cash_usdc))
            case _:
                return replace(limits, late_fill_ns=settings.risk.late_fill_ms * NS_PER_MS)

    @classmethod
    def from_settings(cls, section: RiskSection, policy: FeedPolicy = USUAL) -> Limits:
        """The limits that ``[risk]`` sets, with the policy of ``[confidence]``."""
        return cls(
            max_order_e6=e6_of_decimal(section.max_order_usdc),
            max_open_orders=section.max_open_orders,
            max_total_e6=e6_of_decimal(section.max_total_notional_usdc),
            max_market_e6=e6_of_decimal(section.max_market_usdc),
            max_event_e6=e6_of_decimal(section.max_event_usdc),
            max_inventory_e6=e6_of_decimal(section.max_inventory),
            max_daily_loss_e6=e6_of_decimal(section.max_daily_loss_usdc),
            max_errors=section.max_errors_per_minute,
            price_band_e6=e6_of_decimal(section.price_band),
            policy=policy,
        )


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks may know of the account, the market and the venue. Money and shares in millionths.

    ``book`` is the asked token's, or the other outcome's seen from this side; None if neither is known. ``starts``: the order belongs
    to no plan that has sent one before, and does not sell what is held. ``at_stake_e6`` is what positions and open orders could lose
    one by one; ``free_e6`` the shares of the token that its strategy holds and has not offered; ``inventory_e6`` those that the account
    holds, ``buying_e6`` and ``selling_e6`` those that may yet come and go: of orders that may trade, and of trades that may fail.
    ``fee_e6`` is the most the order may be charged, ``free_cash_e6`` the cash that nothing else may cost (None: it is not counted).
    ``market_loss_e6`` and ``event_loss_e6`` are the worst loss
    without this order and with it. ``day_e6`` is the day's result, ``errors`` the refusals of the last minute, ``orders_left`` how many
    orders the rate limit still lets through. ``rivals`` are the account's open orders in this market.
    """

    mode: Mode
    market: Market | None
    book: BookSnapshot | None
    open_orders: int = 0
    at_stake_e6: int = 0
    free_e6: int = 0
    rivals: Sequence[Order] = ()
    now_ns: int = 0
    halted: str | None = None
    venue_state: VenueState = "normal"
    starts: bool = True
    inventory_e6: int = 0
    buying_e6: int = 0
    selling_e6: int = 0
    market_loss_e6: tuple[int, int] = (0, 0)
    event_loss_e6: tuple[int, int] = (0, 0)
    day_e6: int = 0
    errors: int = 0
    orders_left: int = 1
    fee_e6: int = 0
    free_cash_e6: int | None = None
