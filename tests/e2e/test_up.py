"""`polybot up` with real processes: it trades on the fake venue, ends as it was told to, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
from decimal import Decimal

import pytest

from pipeline.messages.edges import RawFrame
from pipeline.recording.source import open_frames
from pipeline.store.open import open_store
from pipeline.store.pnl import count_fills, read_books
from pipeline.store.status import main_counts
from processes.health_file import read_health

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


def test_it_shows_books_and_quotes_and_ends_by_itself(up):
    pipeline = up("--for", "6", "--json")
    assert pipeline.wait(45) == 0, pipeline.said
    summary = json.loads("".join(pipeline.out))
    assert summary["frames"] > 50
    assert summary["books"] >= 16
    assert summary["verified"] + sum(summary["doubted"].values()) == summary["books"]
    assert summary["verified_percent"] >= 90
    assert summary["quotes_placed"] > 0
    assert (summary["restarts"], summary["drops"], summary["gaps"]) == (0, 0, 0)
    assert summary["duration_s"] == 6
    with open_store(pipeline.db_url, read_only=True) as store, store.connect() as conn:
        rows, books, counts = main_counts(conn), read_books(conn), count_fills(conn)
    assert Decimal(summary["simulated_pnl"]) * 1_000_000 == sum(
        account.pnl_e6(books.marks) for account in books.accounts.values()
    )
    assert rows == summary["rows"]
    assert rows["orders"] >= summary["quotes_placed"]  # those that risk refused are stored too
    assert rows["fills"] == summary["fill_rows"] == counts.rows
    assert (summary["fills"], summary["merged"], summary["converted"], summary["settled"]) == (
        sum(account.trades for account in books.accounts.values()),
        counts.merged,
        counts.converted,
        counts.settled,
    )
    assert all(rows[table] > 0 for table in ("orderbook_events", "orderbook_snapshots", "markets", "exec_audit"))
    assert any(re.search(r"books (\d+)/\1 verified .* quotes \d+ \(\d+ open\)", line) for line in pipeline.err)
    assert pipeline.left_behind() == []


def test_a_second_one_is_refused_and_the_first_stops_within_five_seconds_leaving_nothing_behind(up):
    first = up()
    first.until(first.trades, 30, "quotes on verified books")
    second = up()
    assert second.wait(30) == 2
    assert f"pid {first.process.pid}" in "".join(second.err)
    assert first.process.poll() is None
    first.send(signal.SIGTERM)
    assert first.wait(5) == 0, first.said
    assert first.left_behind() == []
    assert first.events("roles_stopped")[-1]["killed"] == []
    assert any(line.startswith("quotes placed") for line in first.out)


def test_what_a_killed_supervisor_and_a_killed_session_leave_blocks_no_start_and_is_gone_after_an_orderly_end(
    up, program, tmp_path
):
    first = up()
    first.until(first.trades, 30, "quotes on verified books")
    first.process.kill()
    first.wait(5)
    second = up()
    second.until(second.trades, 20, "quotes in the next session")
    assert not [event for event in second.events("role_died") if event["ended"] not in ("exit code 0",)]
    doctor = program("polybot.cli", "doctor", "--state-dir", str(second.state_dir), "--json")
    assert doctor.wait(20) == 0, doctor.said
    told = json.loads("".join(doctor.out))
    assert [found["status"] for found in told["findings"] if found["check"] in ("session", "locks", "clock", "integrity")] == [
        "ok"
    ] * 4
    pids = {role.role: role.pid for role in read_health(second.state_dir).roles}
    os.kill(pids.pop("strategy"), signal.SIGSTOP)  # one that cannot end by itself
    for pid in (second.process.pid, *pids.values()):
        os.kill(pid, signal.SIGKILL)
    second.wait(5)
    left = sorted(file.name for file in second.state_dir.glob("*.pid"))
    assert "supervisor.pid" in left and "writer.pid" in left
    third = up()
    third.until(lambda: third.trades() and len(third.events("orphan_killed")) == 1, 40, "quotes in the next session")
    assert third.events("role_died") == []
    third.send(signal.SIGTERM)
    assert third.wait(8) == 0, third.said
    assert third.left_behind() == []
    (stopped,) = third.events("roles_stopped")
    assert list(stopped["waited_ms"]).index("executor") + 1 == list(stopped["waited_ms"]).index("writer")
    assert any(line.startswith("stopped in ") for line in third.out)
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == ["fake.db", "fake.db.lock"]
    assert not list(third.state_dir.glob("*.pid"))


def test_a_recording_is_played_and_ends_by_itself(program, tmp_path):
    recorder = program("processes.fake_venue", "--record-to", "recorded", "--for", "5", "--seed", "3")
    assert recorder.wait(20) == 0, recorder.said
    played = program(
        "polybot.cli", "up", "--venue", "recording:recorded", "--speed", "8", "--state-dir", str(tmp_path / "var"), "--json"
    )
    assert played.wait(20) == 0, played.said
    summary = json.loads("".join(played.out))
    frames = sum(1 for message in open_frames(tmp_path / "recorded").messages() if isinstance(message, RawFrame))
    assert summary["frames"] == frames > 50
    assert summary["verified_percent"] >= 90
    assert summary["quotes_placed"] > 0
    assert summary["db_url"].endswith("/recording.db")
    assert not list(tmp_path.glob("*.db"))


def test_what_a_role_refuses_ends_everything_with_exit_code_2(up, tmp_path):
    open_store(f"sqlite:///{tmp_path / 'fake.db'}", venue="polymarket").close()
    pipeline = up("--for", "20")
    assert pipeline.wait(45) == 2
    (line,) = [line for line in pipeline.err if line.startswith("polybot:")]
    assert "venue polymarket" in line
    assert pipeline.left_behind() == []


def test_a_role_that_keeps_dying_ends_everything_with_exit_code_4(up, tmp_path):
    (tmp_path / "Procfile").write_text("writer: python -c 'raise SystemExit(\"the disk is on fire\")'\n")
    pipeline = up("--procfile", "Procfile")
    assert pipeline.wait(45) == 4
    assert pipeline.err == [
        "polybot: writer died 5 times within a minute, the last time with exit code 1; its last line: the disk is on fire\n"
    ]
    assert any(line.startswith("writer died (exit code 1: the disk is on fire)") for line in pipeline.out)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--venue", "kalshi"], "expected fake, polymarket or recording:PATH"),
        (["--venue", "recording:nowhere"], "nowhere: no such file or folder"),
        (["--db-url", "postgresql://h/d"], "PostgreSQL comes in a later version"),
        (["--config", "typo.toml"], "[venue] nmae: no such key; did you mean name?"),
    ],
)
def test_bad_input_is_one_line_and_starts_nothing(program, tmp_path, options, complaint):
    (tmp_path / "typo.toml").write_text('[venue]\nnmae = "fake"\n')
    refused = program("polybot.cli", "up", *options)
    assert refused.wait(10) == 2
    assert len(refused.err) == 1
    assert complaint in refused.err[0]
    assert [file.name for file in tmp_path.iterdir()] == ["typo.toml"]


def test_a_port_in_use_is_refused(program):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        refused = program("polybot.cli", "up", "--port", str(port))
        assert refused.wait(10) == 2
    assert "".join(refused.err).startswith(f"polybot: --port {port}: taken on 127.0.0.1")


def test_honcho_runs_the_demo_as_well(program, tmp_path, port, repository):
    (tmp_path / "config.toml").write_text(
        f"[bus]\nstate_dir = '{tmp_path / 'var'}'\n[fake_venue]\nport = {port}\n[db]\nurl = 'sqlite:///{tmp_path / 'demo.db'}'\n"
    )
    honcho = program(
        "honcho",
        "start",
        "-f",
        str(repository / "Procfile.demo"),
        "-d",
        str(repository),
        POLYBOT_CONFIG=str(tmp_path / "config.toml"),
    )
    tap = program("polybot.cli", "tap", "exec", "--json", "--state-dir", str(tmp_path / "var"))
    tap.until_it_says('"kind":"OrderUpdate"', 20)
    assert honcho.process.poll() is None, honcho.said
    honcho.send(signal.SIGINT)
    honcho.wait(8)
    with open_store(f"sqlite:///{tmp_path / 'demo.db'}", read_only=True) as store, store.connect() as conn:
        assert main_counts(conn)["orders"] > 0
