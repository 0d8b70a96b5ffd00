"""What the Dutch Book desk is told by the settings: what a set must earn, how much it may bind, and how long a plan may take."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.settings import DutchBookSection, RiskSection, ThresholdsSection
from pipeline.base.units import NS_PER_MS, ONE_E6, e6_of_decimal
from pipeline.messages.orders import OrderType
from pipeline.strategy.dutch_book import Costs

YEAR_NS = 31_557_600_000_000_000
DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class DutchRules:
    """All amounts in millionths, all times in nanoseconds. ``max_leg_e6`` is what risk allows of one order, in dollars."""

    costs: Costs
    max_sets_e6: int
    max_cost_e6: int
    max_leg_e6: int
    min_annual_return_e6: int = 0
    leg_miss_rate_e6: int = 0
    order_type: OrderType = "FAK"
    deadline_ns: int = 2_000 * NS_PER_MS
    unwind_ns: int = 5_000 * NS_PER_MS
    max_book_age_ns: int = 60_000 * NS_PER_MS
    allow_other: bool = False
    name: str = "dutch_book"

    @classmethod
    def from_settings(cls, section: DutchBookSection, thresholds: ThresholdsSection, risk: RiskSection) -> DutchRules:
        """The rules that ``[dutch_book]``, ``[thresholds]`` and ``[risk]`` set."""
        return cls(
            costs=Costs(
                fixed_e6=e6_of_decimal(section.gas_usdc),
                min_profit_e6=e6_of_decimal(thresholds.min_profit_usdc),
                safety_margin_e6=e6_of_decimal(section.safety_margin_usdc),
                conversion_e6=e6_of_decimal(section.conversion_fee),
                leg_gain_e6=e6_of_decimal(section.min_leg_gain),
            ),
            max_sets_e6=e6_of_decimal(section.max_sets),
            max_cost_e6=e6_of_decimal(section.max_cost_usdc),
            max_leg_e6=e6_of_decimal(risk.max_order_usdc),
            min_annual_return_e6=e6_of_decimal(section.min_annual_return),
            leg_miss_rate_e6=e6_of_decimal(section.leg_miss_rate),
            order_type=section.order_type,
            deadline_ns=section.deadline_ms * NS_PER_MS,
            unwind_ns=section.unwind_ms * NS_PER_MS,
            max_book_age_ns=section.max_book_age_ms * NS_PER_MS,
            allow_other=section.allow_other,
        )


def annual_return_e6(profit_e6: int, cost_e6: int, end_ns: int, now_ns: int) -> int | None:
    """Profit over cost, scaled to a year, in millionths, rounded down; None where the end is not known. A day is the least time counted."""
    if not end_ns or cost_e6 <= 0:
        return None
    return profit_e6 * YEAR_NS * ONE_E6 // (cost_e6 * max(DAY_NS, end_ns - now_ns))
