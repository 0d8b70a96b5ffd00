"""A refresh of the catalogue: whole or nothing, unchanged markets write nothing, closed ones are noticed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.base.clock import EventClock
from pipeline.base.errors import WrongDatabase
from pipeline.store.markets import stored_markets, versions_of
from pipeline.store.open import open_store
from pipeline.venue.gamma import GammaHttpClient
from pipeline.venue.gamma_pages import CatalogueUnavailable, RetryRules
from polybot.ingestion.markets import refresh_markets


def market(number: int, **changed: object) -> dict[str, object]:
    return {
        "slug": f"market-{number}",
        "question": f"Question {number}?",
        "conditionId": f"0x{number:064x}",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps([f"{number}1", f"{number}2"]),
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "feesEnabled": False,
        **changed,
    }


class Catalogue:
    """A scripted catalogue on loopback, two markets a page; it fails after ``pages`` pages if that is set."""

    def __init__(self) -> None:
        self.markets: list[dict[str, object]] = []
        self.pages: int | None = None
        self.url = ""

    def answer(self, query: dict[str, list[str]]) -> tuple[int, object]:
        closed = query.get("closed") == ["true"]
        ids = query.get("condition_ids")
        found = [each for each in self.markets if each["closed"] is closed and (ids is None or each["conditionId"] in ids)]
        start = int(query.get("after_cursor", ["0"])[0])
        if self.pages is not None and start >= 2 * self.pages:
            return 500, {}
        return 200, {"markets": found[start : start + 2], "next_cursor": str(start + 2) if start + 2 < len(found) else ""}


@pytest.fixture
def catalogue() -> Iterator[Catalogue]:
    scripted = Catalogue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = scripted.answer(parse_qs(urlsplit(self.path).query))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    scripted.url = f"http://127.0.0.1:{server.server_port}"
    yield scripted
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def db_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalogue.db'}"


def refresh(catalogue: Catalogue, db_url: str, now_ns: int = 1) -> int:
    with open_store(db_url) as store, GammaHttpClient(catalogue.url, rules=RetryRules(attempts=1)) as client:
        return refresh_markets(store, client, clock=EventClock(now_ns))


def stored(db_url: str) -> dict[str, object]:
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        return {each.slug: each for each in stored_markets(conn)}


def versions(db_url: str, number: int) -> list[int]:
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        return [version.valid_from_ns for version in versions_of(conn, f"0x{number:064x}")]


def test_every_open_market_is_stored_and_counted(catalogue, db_url):
    catalogue.markets = [market(i) for i in range(5)]
    assert refresh(catalogue, db_url) == 5
    assert sorted(stored(db_url)) == [f"market-{i}" for i in range(5)]
    with open_store(db_url, read_only=True) as store:
        assert store.venue == "fake"


def test_an_unchanged_catalogue_writes_nothing_and_a_changed_market_one_version(catalogue, db_url):
    catalogue.markets = [market(i) for i in range(3)]
    refresh(catalogue, db_url, 1)
    assert refresh(catalogue, db_url, 2) == 0
    catalogue.markets[1] = market(1, orderPriceMinTickSize=0.001)
    assert refresh(catalogue, db_url, 3) == 1
    assert [versions(db_url, i) for i in range(3)] == [[1], [1, 3], [1]]


def test_a_market_that_closed_since_is_noticed(catalogue, db_url):
    catalogue.markets = [market(1), market(2)]
    refresh(catalogue, db_url, 1)
    catalogue.markets = [market(1, closed=True, acceptingOrders=False), market(2)]
    assert refresh(catalogue, db_url, 2) == 1
    assert [stored(db_url)[f"market-{i}"].closed for i in (1, 2)] == [True, False]
    assert refresh(catalogue, db_url, 3) == 0


def test_a_catalogue_that_fails_half_way_writes_nothing(catalogue, db_url):
    catalogue.markets = [market(i) for i in range(5)]
    catalogue.pages = 1
    with pytest.raises(CatalogueUnavailable, match="HTTP 500"):
        refresh(catalogue, db_url)
    assert stored(db_url) == {}
    with open_store(db_url, read_only=True) as store:
        assert store.venue is None


def test_another_venues_database_is_refused_before_anything_is_written(catalogue, db_url):
    catalogue.markets = [market(1)]
    open_store(db_url, venue="polymarket").close()
    with pytest.raises(WrongDatabase, match="venue polymarket"):
        refresh(catalogue, db_url)
    assert stored(db_url) == {}


def test_it_works_in_memory_and_tells_how_far_it_is(catalogue):
    catalogue.markets = [market(i) for i in range(3)]
    told: list[int] = []
    with open_store("sqlite:///:memory:") as store, GammaHttpClient(catalogue.url) as client:
        assert refresh_markets(store, client, on_read=told.append) == 3
    assert told == [2, 3]
