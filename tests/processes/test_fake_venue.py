"""The fake venue as a process: what it refuses, what it writes, how it stops."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from pipeline.messages.edges import RawFrame
from pipeline.recording.source import open_frames
from processes.fake_venue import main


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "default.toml").write_text('[bus]\nstate_dir = "' + (tmp_path / "var").as_posix() + '"\n')
    return folder


def started(config: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "processes.fake_venue", "--config", str(config), "--port", "0", *more]
    environment = {**os.environ, "POLYBOT_SUPERVISED": "1"}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.fixture
def venue(config: Path) -> Iterator[subprocess.Popen[str]]:
    with started(config) as process:
        yield process
        process.kill()


def listening(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    for line in process.stdout:
        body: dict[str, str] = json.loads(line)
        if body["event"] == "fake_venue_listening":
            return body
    raise AssertionError("it ended before it listened")


def test_it_says_where_it_listens_and_ends_when_its_input_closes(venue: subprocess.Popen[str]) -> None:
    said = listening(venue)
    assert httpx.get(f"{said['url']}/ok").status_code == 200
    assert venue.stdin is not None
    venue.stdin.close()
    assert venue.wait(10) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_ends_it_with_exit_code_0(venue: subprocess.Popen[str]) -> None:
    listening(venue)
    venue.terminate()
    assert venue.wait(10) == 0


def test_a_port_in_use_is_one_line_and_exit_code_2(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "processes.fake_venue", "--config", str(config), "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1 and f"127.0.0.1:{port}" in ended.stderr


def test_the_same_seed_writes_the_same_recording(config: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        done = CliRunner().invoke(
            main, ["--config", str(config), "--no-decoys", "--record-to", str(tmp_path / name), "--for", "5"]
        )
        assert done.exit_code == 0, done.output
    one, two = ({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two and "markets.json" in one
    source = open_frames(tmp_path / "one")
    assert (source.venue, len(source.markets)) == ("fake", 8)
    assert sum(isinstance(msg, RawFrame) for msg in source.messages()) > 300


def test_a_folder_in_use_is_not_written_to(config: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    done = CliRunner().invoke(main, ["--config", str(config), "--record-to", str(tmp_path / "full")])
    assert done.exit_code == 2 and "is not empty" in done.output


def test_a_recording_is_served_from_its_first_frame_and_the_link_closes_normally(config: Path, tmp_path: Path) -> None:
    taped = tmp_path / "taped"
    assert CliRunner().invoke(main, ["--config", str(config), "--record-to", str(taped), "--for", "3"]).exit_code == 0
    frames = [msg.data.decode() for msg in open_frames(taped).messages() if isinstance(msg, RawFrame) and msg.data != b"PONG"]
    with started(config, "--recording", str(taped), "--speed", "20") as process:
        said = listening(process)
        markets = httpx.get(f"{said['url']}/markets/keyset?limit=100").json()["markets"]
        tokens = [token for market in markets for token in json.loads(market["clobTokenIds"])]
        got = []
        with connect(said["ws_url"], compression=None, max_size=None, max_queue=None, open_timeout=10) as link:
            link.send(json.dumps({"type": "market", "assets_ids": tokens, "custom_feature_enabled": True}))
            with pytest.raises(ConnectionClosedOK):
                while True:
                    got.append(link.recv(timeout=10))
        process.kill()
    assert got == ["[]\n", *frames]
