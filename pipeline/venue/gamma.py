"""The catalogue over HTTP: ``GammaHttpClient`` reads whole listings, ``CatalogueEdge`` the followed markets for the scheduler.

Both ask what ``gamma_pages`` says, one request at a time, far below the venue's 300 market and 500 event requests in 10 s (seen 2026-10).
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
import msgspec

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.errors import BadInput, PolybotError
from pipeline.base.settings import UniverseSection
from pipeline.messages import Message
from pipeline.messages.edges import CatalogueFetched, FetchCatalogue
from pipeline.messages.market import Market, MarketResolved
from pipeline.venue.certificates import trusted
from pipeline.venue.gamma_decode import MarketRefused, decode_event, decode_markets
from pipeline.venue.gamma_pages import (
    NO_ANSWER,
    PAGE_SIZE,
    CatalogueUnavailable,
    Filters,
    Get,
    Kind,
    Listing,
    Reply,
    RetryRules,
    describe,
    in_chunks,
    is_passing,
)
from pipeline.venue.resolutions import decode_resolutions
from pipeline.venue.universe import Choice, choose, queries

Emit = Callable[[Message], None]
TIMEOUT_S = 10.0
IDS_PER_REQUEST = 50
"""Condition ids in one query; the venue takes about 100, and an id has 66 characters."""

NEARBY = RetryRules(attempts=8, first_wait_s=0.05)
"""For a venue on this machine: nobody's limits are touched, and it may be starting just now."""

EVENTS_PER_CALL = 20
"""Event ids in one query, so that its answer, which holds all their markets, stays small."""


class GammaHttpClient:
    """Reads the catalogue at ``base_url``; a context manager.

    Requests without an answer, with 429 or 5xx are made again by ``rules``, waiting with ``sleep`` a time that ``rng`` varies.
    ``refused`` collects the catalogue objects that are not markets Polybot can hold, each with its reason.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        page_size: int = PAGE_SIZE,
        rules: RetryRules | None = None,
        rng: Random | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self.refused: list[MarketRefused] = []
        self._page_size = page_size
        self._rules = rules or RetryRules()
        self._rng = rng or Random()
        self._sleep = sleep
        self._http = httpx.Client(timeout=timeout_s, follow_redirects=True, trust_env=self.venue != "fake")

    @property
    def venue(self) -> str:
        """Whose catalogue this is: ``fake`` on this machine, else ``polymarket``."""
        return venue_of_url(self.base_url)

    def check(self) -> None:
        """Ask for a single market, to know that this is a catalogue. Raises CatalogueUnavailable."""
        next(self._pages(Listing("markets", page_size=1)), None)

    def pages_of_markets(self, filters: Filters = (("closed", "false"),)) -> Iterator[list[Market]]:
        """The markets of a listing, page by page to its end. Raises CatalogueUnavailable."""
        for objects in self._pages(Listing("markets", filters, self._page_size)):
            yield _decoded("markets", objects, self.refused)

    def markets_by_id(self, market_ids: Sequence[str], *, closed: bool) -> Iterator[list[Market]]:
        """The markets with these condition ids that are (or are not) closed, in groups."""
        for ids in in_chunks(market_ids, IDS_PER_REQUEST):
            filters = (*(("condition_ids", each) for each in ids), ("closed", "true" if closed else "false"))
            yield from self.pages_of_markets(filters)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _pages(self, listing: Listing) -> Iterator[tuple[msgspec.Raw, ...]]:
        while (get := listing.next_get()) is not None:
            reply = self._ask(get)
            with _naming(self.base_url):
                objects = listing.take(reply)
            yield objects

    def _ask(self, get: Get) -> Reply:
        attempt = 0
        while True:
            attempt += 1
            try:
                reply = _reply(self._http.get(self.base_url + get.path, params=list(get.params)))
            except httpx.HTTPError as error:
                reply = Reply(NO_ANSWER, error=_why(error))
            wait_s = self._rules.wait_s(reply, attempt, self._rng)
            if wait_s is None:
                return _answered(reply, self.base_url, attempt)
            self._sleep(wait_s)


class CatalogueEdge:
    """Answers FetchCatalogue with the markets of the configured universe, as CatalogueFetched; a failure is an answer with ``error``."""

    name = "gamma"
    accepts: tuple[type[Message], ...] = (FetchCatalogue,)

    def __init__(
        self,
        base_url: str,
        universe: UniverseSection,
        *,
        timeout_s: float = TIMEOUT_S,
        page_size: int = PAGE_SIZE,
        rules: RetryRules | None = None,
        rng: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Clock | None = None,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self._universe = universe
        self._timeout_s = timeout_s
        self._page_size = page_size
        self._rules = rules or (NEARBY if venue_of_url(self.base_url) == "fake" else RetryRules())
        self._rng = rng or Random()
        self._sleep = sleep
        self._clock = clock or SystemClock()
        self._requests: asyncio.Queue[FetchCatalogue] = asyncio.Queue()
        self._followed: frozenset[str] = frozenset()

    def take(self, msg: Message) -> None:
        """A request from the scheduler."""
        if isinstance(msg, FetchCatalogue):
            self._requests.put_nowait(msg)

    async def run(self, emit: Emit) -> None:
        """Answer requests, one after the other, until cancelled."""
        proxied = venue_of_url(self.base_url) != "fake"
        verify = trusted(loopback=not proxied)
        async with httpx.AsyncClient(timeout=self._timeout_s, follow_redirects=True, trust_env=proxied, verify=verify) as http:
            while True:
                request = await self._requests.get()
                emit(await self._answer(http, request))

    async def _answer(self, http: httpx.AsyncClient, request: FetchCatalogue) -> CatalogueFetched:
        refused: list[MarketRefused] = []
        ended: list[MarketResolved] = []
        choice, error = Choice((), ()), ""
        try:
            choice = await self._choice(http, refused)
            if not choice.markets:
                why = "; ".join(f"{name}: {reason}" for name, reason in choice.left_out) or "the catalogue lists none"
                error = f"{self.base_url}: no market fits [universe]: {why}"
            else:
                followed = {market.market_id for market in choice.markets}
                ended = await self._ended(http, [each for each in request.ended if each not in followed])
        except PolybotError as failure:
            error = str(failure)
        if not error:
            self._followed = frozenset(market.market_id for market in choice.markets)
        return CatalogueFetched(
            ts_ns=self._clock.now_ns(),
            request_id=request.request_id,
            markets=choice.markets if not error else (),
            source=self.base_url,
            error=error,
            refused=len(refused),
            notes=tuple(f"{name}: {reason}" for name, reason in choice.left_out),
            ended=tuple(ended),
        )

    async def _ended(self, http: httpx.AsyncClient, market_ids: Sequence[str]) -> list[MarketResolved]:
        """The resolutions of those of the markets that have one."""
        found: list[MarketResolved] = []
        for ids in in_chunks(market_ids, IDS_PER_REQUEST):
            filters = (*(("condition_ids", each) for each in ids), ("closed", "true"))
            listing = Listing("markets", filters, self._page_size)
            while (get := listing.next_get()) is not None:
                reply = await self._ask(http, get)
                with _naming(self.base_url):
                    found += decode_resolutions(listing.take(reply), self._clock.now_ns())
        return found

    async def _choice(self, http: httpx.AsyncClient, refused: list[MarketRefused]) -> Choice:
        named: list[Market] = []
        found: list[Market] = []
        missing: list[tuple[str, str]] = []
        for query in queries(self._universe):
            markets = await self._listed(http, query.kind, query.filters, query.enough_tokens, refused)
            (named if query.named else found).extend(markets)
            if query.named and not markets:
                missing.append((query.named, f"no open {query.kind[:-1]} has this slug"))
        choice = choose(named, found, self._universe, self._followed)
        return Choice(await self._counted(http, choice.markets), (*missing, *choice.left_out))

    async def _counted(self, http: httpx.AsyncClient, markets: tuple[Market, ...]) -> tuple[Market, ...]:
        """The markets with the number of markets in their neg-risk event, asked for where a listing did not tell it."""
        wanted = sorted({market.event_id for market in markets if market.neg_risk and not market.event_market_count} - {""})
        counts: dict[str, int] = {}
        for chunk in in_chunks(wanted, EVENTS_PER_CALL):
            inside = await self._listed(http, "events", tuple(("id", event_id) for event_id in chunk), 0, [])
            counts |= {market.event_id: market.event_market_count for market in inside}
        return tuple(
            msgspec.structs.replace(market, event_market_count=market.event_market_count or counts.get(market.event_id, 0))
            for market in markets
        )

    async def _listed(
        self, http: httpx.AsyncClient, kind: Kind, filters: Filters, enough_tokens: int, refused: list[MarketRefused]
    ) -> list[Market]:
        """The markets of a listing; of a long one the first that have ``enough_tokens`` (0: all)."""
        listing = Listing(kind, filters, self._page_size)
        markets: list[Market] = []
        while (get := listing.next_get()) is not None:
            reply = await self._ask(http, get)
            with _naming(self.base_url):
                objects = listing.take(reply)
            markets += _decoded(kind, objects, refused)
            if enough_tokens and sum(len(market.outcomes) for market in markets) >= enough_tokens:
                break
        return markets

    async def _ask(self, http: httpx.AsyncClient, get: Get) -> Reply:
        attempt = 0
        while True:
            attempt += 1
            try:
                reply = _reply(await http.get(self.base_url + get.path, params=list(get.params)))
            except httpx.HTTPError as error:
                reply = Reply(NO_ANSWER, error=_why(error))
            wait_s = self._rules.wait_s(reply, attempt, self._rng)
            if wait_s is None:
                return _answered(reply, self.base_url, attempt)
            await self._sleep(wait_s)


def checked_base_url(url: str) -> str:
    """The address without a slash at its end. Raises BadInput if it is none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise BadInput(f"catalogue address {url!r}: not an http address; give one such as https://gamma-api.polymarket.com")
    return url.rstrip("/")


def venue_of_url(url: str) -> str:
    """``fake`` for an address on this machine, else ``polymarket``: invented data never claims to be real."""
    host = urlsplit(url).hostname or ""
    try:
        return "fake" if ipaddress.ip_address(host).is_loopback else "polymarket"
    except ValueError:
        return "fake" if host == "localhost" else "polymarket"


class _naming:
    """Puts the catalogue's address in front of what is wrong with it."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, PolybotError):
            raise CatalogueUnavailable(f"{self._base_url}: {error}") from None


def _decoded(kind: Kind, objects: Sequence[msgspec.Raw], refused: list[MarketRefused]) -> list[Market]:
    if kind == "markets":
        markets, bad = decode_markets(objects)
        refused.extend(bad)
        return markets
    markets = []
    for raw in objects:
        try:
            inside, bad = decode_event(raw)
        except MarketRefused as error:
            bad, inside = [error], []
        markets.extend(inside)
        refused.extend(bad)
    return markets


def _reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.content, response.headers.get("retry-after", ""))


def _answered(reply: Reply, base_url: str, attempts: int) -> Reply:
    """The last answer, unless it is only trouble."""
    if is_passing(reply):
        times = "once" if attempts == 1 else f"{attempts} times"
        raise CatalogueUnavailable(f"{base_url}: no catalogue there: {describe(reply)}, asked {times}")
    return reply


def _why(error: httpx.HTTPError) -> str:
    """The reason in words, also where the library has none."""
    return str(error) or type(error).__name__
