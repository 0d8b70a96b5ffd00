"""Jumps, moves and markouts of one book, from its mids alone."""

from __future__ import annotations

from pipeline.strategy.signals import Signals

S = 1_000_000_000
T = 1_000 * S


def top(bid: int, ask: int) -> tuple[int, int]:
    """Prices in cents as they are told, in millionths."""
    return bid * 10_000, ask * 10_000


def test_a_jump_is_measured_from_a_second_ago_and_from_the_book_before() -> None:
    signals = Signals()
    assert signals.on_top(*top(40, 42), T) == 0
    assert signals.on_top(*top(42, 44), T + S // 4) == 20_000
    assert signals.on_top(*top(45, 47), T + S // 2) == 50_000
    assert signals.on_top(*top(45, 47), T + S) == 0
    assert signals.on_top(*top(41, 43), T + S + 1) == 40_000


def test_volatility_is_the_mean_move_from_second_to_second() -> None:
    signals = Signals()
    for n, bid in enumerate((40, 42, 41, 41)):
        signals.on_top(*top(bid, bid + 2), T + n * S)
    assert signals.volatility_e6 == (20_000 + 10_000 + 0) // 3


def test_a_trade_is_judged_ten_seconds_later() -> None:
    signals = Signals()
    signals.on_top(*top(40, 42), T)
    signals.on_trade("BUY", 410_000, T)
    signals.on_top(*top(32, 34), T + 9 * S)
    assert signals.markout_e6 == 0
    signals.on_top(*top(32, 34), T + 10 * S)
    assert signals.markout_e6 == -80_000 // 8
    signals.on_trade("SELL", 410_000, T + 10 * S)
    signals.on_top(*top(32, 34), T + 21 * S)
    assert signals.markout_e6 == -10_000 + (80_000 + 10_000) // 8
