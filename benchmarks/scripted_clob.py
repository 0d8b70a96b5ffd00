"""A venue in memory that speaks the CLOB's order protocol, for trials of the executor: it answers, fills and tells what it is bidden."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from typing import Any

from pipeline.base.units import NS_PER_S, ONE_E6, format_e6
from pipeline.messages.edges import VenueRequest
from pipeline.messages.market import Market, Outcome
from pipeline.messages.orders import PlaceOrder
from pipeline.messages.records import AuditRecord, FillRecord, HaltRecord, OrderIntent, OrderRecord
from pipeline.trading.limits import Limits

T = 1_790_000_000_000_000_000
LIMITS = Limits(max_order_e6=10**10, max_open_orders=10**6, max_total_e6=10**12)
MARKET = Market("m", (Outcome("1", "Yes"), Outcome("2", "No")), tick_size="0.01", min_order_size="1")
DURABLE = (OrderRecord, OrderIntent, FillRecord, AuditRecord, HaltRecord)


def signed(order: PlaceOrder, market: Market, tick: str, now_ns: int) -> tuple[str, str]:
    """A stand-in for a signature: the hash is the order's own, and the body tells all."""
    order_hash = "0x" + sha256(f"{order.client_order_id} {now_ns}".encode()).hexdigest()
    told = {
        "hash": order_hash,
        "token": order.token_id,
        "side": order.side,
        "price": format_e6(order.price_e6),
        "size": order.size_e6,
        "type": order.order_type,
    }
    return order_hash, json.dumps(told)


class ScriptedVenue:
    """A venue in memory. ``taken`` counts how often each order took effect. ``refusal`` answers every order and cancel while it is set."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.trades: list[dict[str, Any]] = []
        self.taken: Counter[str] = Counter()
        self.frames: list[bytes] = []
        self.refusal: tuple[int, str] | None = None
        self.crossing = True
        self.beats: list[str] = []

    # --- requests --------------------------------------------------------------------------------------------------

    def answer(self, ask: VenueRequest) -> tuple[int, Any]:
        if ask.kind == "heartbeat":
            return self._beat(json.loads(ask.body)["heartbeat_id"])
        if self.refusal is not None and ask.kind in ("place", "cancel", "cancel_all"):
            return self.refusal[0], json.loads(self.refusal[1] or "{}")
        match ask.kind:
            case "place":
                told = json.loads(ask.body)
                if isinstance(told, list):
                    return 200, [self._entry(self._place(order)) for order in told]
                status, reply = self._place(told)
                return status, reply
            case "cancel":
                told = json.loads(ask.body)
                return 200, self._cancel(told if isinstance(told, list) else [told["orderID"]])
            case "cancel_all":
                return 200, self._cancel([name for name, order in self.orders.items() if order["status"] == "LIVE"])
            case "order":
                order = self.orders.get(ask.path.rpartition("/")[2])
                return (200, self._shown(order)) if order is not None else (404, {"error": "not found"})
            case "open_orders":
                live = [self._shown(order) for order in self.orders.values() if order["status"] == "LIVE"]
                return 200, {"data": live, "next_cursor": "LTE="}
            case _:
                return 200, {"data": [*self.trades], "next_cursor": "LTE="}

    def _beat(self, name: str) -> tuple[int, Any]:
        expected = self.beats[-1] if self.beats else ""
        if name != expected:
            return 400, {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected}
        self.beats.append(f"beat-{len(self.beats)}")
        return 200, {"heartbeat_id": self.beats[-1]}

    def _entry(self, answered: tuple[int, Any]) -> Any:
        status, reply = answered
        return reply if status == 200 else {"success": True, "errorMsg": reply["error"], "orderID": ""}

    def _place(self, told: dict[str, Any]) -> tuple[int, Any]:
        name = told["hash"]
        if name in self.orders:
            return 400, {"error": f"order {name} is invalid. Duplicated."}
        takes = told["type"] in ("FAK", "FOK")
        if takes and not self.crossing:
            return 400, {"error": "no orders found to match with FAK order"}
        self.taken[name] += 1
        self.orders[name] = {**told, "matched": 0, "status": "LIVE"}
        if not takes:
            self._tell_order(name, "PLACEMENT")
            return 200, {"success": True, "errorMsg": "", "orderID": name, "status": "live", "tradeIDs": []}
        size = told["size"] if told["type"] == "FOK" else told["size"] // 2
        trade_id = self.fill(name, size, taker=True)
        if self.orders[name]["status"] == "LIVE":
            self.orders[name]["status"] = "MATCHED"
        return 200, {"success": True, "errorMsg": "", "orderID": name, "status": "matched", "tradeIDs": [trade_id]}

    def _cancel(self, names: list[str]) -> Any:
        gone, kept = [], {}
        for name in names:
            if name in self.orders and self.orders[name]["status"] == "LIVE":
                self.orders[name]["status"] = "CANCELED"
                self._tell_order(name, "CANCELLATION")
                gone.append(name)
            else:
                kept[name] = "order can't be found - already canceled or matched"
        return {"canceled": gone, "not_canceled": kept}

    # --- what happens there ----------------------------------------------------------------------------------------

    def live(self) -> list[str]:
        return [name for name, order in self.orders.items() if order["status"] == "LIVE"]

    def expire_all(self) -> None:
        for name in self.live():
            self.orders[name]["status"] = "CANCELED"

    def fill(self, name: str, size: int, taker: bool = False) -> str:
        order = self.orders[name]
        size = min(size, order["size"] - order["matched"])
        order["matched"] += size
        if order["matched"] == order["size"]:
            order["status"] = "MATCHED"
        other = "SELL" if order["side"] == "BUY" else "BUY"
        trade = {
            "event_type": "trade",
            "type": "TRADE",
            "id": f"t{len(self.trades)}",
            "status": "MATCHED",
            "market": "m",
            "asset_id": order["token"],
            "side": order["side"] if taker else other,
            "size": format_e6(size),
            "price": order["price"],
            "taker_order_id": name if taker else "0xother",
            "match_time": str(T // NS_PER_S),
            "maker_orders": [
                {
                    "order_id": "0xother" if taker else name,
                    "matched_amount": format_e6(size),
                    "price": order["price"],
                    "asset_id": order["token"],
                }
            ],
        }
        self.trades.append(trade)
        self._tell(trade)
        return str(trade["id"])

    def move(self, number: int, status: str) -> None:
        """A trade goes on to another status, unless it is final."""
        if self.trades[number]["status"] not in ("CONFIRMED", "FAILED"):
            self.trades[number] = {**self.trades[number], "status": status}
            self._tell(self.trades[number])

    def held_e6(self, name: str) -> int:
        """What the trades that did not fail gave an order."""
        total = 0
        for trade in self.trades:
            ours = trade["taker_order_id"] == name or trade["maker_orders"][0]["order_id"] == name
            if ours and trade["status"] != "FAILED":
                total += round(float(trade["size"]) * ONE_E6)
        return total

    def _shown(self, order: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": order["hash"],
            "status": order["status"],
            "market": "m",
            "asset_id": order["token"],
            "side": order["side"],
            "original_size": format_e6(order["size"]),
            "size_matched": format_e6(order["matched"]),
            "price": order["price"],
            "order_type": order["type"],
        }

    def _tell_order(self, name: str, kind: str) -> None:
        self._tell({"event_type": "order", "type": kind, **self._shown(self.orders[name])})

    def _tell(self, told: Any) -> None:
        self.frames.append(json.dumps(told).encode())
