"""What may still happen, in dollars: the stake and the cash that open orders, positions and unconfirmed trades hold, each under a name."""

from __future__ import annotations


class Reserves:
    """Two sums, kept entry by entry. ``at_stake_e6`` is what all entries could lose one by one, ``cash_e6`` what they may still cost.

    Millionths of a dollar.
    """

    def __init__(self) -> None:
        self.at_stake_e6 = 0
        self.cash_e6 = 0
        self._held: dict[str, tuple[int, int]] = {}

    def put(self, name: str, stake_e6: int, cash_e6: int = 0) -> None:
        """Say what an entry holds from here on, whatever it held before; nothing and nothing ends it."""
        stake, cash = self._held.pop(name, (0, 0))
        self.at_stake_e6 += stake_e6 - stake
        self.cash_e6 += cash_e6 - cash
        if stake_e6 or cash_e6:
            self._held[name] = (stake_e6, cash_e6)
