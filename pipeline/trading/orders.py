"""The life of an order and of a trade, each as a table: what may follow what, and an order that keeps to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipeline.messages.market import Side
from pipeline.messages.orders import OPEN_STATUSES, OpenOrder, OrderStatus, OrderType, PlaceOrder, TradeStatus

OrderEvent = Literal["submit", "accept", "delay", "fill_part", "fill_whole", "cancel", "reject", "expire", "lose"]
"""What can happen to an order. ``lose``: it was sent and no answer came, so nobody knows."""

STATUSES: tuple[OrderStatus, ...] = (
    "new",
    "submitted",
    "live",
    "delayed",
    "partially_filled",
    "matched",
    "cancelled",
    "rejected",
    "expired",
    "unknown",
)
TERMINAL: frozenset[OrderStatus] = frozenset(status for status in STATUSES if status not in OPEN_STATUSES)

_ENDS: dict[OrderEvent, OrderStatus] = {"fill_whole": "matched", "cancel": "cancelled", "reject": "rejected", "expire": "expired"}

TRANSITIONS: dict[tuple[OrderStatus, OrderEvent], OrderStatus] = {
    ("new", "submit"): "submitted",
    ("new", "reject"): "rejected",
    ("new", "cancel"): "cancelled",
    **{("submitted", event): end for event, end in _ENDS.items()},
    ("submitted", "accept"): "live",
    ("submitted", "delay"): "delayed",
    ("submitted", "fill_part"): "partially_filled",
    ("submitted", "lose"): "unknown",
    **{("unknown", event): end for event, end in _ENDS.items()},
    ("unknown", "accept"): "live",
    ("unknown", "delay"): "delayed",
    ("unknown", "fill_part"): "partially_filled",
    ("unknown", "lose"): "unknown",
    **{("delayed", event): end for event, end in _ENDS.items()},
    ("delayed", "accept"): "live",
    ("delayed", "delay"): "delayed",
    ("delayed", "fill_part"): "partially_filled",
    ("delayed", "lose"): "unknown",
    **{("live", event): end for event, end in _ENDS.items() if event != "reject"},
    ("live", "accept"): "live",
    ("live", "fill_part"): "partially_filled",
    ("live", "lose"): "unknown",
    **{("partially_filled", event): end for event, end in _ENDS.items() if event != "reject"},
    # A trade may be told before the reply to the order that made it.
    ("partially_filled", "accept"): "partially_filled",
    ("partially_filled", "delay"): "partially_filled",
    ("partially_filled", "fill_part"): "partially_filled",
    ("partially_filled", "lose"): "unknown",
}
"""The whole state machine. What is not in it cannot happen; from a terminal status nothing leads on."""

TRADE_TRANSITIONS: dict[TradeStatus, frozenset[TradeStatus]] = {
    "matched": frozenset({"mined", "confirmed", "retrying", "failed"}),
    "mined": frozenset({"confirmed", "retrying", "failed"}),
    "retrying": frozenset({"matched", "mined", "confirmed", "failed"}),
    "confirmed": frozenset(),
    "failed": frozenset(),
}
"""The venue's life of a trade. FAILED means that the fill did not happen (polymarket.md section 6, seen 2026-11-22)."""


def next_status(status: OrderStatus, event: OrderEvent) -> OrderStatus | None:
    """The status after an event; None if the event cannot happen in this status."""
    return TRANSITIONS.get((status, event))


@dataclass(slots=True)
class Order:
    """One order as its owner holds it. ``fill``, ``unfill`` and ``on`` are the only ways in which it changes.

    ``failed_e6`` are the shares of trades that failed: neither filled nor to be filled any more.
    """

    client_order_id: str
    strategy: str
    token_id: str
    market: str
    side: Side
    price_e6: int
    size_e6: int
    order_type: OrderType
    post_only: bool
    plan_id: str
    placed_ns: int
    status: OrderStatus = "new"
    filled_e6: int = 0
    venue_order_id: str = ""
    reason: str = ""
    trades: set[str] = field(default_factory=set)
    good_till_ns: int = 0
    failed_e6: int = 0
    failed: set[str] = field(default_factory=set)

    @classmethod
    def from_command(cls, command: PlaceOrder, now_ns: int) -> Order:
        """The order that a command asks for, not yet sent."""
        return cls(
            client_order_id=command.client_order_id,
            strategy=command.decision.strategy,
            token_id=command.token_id,
            market=command.market,
            side=command.side,
            price_e6=command.price_e6,
            size_e6=command.size_e6,
            order_type=command.order_type,
            post_only=command.post_only,
            plan_id=command.decision.plan_id,
            placed_ns=now_ns,
            good_till_ns=command.good_till_ns,
        )

    @property
    def is_open(self) -> bool:
        """It may still trade."""
        return self.status in OPEN_STATUSES

    @property
    def remaining_e6(self) -> int:
        """Shares that may still be filled, in millionths: what failed on chain is not traded again."""
        return max(0, self.size_e6 - self.filled_e6 - self.failed_e6)

    @property
    def spends(self) -> bool:
        """The venue takes it as so much money to spend: at a better price it buys more shares than were asked for."""
        return self.side == "BUY" and self.order_type in ("FOK", "FAK")

    def on(self, event: OrderEvent, reason: str = "") -> bool:
        """Take an event; False, and nothing changes, if the table does not allow it."""
        status = TRANSITIONS.get((self.status, event))
        if status is None:
            return False
        self.status = status
        if reason:
            self.reason = reason
        return True

    def fill(self, trade_id: str, size_e6: int) -> bool:
        """Book a trade; False for a repeat, an empty one, or one that would fill more than the size of an order that does not spend.

        A trade matched before a cancel may be told after it: it counts, and the order stays in its terminal status.
        """
        if trade_id in self.trades or size_e6 <= 0 or (size_e6 > self.remaining_e6 and not self.spends):
            return False
        self.trades.add(trade_id)
        self.filled_e6 += size_e6
        self.on("fill_part" if self.remaining_e6 else "fill_whole")
        return True

    def unfill(self, trade_id: str, size_e6: int) -> bool:
        """Take a failed trade back, once; False if it was never booked. The venue does not revive the order for it.

        Its id stays known, so that a repeat of the trade is not booked anew.
        """
        if trade_id not in self.trades or trade_id in self.failed or size_e6 > self.filled_e6:
            return False
        self.failed.add(trade_id)
        self.filled_e6 -= size_e6
        self.failed_e6 += size_e6
        return True

    def shown(self) -> OpenOrder:
        """The order as an ExecSnapshot shows it."""
        return OpenOrder(
            client_order_id=self.client_order_id,
            strategy=self.strategy,
            token_id=self.token_id,
            market=self.market,
            side=self.side,
            price_e6=self.price_e6,
            size_e6=self.size_e6,
            filled_e6=self.filled_e6,
            status=self.status,
            placed_ns=self.placed_ns,
        )


def client_order_id(session_id: str, strategy: str, counter: int) -> str:
    """The id of a strategy's ``counter``-th order in a session: the same in every replay."""
    return f"{session_id}-{strategy}-{counter}"


def counter_of(client_order_id: str) -> int:
    """The counter at the end of an order id; 0 if it has none."""
    tail = client_order_id.rpartition("-")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else 0
