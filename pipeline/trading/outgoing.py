"""Commands that have arrived and not left: orders that wait for the rest of their decision or for the rate limit, cancels to repeat.

Only cancels are repeated: a cancel that happens twice is a cancel. An order that met a refusal is over, and whoever wanted it decides
anew; one that got no answer is *unknown* and is looked up, never sent again as another order.
"""

from __future__ import annotations

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.messages.edges import RefusalCode
from pipeline.messages.orders import PlaceOrder
from pipeline.trading.rate_limits import Bucket

MAX_BATCH = 15
"""The most orders in one call: POST /orders takes no more (place-orders page, seen 2026-11-22)."""
REPEATABLE: frozenset[RefusalCode] = frozenset({"restarting", "disabled", "rate_limited", "internal"})
"""Refusals after which a cancel is asked for again; the others are answers."""
FIRST_WAIT_NS = NS_PER_S
LONGEST_WAIT_NS = 30 * NS_PER_S


def repeat_wait_ns(code: RefusalCode, tries: int, retry_after_ms: int = 0) -> int | None:
    """How long a refused cancel waits before its next try, 1, 2, 4 … 30 s or what the venue asks for; None: it is not repeated."""
    if code not in REPEATABLE:
        return None
    return max(min(FIRST_WAIT_NS << min(tries, 8), LONGEST_WAIT_NS), retry_after_ms * NS_PER_MS)


class WaitingOrders:
    """Orders in the order of their arrival, each with the time from which it may leave. They are in no record yet."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._waiting: dict[str, tuple[PlaceOrder, int]] = {}

    def __contains__(self, client_order_id: str) -> bool:
        return client_order_id in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, order: PlaceOrder, due_ns: int) -> None:
        """Keep an order until ``due_ns``, or until its plan is released."""
        self._waiting[order.client_order_id] = (order, due_ns)

    def release(self, plan_id: str) -> None:
        """All of a plan has arrived: nothing more is waited for."""
        for name, (order, due_ns) in self._waiting.items():
            if due_ns and order.decision.plan_id == plan_id:
                self._waiting[name] = (order, 0)

    def drop(self, client_order_id: str) -> PlaceOrder | None:
        """Take an order out that shall not leave; None if it does not wait."""
        found = self._waiting.pop(client_order_id, None)
        return found and found[0]

    def drop_all(self) -> list[PlaceOrder]:
        """Take all of them out."""
        return [order for name in list(self._waiting) if (order := self.drop(name)) is not None]

    def of(self, strategy: str, market: str) -> list[str]:
        """The ids of a strategy's waiting orders, in one market or (``""``) in all."""
        return [
            name
            for name, (order, _) in self._waiting.items()
            if order.decision.strategy == strategy and market in ("", order.market)
        ]

    def take_due(self, at_most: int, now_ns: int) -> list[PlaceOrder]:
        """The next orders that may leave: as many as the rate limit lets through, and those that have expired in any case."""
        if not self._waiting:
            return []
        free = self.bucket.available(now_ns)
        taken: list[PlaceOrder] = []
        for order, due_ns in self._waiting.values():
            if len(taken) == at_most:
                break
            expired = now_ns > order.expires_ns
            if expired or (due_ns <= now_ns and free > 0):
                free -= not expired
                taken.append(order)
        for order in taken:
            del self._waiting[order.client_order_id]
        return taken

    def next_ns(self) -> int | None:
        """When ``take_due`` has something; None: nothing waits."""
        if not self._waiting:
            return None
        ready_ns = self.bucket.ready_ns(1)
        return min(min(max(due_ns, ready_ns), order.expires_ns + 1) for order, due_ns in self._waiting.values())


class WaitingCancels:
    """Orders whose cancel has not left, or was refused for now, each with the time of its next try."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._due_ns: dict[str, int] = {}
        self._tries: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._due_ns)

    def hold(self, client_order_id: str, due_ns: int = 0) -> None:
        """Keep a cancel, to leave as soon as the rate limit lets it; one that is put off stays so."""
        self._due_ns.setdefault(client_order_id, due_ns)

    def put_off(self, client_order_id: str, code: RefusalCode, retry_after_ms: int, now_ns: int) -> bool:
        """Keep a cancel that was refused for its next try; False if it is not worth one."""
        tries = self._tries.get(client_order_id, 0)
        wait_ns = repeat_wait_ns(code, tries, retry_after_ms)
        if wait_ns is None:
            self.settle(client_order_id)
            return False
        self._due_ns[client_order_id] = now_ns + wait_ns
        self._tries[client_order_id] = tries + 1
        return True

    def settle(self, client_order_id: str) -> None:
        """This order needs no cancel any more."""
        self._due_ns.pop(client_order_id, None)
        self._tries.pop(client_order_id, None)

    def take_due(self, now_ns: int) -> list[str]:
        """The cancels to send, as many as the rate limit lets through."""
        taken = []
        for name, due_ns in self._due_ns.items():
            if due_ns <= now_ns:
                if not self.bucket.take(1, now_ns):
                    break
                taken.append(name)
        for name in taken:
            del self._due_ns[name]
        return taken

    def next_ns(self) -> int | None:
        """When ``take_due`` has something; None: nothing waits."""
        if not self._due_ns:
            return None
        return max(min(self._due_ns.values()), self.bucket.ready_ns(1))
