"""The private side of the CLOB over HTTP: credentials, orders, cancels, reads, heartbeats, balances; and their administration for tests.

Every handler runs at one moment: whatever is due at the venue happens first, what it changes is told before the reply goes out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pipeline.base.clock import Clock
from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_S
from pipeline.fake_venue.accounts import Accounts, Credentials, Refused
from pipeline.fake_venue.heartbeats import Heartbeats
from pipeline.fake_venue.order_answers import Dropped, Late, json_reply, page, refusal, refused_entry
from pipeline.fake_venue.order_faults import OrderFaults
from pipeline.fake_venue.order_wire import INVALID_PAYLOAD, OrderPost, read_json
from pipeline.fake_venue.signatures import EXCHANGE, NEG_RISK_EXCHANGE, signer_of_auth
from pipeline.fake_venue.user_order import UserOrder
from pipeline.fake_venue.user_orders import UserOrders
from pipeline.fake_venue.venue_mode import VenueMode

BATCH_LIMIT = 15
CANCEL_LIMIT = 1_000
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
POST_ONLY = "the matching engine has restarted and takes only orders that do not trade at once"
UNLIMITED = str((1 << 256) - 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, its exact body, and the moment at which the venue handles it."""

    request: Request
    body: bytes
    now_ns: int

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.request.headers.items()}


Handler = Callable[[Asked], Any]


class OrderApi:
    """The handlers. ``flush`` sends what a request has changed to both websocket channels."""

    def __init__(
        self,
        orders: UserOrders,
        accounts: Accounts,
        heartbeats: Heartbeats,
        faults: OrderFaults,
        mode: VenueMode,
        clock: Clock,
        flush: Callable[[], None],
    ) -> None:
        self.orders, self.accounts, self.heartbeats = orders, accounts, heartbeats
        self.faults, self.mode, self.clock, self._flush = faults, mode, clock, flush

    def routes(self) -> list[BaseRoute]:
        """What is served, by path and method."""
        table: Sequence[tuple[str, str, Handler]] = (
            ("POST", "/auth/api-key", self._create_key),
            ("GET", "/auth/derive-api-key", self._derive_key),
            ("GET", "/auth/api-keys", self._list_keys),
            ("DELETE", "/auth/api-key", self._delete_key),
            ("GET", "/auth/ban-status/closed-only", lambda asked: self._own(asked, {"closed_only": False})),
            ("POST", "/order", self._post_order),
            ("POST", "/orders", self._post_orders),
            ("DELETE", "/order", self._cancel_order),
            ("DELETE", "/orders", self._cancel_orders),
            ("DELETE", "/cancel-all", self._cancel_all),
            ("DELETE", "/cancel-market-orders", self._cancel_market),
            ("GET", "/data/order/{id}", self._order),
            ("GET", "/data/orders", self._open_orders),
            ("GET", "/data/trades", self._trades),
            ("POST", "/v1/heartbeats", self._heartbeat),
            ("POST", "/heartbeats", self._heartbeat),
            ("GET", "/balance-allowance", self._balance),
            ("GET", "/balance-allowance/update", self._balance),
        )
        return [Route(path, self._served(handler), methods=[method]) for method, path, handler in table]

    def _served(self, handler: Handler) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            body = await request.body()
            now_ns = self.orders.catch_up(self.clock.now_ns())
            self.heartbeats.advance(now_ns)
            try:
                limited_s = self.faults.left_s("rate-limited", now_ns)
                if limited_s:
                    raise Refused(429, "Too Many Requests", limited_s)
                content = handler(Asked(request, body, now_ns))
            except Refused as refused:
                content = refusal(refused)
            except BadInput as error:
                content = json_reply({"error": str(error)}, 500)
            finally:
                self._flush()
            if isinstance(content, Late):
                await asyncio.sleep(content.seconds)
                content = content.content
            return content if isinstance(content, Response) else json_reply(content)

        return answer

    # --- credentials

    def _create_key(self, asked: Asked) -> Any:
        return _key_body(self.accounts.create(*signer_of_auth(asked.headers, asked.now_ns)))

    def _derive_key(self, asked: Asked) -> Any:
        return _key_body(self.accounts.derive(*signer_of_auth(asked.headers, asked.now_ns)))

    def _list_keys(self, asked: Asked) -> Any:
        return {"apiKeys": self.accounts.keys_of(self._caller(asked).address)}

    def _delete_key(self, asked: Asked) -> Any:
        del self.accounts.keys[self._caller(asked).api_key]
        return "OK"

    def _own(self, asked: Asked, content: Any) -> Any:
        self._caller(asked)
        return content

    def _caller(self, asked: Asked) -> Credentials:
        request = asked.request
        return self.accounts.authenticate(asked.headers, request.method, request.url.path, asked.body, asked.now_ns)

    # --- orders

    def _post_order(self, asked: Asked) -> Any:
        caller = self._trading(asked, places=True)
        order = self.orders.place(read_json(asked.body), caller, asked.now_ns, self._check_trade(asked.now_ns))
        return self._acknowledged([order], order.reply(), asked.now_ns)

    def _post_orders(self, asked: Asked) -> Any:
        caller = self._trading(asked, places=True)
        posts = read_json(asked.body)
        if not isinstance(posts, list) or not 0 < len(posts) <= BATCH_LIMIT:
            raise Refused(400, INVALID_PAYLOAD)
        check = self._check_trade(asked.now_ns)
        replies: list[dict[str, Any]] = []
        placed: list[UserOrder] = []
        for post in posts:
            try:
                if self.faults.strikes("reject-inside-batch") is not None:
                    raise Refused(400, "not enough balance / allowance")
                placed.append(self.orders.place(post, caller, asked.now_ns, check))
                replies.append(placed[-1].reply())
            except Refused as refused:
                replies.append(refused_entry(refused.text))
        return self._acknowledged(placed, replies, asked.now_ns)

    def _acknowledged(self, placed: list[UserOrder], reply: Any, now_ns: int) -> Any:
        """The reply to a call that has placed orders, unless a fault delays it or loses it."""
        if placed and (seconds := self.faults.strikes("ack-lost-then-filled")) is not None:
            self.orders.timers.at(now_ns + seconds * NS_PER_S, lambda at_ns: self._fill(placed, at_ns))
            return Dropped()
        if placed and (seconds := self.faults.strikes("ack-late-after-fill-event")) is not None:
            self._fill(placed, now_ns)
            return Late(seconds, reply)
        return reply

    def _fill(self, placed: list[UserOrder], now_ns: int) -> None:
        for order in placed:
            self.orders.fill(order.order_id, None, now_ns)

    def _cancel_order(self, asked: Asked) -> Any:
        return self._cancel(asked, lambda caller: [_field(read_json(asked.body), "orderID")])

    def _cancel_orders(self, asked: Asked) -> Any:
        def ids(caller: Credentials) -> list[str]:
            wanted = read_json(asked.body)
            if not isinstance(wanted, list) or len(wanted) > CANCEL_LIMIT or not all(isinstance(name, str) for name in wanted):
                raise Refused(400, INVALID_PAYLOAD)
            return wanted

        return self._cancel(asked, ids)

    def _cancel_all(self, asked: Asked) -> Any:
        return self._cancel(asked, lambda caller: [order.order_id for order in self.orders.open_of(caller.address)])

    def _cancel_market(self, asked: Asked) -> Any:
        def ids(caller: Credentials) -> list[str]:
            wanted = read_json(asked.body)
            if not isinstance(wanted, dict):
                raise Refused(400, INVALID_PAYLOAD)
            return [order.order_id for order in self.orders.open_of(caller.address) if _is_of(order.rest_body(), wanted)]

        return self._cancel(asked, ids)

    def _cancel(self, asked: Asked, ids: Callable[[Credentials], Iterable[str]]) -> Any:
        caller = self._trading(asked, places=False)
        wanted = list(ids(caller))
        for order_id in wanted:
            known = self.orders.orders.get(order_id)
            if known is not None and known.resting is not None and self.faults.strikes("cancel-of-filled-order") is not None:
                self.orders.fill(order_id, None, asked.now_ns)
        return self.orders.cancel(wanted, caller, asked.now_ns)

    def _trading(self, asked: Asked, places: bool) -> Credentials:
        """The caller of an order call, if the venue's present state lets it through."""
        state = self.mode.state(asked.now_ns)
        if state == "restarting":
            raise Refused(425, "service not ready", self.mode.left_s(asked.now_ns))
        if state == "disabled":
            raise Refused(503, DISABLED)
        caller = self._caller(asked)
        if places and state == "cancel_only":
            raise Refused(503, CANCEL_ONLY)
        return caller

    def _check_trade(self, now_ns: int) -> Callable[[OrderPost], None]:
        def check(post: OrderPost) -> None:
            if self.mode.state(now_ns) == "post_only":
                refused = Refused(503, POST_ONLY)
                left_s = self.mode.left_s(now_ns)
                refused.body = {
                    "error": POST_ONLY,
                    "code": "post_only_mode",
                    "retry_after_seconds": 1 if left_s is None else left_s,
                }
                raise refused

        return check

    # --- reads

    def _order(self, asked: Asked) -> Any:
        caller = self._caller(asked)
        order = self.orders.orders.get(asked.request.path_params["id"])
        if order is None or order.account.signer != caller.address:
            raise Refused(404, "order not found")
        return order.rest_body()

    def _open_orders(self, asked: Asked) -> Any:
        caller, query = self._caller(asked), asked.request.query_params
        bodies = (order.rest_body() for order in self.orders.open_of(caller.address))
        return page([body for body in bodies if _is_of(body, query)], query.get("next_cursor", ""), lambda body: body)

    def _trades(self, asked: Asked) -> Any:
        caller, query = self._caller(asked), asked.request.query_params
        mine = [account.address for account in self.accounts.by_address.values() if account.signer == caller.address]
        before, after = (int(query[name]) if query.get(name, "").isdigit() else None for name in ("before", "after"))
        wanted = {name: query[name] for name in ("id", "market", "asset_id") if query.get(name)}
        maker = query.get("maker_address", "").lower()
        found = [
            trade
            for trade in self.orders.trades.of(mine)
            if (before is None or trade.matched_ns // NS_PER_S < before)
            and (after is None or trade.matched_ns // NS_PER_S > after)
            and (not maker or any(leg.address == maker for leg in trade.legs))
            and (not wanted or _is_of(trade.body(caller.api_key), wanted))
        ]
        return page(found, query.get("next_cursor", ""), lambda trade: trade.rest_body(caller.api_key))

    def _heartbeat(self, asked: Asked) -> Any:
        caller, content = self._caller(asked), read_json(asked.body)
        heartbeat_id = content.get("heartbeat_id") if isinstance(content, dict) else ""
        made = self.heartbeats.beat(caller.api_key, heartbeat_id if isinstance(heartbeat_id, str) else "", asked.now_ns)
        return {"heartbeat_id": made, "status": "ok"}

    def _balance(self, asked: Asked) -> Any:
        caller, query = self._caller(asked), asked.request.query_params
        kind = query.get("signature_type", "0")
        owned = [account for account in self.accounts.by_address.values() if account.signer == caller.address]
        wallets = [account for account in owned if (account.address == caller.address) == (kind == "0")]
        account = wallets[0] if wallets else self.accounts.account(caller.address, caller.address)
        conditional = query.get("asset_type", "").startswith("CONDITIONAL")
        balance = account.positions.get(query.get("token_id", ""), 0) if conditional else account.cash_e6
        return {"balance": str(balance), "allowances": dict.fromkeys((EXCHANGE, NEG_RISK_EXCHANGE), UNLIMITED)}


def _key_body(made: Credentials) -> dict[str, str]:
    return {"apiKey": made.api_key, "secret": made.secret, "passphrase": made.passphrase}


def _field(content: Any, name: str) -> str:
    value = content.get(name) if isinstance(content, dict) else None
    if not isinstance(value, str):
        raise Refused(400, INVALID_PAYLOAD)
    return value


def _is_of(body: dict[str, Any], wanted: Any) -> bool:
    """The body has what is asked for, of its id, market and token."""
    return all(not wanted.get(name) or body[name] == wanted[name] for name in ("id", "market", "asset_id"))
