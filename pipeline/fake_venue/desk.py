"""The trading side of the fake venue, put together: accounts, orders, heartbeats, faults, the user channel, and what tests may look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from pipeline.base.clock import Clock
from pipeline.base.units import parse_e6
from pipeline.fake_venue.accounts import Accounts
from pipeline.fake_venue.exchange import FakeExchange
from pipeline.fake_venue.heartbeats import Heartbeats
from pipeline.fake_venue.holdings import HoldingsFile
from pipeline.fake_venue.order_answers import json_reply
from pipeline.fake_venue.order_api import OrderApi
from pipeline.fake_venue.order_faults import OrderFaults
from pipeline.fake_venue.trade_life import Trade
from pipeline.fake_venue.user_channel import RESTART, UserHub
from pipeline.fake_venue.user_order import UserOrder
from pipeline.fake_venue.user_orders import UserOrders
from pipeline.fake_venue.venue_mode import VenueMode
from pipeline.fake_venue.wire import Frame


class Desk:
    """Everything behind the private endpoints. ``publish`` takes the market's frames, in order, as they come about.

    ``holdings`` keeps what accounts own from one venue to the next; without it every account begins anew. Raises BadInput for its file.
    """

    def __init__(
        self,
        exchange: FakeExchange,
        clock: Clock,
        mode: VenueMode,
        publish: Callable[[list[Frame]], None],
        start_cash_e6: int,
        queue_bytes: int,
        holdings: HoldingsFile | None = None,
    ) -> None:
        self.clock = clock
        self.accounts = Accounts(start_cash_e6)
        self._holdings = holdings
        if holdings is not None:
            holdings.load(self.accounts)
        self.orders = UserOrders(exchange, self.accounts)
        self.heartbeats = Heartbeats(self.orders.cancel_key)
        self.faults = OrderFaults(self.orders, self.heartbeats, mode)
        self.hub = UserHub(self.accounts, queue_bytes, self._is_down)
        self._publish = publish
        self._api = OrderApi(self.orders, self.accounts, self.heartbeats, self.faults, mode, clock, self.flush)

    def routes(self) -> list[BaseRoute]:
        """The private endpoints, the user channel, and the administration."""
        return [
            *self._api.routes(),
            WebSocketRoute("/ws/user", self.hub),
            Route("/admin/orders", self._list_orders),
            Route("/admin/trades", self._list_trades),
            Route("/admin/accounts", self._list_accounts),
            Route("/admin/fill/{id}", self._fill, methods=["POST"]),
        ]

    def advance(self) -> None:
        """Let time pass, as far as the market has come: trades go on, orders and heartbeats expire; all of it is told."""
        now_ns = self.orders.exchange.now_ns
        self.orders.advance(now_ns)
        self.heartbeats.advance(now_ns)
        self.flush()

    def flush(self) -> None:
        """Send what has come about since the last time."""
        if self.orders.frames:
            frames, self.orders.frames = self.orders.frames, []
            self._publish(frames)
        if self.orders.events:
            if self._holdings is not None:
                self._holdings.save(self.accounts)
            words = self.orders.events[:]
            self.orders.events.clear()
            self.hub.publish(self.faults.outgoing(words))

    def start_fault(self, name: str, options: dict[str, str]) -> dict[str, Any]:
        """Begin a fault of trading. Raises ValueError."""
        now_ns = self.orders.catch_up(self.clock.now_ns())
        self.flush()
        if name == "user-channel-gap":
            self.hub.close_all(*RESTART)
        told = self.faults.start(name, now_ns, options)
        self.flush()
        return told

    def _is_down(self) -> bool:
        return self.faults.left_s("user-channel-gap", self.clock.now_ns()) > 0

    # --- for tests

    async def _list_orders(self, request: Request) -> Response:
        address = request.query_params.get("address", "").lower()
        orders = (order for order in self.orders.orders.values() if address in ("", order.account.address))
        return json_reply([_order_row(order) for order in orders])

    async def _list_trades(self, request: Request) -> Response:
        address = request.query_params.get("address", "").lower()
        trades = self.orders.trades.trades.values()
        return json_reply([row for trade in trades for row in _trade_rows(trade) if address in ("", row["address"])])

    async def _list_accounts(self, request: Request) -> Response:
        accounts = self.accounts.by_address.values()
        return json_reply(
            [{"address": it.address, "signer": it.signer, "cash_e6": it.cash_e6, "positions": it.positions} for it in accounts]
        )

    async def _fill(self, request: Request) -> Response:
        """Let somebody take a resting order; ``shares`` says how many of it."""
        shares = request.query_params.get("shares")
        now_ns = self.orders.catch_up(self.clock.now_ns())
        try:
            filled = self.orders.fill(request.path_params["id"], None if shares is None else parse_e6(shares), now_ns)
        except ValueError as error:
            return json_reply({"error": str(error)}, 400)
        finally:
            self.flush()
        return json_reply({"filled": filled}, 200 if filled else 404)


def _order_row(order: UserOrder) -> dict[str, Any]:
    """An order as REST tells it, and what REST does not tell."""
    return {
        **order.rest_body(),
        "address": order.account.address,
        "size_e6": order.terms.size_e6,
        "price_e6": order.terms.price_e6,
        "matched_e6": order.matched_e6,
        "spent_e6": order.spent_e6,
        "created_ns": order.created_ns,
    }


def _trade_rows(trade: Trade) -> list[dict[str, Any]]:
    """One row for each order of a user that took part: a fill, keyed by trade id and order id."""
    spec = trade.market.spec
    return [
        {
            "trade_id": trade.trade_id,
            "order_id": leg.order_id,
            "address": leg.address,
            "market": spec.condition_id,
            "asset_id": spec.token_ids[leg.outcome],
            "side": leg.side,
            "price_e6": leg.price_e6,
            "size_e6": leg.size_e6,
            "fee_e6": leg.fee_e6,
            "liquidity": "taker" if leg is trade.taker else "maker",
            "status": trade.status,
            "matched_ns": trade.matched_ns,
        }
        for leg in trade.legs
        if leg.account is not None
    ]
