"""The fake venue on a loopback port: Gamma, CLOB reads and the market websocket, all on one address.

A source makes the frames; this file only waits until they are due and hands them over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from pipeline.base.clock import Clock
from pipeline.base.errors import PortInUse
from pipeline.base.units import NS_PER_S, ONE_E6
from pipeline.fake_venue import clob, gamma, order_faults
from pipeline.fake_venue.desk import Desk
from pipeline.fake_venue.exchange import FakeExchange
from pipeline.fake_venue.fault_table import FAULTS, UnknownFault, check_fault
from pipeline.fake_venue.holdings import HoldingsFile
from pipeline.fake_venue.links import Hub
from pipeline.fake_venue.scenarios import Faults
from pipeline.fake_venue.source import Source
from pipeline.fake_venue.user_channel import RESTART
from pipeline.fake_venue.venue_mode import VenueMode
from pipeline.fake_venue.wire import Frame

FRAMES_PER_SLICE = 500
LONGEST_WAIT_S = 0.05
SHORTEST_WAIT_S = 0.001
QUEUE_BYTES = 8 * 1024 * 1024
GRACE_S = 1
START_CASH_E6 = 1_000_000 * ONE_E6


@dataclass(frozen=True)
class ServerOptions:
    """Where to listen (port 0: any free one), how much may wait for a slow reader, and whether time stands still until somebody subscribes.

    ``waits_for_reader`` is for recordings, which end: their clock starts with the first subscription. ``start_cash_e6`` is what each
    account that trades here begins with, ``holdings`` the file in which it finds what it had at the end; None begins anew each time.
    """

    host: str = "127.0.0.1"
    port: int = 0
    queue_bytes: int = QUEUE_BYTES
    waits_for_reader: bool = False
    start_cash_e6: int = START_CASH_E6
    holdings: Path | None = None


class FakeVenueServer:
    """Serves one source. ``run`` blocks until ``stop``; ``running`` serves from a thread for the length of a ``with``."""

    def __init__(self, source: Source, clock: Clock, options: ServerOptions | None = None) -> None:
        self.source = source
        self.clock = clock
        self.options = options or ServerOptions()
        self.faults = Faults(source)
        self.mode = VenueMode()
        self.hub = Hub(source, self.faults, self.options.queue_bytes)
        self.desk: Desk | None = None
        """Who takes orders; nobody where a recording is served."""
        if isinstance(source, FakeExchange):
            options = self.options
            kept = None if options.holdings is None else HoldingsFile(options.holdings)
            self.desk = Desk(source, clock, self.mode, self._publish, options.start_cash_e6, options.queue_bytes, kept)
        self.behind_ns = 0
        self._failure: BaseException | None = None
        self._socket = bind(self.options.host, self.options.port)
        self.port: int = self._socket.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._app(),
                log_config=None,
                access_log=False,
                ws="websockets-sansio",
                ws_per_message_deflate=False,
                ws_ping_interval=None,
                ws_max_size=1 << 20,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    @property
    def url(self) -> str:
        """The address of Gamma and of the CLOB."""
        return f"http://{self.options.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address of the market channel."""
        return f"ws://{self.options.host}:{self.port}/ws/market"

    @property
    def user_ws_url(self) -> str:
        """The address of the user channel."""
        return f"ws://{self.options.host}:{self.port}/ws/user"

    def run(self) -> None:
        """Serve until ``stop`` is called, from any thread or signal handler. Raises what made the source fail."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End ``run`` within about a second."""
        self._server.should_exit = True

    @contextlib.contextmanager
    def running(self) -> Iterator[FakeVenueServer]:
        """Serve from a thread of its own."""
        thread = threading.Thread(target=self.run, name="fake-venue", daemon=True)
        thread.start()
        try:
            self._server.ready.wait(10)
            yield self
        finally:
            self.stop()
            thread.join(10)

    # --- time

    async def _pump(self) -> None:
        """Hand over what is due, then sleep until the next frame is."""
        if self.options.waits_for_reader:
            await self.hub.first_link.wait()
            self.source.begin(self.clock.now_ns())
        while True:
            now_ns = self.clock.now_ns()
            frames = self.faults.injected() + self.source.advance(now_ns, FRAMES_PER_SLICE)
            self.hub.publish(frames, now_ns)
            if self.desk is not None:
                self.desk.advance()
            next_ns = self.source.next_ns()
            if next_ns is None:
                self.hub.close_all(1000, "recording ended")
                return
            self.behind_ns = max(0, now_ns - next_ns)
            wait_s = (next_ns - now_ns) / NS_PER_S
            await asyncio.sleep(0 if wait_s <= 0 else min(max(wait_s, SHORTEST_WAIT_S), LONGEST_WAIT_S))

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        pump = asyncio.ensure_future(self._pump())
        pump.add_done_callback(self._pump_ended)
        try:
            yield
        finally:
            pump.cancel()
            self.hub.close_all(1001, "going away")
            if self.desk is not None:
                self.desk.hub.close_all(1001, "going away")

    def _publish(self, frames: list[Frame]) -> None:
        self.hub.publish(frames, self.clock.now_ns())

    def _pump_ended(self, pump: asyncio.Future[None]) -> None:
        """A pump that died takes the server with it: nothing would ever be sent again."""
        self._failure = None if pump.cancelled() else pump.exception()
        if self._failure is not None:
            self.stop()

    # --- HTTP

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/markets", self._markets),
                Route("/markets/keyset", self._paged("markets", gamma.page_of_markets)),
                Route("/markets/slug/{slug}", self._market),
                Route("/markets/{id}", self._market),
                Route("/events", self._events),
                Route("/events/keyset", self._paged("events", gamma.page_of_events)),
                Route("/events/slug/{slug}", self._event),
                Route("/events/{id}", self._event),
                Route("/books", self._books, methods=["POST"]),
                Route("/admin/status", self._status),
                Route("/admin/faults", self._list_faults),
                Route("/admin/fault/{name}", self._start_fault, methods=["POST"]),
                Route("/admin/venue-state/{state}", self._tell_state, methods=["POST"]),
                WebSocketRoute("/ws/market", self.hub),
                *(self.desk.routes() if self.desk is not None else ()),
                Route("/{path:path}", self._clob),
            ],
            lifespan=self._lifespan,
        )

    async def _markets(self, request: Request) -> Response:
        return self._paged_answer(request, gamma.page_of_markets, None)

    async def _events(self, request: Request) -> Response:
        return self._paged_answer(request, gamma.page_of_events, None)

    def _paged(self, key: str, page_of: PageOf) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            return self._paged_answer(request, page_of, key)

        return handle

    def _paged_answer(self, request: Request, page_of: PageOf, key: str | None) -> Response:
        """A page under its key, with a cursor where more follows; a bare list where the old listing has no key."""
        query = {name: request.query_params.getlist(name) for name in request.query_params}
        try:
            items, cursor = page_of(self.source.listings(), query)
        except gamma.BadQuery as error:
            return reply({"type": "validation error", "error": str(error)}, 422)
        if key is None:
            return reply(items)
        return reply({key: items, "next_cursor": cursor} if cursor else {key: items})

    async def _market(self, request: Request) -> Response:
        wanted = request.path_params
        for listing in self.source.listings():
            if wanted.get("id") in (listing.id, listing.market.market_id) or wanted.get("slug") == listing.market.slug:
                return reply(gamma.market_body(listing))
        return reply({"type": "not found error", "error": f"{next(iter(wanted))} not found"}, 404)

    async def _event(self, request: Request) -> Response:
        wanted = request.path_params
        for group in gamma.events_of(self.source.listings()):
            market = group[0].market
            if wanted.get("id") == market.event_id or wanted.get("slug") == market.event_slug:
                return reply(gamma.event_body(group))
        return reply({"type": "not found error", "error": f"{next(iter(wanted))} not found"}, 404)

    async def _books(self, request: Request) -> Response:
        try:
            wanted = json.loads(await request.body())
        except ValueError:
            wanted = None
        status, body = clob.books(self.faults.rest_book, wanted)
        return reply(body, status)

    def _clob_answer(self, path: str, query: Mapping[str, str]) -> clob.Answer | None:
        if path.startswith(("/clob-markets/", "/markets-by-token/")):
            return clob.market_answer(self.source.listings(), path)
        return clob.answer(self.faults.rest_book, path, query, self.clock.now_ns())

    async def _clob(self, request: Request) -> Response:
        answer = self._clob_answer(request.url.path, request.query_params)
        if answer is None:
            return reply({"error": "not found"}, 404)
        return reply(answer.body, answer.status)

    # --- for tests and the command line

    async def _status(self, request: Request) -> Response:
        links = {str(link.number): {"tokens": len(link.tokens), "sent": link.sent} for link in self.hub.links.values()}
        now_ns = self.clock.now_ns()
        return reply(
            {
                "links": links,
                "behind_ms": self.behind_ns // 1_000_000,
                "faults": [*self.faults.running(now_ns), *(self.desk.faults.running(now_ns) if self.desk is not None else ())],
                "venue_state": self.mode.state(now_ns),
            }
        )

    async def _list_faults(self, request: Request) -> Response:
        return reply(FAULTS)

    async def _start_fault(self, request: Request) -> Response:
        name, options = request.path_params["name"], request.query_params
        try:
            check_fault(name, tuple(options))
            if name in order_faults.FAULTS:
                if self.desk is None:
                    raise ValueError(f"{name} needs the fake market; nobody trades in a recording")
                return reply(self.desk.start_fault(name, dict(options)))
            told = self.faults.start(name, self.clock.now_ns(), dict(options))
        except UnknownFault as error:
            return reply({"error": str(error)}, 404)
        except ValueError as error:
            return reply({"error": str(error)}, 400)
        return reply(told)

    async def _tell_state(self, request: Request) -> Response:
        """Be in a state; ``seconds`` (and after a restart ``post_only_seconds``) say for how long."""
        state, options = request.path_params["state"], request.query_params
        try:
            seconds, post_only = (int(options[name]) if name in options else None for name in ("seconds", "post_only_seconds"))
            told = self.mode.tell(state, seconds, post_only, self.clock.now_ns())
        except ValueError as error:
            return reply({"error": str(error)}, 400)
        if state == "link_lost":
            self.faults.start("reconnect-storm", self.clock.now_ns(), {"seconds": str(told["seconds"])})
            if self.desk is not None:
                self.desk.hub.close_all(*RESTART)
        return reply(told)


PageOf = Callable[[list[gamma.Listing], gamma.Query], gamma.Page]


class _Server(uvicorn.Server):
    """Leaves signals to the process, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket. Raises PortInUse."""
    # The protocol must be named: asyncio sends small frames at once (TCP_NODELAY) only on sockets that say they are TCP.
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen()
    except OSError as error:
        sock.close()
        raise PortInUse(f"cannot listen on {host}:{port}: {error.strerror}; stop what uses it, or give another --port") from None
    return sock


def reply(body: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(gamma.encode(body), status, media_type="application/json")
