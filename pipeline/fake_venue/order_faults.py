"""Named faults of trading: what the venue does to orders on a bad day, on demand. Pure; time is handed in.

A fault is started by its name and strikes the next ``count`` of what it is about, or lasts some ``seconds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.base.units import NS_PER_S
from pipeline.fake_venue.heartbeats import Heartbeats
from pipeline.fake_venue.trade_life import UserEvent
from pipeline.fake_venue.user_orders import UserOrders
from pipeline.fake_venue.venue_mode import VenueMode

FAULTS = {
    "ack-lost-then-filled": "the next order or batch is taken, its reply lost with the connection, then it is filled (seconds=1, count=1)",
    "ack-late-after-fill-event": "the next order or batch is taken and filled at once, its reply comes later (seconds=2, count=1)",
    "duplicate-trade-messages": "the next trade messages of the user channel come twice (count=1)",
    "trade-failed": "the next trades are matched, retried and fail on the chain (count=1)",
    "reject-inside-batch": "the next orders that come in a batch are refused inside a 200 (count=1)",
    "restart-then-post-only": "order calls get 425, then orders that would trade 503, each for a while (seconds=5)",
    "heartbeat-expired": "all orders of those who send heartbeats are cancelled, and another heartbeat id is expected",
    "cancel-of-filled-order": "the next order that is cancelled is filled just before (count=1)",
    "user-channel-gap": "the user channel is down, and open orders are filled meanwhile (seconds=5, count=1)",
    "rate-limited": "all private calls get 429 (seconds=5)",
}
"""Every fault of trading by name, with what it does and its defaults."""
DEFAULTS: dict[str, dict[str, int]] = {
    "ack-lost-then-filled": {"seconds": 1, "count": 1},
    "ack-late-after-fill-event": {"seconds": 2, "count": 1},
    "duplicate-trade-messages": {"count": 1},
    "trade-failed": {"count": 1},
    "reject-inside-batch": {"count": 1},
    "restart-then-post-only": {"seconds": 5},
    "heartbeat-expired": {},
    "cancel-of-filled-order": {"count": 1},
    "user-channel-gap": {"seconds": 5, "count": 1},
    "rate-limited": {"seconds": 5},
}
"""What each can be told, and what it does if it is not."""
OPTIONS: dict[str, tuple[str, ...]] = {name: tuple(defaults) for name, defaults in DEFAULTS.items()}


class OrderFaults:
    """The faults of one venue that are under way."""

    def __init__(self, orders: UserOrders, heartbeats: Heartbeats, mode: VenueMode) -> None:
        self._orders = orders
        self._heartbeats = heartbeats
        self._mode = mode
        self._armed: dict[str, tuple[int, int]] = {}
        self._until_ns: dict[str, int] = {}

    def start(self, name: str, now_ns: int, options: Mapping[str, str]) -> dict[str, Any]:
        """Begin a fault of ``FAULTS``; what it will do, as JSON would hold it. Raises ValueError for an option that does not fit."""
        values = dict(DEFAULTS[name])
        for key, text in options.items():
            if key not in values:
                raise ValueError(f"{name} takes no {key}; it takes {', '.join(values) or 'nothing'}")
            if not text.isdigit() or not int(text):
                raise ValueError(f"{key}={text}: expected a whole number above 0")
            values[key] = int(text)
        told: dict[str, Any] = {"fault": name, "at_ns": now_ns, **values}
        seconds, number = values.get("seconds", 0), values.get("count", 1)
        match name:
            case "trade-failed":
                self._orders.trades.doomed += number
            case "restart-then-post-only":
                self._mode.tell("restarting", seconds, seconds, now_ns)
            case "heartbeat-expired":
                told["struck"] = len(self._heartbeats.expire(now_ns))
            case "rate-limited":
                self._until_ns[name] = now_ns + seconds * NS_PER_S
            case "user-channel-gap":
                self._until_ns[name] = now_ns + seconds * NS_PER_S
                told["filled"] = self._fill_some(number, now_ns)
            case _:
                self._armed[name] = (number, seconds)
        return told

    def strikes(self, name: str) -> int | None:
        """A fault strikes once more: its ``seconds``; None where it is not under way."""
        number, seconds = self._armed.get(name, (0, 0))
        if not number:
            return None
        self._armed[name] = (number - 1, seconds)
        return seconds

    def left_s(self, name: str, now_ns: int) -> int:
        """Seconds for which a fault that lasts goes on, rounded up; 0 once it is over."""
        return max(0, -(-(self._until_ns.get(name, 0) - now_ns) // NS_PER_S))

    def running(self, now_ns: int) -> list[str]:
        """The names of the faults under way."""
        lasting = [name for name, until_ns in self._until_ns.items() if now_ns < until_ns]
        armed = [name for name, (number, _) in self._armed.items() if number]
        return [*armed, *lasting, *(["trade-failed"] if self._orders.trades.doomed else [])]

    def outgoing(self, words: list[UserEvent]) -> list[UserEvent]:
        """What is told in place of these words."""
        told: list[UserEvent] = []
        for word in words:
            told.append(word)
            if word.kind == "trade" and self.strikes("duplicate-trade-messages") is not None:
                told.append(word)
        return told

    def _fill_some(self, number: int, now_ns: int) -> list[str]:
        """Fill the oldest resting orders of anybody; their ids."""
        resting = [order.order_id for order in self._orders.orders.values() if order.resting is not None][:number]
        for order_id in resting:
            self._orders.fill(order_id, None, now_ns)
        return resting
