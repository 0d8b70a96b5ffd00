"""The JSON lines websocket: every line to every client, then a normal close."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from pipeline.base.errors import BadInput, PortInUse
from pipeline.fake_venue.mock_ws import MockStream, read_lines

LINES = ['{"type":"snapshot","seq":1}', '{"type":"delta","seq":2}', '{"type":"delta","seq":3}']


@pytest.mark.parametrize("interval_ms", [0, 1])
def test_each_client_gets_all_lines_and_a_normal_close(interval_ms: int) -> None:
    with MockStream(LINES, interval_ms=interval_ms).running() as stream:
        for _ in range(2):
            with connect(stream.url, open_timeout=10) as link:
                assert [link.recv(timeout=10) for _ in LINES] == LINES
                with pytest.raises(ConnectionClosedOK) as closed:
                    link.recv(timeout=10)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000
        assert stream.connections == 2


def test_a_client_that_leaves_early_harms_nobody() -> None:
    with MockStream(LINES * 1_000).running() as stream:
        with connect(stream.url, open_timeout=10, max_queue=None) as link:
            link.recv(timeout=10)
        with connect(stream.url, open_timeout=10, max_queue=None) as link:
            assert link.recv(timeout=10) == LINES[0]


def test_a_port_in_use_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortInUse):
            MockStream(LINES, port=taken.getsockname()[1])


def test_a_missing_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n\n")
    with pytest.raises(BadInput, match=r"empty\.jsonl: holds no line"):
        read_lines(empty)
    with pytest.raises(BadInput, match=r"none\.jsonl: cannot be read"):
        read_lines(tmp_path / "none.jsonl")


def test_blank_lines_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    file.write_text("\n".join([LINES[0], "", LINES[1], ""]))
    assert read_lines(file) == LINES[:2]
