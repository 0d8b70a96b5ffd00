"""What the machine is found to be: packages, disks, permissions, ports, the clock against a venue."""

from __future__ import annotations

import http.server
import socket
import sys
import threading

import pytest

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from polybot.doctor.finding import Finding, Patient, show_bytes, show_seconds, worst
from polybot.doctor.machine import _parsed, _parts, disk_findings, package_findings, permission_findings, python_findings
from polybot.doctor.venue import clock_findings, port_findings
from processes.health_file import Health, RoleHealth

S = 1_000_000_000
NOW = 1_800_000_000 * S


def patient(tmp_path, values=None, **changes):
    config = Config(Settings()).with_values(values or {}, "test")
    known = {"state_dir": tmp_path / "var", "db_url": f"sqlite:///{tmp_path / 'x.db'}", "now_ns": NOW}
    return Patient(config, **(known | changes))


@pytest.fixture
def venue():
    """A venue on loopback that answers every request with ``venue.said``."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = server.said
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    server.said = str(NOW // S).encode()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def clock(tmp_path, url, now_ns=NOW, **changes):
    (found,) = clock_findings(patient(tmp_path, {"polymarket": {"clob_url": url}}, **changes), lambda: now_ns)
    return found


def test_python_and_packages_of_this_checkout_are_found_right():
    (python,) = python_findings()
    assert python.status == "ok"
    assert not [found for found in package_findings() if found.status == "problem"]


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("click>=8.1", ("click", "8.1", "")),
        ("eth-account>=0.13; extra == 'live'", ("eth-account", "0.13", "live")),
        ("uvicorn[standard] >= 0.30", ("uvicorn", "0.30", "")),
        ("rich", ("rich", "", "")),
    ],
)
def test_requirements_are_read(line, parsed):
    assert _parsed(line) == parsed


def test_versions_compare_by_number():
    assert _parts("2.0.30") < _parts("2.1.9") < _parts("2.10")
    assert _parts("27.0") == _parts("27.0.0rc1")[:1]


def test_a_clock_that_agrees_is_fine_to_the_second(tmp_path, venue):
    found = clock(tmp_path, venue.url, NOW + S // 2)
    assert (found.status, found.text) == ("ok", f"agrees with {venue.url} within 1.0 s")


@pytest.mark.parametrize(
    ("off_s", "status", "words"),
    [(6, "warning", "is 5.0 s ahead of"), (-6, "warning", "is 6.0 s behind"), (-60, "problem", "is 60 s behind")],
)
def test_a_clock_that_is_off_is_told_with_its_direction(tmp_path, venue, off_s, status, words):
    found = clock(tmp_path, venue.url, NOW + off_s * S)
    assert found.status == status
    assert words in found.text
    assert found.todo == "set the clock by NTP"


def test_a_venue_that_is_away_or_talks_nonsense_leaves_the_clock_unknown(tmp_path, venue):
    venue.said = b"<html>"
    assert clock(tmp_path, venue.url).status == "unknown"
    assert clock(tmp_path, "nonsense").status == "unknown"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused at once
        found = clock(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (found.status, "refused" in found.text) == ("unknown", True)
    assert clock(tmp_path, venue.url, offline=True).status == "unknown"


def test_steps_back_that_a_role_saw_are_told(tmp_path):
    health = Health("s", 1, NOW, "running", (RoleHealth("executor", "running", 2, counts={"clock_steps_back": 2}),))
    _, found = clock_findings(patient(tmp_path, offline=True, health=health))
    assert found.status == "warning"
    assert found.text == "executor saw the machine's clock set back 2 times; its own time went on"


def test_a_taken_port_of_the_fake_venue_is_a_warning_and_of_a_stream_a_problem(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        values = {"fake_venue": {"port": port}, "bus": {"transport": "tcp", "base_port": port}}
        assert [found.status for found in port_findings(patient(tmp_path, values))] == ["warning", "problem"]
        assert [found.status for found in port_findings(patient(tmp_path, values, runs=True))] == ["ok"]


def test_room_is_told_once_a_disk_and_too_little_is_a_problem(tmp_path):
    (found,) = disk_findings(patient(tmp_path, {"bus": {"min_free_mb": 1}}))
    assert found.text.endswith("free for state directory, recordings, database")
    (found,) = disk_findings(patient(tmp_path, {"bus": {"min_free_mb": 10**9}}))
    assert found.status == "problem"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions as POSIX has them")
def test_what_others_may_read_is_told_with_what_to_do(tmp_path):
    someone = patient(tmp_path)
    someone.state_dir.mkdir(mode=0o700)
    (tmp_path / "x.db").touch(0o600)
    config = tmp_path / "config"
    config.mkdir()
    (config / "default.toml").touch()
    (config / "secrets.local.toml").touch(0o600)
    assert [(found.status, found.text) for found in permission_findings(someone, config)] == [
        ("ok", "3 places are their owner's only")
    ]
    someone.state_dir.chmod(0o755)
    (config / "secrets.local.toml").chmod(0o644)
    assert [(found.status, found.todo) for found in permission_findings(someone, config)] == [
        ("warning", f"chmod 700 {someone.state_dir}"),
        ("problem", f"chmod 600 {config / 'secrets.local.toml'}"),
    ]


def test_sizes_and_durations_are_told_in_their_largest_unit():
    assert [show_bytes(size) for size in (12, 1_250, 64_000_000, 83_210_000_000)] == ["12 bytes", "1.2 kB", "64.0 MB", "83.2 GB"]
    assert [show_seconds(ns * S // 10) for ns in (4, 120, 1_800, 180_000)] == ["0.4 s", "12 s", "3 min", "5 h"]


def test_the_gravest_finding_decides():
    assert worst([]) == "ok"
    assert worst([Finding("a", "unknown", ""), Finding("b", "warning", ""), Finding("c", "ok", "")]) == "warning"
