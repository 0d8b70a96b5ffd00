"""`polybot replay --verify`: what it needs, and what it refuses in one line."""

from __future__ import annotations

import pytest


def test_without_a_session_it_says_where_it_looked(cli, tmp_path):
    done = cli("replay", "--verify", "last", "--state-dir", tmp_path)
    assert done.exit_code == 2
    assert done.stderr == f"polybot: {tmp_path}: holds no session; `polybot up` makes one, and --state-dir names another place\n"


def test_a_session_without_input_logs_says_how_to_have_them(cli, tmp_path):
    run = tmp_path / "runs" / "20261122-120000-1a"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")
    done = cli("replay", "--verify", "last", "--state-dir", tmp_path)
    assert done.exit_code == 2
    assert "set log_inputs = true in [bus]" in done.stderr


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--verify", "last", "recordings/sample.jsonl"], "leave FILE out"),
        (["--verify", "last", "--columns", "time=ts"], "leave --columns out"),
        (["recordings/sample.jsonl"], "give FILE and MARKET_ID, or --verify RUN"),
        (["recordings/sample.jsonl", "mkt-1", "--param", "risk.x=1"], "go with --verify RUN"),
        (["--verify", "last", "--param", "edge"], "expected section.key=value"),
    ],
)
def test_what_does_not_go_together_is_refused(cli, tmp_path, args, told):
    run = tmp_path / "runs" / "20261122-120000-1a"
    (run / "inputs").mkdir(parents=True)
    (run / "config.json").write_text("{}")
    (run / "inputs" / "20261122-120000-1a.gateway.1.log.000001").write_bytes(b"")
    state_dir = ["--state-dir", tmp_path] if "--verify" in args else []
    done = cli("replay", *args, *state_dir)
    assert done.exit_code == 2
    assert told in done.stderr
