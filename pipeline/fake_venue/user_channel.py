"""The user websocket: those who name valid credentials in their first frame hear of their own orders and trades.

As on the market channel text PING is answered by text PONG, and whatever is unreadable before a subscription closes with 1008.
Nothing is replayed to a client that comes back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

from pipeline.base import events
from pipeline.base.log import get_logger
from pipeline.fake_venue.accounts import Accounts
from pipeline.fake_venue.links import BAD_SUBSCRIPTION, Link, Receive, Scope, Send, serve_link
from pipeline.fake_venue.trade_life import UserEvent

BAD_AUTH = (1008, "invalid auth")
RESTART = (1012, "service restart")


@dataclass(slots=True)
class Listener:
    """A subscribed connection: whose words it hears, and of which markets (none: all)."""

    link: Link
    api_key: str
    markets: set[str]


class UserHub:
    """All connections of the user channel. While ``is_down`` says so, whoever connects is sent away."""

    def __init__(self, accounts: Accounts, queue_bytes: int, is_down: Callable[[], bool]) -> None:
        self.accounts = accounts
        self.listeners: dict[int, Listener] = {}
        self._links: dict[int, Link] = {}
        self._queue_bytes = queue_bytes
        self._is_down = is_down
        self._numbers = count(1)

    def publish(self, words: Iterable[UserEvent]) -> None:
        """Queue words for those whom they concern."""
        for word in words:
            text = json.dumps(word.body, separators=(",", ":"))
            for listener in self.listeners.values():
                if listener.api_key == word.api_key and (not listener.markets or word.condition_id in listener.markets):
                    listener.link.put(text)

    def close_all(self, code: int, reason: str) -> None:
        """End every connection once its queue is sent."""
        self.listeners.clear()
        for link in self._links.values():
            link.close(code, reason)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket connection (an ASGI application)."""
        await receive()
        await send({"type": "websocket.accept"})
        link = Link(next(self._numbers), self._queue_bytes)
        self._links[link.number] = link
        get_logger().info(events.FAKE_CLIENT_CONNECTED, link=f"user-{link.number}")
        if self._is_down():
            link.close(*RESTART)
        try:
            await serve_link(link, receive, send, self.heard)
        finally:
            del self._links[link.number]
            self.listeners.pop(link.number, None)
            get_logger().info(events.FAKE_CLIENT_LEFT, link=f"user-{link.number}", sent=link.sent)

    def heard(self, link: Link, text: str) -> None:
        """One frame from a client."""
        listener = self.listeners.get(link.number)
        if text == "PING" and listener is not None:
            link.put("PONG")
            return
        try:
            wanted = json.loads(text)
        except ValueError:
            wanted = None
        markets = wanted.get("markets") or [] if isinstance(wanted, dict) else None
        if not isinstance(wanted, dict) or not isinstance(markets, list) or not all(isinstance(name, str) for name in markets):
            link.close(*BAD_SUBSCRIPTION)
        elif listener is None:
            self._admit(link, wanted, markets)
        elif wanted.get("operation") == "subscribe":
            listener.markets.update(markets)
        elif wanted.get("operation") == "unsubscribe":
            listener.markets.difference_update(markets)
        else:
            link.close(*BAD_SUBSCRIPTION)

    def _admit(self, link: Link, wanted: dict[str, Any], markets: list[str]) -> None:
        auth = wanted.get("auth")
        if str(wanted.get("type", "")).lower() != "user" or not isinstance(auth, dict):
            link.close(*BAD_SUBSCRIPTION)
            return
        found = self.accounts.of_socket(auth.get("apiKey"), auth.get("secret"), auth.get("passphrase"))
        if found is None:
            link.close(*BAD_AUTH)
        elif link.closing is None:
            self.listeners[link.number] = Listener(link, found.api_key, set(markets))
