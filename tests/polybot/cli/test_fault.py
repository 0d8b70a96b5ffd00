"""`polybot fault`: what it finds, what it asks of the venue, and its one line when it cannot."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.base.clock import SystemClock
from pipeline.base.config import Config, write_effective
from pipeline.base.settings import Settings
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.fault_table import FAULTS
from pipeline.fake_venue.server import FakeVenueServer
from polybot.cli import main
from processes.runs import run_folder


@pytest.fixture(scope="module")
def venue() -> Iterator[FakeVenueServer]:
    clock = SystemClock()
    server = FakeVenueServer(FakeExchange(ExchangePlan(rate_per_s=50), clock.now_ns()), clock)
    with server.running() as running:
        yield running


def fault(*words: str) -> Result:
    return CliRunner().invoke(main, ["fault", *words])


def session(folder: Path, name: str, **values: dict[str, Any]) -> None:
    """A past session's effective configuration."""
    config = Config(Settings()).with_values({"venue": {"name": "fake"}, **values}, "test")
    write_effective(config, run_folder(folder, name) / "config.json")


def refusal(shown: Result) -> str:
    """The one line of a command that was refused."""
    assert (shown.exit_code, shown.stdout) == (2, "")
    (line,) = shown.stderr.splitlines()
    return str(line)


def test_the_list_names_every_fault_and_what_it_takes() -> None:
    shown = fault("--list")
    assert shown.exit_code == 0
    assert all(f"\n{name} " in shown.output for name in FAULTS)
    listed = json.loads(fault("--list", "--json").stdout)
    assert {row["fault"]: row["takes"] for row in listed}["silent-socket"] == ["link", "seconds"]


def test_an_unknown_name_is_one_line_that_lists_the_names() -> None:
    line = refusal(fault("freeze-token"))
    assert line.startswith("polybot: no fault is called freeze-token; known are ack-late-after-fill-event, ack-lost")
    assert line.endswith("did you mean freeze-one-token?")
    assert all(name in line for name in FAULTS)
    assert "has no name; give one of" in refusal(fault())


def test_an_option_that_the_fault_does_not_take_is_refused() -> None:
    assert refusal(fault("drop-frame", "--seconds", "3")) == "polybot: drop-frame takes no seconds; it takes token, link, count"


def test_no_venue_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    session(tmp_path, "20260101-000000-aa", fake_venue={"port": port})
    line = refusal(fault("drop-frame", "--state-dir", str(tmp_path)))
    assert f"no fake venue answers at http://127.0.0.1:{port} (" in line
    assert "start one with `polybot up`" in line
    assert "no fake venue answers at nowhere" in refusal(fault("drop-frame", "--url", "nowhere"))


def test_a_session_on_another_venue_is_one_line(tmp_path: Path) -> None:
    session(tmp_path, "20260101-000000-aa")
    session(tmp_path, "20260102-000000-aa", venue={"name": "polymarket"})
    assert "is connected to polymarket, and only the fake venue has faults" in refusal(
        fault("drop-frame", "--state-dir", str(tmp_path))
    )


def test_something_else_at_the_address_is_one_line() -> None:
    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        assert "is no fake venue" in refusal(fault("drop-frame", "--url", f"http://127.0.0.1:{server.server_port}"))
    finally:
        thread.join(5)
        server.server_close()


def test_the_latest_sessions_venue_is_told_and_its_answer_is_shown(tmp_path: Path, venue: FakeVenueServer) -> None:
    session(tmp_path, "20260101-000000-aa", fake_venue={"port": 1})
    session(tmp_path, "20260102-000000-aa", fake_venue={"port": venue.port})
    token = venue.source.listings()[0].market.token_ids[1]
    shown = fault("freeze-one-token", "--state-dir", str(tmp_path), "--token", token, "--seconds", "1")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout == f"freeze-one-token (token {token}, 1 s): {FAULTS['freeze-one-token'].partition(' (')[0]}\n"
    assert "freeze-one-token" in venue.faults.running(venue.clock.now_ns())
    told = json.loads(fault("crossing-burst", "--url", venue.url, "--json").stdout)
    assert (told["fault"], told["frames"] >= 4) == ("crossing-burst", True)


def test_what_the_venue_refuses_is_one_line(venue: FakeVenueServer) -> None:
    assert refusal(fault("tick-change", "--url", venue.url, "--token", "12")) == "polybot: fault: token 12 has no open book here"


@pytest.mark.parametrize("state", ["normal", "restarting", "post_only", "cancel_only", "disabled", "link_lost"])
def test_every_state_of_the_venue_can_be_told(venue: FakeVenueServer, state: str) -> None:
    shown = fault("--venue-state", state, "--seconds", "20", "--url", venue.url, "--json")
    assert json.loads(shown.stdout)["venue_state"] == state
    assert venue.mode.state(venue.clock.now_ns()) == state
    assert fault("--venue-state", "normal", "--url", venue.url).stdout == "venue is normal until told otherwise\n"


def test_a_restart_ends_in_post_only(venue: FakeVenueServer) -> None:
    words = ("--venue-state", "restarting", "--seconds", "20", "--post-only-seconds", "30", "--url", venue.url)
    assert fault(*words).stdout == "venue is restarting for 20 s, then post_only for 30 s\n"
    now_ns = venue.clock.now_ns()
    later = [venue.mode.state(now_ns + seconds * 1_000_000_000) for seconds in (15, 40, 60)]
    assert later == ["restarting", "post_only", "normal"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--venue-state", "post-only"), "--venue-state post-only: no such state; known are normal, restarting"),
        (("drop-frame", "--venue-state", "disabled"), "--venue-state disabled: goes without a fault"),
        (("--venue-state", "disabled", "--count", "3"), "--venue-state takes no count"),
        (("--venue-state", "disabled", "--post-only-seconds", "3"), "--post-only-seconds: goes with --venue-state restarting"),
        (("drop-frame", "--post-only-seconds", "3"), "--post-only-seconds: says how long"),
    ],
)
def test_a_state_that_makes_no_sense_is_one_line(words: tuple[str, ...], line: str) -> None:
    assert refusal(fault(*words)).startswith(f"polybot: {line}")
