"""The commands that hear a websocket, and the one that serves one: against mock streams and the fake venue, on free ports."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.base.clock import EventClock, SystemClock
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.mock_ws import MockStream, read_lines
from pipeline.fake_venue.server import FakeVenueServer

SNAPSHOT = '{"type":"snapshot","seq":1,"bids":[[0.40,100.0]],"asks":[[0.47,100.0]]}'
START_NS = 1_780_000_000_000_000_000
THREE_LINES = (SNAPSHOT, '{"type":"delta","seq":2}', '{"type":"delta","seq":3,"bids":[[0.41,10.0]]}')


@pytest.fixture
def stream() -> Iterator[MockStream]:
    with MockStream(THREE_LINES).running() as running:
        yield running


@pytest.fixture
def sample(repository: Path) -> Iterator[MockStream]:
    with MockStream(read_lines(repository / "recordings" / "sample.jsonl")).running() as running:
        yield running


@pytest.fixture(scope="module")
def venue() -> Iterator[FakeVenueServer]:
    clock = SystemClock()
    with FakeVenueServer(FakeExchange(ExchangePlan(rate_per_s=400), clock.now_ns()), clock).running() as running:
        yield running


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken and where nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


# --- ingest-ws on the generic stream ------------------------------------------------------------------------------------


def test_ingest_ends_with_the_stream_and_stores_what_came(cli, db, stream):
    done = cli("ingest-ws", stream.url, "mkt-1", "--db-url", db.url)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "3 messages, 5 rows written\n", "")
    assert db.rows("SELECT market_id, seq, side, price_e6, size_e6 FROM orderbook_events") == [
        ("mkt-1", 3, "bid", 410_000, 10_000_000)
    ]
    assert db.rows("SELECT last_seq, snapshots, deltas FROM market_status") == [(3, 1, 2)]
    assert db.rows("SELECT market_id FROM markets") == [("mkt-1",)]
    assert db.one("SELECT count(*) FROM runs WHERE ended_ns IS NULL") == 0


def test_ingest_takes_no_more_messages_than_it_was_told(cli, db, sample):
    done = cli("ingest-ws", sample.url, "mkt-1", "--max-messages", 100, "--db-url", db.url)
    assert done.stdout.startswith("100 messages, ")
    assert db.one("SELECT last_seq FROM market_status") == 100


def test_a_first_delta_asks_the_fake_provider_and_the_book_is_kept_but_not_trusted(cli, db):
    with MockStream(THREE_LINES[1:]).running() as late:
        done = cli("ingest-ws", late.url, "mkt-1", "--db-url", db.url)
    assert done.stdout.endswith("; 1 resync_first_delta\n")
    assert db.one("SELECT last_seq FROM market_status") == 3
    assert db.rows("SELECT new FROM book_states ORDER BY id DESC LIMIT 1") == [("SUSPECT",)]


def test_snapshots_heal_a_gap_of_the_stream(cli, db, tmp_path):
    fresh = tmp_path / "fresh.json"
    fresh.write_text('{"mkt-1":{"type":"snapshot","seq":4,"bids":[[0.40,1]],"asks":[[0.47,1]]}}')
    with MockStream([SNAPSHOT, '{"type":"delta","seq":5,"bids":[[0.41,10.0]]}']).running() as gappy:
        done = cli("ingest-ws", gappy.url, "mkt-1", "--snapshots", fresh, "--db-url", db.url)
    assert done.stdout.endswith("; 1 resync_gap\n")
    assert db.rows("SELECT new FROM book_states ORDER BY id DESC LIMIT 1") == [("VERIFIED",)]


def test_a_bad_frame_of_a_live_stream_is_counted_logged_and_skipped(cli, db):
    with MockStream([SNAPSHOT, "{torn", '{"type":"delta","seq":2,"bids":[[0.41,10.0]]}']).running() as torn:
        done = cli("ingest-ws", torn.url, "mkt-1", "--db-url", db.url)
    assert (done.exit_code, done.stdout) == (0, "3 messages, 5 rows written; 1 bad frame\n")
    (logged,) = (json.loads(line) for line in done.stderr.splitlines())
    assert (logged["event"], logged["head"]) == ("frame_refused", "{torn")
    assert db.one("SELECT count(*) FROM orderbook_events") == 1


def test_subscribe_asks_the_server_for_the_market(cli, db, stream):
    done = cli("ingest-ws", stream.url, "mkt-1", "--subscribe", "--json", "--db-url", db.url)
    told = json.loads(done.stdout)
    assert (told["messages"], told["rows"], told["market_id"]) == (3, 5, "mkt-1")


def test_several_streams_may_follow_one_another_into_one_database(cli, db, stream):
    for market_id in ("mkt-1", "mkt-2"):
        assert cli("ingest-ws", stream.url, market_id, "--db-url", db.url).exit_code == 0
    assert db.rows("SELECT market_id, count(*) FROM orderbook_events GROUP BY 1") == [("mkt-1", 1), ("mkt-2", 1)]


# --- ingest-ws on the venue's channel -----------------------------------------------------------------------------------


def test_a_market_of_the_catalogue_is_followed_on_the_venues_channel_and_proved_by_hash(cli, db, venue):
    refreshed = cli("refresh-markets", venue.url, "--db-url", db.url)
    assert refreshed.exit_code == 0, refreshed.stderr
    market = venue.source.listings()[0].market
    done = cli("ingest-ws", venue.ws_url, market.market_id, "--max-messages", 60, "--db-url", db.url)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("60 messages, ")
    assert db.rows("SELECT DISTINCT new, basis FROM book_states") == [("VERIFIED", "hash")]
    assert {outcome for (outcome,) in db.rows("SELECT DISTINCT outcome_id FROM orderbook_snapshots")} == set(market.token_ids)
    assert db.one("SELECT value FROM meta WHERE key = 'venue'") == "fake"


def test_a_token_alone_is_followed_too(cli, db, venue):
    market = venue.source.listings()[1].market
    done = cli(
        "ingest-ws", venue.ws_url, market.market_id, "--token", market.token_ids[0], "--max-messages", 20, "--db-url", db.url
    )
    assert done.exit_code == 0, done.stderr
    assert db.rows("SELECT DISTINCT outcome_id FROM orderbook_snapshots") == [(market.token_ids[0],)]


class Patient(FakeExchange):
    """An exchange that tells its clock when somebody subscribes."""

    asked = False

    def list_frame(self, token_ids: Sequence[str]) -> str:
        self.asked = True
        return super().list_frame(token_ids)


class FromFirstReader(EventClock):
    """Time that stands still until an exchange is asked, and then goes as it does."""

    def __init__(self, exchange: Patient) -> None:
        super().__init__(START_NS)
        self._exchange = exchange
        self._began_ns: int | None = None

    def now_ns(self) -> int:
        if self._exchange.asked:
            self._began_ns = self._began_ns or time.monotonic_ns()
            self.advance(START_NS + time.monotonic_ns() - self._began_ns)
        return super().now_ns()


def test_ingest_of_a_market_that_settles_ends_by_itself(cli, db):
    exchange = Patient(ExchangePlan(rate_per_s=200, resolve_after_s=1), START_NS)
    with FakeVenueServer(exchange, FromFirstReader(exchange)).running() as venue:
        singles = [listing.market for listing in venue.source.listings() if not listing.market.neg_risk]
        last = singles[-1]
        words = [word for token in last.token_ids for word in ("--token", token)]
        done = cli("ingest-ws", venue.ws_url, last.market_id, *words, "--db-url", db.url)
    assert (done.exit_code, done.stderr) == (0, "")
    assert {state for (state,) in db.rows("SELECT new FROM book_states")} >= {"DEAD"}


def test_another_venues_database_is_refused_before_anything_is_heard(told, db, cli, venue, lines_file):
    frame = {
        "event_type": "book",
        "market": "0x1",
        "asset_id": "1",
        "timestamp": "1780000000000",
        "hash": "",
        "bids": [],
        "asks": [],
    }
    cli("replay", lines_file(json.dumps(frame)), "0x1", "--db-url", db.url)
    assert "holds data of venue polymarket" in told("ingest-ws", venue.ws_url, "0x1", "--token", "1", "--db-url", db.url)


# --- what a stream command refuses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [("ingest-ws", "mkt-1"), ("ingest-ws", "mkt-1", "--token", "7"), ("quoter-run-ws", "mkt-1", "yes")]
)
def test_an_address_where_nobody_answers_is_one_line(told, db, nobody, command):
    name, *words = command
    url = f"ws://127.0.0.1:{nobody}"
    line = told(name, url, *words, "--db-url", db.url)
    assert line.startswith(f"{url}: cannot connect: ")
    assert line.endswith("; is the server running, and the address right?")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "127.0.0.1:9000", "ws://[bad", "ws://127.0.0.1:99999", "ws://"])
def test_an_address_of_no_websocket_is_refused_before_anything_is_opened(told, db, tmp_path, url):
    assert told("ingest-ws", url, "mkt-1", "--db-url", db.url).startswith(f"{url}: not a websocket address")
    assert told("quoter-run-ws", url, "mkt-1", "yes", "--db-url", db.url).startswith(f"{url}: not a websocket address")
    assert told("record", url, tmp_path / "out").startswith(f"{url}: not a websocket address")
    assert list(tmp_path.iterdir()) == []


# --- quoter-run-ws ------------------------------------------------------------------------------------------------------


def test_the_quoter_trades_on_the_stream_and_leaves_its_orders_in_the_database(cli, db, sample):
    done = cli("quoter-run-ws", sample.url, "mkt-1", "yes", "--db-url", db.url)
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.fullmatch(r"200 messages: \d+ orders?, \d+ fills?, PnL -?\$\d+\.\d\d simulated\n", done.stdout)
    assert db.rows("SELECT DISTINCT strategy, mode, market_id, outcome_id FROM orders") == [
        ("spread_capture", "fake", "mkt-1", "yes")
    ]
    assert db.one("SELECT count(*) FROM orders WHERE status IN ('new', 'live', 'partially_filled')") == 0
    assert db.one("SELECT count(*) FROM exec_audit") > 0
    told = json.loads(cli("orders", "--db-url", db.url, "--json").stdout)
    assert told


def test_the_quoters_answer_agrees_with_the_database(cli, db, sample):
    told = json.loads(
        cli("quoter-run-ws", sample.url, "mkt-1", "yes", "--max-messages", 100, "--json", "--db-url", db.url).stdout
    )
    assert (told["messages"], told["mode"]) == (100, "fake")
    assert told["orders"] == db.one("SELECT count(*) FROM orders")
    assert told["fills"] == db.one("SELECT count(*) FROM fills")


# --- record -------------------------------------------------------------------------------------------------------------


def test_what_was_recorded_replays_as_what_was_heard(cli, db, stream, tmp_path):
    out = tmp_path / "recorded"
    done = cli("record", stream.url, out)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"3 frames recorded in {out}; `polybot replay {out} MARKET_ID` reads them back\n"
    assert sorted(file.name for file in out.iterdir()) == ["000001.jsonl.gz", "index.json", "markets.json"]
    replayed = cli("replay", out, "mkt-1", "--db-url", db.url)
    assert (replayed.exit_code, replayed.stderr) == (0, "")
    assert db.rows("SELECT last_seq, snapshots, deltas FROM market_status") == [(3, 1, 2)]
    assert db.counts("orderbook_events", "orderbook_snapshots") == {"orderbook_events": 1, "orderbook_snapshots": 1}
    assert db.rows("SELECT market_id FROM markets") == [("mkt-1",)]


def test_a_recording_of_the_generic_stream_needs_a_market_id(cli, told, db, stream, tmp_path):
    cli("record", stream.url, tmp_path / "recorded")
    assert "need a MARKET_ID of their own" in told("replay", tmp_path / "recorded", "all", "--db-url", db.url)


def test_markets_of_the_venue_are_recorded_with_their_catalogue_and_replay_verified(cli, db, venue, tmp_path):
    out = tmp_path / "recorded"
    market = venue.source.listings()[0].market
    words = ("record", venue.ws_url, out, "--market", market.slug, "--gamma-url", venue.url, "--max-messages", 40)
    done = cli(*words)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("40 frames recorded")
    assert json.loads((out / "markets.json").read_text())["markets"][0]["market_id"] == market.market_id
    assert cli("replay", out, "all", "--db-url", db.url).exit_code == 0
    assert db.rows("SELECT DISTINCT new, basis FROM book_states") == [("VERIFIED", "hash")]


def test_a_recording_that_is_continued_keeps_the_markets_of_before(cli, venue, tmp_path):
    out = tmp_path / "recorded"
    first, second = (listing.market for listing in venue.source.listings()[:2])
    for market in (first, second):
        assert (
            cli("record", venue.ws_url, out, "--market", market.slug, "--gamma-url", venue.url, "--max-messages", 5).exit_code
            == 0
        )
    kept = [market["market_id"] for market in json.loads((out / "markets.json").read_text())["markets"]]
    assert kept == [first.market_id, second.market_id]
    assert len(list(out.glob("*.jsonl.gz"))) == 2


def test_a_recording_of_another_venue_is_not_continued(cli, told, stream, venue, tmp_path):
    out = tmp_path / "recorded"
    cli("record", stream.url, out)
    slug = venue.source.listings()[0].market.slug
    line = told("record", venue.ws_url, out, "--market", slug, "--gamma-url", venue.url, "--max-messages", 5)
    assert line == f"{out}: holds a recording of venue generic, and this is venue fake; give another folder"


def test_record_refuses_an_unknown_market_and_a_file_for_a_folder(told, stream, venue, tmp_path):
    out = tmp_path / "recorded"
    assert "--market no-such" in told("record", venue.ws_url, out, "--market", "no-such", "--gamma-url", venue.url)
    assert not out.exists()
    out.write_text("mine")
    assert told("record", stream.url, out).startswith(f"{out}: cannot be written")
    assert out.read_text() == "mine"


# --- mock-ws, and all of it as processes ----------------------------------------------------------------------------------


def test_a_port_in_use_and_a_missing_file_are_one_line(told, nobody, three_lines, tmp_path):
    assert told("mock-ws", three_lines, "--port", nobody).startswith(f"cannot listen on 127.0.0.1:{nobody}: ")
    assert told("mock-ws", tmp_path / "none.jsonl").startswith(f"{tmp_path / 'none.jsonl'}: cannot be read")


def process(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "polybot.cli", *(str(word) for word in words)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to one process")
def test_the_guides_example_with_a_mock_server_and_ctrl_c_at_its_end(db, three_lines):
    with process("mock-ws", three_lines, "--port", 0) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        url = re.search(r"ws://127\.0\.0\.1:\d+", said)
        assert said.startswith(f"serving 3 messages of {three_lines} on ws://") and url is not None
        with process("ingest-ws", url[0], "mkt-1", "--db-url", db.url, "--max-messages", 100) as client:
            out, err = client.communicate(timeout=30)
        assert (client.returncode, out, err) == (0, "3 messages, 5 rows written\n", "")
        server.send_signal(signal.SIGINT)
        rest, err = server.communicate(timeout=30)
        assert (server.returncode, rest, err) == (0, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to one process")
def test_ctrl_c_ends_a_live_command_with_its_answer(db):
    with MockStream([*THREE_LINES, SNAPSHOT], interval_ms=30_000).running() as slow:
        with process("ingest-ws", slow.url, "mkt-1", "--db-url", db.url) as client:
            while client.poll() is None and not (db.path.exists() and has_snapshot(db)):
                pass
            client.send_signal(signal.SIGINT)
            out, err = client.communicate(timeout=30)
        slow.stop()
    assert (client.returncode, err) == (0, "stopped\n")
    assert out.startswith("1 message, ")
    assert db.one("SELECT count(*) FROM runs WHERE ended_ns IS NULL") == 0


def has_snapshot(db) -> bool:
    tables = db.rows("SELECT name FROM sqlite_master WHERE name = 'orderbook_snapshots'")
    return bool(tables) and db.one("SELECT count(*) FROM orderbook_snapshots") == 1
