"""Fees of the venue, exact: what a trade costs, and how much a market BUY may spend so that amount and fee fit the balance.

fee = shares x rate x (p x (1 - p)) ^ exponent, in collateral, takers only where the schedule says so. Parameters come from the
market's own schedule, never from its category. Source: fees page, seen 2026-11-22.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal, localcontext

from pipeline.base.units import ONE_E6, UsdcE6
from pipeline.messages.market import FeeSchedule
from pipeline.messages.orders import Liquidity

FEE_STEP_E6 = 10
"""Fees are rounded to five decimals of a dollar. The direction is not documented; down is what open clients observe."""
DIGITS = 50
"""Enough for every product of a size, a rate and powers of a price to be exact."""


def fee_floor_e6(schedule: FeeSchedule | None, price_e6: int, size_e6: int, liquidity: Liquidity = "taker") -> UsdcE6:
    """The fee of a trade in millionths of a dollar, rounded down to five decimals; 0 without a schedule."""
    return UsdcE6(_fee_steps(schedule, price_e6, size_e6, liquidity)[0] * FEE_STEP_E6)


def fee_ceil_e6(schedule: FeeSchedule | None, price_e6: int, size_e6: int, liquidity: Liquidity = "taker") -> UsdcE6:
    """The same rounded up: what a careful plan counts with."""
    if schedule is None:
        return UsdcE6(0)
    step, rest = _fee_steps(schedule, price_e6, size_e6, liquidity)
    return UsdcE6((step + bool(rest)) * FEE_STEP_E6)


def _fee_steps(schedule: FeeSchedule | None, price_e6: int, size_e6: int, liquidity: Liquidity) -> tuple[int, int]:
    """The fee in whole steps of five decimals, and what is left of it."""
    if schedule is None or not schedule.rate_e6 or (liquidity == "maker" and schedule.taker_only):
        return 0, 0
    power: int = (price_e6 * (ONE_E6 - price_e6)) ** schedule.exponent
    # shares and rate carry 1e6 each, the power 1e12 for each exponent; the answer keeps 1e6.
    scale: int = ONE_E6 * (ONE_E6 * ONE_E6) ** schedule.exponent
    return divmod(size_e6 * schedule.rate_e6 * power, scale * FEE_STEP_E6)


def fee_exact(rate: Decimal, exponent: int, price: Decimal, shares: Decimal) -> Decimal:
    """The fee before rounding."""
    with localcontext() as context:
        context.prec = DIGITS
        return shares * rate * (price * (1 - price)) ** exponent if exponent else shares * rate


def round_fee_down(fee: Decimal) -> Decimal:
    """A fee as the venue books it: five decimals, rounded down."""
    return fee.quantize(Decimal("0.00001"), rounding=ROUND_FLOOR)


def spend_within_budget(
    amount: Decimal, budget: Decimal, price: Decimal, rate: Decimal, exponent: int, builder_rate: Decimal = Decimal(0)
) -> Decimal:
    """The collateral that a market BUY at ``price`` may spend so that it and all its fees fit ``budget``; at most ``amount``.

    Buying pays the fee on top: a spend of ``a`` costs ``a x (1 + rate x (p (1 - p))^exponent / p + builder_rate)``.
    """
    with localcontext() as context:
        context.prec = 28
        curve = (price * (1 - price)) ** exponent if exponent else Decimal(1)
        factor = 1 + rate * curve / price + builder_rate
        return amount if amount * factor <= budget else budget / factor


def fee_per_share_e6(schedule: FeeSchedule | None, price_e6: int) -> int:
    """A taker's fee for one whole share at a price, in millionths of a dollar, rounded up to a millionth: for comparing prices."""
    if schedule is None or not schedule.rate_e6:
        return 0
    power: int = (price_e6 * (ONE_E6 - price_e6)) ** schedule.exponent
    scale: int = (ONE_E6 * ONE_E6) ** schedule.exponent
    return -(-schedule.rate_e6 * power // scale)
