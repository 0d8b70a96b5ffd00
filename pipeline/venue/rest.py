"""Fresh books over HTTP, as an edge: ``GET /book`` for one token, ``POST /books`` for several, within a budget of requests.

https://docs.polymarket.com/developers/CLOB/prices-books (seen 2026-10-05): ``/books`` takes up to 500 tokens; its answer need be neither
complete nor in order.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import httpx
import msgspec

from pipeline.base import events
from pipeline.base.clock import Clock, monotonic_ns
from pipeline.base.log import get_logger
from pipeline.base.settings import VenueSection
from pipeline.base.units import NS_PER_S
from pipeline.messages import Message
from pipeline.messages.edges import SPOT_CHECK, FetchBooks, RestBody
from pipeline.venue.backoff import Backoff, TokenBucket
from pipeline.venue.certificates import trusted

TRIES = 3
AGAIN = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same request may be repeated: reading a book changes nothing."""


class BookFetcher:
    """The edge. Hears FetchBooks; says one RestBody for every answer, also for those that will be asked again (they name no token)."""

    name = "books"
    accepts: tuple[type[Message], ...] = (FetchBooks,)

    def __init__(self, base_url: str, settings: VenueSection, clock: Clock, rng: random.Random) -> None:
        """``rng`` only spreads repeated requests."""
        self._base_url = base_url.rstrip("/")
        self._settings, self._clock, self._rng = settings, clock, rng
        self._bucket = TokenBucket(settings.rest_per_10_s, 10 * NS_PER_S)
        self._waiting: dict[str, int] = {}
        self._spots: dict[str, int] = {}
        self._changed = asyncio.Event()

    def take(self, msg: Message) -> None:
        """FetchBooks: each token is fetched once however often it is asked for meanwhile; spot checks come last and by themselves."""
        if isinstance(msg, FetchBooks):
            queue = self._spots if msg.cause == SPOT_CHECK else self._waiting
            for token_id in msg.token_ids:
                queue.setdefault(token_id, msg.request_id)
            self._changed.set()

    async def run(self, emit: Callable[[Message], None]) -> None:
        """Fetch what is asked for until cancelled. No answer of the venue ends it."""
        loopback = httpx.URL(self._base_url).host in {"127.0.0.1", "localhost", "::1"}
        timeout_s = self._settings.rest_timeout_ms / 1_000
        async with httpx.AsyncClient(timeout=timeout_s, trust_env=not loopback, verify=trusted(loopback)) as client:
            while True:
                await self._changed.wait()
                self._changed.clear()
                while self._waiting or self._spots:
                    await self._pause()
                    queue, cause = (self._waiting, "") if self._waiting else (self._spots, SPOT_CHECK)
                    chosen = list(queue)[: self._settings.books_per_request]
                    request_id = queue[chosen[0]]
                    for token_id in chosen:
                        del queue[token_id]
                    await self._fetch(client, chosen, request_id, cause, emit)

    async def _pause(self) -> None:
        """Wait for the budget."""
        wait_ns = self._bucket.take(monotonic_ns())
        if wait_ns:
            get_logger().debug(events.SNAPSHOT_BUDGET_SPENT, wait_ms=wait_ns // 1_000_000)
            await asyncio.sleep(wait_ns / NS_PER_S)

    async def _fetch(
        self, client: httpx.AsyncClient, token_ids: list[str], request_id: int, cause: str, emit: Callable[[Message], None]
    ) -> None:
        if len(token_ids) == 1:
            request = client.build_request("GET", f"{self._base_url}/book", params={"token_id": token_ids[0]})
            name = f"GET /book?token_id={token_ids[0]}"
        else:
            body = msgspec.json.encode([{"token_id": token_id} for token_id in token_ids])
            headers = {"content-type": "application/json"}
            request = client.build_request("POST", f"{self._base_url}/books", content=body, headers=headers)
            name = f"POST /books ({len(token_ids)} tokens)"
        backoff = Backoff(200, 2_000, self._rng)
        for number in range(1, TRIES + 1):
            status, answer, error = 0, b"", ""
            try:
                response = await client.send(request)
                status, answer = response.status_code, response.content
            except (httpx.HTTPError, httpx.InvalidURL) as failure:
                error = f"{type(failure).__name__}: {failure}"[:200]
            last = number == TRIES or not (status in AGAIN or status == 0)
            emit(
                RestBody(
                    ts_ns=self._clock.now_ns(),
                    request=name,
                    status=status,
                    body=answer,
                    request_id=request_id,
                    token_ids=tuple(token_ids) if last else (),
                    error=error,
                    mono_ns=monotonic_ns(),
                    cause=cause,
                )
            )
            if last:
                return
            await asyncio.sleep(backoff.next_s())
            await self._pause()
