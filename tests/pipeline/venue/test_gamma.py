"""The catalogue over HTTP, asked of a scripted host on loopback: paging, retries, refusals, and the edge of the scheduler."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.base.clock import EventClock
from pipeline.base.errors import BadInput
from pipeline.base.settings import UniverseSection
from pipeline.messages.edges import CatalogueFetched, FetchCatalogue
from pipeline.venue.gamma import CatalogueEdge, GammaHttpClient, checked_base_url, venue_of_url
from pipeline.venue.gamma_pages import CatalogueUnavailable

Query = dict[str, list[str]]
Answer = tuple[int, object] | tuple[int, object, dict[str, str]]
Answering = Callable[[str, Query], Answer]


@contextmanager
def host(answer: Answering) -> Iterator[str]:
    """A web server on a free port of loopback; ``answer`` gets the path and the query."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            status, body, *headers = answer(place.path, parse_qs(place.query))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def market(number: int, **changed: object) -> dict[str, object]:
    return {
        "slug": f"market-{number}",
        "question": f"Question {number}?",
        "conditionId": f"0x{number:064x}",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps([f"{number}1", f"{number}2"]),
        "active": True,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "feesEnabled": False,
        "volume24hr": 1000 - number,
        **changed,
    }


def keyset(markets: list[dict[str, object]]) -> Answering:
    """Keyset listings over fixed markets, three a page."""

    def answer(path: str, query: Query) -> Answer:
        kind = path.split("/")[1]
        if not path.endswith("/keyset"):
            return 404, {}
        wanted = [each for each in markets if query.get("slug", [each["slug"]])[0] == each["slug"]]
        start = int(query.get("after_cursor", ["0"])[0])
        page = wanted[start : start + 3]
        more = str(start + 3) if start + 3 < len(wanted) else ""
        objects = page if kind == "markets" else [{"id": "1", "slug": each["slug"], "markets": [each]} for each in page]
        return 200, {kind: objects, "next_cursor": more}

    return answer


def read_all(url: str, **options: object) -> list[str]:
    with GammaHttpClient(url, **options) as client:
        return [each.slug for page in client.pages_of_markets() for each in page]


def ask_edge(
    url: str, universe: UniverseSection, times: int = 1, ended: tuple[str, ...] = ()
) -> tuple[list[CatalogueFetched], list[float]]:
    """What the edge answers to so many requests, and how long it waited in between."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def session() -> list[CatalogueFetched]:
        edge = CatalogueEdge(url, universe, rng=Random(1), sleep=sleep, clock=EventClock(5))
        heard: asyncio.Queue[CatalogueFetched] = asyncio.Queue()
        running = asyncio.ensure_future(edge.run(heard.put_nowait))
        answers = []
        for number in range(times):
            edge.take(FetchCatalogue(ts_ns=1, request_id=number + 1, ended=ended))
            answers.append(await heard.get())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return answers

    return asyncio.run(session()), waits


def test_all_pages_are_read_in_order():
    with host(keyset([market(i) for i in range(8)])) as url:
        assert read_all(url) == [f"market-{i}" for i in range(8)]
        assert read_all(url + "/") == [f"market-{i}" for i in range(8)]


def test_a_host_without_keyset_listings_is_read_by_offset():
    def answer(path: str, query: Query) -> Answer:
        if path != "/markets":
            return 404, {}
        start = int(query["offset"][0])
        return 200, [market(i) for i in range(start, min(start + 2, 5))]

    with host(answer) as url:
        assert read_all(url) == [f"market-{i}" for i in range(5)]


def test_the_edge_tells_how_markets_ended_that_are_no_longer_listed():
    asked: list[list[str]] = []
    gone = market(7, closed=True, outcomePrices='["0.5", "0.5"]')

    def answer(path: str, query: Query) -> Answer:
        if "condition_ids" in query:
            asked.append(query["condition_ids"])
            assert query["closed"] == ["true"]
            return 200, {"markets": [gone], "next_cursor": ""}
        return keyset([market(1)])(path, query)

    ids = [str(market(number)["conditionId"]) for number in (1, 7, 8)]
    with host(answer) as url:
        [told], _ = ask_edge(url, UniverseSection(), ended=tuple(ids))
    assert asked == [ids[1:]]
    assert [(each.market, each.payouts_e6) for each in told.ended] == [(ids[1], (500_000, 500_000))]


def test_passing_trouble_is_asked_again_and_a_retry_after_is_honoured():
    answers: list[Answer] = [(503, {}), (429, {}, {"retry-after": "7"}), (200, {"markets": [market(1)]})]
    waits: list[float] = []
    with host(lambda path, query: answers.pop(0)) as url:
        assert read_all(url, rng=Random(1), sleep=waits.append) == ["market-1"]
    assert waits[0] <= 0.5
    assert waits[1] == 7.0


def test_trouble_that_lasts_is_one_line_with_the_address():
    waits: list[float] = []
    with host(lambda path, query: (502, {})) as url, pytest.raises(CatalogueUnavailable) as failure:
        read_all(url, sleep=waits.append)
    assert str(failure.value) == f"{url}: no catalogue there: HTTP 502, asked 4 times"
    assert len(waits) == 3


def test_an_unreachable_host_is_one_line_with_the_address():
    with host(keyset([])) as url:
        gone = url
    with pytest.raises(CatalogueUnavailable) as failure:
        read_all(gone, sleep=lambda seconds: None)
    assert str(failure.value).startswith(f"{gone}: no catalogue there: ")
    assert "\n" not in str(failure.value)


def test_a_host_that_is_no_catalogue_is_named():
    with host(lambda path, query: (200, b"<html>welcome</html>")) as url, pytest.raises(CatalogueUnavailable) as failure:
        read_all(url)
    assert str(failure.value).startswith(f"{url}: not a catalogue page: ")
    with host(lambda path, query: (404, {})) as url, pytest.raises(CatalogueUnavailable, match="it answered HTTP 404"):
        read_all(url)


def test_refused_objects_are_kept_with_their_reason():
    with host(keyset([market(1), market(2, outcomes="[]"), market(3)])) as url, GammaHttpClient(url) as client:
        assert [[each.slug for each in page] for page in client.pages_of_markets()] == [["market-1", "market-3"]]
        assert [str(refusal) for refusal in client.refused] == ["market market-2: outcomes are []; a binary market has two"]


def test_markets_are_asked_for_by_id_in_groups():
    asked: list[Query] = []

    def answer(path: str, query: Query) -> Answer:
        asked.append(query)
        return 200, {"markets": []}

    ids = [f"0x{i:064x}" for i in range(60)]
    with host(answer) as url, GammaHttpClient(url) as client:
        assert list(client.markets_by_id(ids, closed=True)) == [[], []]
    assert [len(query["condition_ids"]) for query in asked] == [50, 10]
    assert all(query["closed"] == ["true"] for query in asked)


@pytest.mark.parametrize("url", ["gamma-api.polymarket.com", "ftp://host", "http://", "http://host:99999", ""])
def test_an_address_that_is_none_is_refused_before_anything_is_asked(url):
    with pytest.raises(BadInput, match="not an http address"):
        checked_base_url(url)


@pytest.mark.parametrize(
    ("url", "venue"),
    [
        ("http://127.0.0.1:8765", "fake"),
        ("http://localhost:8765", "fake"),
        ("http://[::1]:8765", "fake"),
        ("https://gamma-api.polymarket.com", "polymarket"),
        ("http://10.0.0.7", "polymarket"),
    ],
)
def test_only_an_address_on_this_machine_is_the_fake_venue(url, venue):
    assert venue_of_url(url) == venue


def test_the_edge_answers_with_the_busiest_markets_and_reads_no_more_pages_than_it_needs():
    asked: list[Query] = []
    listing = keyset([market(i) for i in range(30)])

    def answer(path: str, query: Query) -> Answer:
        asked.append(query)
        return listing(path, query)

    with host(answer) as url:
        (told,), _ = ask_edge(url, UniverseSection(max_tokens=4))
    assert [each.slug for each in told.markets] == ["market-0", "market-1"]
    assert (told.request_id, told.source, told.error, told.ts_ns) == (1, url, "", 5)
    assert len(asked) == 2
    assert asked[0]["order"] == ["volume24hr"]


def test_the_edge_follows_named_markets_and_events_and_says_which_are_missing():
    with host(keyset([market(i) for i in range(4)])) as url:
        (told,), _ = ask_edge(url, UniverseSection(events=("market-2",), markets=("market-1", "no-such")))
    assert [each.slug for each in told.markets] == ["market-2", "market-1"]
    assert told.notes == ("no-such: no open market has this slug",)


def test_a_universe_that_nothing_fits_is_an_error_that_says_why():
    with host(keyset([market(1, acceptingOrders=False)])) as url:
        (told,), _ = ask_edge(url, UniverseSection(markets=("market-1",)))
    assert told.error == f"{url}: no market fits [universe]: market-1: it takes no orders"
    assert told.markets == ()


def test_the_edge_waits_and_asks_again_and_then_answers_with_the_error():
    with host(lambda path, query: (500, {})) as url:
        answers, waits = ask_edge(url, UniverseSection(), times=2)
    assert [told.error for told in answers] == [f"{url}: no catalogue there: HTTP 500, asked 8 times"] * 2
    assert len(waits) == 14
    assert waits[0] < waits[1] < waits[2]


def test_the_edge_counts_refused_objects_and_keeps_markets_that_slip_a_little():
    volumes = [{1: 10, 2: 20, 3: 30}, {1: 25, 2: 20, 3: 30}]

    def answer(path: str, query: Query) -> Answer:
        now = volumes.pop(0)
        return 200, {"markets": [*(market(i, volume24hr=now[i]) for i in sorted(now, key=lambda i: -now[i])), {"slug": "odd"}]}

    with host(answer) as url:
        answers, _ = ask_edge(url, UniverseSection(max_tokens=4), times=2)
    assert [[each.slug for each in told.markets] for told in answers] == [["market-3", "market-2"]] * 2
    assert [told.refused for told in answers] == [1, 1]
